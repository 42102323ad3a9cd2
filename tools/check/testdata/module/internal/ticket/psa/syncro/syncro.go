// Package syncro talks to Syncro.
package syncro

import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/internal/ticket"
