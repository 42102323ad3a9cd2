package access

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/session"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// challengeLifetime is how long a sign-in waits for its second factor.
const challengeLifetime = 5 * time.Minute

// Tokens are what a session is used and kept with. They are shown once.
type Tokens struct {
	Access         string
	AccessExpires  time.Time
	Refresh        string // works once
	RefreshExpires time.Time
}

// SignedIn is what a password gives: a session, or the token with which the
// second factor completes it.
type SignedIn struct {
	Session   *Tokens // nil while the second factor is owed
	TOTPToken string
}

// SignIn begins a session with e-mail address and password. Whatever is wrong
// is UNAUTHENTICATED in the same words and about the same time, whether the
// account exists or not; too many attempts are RATE_LIMITED.
func (s *Service) SignIn(ctx context.Context, email, password string) (SignedIn, error) {
	email = normalEmail(email)
	address := audit.ClientFrom(ctx).Address
	found, familiar, err := s.accountFor(ctx, email, address)
	if err != nil {
		return SignedIn{}, err
	}
	tries := attemptOf(email, address)
	if err := s.throttle.admit(ctx, tries.password(familiar)...); err != nil {
		return SignedIn{}, err
	}
	right, err := s.verify(ctx, found, password)
	if err != nil {
		return SignedIn{}, err
	}
	if !right {
		if err := s.signInFailed(ctx, "signIn", found, tries); err != nil {
			return SignedIn{}, err
		}
		return SignedIn{}, fault.New(fault.Unauthenticated, "the e-mail address or the password is wrong")
	}
	if err := s.rehash(ctx, found, password); err != nil {
		return SignedIn{}, err
	}
	if found.EnableMultiFactor {
		return s.challenge(ctx, found, tries)
	}
	tokens, err := s.begin(ctx, found)
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Session: &tokens}, s.throttle.forget(ctx, tries)
}

// normalEmail is the form in which addresses are stored and compared.
func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// accountFor finds the account of an address, nil if there is none, and whether
// it was signed in to from this client before. It asks the same of the database
// either way.
func (s *Service) accountFor(ctx context.Context, email, address string) (found *ent.Administrator, familiar bool, err error) {
	ctx = tenancy.System(database.Detached(ctx), "find the account that signs in before its provider is known")
	found, err = s.client.Administrator.Query().Where(administrator.Email(email)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, false, fmt.Errorf("find account: %w", err)
	}
	id := ""
	if found != nil {
		id = found.ID
	}
	familiar, err = s.client.Session.Query().
		Where(session.AdministratorID(id), session.ClientAddress(address), session.Pending(false)).Exist(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("find earlier sessions: %w", err)
	}
	return found, familiar && address != "", nil
}

// verify judges a password, and takes as long where there is no account.
func (s *Service) verify(ctx context.Context, found *ent.Administrator, password string) (bool, error) {
	if found == nil || found.Suspended || !found.Registered || found.PasswordHash == "" {
		return false, s.config.Hasher.Dummy(ctx, password)
	}
	return s.config.Hasher.Verify(ctx, found.PasswordHash, password)
}

// signInFailed records a failure in the log of the account's provider. Where
// there is no account, it writes something else, and so takes as long.
func (s *Service) signInFailed(ctx context.Context, operation string, found *ent.Administrator, tries attempt) error {
	if found == nil {
		return s.throttle.touch(ctx, tries.pair)
	}
	return s.record(s.within(ctx, found.ProviderID), operation, found, systemlogevent.OutcomeFailure)
}

// record adds a sign-in event to the log of the account's provider.
func (s *Service) record(ctx context.Context, operation string, a *ent.Administrator, outcome systemlogevent.Outcome) error {
	e := audit.Entry{
		EventType: operation, Outcome: outcome, ProviderID: a.ProviderID,
		Targets: []schema.LogTarget{{Type: "Administrator", ID: a.ID}},
	}
	if outcome == systemlogevent.OutcomeSuccess {
		e.Actor = tenancy.Principal{Kind: tenancy.Administrator, AdministratorID: a.ID, Name: a.Email}
	} else {
		e.Reason = string(fault.Unauthenticated)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error { return s.config.Auditor.Record(ctx, e) })
}

// rehash brings a password's hash to what the configuration asks for now.
func (s *Service) rehash(ctx context.Context, a *ent.Administrator, password string) error {
	if !s.config.Hasher.NeedsRehash(a.PasswordHash) {
		return nil
	}
	hash, err := s.config.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.client.Administrator.Update().
		Where(administrator.ID(a.ID), administrator.PasswordHash(a.PasswordHash)).
		SetPasswordHash(hash).Exec(s.within(ctx, a.ProviderID))
}

// challenge leaves a session pending until the second factor is shown.
func (s *Service) challenge(ctx context.Context, a *ent.Administrator, tries attempt) (SignedIn, error) {
	display, _, hash := credential.SignInChallenge.New()
	err := s.newSession(audit.ClientFrom(ctx), a, schema.NewID("ses")(), hash).
		SetPending(true).SetExpiresAt(s.now().Add(challengeLifetime)).Exec(s.within(ctx, a.ProviderID))
	if err != nil {
		return SignedIn{}, fmt.Errorf("begin sign-in: %w", err)
	}
	return SignedIn{TOTPToken: display}, s.throttle.passed(ctx, tries)
}

func (s *Service) newSession(client audit.Client, a *ent.Administrator, id string, hash []byte) *ent.SessionCreate {
	return s.client.Session.Create().
		SetID(id).SetAdministratorID(a.ID).SetProviderID(a.ProviderID).SetRefreshHash(hash).
		SetClientAddress(cut(client.Address, 64)).SetUserAgent(cut(client.UserAgent, 512))
}

// begin opens a session.
func (s *Service) begin(ctx context.Context, a *ent.Administrator) (Tokens, error) {
	id := schema.NewID("ses")()
	tokens, hash, err := s.issue(ctx, a, id)
	if err != nil {
		return Tokens{}, err
	}
	client := audit.ClientFrom(ctx)
	err = s.db.InTx(s.within(ctx, a.ProviderID), func(ctx context.Context) error {
		if err := s.newSession(client, a, id, hash).SetExpiresAt(tokens.RefreshExpires).Exec(ctx); err != nil {
			return fmt.Errorf("open session: %w", err)
		}
		return s.entered(ctx, a, "signIn")
	})
	return tokens, err
}

// entered notes a sign-in, unless the administrator was suspended meanwhile.
func (s *Service) entered(ctx context.Context, a *ent.Administrator, operation string) error {
	n, err := s.client.Administrator.Update().
		Where(administrator.ID(a.ID), administrator.Suspended(false)).SetLastSignInAt(s.now()).Save(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("note sign-in: %w", err)
	case n == 0:
		return refused()
	}
	return s.record(ctx, operation, a, systemlogevent.OutcomeSuccess)
}

// issue makes a session's next tokens, and the hash of the refresh token.
func (s *Service) issue(ctx context.Context, a *ent.Administrator, sessionID string) (Tokens, []byte, error) {
	display, _, hash := credential.RefreshToken.New()
	raw, claims, err := s.config.Tokens.Issue(ctx, token.Subject{Administrator: a.ID, Session: sessionID, Provider: a.ProviderID})
	if err != nil {
		return Tokens{}, nil, err
	}
	return Tokens{
		Access: raw, AccessExpires: claims.Expires,
		Refresh: display, RefreshExpires: s.now().Add(s.config.SessionLifetime),
	}, hash, nil
}

// cut keeps the first n bytes of a text, on a character boundary.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "")
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
