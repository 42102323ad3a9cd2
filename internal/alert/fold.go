package alert

import (
	"context"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// fold adds a report to the open alert of its condition, or opens one.
//
// Reports of one condition meet at the open alert's row, which is locked; while
// there is none, at the organization's. So the unique index on open alerts is
// never run into, which on PostgreSQL would cost the caller's transaction.
// SQLite has one writer, and needs no lock.
func (s *Service) fold(ctx context.Context, r Report) (a *ent.Alert, opened bool, err error) {
	if a, err = s.open(ctx, r); err == nil && a == nil {
		if err = s.lockOrganization(ctx, r.Organization); err == nil {
			a, err = s.open(ctx, r)
		}
	}
	if err != nil {
		return nil, false, err
	}
	if a != nil {
		a, err = s.again(ctx, a, r)
		return a, false, err
	}
	a, err = s.begin(ctx, r)
	if err != nil || !ticketed(a.Type) {
		return a, true, err
	}
	return a, true, s.ticket.Opened(ctx, a)
}

// open is the condition's open alert, locked; nil if there is none.
func (s *Service) open(ctx context.Context, r Report) (*ent.Alert, error) {
	a, err := s.client.Alert.Query().
		Where(alert.OrganizationID(r.Organization), alert.TypeEQ(r.Type), alert.DedupeKey(r.DedupeKey), alert.ResolvedAtIsNil()).
		Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return a, err
}

// lockOrganization makes the transaction the only one that opens alerts in an
// organization. Rows that refer to the organization are not held up.
func (s *Service) lockOrganization(ctx context.Context, id string) error {
	_, err := s.client.Organization.Query().Where(organization.ID(id)).Modify(database.ForNoKeyUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return fault.Missing(id)
	}
	return err
}

// begin opens the next incident of a condition.
func (s *Service) begin(ctx context.Context, r Report) (*ent.Alert, error) {
	last, err := s.client.Alert.Query().
		Where(alert.OrganizationID(r.Organization), alert.TypeEQ(r.Type), alert.DedupeKey(r.DedupeKey)).
		Order(alert.ByIncident(sql.OrderDesc())).First(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, err
	}
	incident := 1
	if last != nil {
		incident = last.Incident + 1
	}
	return s.incident(r, incident).Save(ctx)
}

// incident is the alert that begins with a report.
func (s *Service) incident(r Report, incident int) *ent.AlertCreate {
	create := s.client.Alert.Create().
		SetOrganizationID(r.Organization).SetType(r.Type).SetDedupeKey(r.DedupeKey).SetIncident(incident).
		SetSeverity(r.Severity).SetStatus(alert.StatusOpen).
		SetTitle(r.Title).SetDescription(r.Description).SetReference(r.Reference).
		SetSourceType(r.SourceType).SetSourceName(r.SourceName).
		SetFirstOccurredAt(r.OccurredAt).SetLastOccurredAt(r.OccurredAt)
	if r.DeviceID != "" {
		create.SetDeviceID(r.DeviceID)
	}
	if r.UserID != "" {
		create.SetUserID(r.UserID)
	}
	return create
}

// again counts another occurrence of an open alert.
func (s *Service) again(ctx context.Context, a *ent.Alert, r Report) (*ent.Alert, error) {
	update := a.Update().AddOccurrenceCount(1)
	if r.OccurredAt.After(a.LastOccurredAt) {
		update.SetLastOccurredAt(r.OccurredAt)
	}
	if a.Reference == "" && r.Reference != "" {
		update.SetReference(r.Reference)
	}
	worse := weight(r.Severity) > weight(a.Severity)
	if worse {
		update.SetSeverity(r.Severity)
	}
	a, err := update.Save(ctx)
	if err != nil || !worse || !ticketed(a.Type) {
		return a, err
	}
	return a, s.ticket.Worsened(ctx, a)
}

func weight(severity alert.Severity) int {
	switch severity {
	case alert.SeverityHigh:
		return 3
	case alert.SeverityMedium:
		return 2
	default:
		return 1
	}
}

// record keeps the report itself.
func (s *Service) record(ctx context.Context, a *ent.Alert, r Report) error {
	by, err := reporter(ctx)
	if err != nil {
		return err
	}
	return s.occurrence(a, r, by).Exec(ctx)
}

func (s *Service) occurrence(a *ent.Alert, r Report, by string) *ent.AlertOccurrenceCreate {
	return s.client.AlertOccurrence.Create().
		SetOrganizationID(a.OrganizationID).SetAlertID(a.ID).SetOccurredAt(r.OccurredAt).
		SetDetails(r.Description).SetRaisedBy(by)
}

// reporter is by whom the context's reports are made, for people.
func reporter(ctx context.Context) (string, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return "", err
	}
	if by := scope.Principal().Name; by != "" {
		return by, nil
	}
	return "bailiwick", nil
}
