// Package testkit serves tests.
package testkit

import _ "github.com/bailiwick/bailiwick/internal/alert"
import _ "github.com/bailiwick/bailiwick/tools/load"
