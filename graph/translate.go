package graph

import (
	"errors"
	"strings"

	"entgo.io/ent/dialect/sql/sqlgraph"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
)

// translate turns the entities' own errors into faults, by type. The id is the
// one that the operation was about. What it does not know stays as it is, and
// reads as INTERNAL.
func translate(err error, id string) error {
	if err == nil {
		return nil
	}
	err = database.Unavailable(err) // rows can fail after their statement did not
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	if invalid, ok := errors.AsType[*ent.ValidationError](err); ok {
		return fault.Invalid("input."+camel(invalid.Name), "%s", reason(invalid)).Wrap(err)
	}
	switch {
	case ent.IsNotFound(err):
		return fault.Missing(id).Wrap(err)
	case sqlgraph.IsForeignKeyConstraintError(err):
		return fault.New(fault.NotFound, "an object that the input refers to is not in reach, or one that is to be deleted is still in use").Wrap(err)
	case sqlgraph.IsUniqueConstraintError(err):
		return fault.New(fault.Conflict, "an object with these values exists already").Wrap(err)
	}
	return err
}

// reason is the rule that a value broke, without ent's wrapping.
func reason(err *ent.ValidationError) string {
	text := errors.Unwrap(err).Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// camel is the API's spelling of a column: first_name → firstName.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

// named is the target of an operation that changed nothing.
func named(id string) []schema.LogTarget {
	if id == "" {
		return nil
	}
	prefix, _, _ := strings.Cut(id, "_")
	table, _ := ent.TypeOf(prefix)
	return []schema.LogTarget{{Type: table, ID: id}}
}
