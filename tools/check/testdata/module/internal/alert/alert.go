// Package alert is a domain.
package alert

import _ "github.com/bailiwick/bailiwick/ent"
import _ "github.com/bailiwick/bailiwick/graph"
import _ "github.com/bailiwick/bailiwick/internal/job"
import _ "github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
