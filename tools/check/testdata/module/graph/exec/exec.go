package exec

import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/graph"
