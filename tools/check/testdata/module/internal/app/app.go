// Package app composes.
package app

import _ "github.com/bailiwick/bailiwick/graph"
import _ "github.com/bailiwick/bailiwick/internal/httpd"
import _ "github.com/bailiwick/bailiwick/internal/testkit"
