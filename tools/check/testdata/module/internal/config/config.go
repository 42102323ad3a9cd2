// Package config is read first.
package config

import _ "github.com/bailiwick/bailiwick/internal/alert"
import _ "github.com/bailiwick/bailiwick/internal/fault"
