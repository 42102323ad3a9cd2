// Package httpd orders routes.
package httpd

import _ "github.com/bailiwick/bailiwick/graph"
import _ "github.com/bailiwick/bailiwick/internal/app"
