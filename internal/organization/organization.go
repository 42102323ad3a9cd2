// Package organization keeps a provider's customers: their creation, seats,
// suspension, and deletion with a grace period.
package organization

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Access is told what changes who may do what; every replica forgets what it
// had cached.
type Access interface {
	// Announce says, with the ambient transaction, that what is known of an id,
	// or of the whole provider if it is empty, has changed.
	Announce(ctx context.Context, provider, id string) error
}

// Service keeps organizations. Its changes join the ambient transaction.
type Service struct {
	db     *database.DB
	client *ent.Client
	access Access
	clock  func() time.Time
}

// New returns the keeper of organizations.
func New(db *database.DB, client *ent.Client, access Access, clock func() time.Time) *Service {
	return &Service{db: db, client: client, access: access, clock: clock}
}

// Create creates an organization of the scope's provider (JCX-01).
func (s *Service) Create(ctx context.Context, name string, maxSystemUsers *int) (o *ent.Organization, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if o, err = s.client.Organization.Create().SetName(name).SetNillableMaxSystemUsers(maxSystemUsers).Save(ctx); err != nil {
			return named(err, name)
		}
		return s.access.Announce(ctx, o.ProviderID, "")
	})
	return o, err
}

// Change is what to change about an organization; nil stays.
type Change struct {
	ID             string
	Name           *string
	ChangeSeats    bool
	MaxSystemUsers *int // nil for no limit; read when ChangeSeats is set
}

// Update changes the name and the seat limit, which cannot go below the seats
// that are taken (JC-001).
func (s *Service) Update(ctx context.Context, c Change) (o *ent.Organization, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.Organization.Update().Where(organization.ID(c.ID)).SetNillableName(c.Name)
		if c.ChangeSeats && c.MaxSystemUsers == nil {
			update.ClearMaxSystemUsers()
		} else if c.ChangeSeats {
			update.SetMaxSystemUsers(*c.MaxSystemUsers).Where(organization.UserCountLTE(*c.MaxSystemUsers))
		}
		changed, err := update.Save(ctx)
		if err != nil {
			return named(err, value(c.Name))
		}
		if o, err = s.client.Organization.Fetch(ctx, c.ID); err != nil {
			return err
		}
		if changed == 0 {
			return fault.New(fault.PreconditionFailed, "the organization has %d users already: maxSystemUsers cannot be less", o.UserCount)
		}
		return nil
	})
	return o, err
}

// Suspend stops every change within an organization.
func (s *Service) Suspend(ctx context.Context, id string) (*ent.Organization, error) {
	return s.move(ctx, id, "only an organization in use can be suspended", organization.StatusEQ(organization.StatusActive),
		func(u *ent.OrganizationUpdate) { u.SetStatus(organization.StatusSuspended) })
}

// Resume takes a suspended organization into use again.
func (s *Service) Resume(ctx context.Context, id string) (*ent.Organization, error) {
	return s.move(ctx, id, "only a suspended organization can be resumed", organization.StatusEQ(organization.StatusSuspended),
		func(u *ent.OrganizationUpdate) { u.SetStatus(organization.StatusActive) })
}

// Delete marks an organization for erasure after the grace period. The name,
// written out, confirms that this one is meant.
func (s *Service) Delete(ctx context.Context, id, confirmName string) (*ent.Organization, error) {
	o, err := s.client.Organization.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Name != confirmName {
		return nil, fault.Invalid("input.confirmName", "not the organization's name")
	}
	return s.move(ctx, id, "the organization is deleted already", organization.StatusNEQ(organization.StatusDeleting),
		func(u *ent.OrganizationUpdate) {
			u.SetStatus(organization.StatusDeleting).SetDeleteAfter(s.clock().Add(schema.DeletionGrace))
		})
}

// Restore takes a deletion back; the organization is suspended then, for it
// was out of use.
func (s *Service) Restore(ctx context.Context, id string) (*ent.Organization, error) {
	return s.move(ctx, id, "only a deleted organization can be restored", organization.StatusEQ(organization.StatusDeleting),
		func(u *ent.OrganizationUpdate) { u.SetStatus(organization.StatusSuspended).ClearDeleteAfter() })
}

// move changes the status of an organization that is in the right one.
func (s *Service) move(ctx context.Context, id, refusal string, from predicate.Organization, change func(*ent.OrganizationUpdate)) (o *ent.Organization, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.Organization.Update().Where(organization.ID(id), from)
		change(update)
		changed, err := update.Save(ctx)
		if err != nil {
			return err
		}
		if o, err = s.client.Organization.Fetch(ctx, id); err != nil {
			return err
		}
		if changed == 0 {
			return fault.New(fault.PreconditionFailed, "%s: it is %s", refusal, o.Status)
		}
		return s.access.Announce(ctx, o.ProviderID, "")
	})
	return o, err
}

// eraseBatch bounds how many organizations one call of Erase takes on.
const eraseBatch = 20

// Erase deletes the organizations whose grace period is over, with everything
// in them, and answers how many.
func (s *Service) Erase(ctx context.Context) (int, error) {
	ctx = tenancy.System(ctx, "erase organizations whose grace period is over")
	due, err := s.client.Organization.Query().
		Where(organization.StatusEQ(organization.StatusDeleting), organization.DeleteAfterLTE(s.clock())).
		Order(organization.ByID(sql.OrderAsc())).Limit(eraseBatch).IDs(ctx)
	if err != nil {
		return 0, err
	}
	for i, id := range due {
		// The condition is repeated: it may have been restored since.
		_, err := s.client.Organization.Delete().
			Where(organization.ID(id), organization.StatusEQ(organization.StatusDeleting), organization.DeleteAfterLTE(s.clock())).
			Exec(ctx)
		if err != nil {
			return i, err
		}
	}
	return len(due), nil
}

func named(err error, name string) error {
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "the provider has an organization named %q already", name).Wrap(err)
	}
	return err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
