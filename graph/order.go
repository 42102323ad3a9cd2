package graph

import (
	"entgo.io/contrib/entgql"

	"github.com/bailiwick/bailiwick/ent"
)

// newestEventFirst is the order that a reader of the log expects.
func newestEventFirst(by *ent.SystemLogEventOrder) ent.SystemLogEventPaginateOption {
	if by == nil {
		by = &ent.SystemLogEventOrder{Field: ent.SystemLogEventOrderFieldPublished, Direction: entgql.OrderDirectionDesc}
	}
	return ent.WithSystemLogEventOrder(by)
}
