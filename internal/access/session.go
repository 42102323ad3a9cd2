package access

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/session"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// keepSessions is how long an ended session is kept. It tells from where its
// administrator signed in before.
const keepSessions = 30 * 24 * time.Hour

// Refresh exchanges a refresh token for a new pair of tokens. A token that was
// exchanged before has been stolen, from its owner or from the thief: the
// session ends. Every refusal is UNAUTHENTICATED.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	_, hash, err := credential.RefreshToken.Parse(refreshToken)
	if err != nil {
		return Tokens{}, err
	}
	system := tenancy.System(database.Detached(ctx), "find the session of a refresh token before its provider is known")
	found, err := s.client.Session.Query().
		Where(session.Or(session.RefreshHash(hash), session.PreviousHash(hash))).
		WithAdministrator().Only(system)
	if err != nil {
		return Tokens{}, absent(err)
	}
	a := found.Edges.Administrator
	switch {
	case found.Pending || found.RevokedAt != nil || !s.now().Before(found.ExpiresAt) || a.Suspended:
		return Tokens{}, refused()
	case !credential.Matches(found.RefreshHash, hash):
		return Tokens{}, s.stolen(ctx, found, a)
	}
	tokens, next, err := s.issue(ctx, a, found.ID)
	if err != nil {
		return Tokens{}, err
	}
	n, err := s.client.Session.Update().
		Where(session.ID(found.ID), session.RefreshHash(hash), session.RevokedAtIsNil()).
		SetRefreshHash(next).SetPreviousHash(hash).SetExpiresAt(tokens.RefreshExpires).
		Save(s.within(ctx, found.ProviderID))
	switch {
	case err != nil:
		return Tokens{}, fmt.Errorf("refresh session: %w", err)
	case n == 0: // somebody was faster, with the same token
		return Tokens{}, s.stolen(ctx, found, a)
	}
	return tokens, nil
}

// stolen ends a session whose refresh token was used twice, and answers the
// refusal.
func (s *Service) stolen(ctx context.Context, found *ent.Session, a *ent.Administrator) error {
	err := s.db.InTx(s.within(ctx, found.ProviderID), func(ctx context.Context) error {
		if _, err := s.endSessions(ctx, a.ProviderID, a.ID, session.ID(found.ID)); err != nil {
			return err
		}
		return s.record(ctx, "refreshSession", a, systemlogevent.OutcomeFailure)
	})
	if err != nil {
		return err
	}
	return fault.New(fault.Unauthenticated, "the refresh token was used before: the session has ended, sign in again")
}

// endSessions ends the sessions of an administrator that match, and answers how
// many there were.
func (s *Service) endSessions(ctx context.Context, providerID, administratorID string, which ...predicate.Session) (int, error) {
	n, err := s.client.Session.Update().
		Where(append(which, session.AdministratorID(administratorID), session.RevokedAtIsNil())...).
		SetRevokedAt(s.now()).Save(ctx)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return n, s.Announce(ctx, providerID, administratorID)
}

// SignOut ends the caller's session, or all of the administrator's, and answers
// how many were ended.
func (s *Service) SignOut(ctx context.Context, everywhere bool) (int, error) {
	c, err := signedIn(ctx)
	if err != nil {
		return 0, err
	}
	var ended int
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		which := []predicate.Session{session.ExpiresAtGT(s.now())}
		if !everywhere {
			which = append(which, session.ID(c.session))
		}
		ended, err = s.endSessions(ctx, c.ProviderID(), c.AdministratorID(), which...)
		return err
	})
	return ended, err
}

// signedIn is the caller, if it is a person with a session: an API key neither
// signs out nor changes how its administrator signs in.
func signedIn(ctx context.Context) (*Caller, error) {
	c, err := From(ctx)
	if err != nil {
		return nil, err
	}
	if c.session == "" {
		return nil, fault.New(fault.Forbidden, "this takes a session: an API key cannot do it")
	}
	return c, nil
}

// Sweep deletes sessions that ended long ago and sign-in counts that no longer
// matter. It is to be called now and then, by any replica.
func (s *Service) Sweep(ctx context.Context) error {
	system := tenancy.System(database.Detached(ctx), "delete the sessions of all providers that ended long ago")
	_, err := s.client.Session.Delete().Where(session.ExpiresAtLT(s.now().Add(-keepSessions))).Exec(system)
	if err != nil {
		return fmt.Errorf("delete old sessions: %w", err)
	}
	_, err = s.client.Administrator.Update().
		Where(administrator.ActivationExpiresAtLT(s.now())).
		ClearActivationHash().ClearActivationExpiresAt().Save(system)
	if err != nil {
		return fmt.Errorf("delete expired activation links: %w", err)
	}
	return s.throttle.sweep(ctx)
}
