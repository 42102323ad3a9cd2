package graph

import (
	"context"

	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/tenancy"
)

// alertType describes a type by its key. One that is in no catalogue any more
// still has its alerts.
func alertType(key string) *model.AlertType {
	t, known := alert.Find(key)
	if !known {
		t = alert.Type{UUID: key, Key: key, DisplayName: key, Category: alert.General, DefaultSeverity: "MEDIUM"}
	}
	return describeType(t)
}

func alertTypes() []*model.AlertType {
	var types []*model.AlertType
	for _, t := range alert.Catalogue() {
		types = append(types, describeType(t))
	}
	return types
}

func describeType(t alert.Type) *model.AlertType {
	return &model.AlertType{
		UUID: t.UUID, Key: t.Key, DisplayName: t.DisplayName, Category: model.AlertCategory(t.Category),
		Description: t.Description, DefaultSeverity: t.DefaultSeverity, Raisable: t.Raisable,
	}
}

func report(in model.RaiseAlertInput) alert.Report {
	return alert.Report{
		Type: in.Type, Title: in.Title, Description: deref(in.Description), Severity: deref(in.Severity),
		DedupeKey: deref(in.DedupeKey), OccurredAt: deref(in.OccurredAt),
		DeviceID: deref(in.DeviceID), UserID: deref(in.UserID), Reference: deref(in.Reference),
	}
}

// deref is what a nullable input holds; the zero value for null.
func deref[T any](value *T) T {
	if value == nil {
		var zero T
		return zero
	}
	return *value
}

// permitted finds out where the caller holds a permission at this moment, for
// a subscription, which outlives what was true when it began.
func permitted(permission policy.Permission) func(context.Context) (tenancy.Scope, error) {
	return func(ctx context.Context) (tenancy.Scope, error) {
		caller, err := access.From(ctx)
		if err != nil {
			return tenancy.Scope{}, err
		}
		if caller, err = caller.Renew(ctx); err != nil {
			return tenancy.Scope{}, err
		}
		return caller.Authorize(ctx, permission)
	}
}
