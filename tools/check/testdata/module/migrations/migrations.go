// Package migrations embeds SQL.
package migrations

import _ "embed"
import _ "github.com/pressly/goose/v3"
