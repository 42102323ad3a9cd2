// Package tenancy is a leaf.
package tenancy

import _ "context"
