package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/session"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Activate sets the first password of an administrator with the token of the
// activation link, which works once.
func (s *Service) Activate(ctx context.Context, activationToken, password string) (*ent.Administrator, error) {
	_, hash, err := credential.ActivationLink.Parse(activationToken)
	if err != nil {
		return nil, err
	}
	system := tenancy.System(database.Detached(ctx), "find the account of an activation link before its provider is known")
	a, err := s.client.Administrator.Query().Where(administrator.ActivationHash(hash)).Only(system)
	if err != nil {
		return nil, absent(err)
	}
	if a.Suspended || a.ActivationExpiresAt == nil || !s.now().Before(*a.ActivationExpiresAt) {
		return nil, refused()
	}
	phc, err := s.newPassword(ctx, "input.password", password, a.Email)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(s.within(ctx, a.ProviderID), func(ctx context.Context) error {
		n, err := s.client.Administrator.Update().
			Where(administrator.ID(a.ID), administrator.ActivationHash(hash)).
			SetRegistered(true).SetPasswordHash(phc).ClearActivationHash().ClearActivationExpiresAt().Save(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("activate administrator: %w", err)
		case n == 0:
			return refused()
		}
		if err := s.record(ctx, "activateAdministrator", a, systemlogevent.OutcomeSuccess); err != nil {
			return err
		}
		if a, err = s.client.Administrator.Get(ctx, a.ID); err != nil {
			return fmt.Errorf("read administrator: %w", err)
		}
		return s.Announce(ctx, a.ProviderID, a.ID)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// ChangePassword replaces the caller's password and ends their other sessions.
// It must not run in a transaction: see [Service.confirm].
func (s *Service) ChangePassword(ctx context.Context, current, next string) (*ent.Administrator, error) {
	c, a, err := s.confirm(ctx, "input.currentPassword", current)
	if err != nil {
		return nil, err
	}
	phc, err := s.newPassword(ctx, "input.newPassword", next, a.Email)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if a, err = s.client.Administrator.UpdateOneID(a.ID).
			Where(administrator.PasswordHash(a.PasswordHash)).SetPasswordHash(phc).Save(ctx); err != nil {
			return changedMeanwhile(err)
		}
		_, err = s.endSessions(ctx, a.ProviderID, a.ID, session.IDNEQ(c.session))
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Service) newPassword(ctx context.Context, field, password, email string) (string, error) {
	if err := credential.CheckPassword(field, password, email); err != nil {
		return "", err
	}
	return s.config.Hasher.Hash(ctx, password)
}

// confirm asks whoever is signed in for their password again, so that a stolen
// access token does not change how its owner signs in. Wrong ones are counted,
// whatever becomes of the operation: it must not run in a transaction, whose
// rollback would take the count back. Nor should one wait for a slow hash.
func (s *Service) confirm(ctx context.Context, field, password string) (*Caller, *ent.Administrator, error) {
	if _, within := database.TxFrom(ctx); within {
		return nil, nil, errors.New("access: a password is not confirmed inside a transaction")
	}
	c, err := signedIn(ctx)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.client.Administrator.Get(ctx, c.AdministratorID())
	if err != nil {
		return nil, nil, absent(err)
	}
	tries := limit{subject("confirm", a.ID), 5, 15 * time.Second}
	if err := s.throttle.admit(ctx, tries); err != nil {
		return nil, nil, err
	}
	right, err := s.verify(ctx, a, password)
	switch {
	case err != nil:
		return nil, nil, err
	case !right:
		return nil, nil, fault.Invalid(field, "the password is wrong")
	}
	return c, a, s.throttle.clear(throttleContext(ctx), tries)
}

// changedMeanwhile is what a conditional update means that found nothing.
func changedMeanwhile(err error) error {
	if ent.IsNotFound(err) {
		return fault.New(fault.Conflict, "it was changed meanwhile; try again")
	}
	return err
}
