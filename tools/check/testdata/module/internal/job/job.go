// Package job runs jobs.
package job

import _ "github.com/riverqueue/river"
import _ "github.com/bailiwick/bailiwick/internal/alert"
