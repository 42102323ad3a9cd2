// Package ticket is a domain.
package ticket

import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/internal/audit"
