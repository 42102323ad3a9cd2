// Package schema describes entities.
package schema

import _ "entgo.io/ent/schema/field"
import _ "github.com/lib/pq"
import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/internal/guard"
import _ "github.com/bailiwick/bailiwick/tenancy"
