package alert

import (
	"context"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Acknowledge says that somebody is on an alert. Acknowledging again changes
// the remark, if one is given; an alert that is over cannot be acknowledged.
func (s *Service) Acknowledge(ctx context.Context, id string, remark *string) (*ent.Alert, error) {
	return s.move(ctx, id, remark, func(a *ent.Alert, u *ent.AlertUpdateOne) {
		if a.Status == alert.StatusOpen {
			u.SetStatus(alert.StatusAcknowledged).SetAcknowledgedAt(s.now())
		}
	}, nil)
}

// Resolve ends an alert; its tickets are closed. One that is over already is
// PRECONDITION_FAILED.
func (s *Service) Resolve(ctx context.Context, id string, remark *string) (*ent.Alert, error) {
	return s.move(ctx, id, remark, func(_ *ent.Alert, u *ent.AlertUpdateOne) {
		u.SetStatus(alert.StatusResolved).SetResolvedAt(s.now())
	}, s.ended)
}

// ResolveAll ends those of the alerts that are not over, each as [Service.Resolve]
// does, with one remark, and answers how many. It is for what settles many at
// once.
func (s *Service) ResolveAll(ctx context.Context, ids []string, remark string) (int, error) {
	if err := checkText("remark", remark, maxRemark); err != nil || len(ids) == 0 {
		return 0, err
	}
	resolved := 0
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		resolved = 0
		open, err := s.client.Alert.Query().Where(alert.IDIn(ids...), alert.ResolvedAtIsNil()).
			Order(alert.ByID()).Modify(database.ForUpdate).All(ctx)
		if err != nil {
			return err
		}
		for _, a := range open {
			a, err := a.Update().SetStatus(alert.StatusResolved).SetResolvedAt(s.now()).SetRemark(remark).Save(ctx)
			if err != nil {
				return err
			}
			if err := s.ended(ctx, a); err != nil {
				return err
			}
			if err := s.announce(ctx, a); err != nil {
				return err
			}
			resolved++
		}
		return nil
	})
	return resolved, err
}

// Clear ends the open alerts of a condition, in one organization or, with none
// named, in all of the scope, and answers how many. It is for conditions that
// are known to have ended.
func (s *Service) Clear(ctx context.Context, organization, alertType, dedupeKey string) (int, error) {
	return s.clear(ctx, organization, alert.TypeEQ(alertType), alert.DedupeKey(dedupeKey))
}

// ClearDevices is Clear for the conditions of some types that were found out about
// devices, and have a device's id for their key. What others have reported of the
// same types is theirs to end.
func (s *Service) ClearDevices(ctx context.Context, organization string, alertTypes ...string) (int, error) {
	return s.clear(ctx, organization, alert.TypeIn(alertTypes...), func(q *sql.Selector) {
		q.Where(sql.ColumnsEQ(q.C(alert.FieldDedupeKey), q.C(alert.FieldDeviceID)))
	})
}

// clearBatch is how many alerts are looked at in one go.
const clearBatch = 500

func (s *Service) clear(ctx context.Context, organization string, which ...predicate.Alert) (int, error) {
	which = append(which, alert.ResolvedAtIsNil())
	if organization != "" {
		which = append(which, alert.OrganizationID(organization))
	}
	cleared := 0
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		for cleared = 0; ; {
			open, err := s.client.Alert.Query().Where(which...).Order(alert.ByID()).Limit(clearBatch).Modify(database.ForUpdate).All(ctx)
			if err != nil || len(open) == 0 {
				return err
			}
			for _, a := range open {
				a, err := a.Update().SetStatus(alert.StatusAutoResolved).SetResolvedAt(s.now()).Save(ctx)
				if err != nil {
					return err
				}
				if err := s.ended(ctx, a); err != nil {
					return err
				}
				if err := s.announce(ctx, a); err != nil {
					return err
				}
				cleared++
			}
		}
	})
	return cleared, err
}

// move changes the status of an alert that is not over, and tells everyone.
func (s *Service) move(
	ctx context.Context, id string, remark *string,
	change func(*ent.Alert, *ent.AlertUpdateOne), then func(context.Context, *ent.Alert) error,
) (moved *ent.Alert, err error) {
	if remark != nil {
		if err := checkText("input.remark", *remark, maxRemark); err != nil {
			return nil, err
		}
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		a, err := s.client.Alert.Query().Where(alert.ID(id)).Modify(database.ForUpdate).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing(id)
		}
		if err != nil {
			return err
		}
		if a.ResolvedAt != nil {
			return fault.New(fault.PreconditionFailed, "the alert is over since %s: it is %s",
				a.ResolvedAt.UTC().Format("2006-01-02T15:04:05Z"), a.Status)
		}
		update := a.Update().SetNillableRemark(remark)
		change(a, update)
		if moved, err = update.Save(ctx); err != nil {
			return err
		}
		if then != nil {
			if err := then(ctx, moved); err != nil {
				return err
			}
		}
		return s.announce(ctx, moved)
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}

// ended has the tickets of an alert closed.
func (s *Service) ended(ctx context.Context, a *ent.Alert) error {
	if !ticketed(a.Type) {
		return nil
	}
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	by := scope.Principal().Name
	if a.Status == alert.StatusAutoResolved || by == "" {
		by = "itself"
	}
	return s.ticket.Ended(ctx, a, by)
}
