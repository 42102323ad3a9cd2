// Package guard keeps the walls.
package guard

import _ "entgo.io/ent"
import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/tenancy"
