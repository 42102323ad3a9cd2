package ent

import _ "entgo.io/ent"
import _ "github.com/bailiwick/bailiwick/schema"
import _ "github.com/bailiwick/bailiwick/internal/alert"
