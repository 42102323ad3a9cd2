package scope

import "github.com/bailiwick/bailiwick/tenancy"

var test = tenancy.System
