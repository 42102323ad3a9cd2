// Package directory keeps an organization's users and its seats.
package directory

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"

	"entgo.io/ent/dialect/sql"
)

// Service keeps users. Its changes join the ambient transaction.
type Service struct {
	db     *database.DB
	client *ent.Client
}

// New returns the directory over a database.
func New(db *database.DB, client *ent.Client) *Service { return &Service{db: db, client: client} }

// NewUser is a user to create.
type NewUser struct {
	Login     string
	Email     string
	FirstName *string
	LastName  *string
}

// CreateUser creates a user in the scope's organization, and takes a seat:
// PRECONDITION_FAILED when none is free (JC-001, maxSystemUsers).
func (s *Service) CreateUser(ctx context.Context, n NewUser) (user *ent.User, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		user, err = s.client.User.Create().
			SetLogin(n.Login).SetEmail(n.Email).
			SetNillableFirstName(n.FirstName).SetNillableLastName(n.LastName).
			Save(ctx)
		if err != nil {
			return err
		}
		return s.takeSeat(ctx, user.OrganizationID)
	})
	return user, err
}

// takeSeat counts one user more. The limit is part of the update's condition,
// so that two at once cannot both have the last seat.
func (s *Service) takeSeat(ctx context.Context, organizationID string) error {
	n, err := s.client.Organization.Update().
		Where(organization.ID(organizationID), func(sel *sql.Selector) {
			limit := sel.C(organization.FieldMaxSystemUsers)
			sel.Where(sql.Or(sql.IsNull(limit), sql.ColumnsLT(sel.C(organization.FieldUserCount), limit)))
		}).
		AddUserCount(1).
		Save(guard.WithoutTrail(ctx))
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.PreconditionFailed, "every seat of the organization is taken: raise maxSystemUsers or delete a user")
	}
	return nil
}

// DeleteUser deletes a user and frees the seat.
func (s *Service) DeleteUser(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		user, err := s.client.User.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := s.client.User.Detach(ctx, id); err != nil {
			return err
		}
		if err := s.client.User.DeleteOneID(id).Exec(ctx); err != nil {
			return err
		}
		return s.client.Organization.UpdateOneID(user.OrganizationID).AddUserCount(-1).Exec(guard.WithoutTrail(ctx))
	})
}
