package ticket

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/maintenancewindow"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// maxMaintenance bounds a maintenance window.
const maxMaintenance = 31 * 24 * time.Hour

// Maintenance is a time in which an organization's alerts become no tickets.
type Maintenance struct {
	Name     string // 1 to 255 bytes
	StartsAt time.Time
	EndsAt   time.Time // after StartsAt, by at most 31 days
}

func (m *Maintenance) check() error {
	m.Name = strings.TrimSpace(m.Name)
	m.StartsAt, m.EndsAt = m.StartsAt.UTC().Truncate(time.Microsecond), m.EndsAt.UTC().Truncate(time.Microsecond)
	switch {
	case m.Name == "" || len(m.Name) > 255 || !utf8.ValidString(m.Name) || strings.ContainsFunc(m.Name, func(r rune) bool { return r < ' ' }):
		return fault.Invalid("input.name", "must be one line of 1 to 255 bytes")
	case m.StartsAt.Year() < 2000 || m.StartsAt.Year() > 9999:
		return fault.Invalid("input.startsAt", "must be in the years 2000 to 9999")
	case !m.EndsAt.After(m.StartsAt):
		return fault.Invalid("input.endsAt", "must be after the begin")
	case m.EndsAt.Sub(m.StartsAt) > maxMaintenance:
		return fault.Invalid("input.endsAt", "must be at most 31 days after the begin")
	}
	return nil
}

// PlanMaintenance adds a maintenance window to the organization that the scope
// reaches, and holds its tickets that are not sent yet.
func (s *Service) PlanMaintenance(ctx context.Context, m Maintenance) (w *ent.MaintenanceWindow, err error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		w, err = s.client.MaintenanceWindow.Create().SetName(m.Name).SetStartsAt(m.StartsAt).SetEndsAt(m.EndsAt).Save(ctx)
		if err != nil {
			return err
		}
		return s.replan(ctx, w.OrganizationID)
	})
	return w, err
}

// MaintenanceChange is what to change about a maintenance window; nil stays.
type MaintenanceChange struct {
	ID       string
	Name     *string
	StartsAt *time.Time
	EndsAt   *time.Time
}

// ChangeMaintenance changes a maintenance window; the tickets that it held wait
// for its new end.
func (s *Service) ChangeMaintenance(ctx context.Context, c MaintenanceChange) (w *ent.MaintenanceWindow, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if w, err = s.client.MaintenanceWindow.Query().Where(maintenancewindow.ID(c.ID)).Only(ctx); err != nil {
			if ent.IsNotFound(err) {
				return fault.Missing(c.ID)
			}
			return err
		}
		m := Maintenance{Name: w.Name, StartsAt: w.StartsAt, EndsAt: w.EndsAt}
		inheritValue(&m.Name, c.Name)
		inheritValue(&m.StartsAt, c.StartsAt)
		inheritValue(&m.EndsAt, c.EndsAt)
		if err := m.check(); err != nil {
			return err
		}
		if w, err = w.Update().SetName(m.Name).SetStartsAt(m.StartsAt).SetEndsAt(m.EndsAt).Save(ctx); err != nil {
			return err
		}
		return s.replan(ctx, w.OrganizationID)
	})
	return w, err
}

func inheritValue[T any](field *T, set *T) {
	if set != nil {
		*field = *set
	}
}

// EndMaintenance deletes a maintenance window; the tickets that it held are
// due.
func (s *Service) EndMaintenance(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		w, err := s.client.MaintenanceWindow.Query().Where(maintenancewindow.ID(id)).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing(id)
		}
		if err != nil {
			return err
		}
		if err := s.client.MaintenanceWindow.DeleteOneID(id).Exec(ctx); err != nil {
			return err
		}
		return s.replan(ctx, w.OrganizationID)
	})
}

// replan has the worker look again at the tickets of an organization that wait
// to be opened or reopened: it finds out until when they wait now. One that may
// be at the vendor waits for its look-up, and is left alone.
func (s *Service) replan(ctx context.Context, organization string) error {
	return s.client.Ticket.Update().
		Where(ticket.OrganizationID(organization), ticket.StatusEQ(ticket.StatusPending), ticket.NextAttemptAtGT(s.now()), ticket.Attempts(0),
			ticket.Or(ticket.ExternalCompanyIDIsNil(), ticket.ExternalCompanyID(""), ticket.ExternalIDNEQ(""))).
		SetNextAttemptAt(s.now()).Exec(ctx)
}

// maintained is when an organization is first in no maintenance window, from a
// time on, with the name of the last window before that; the time itself if it
// is in none. Windows may overlap, and follow one another without a gap.
func (o *Outbox) maintained(ctx context.Context, organization string, at time.Time) (until time.Time, window string, err error) {
	windows, err := o.client.MaintenanceWindow.Query().
		Where(maintenancewindow.OrganizationID(organization), maintenancewindow.EndsAtGT(at)).All(ctx)
	if err != nil {
		return at, "", err
	}
	slices.SortFunc(windows, func(a, b *ent.MaintenanceWindow) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	for _, w := range windows {
		if w.StartsAt.After(at) {
			break
		}
		if w.EndsAt.After(at) {
			at, window = w.EndsAt, w.Name
		}
	}
	return at, window, nil
}
