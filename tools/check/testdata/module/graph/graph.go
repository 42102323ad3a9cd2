// Package graph is the API.
package graph

import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/graph/exec"
import _ "github.com/bailiwick/bailiwick/internal/alert"
import _ "github.com/bailiwick/bailiwick/internal/app"
