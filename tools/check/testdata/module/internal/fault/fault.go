// Package fault is a leaf.
package fault

import _ "errors"
import _ "entgo.io/ent"
