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

// newestAlertFirst is the order in which alerts are worked through.
func newestAlertFirst(by *ent.AlertOrder) ent.AlertPaginateOption {
	if by == nil {
		by = &ent.AlertOrder{Field: ent.AlertOrderFieldLastOccurredAt, Direction: entgql.OrderDirectionDesc}
	}
	return ent.WithAlertOrder(by)
}
