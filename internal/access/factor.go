package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/administrator"
	"github.com/bailiwick/bailiwick/ent/session"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

// factor is what is sealed as an administrator's second factor. A new secret
// is pending, and the old one counts, until a code of the new one is shown.
type factor struct {
	Secret  string `json:"secret,omitempty"`
	Pending string `json:"pending,omitempty"`
}

func factorPlace(a *ent.Administrator) secret.Place {
	return secret.Place{Tenant: a.ProviderID, Table: administrator.Table, Column: administrator.FieldTotpSecret, Row: a.ID}
}

func (s *Service) openFactor(ctx context.Context, a *ent.Administrator) (f factor, err error) {
	if a.TotpSecret == nil || len(*a.TotpSecret) == 0 {
		return f, nil
	}
	plain, err := s.config.Vault.Open(ctx, factorPlace(a), *a.TotpSecret)
	if err == nil {
		err = json.Unmarshal(plain, &f)
	}
	if err != nil {
		return factor{}, fmt.Errorf("open second factor: %w", err)
	}
	return f, nil
}

func (s *Service) sealFactor(ctx context.Context, a *ent.Administrator, f factor) ([]byte, error) {
	plain, err := json.Marshal(f) //nolint:gosec // sealed in the next step
	if err != nil {
		return nil, fmt.Errorf("seal second factor: %w", err)
	}
	return s.config.Vault.Seal(ctx, factorPlace(a), plain)
}

// VerifyTOTP completes a sign-in with a code of the authenticator or a recovery
// code, each of which works once.
func (s *Service) VerifyTOTP(ctx context.Context, totpToken, code string) (Tokens, error) {
	_, hash, err := credential.SignInChallenge.Parse(totpToken)
	if err != nil {
		return Tokens{}, err
	}
	system := tenancy.System(database.Detached(ctx), "find a pending sign-in before its provider is known")
	found, err := s.client.Session.Query().
		Where(session.RefreshHash(hash), session.Pending(true), session.RevokedAtIsNil(), session.ExpiresAtGT(s.now())).
		WithAdministrator().Only(system)
	if err != nil {
		return Tokens{}, absent(err)
	}
	a := found.Edges.Administrator
	tries := attemptOf(a.Email, audit.ClientFrom(ctx).Address)
	if err := s.throttle.admit(ctx, tries.code()...); err != nil {
		return Tokens{}, err
	}
	tokens, next, err := s.issue(ctx, a, found.ID)
	if err != nil {
		return Tokens{}, err
	}
	err = s.db.InTx(s.within(ctx, a.ProviderID), func(ctx context.Context) error {
		if err := s.spendCode(ctx, a.ID, code); err != nil {
			return err
		}
		n, err := s.client.Session.Update().
			Where(session.ID(found.ID), session.RefreshHash(hash), session.Pending(true), session.RevokedAtIsNil()).
			SetPending(false).SetRefreshHash(next).SetExpiresAt(tokens.RefreshExpires).Save(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("open session: %w", err)
		case n == 0:
			return refused()
		}
		return s.entered(ctx, a, "verifyTotp")
	})
	if fault.CodeOf(err) == fault.Unauthenticated {
		if err := s.record(s.within(ctx, a.ProviderID), "verifyTotp", a, systemlogevent.OutcomeFailure); err != nil {
			return Tokens{}, err
		}
	}
	if err != nil {
		return Tokens{}, err
	}
	return tokens, s.throttle.forget(ctx, tries)
}

// spendCode accepts a code and makes sure that it is not accepted again. It
// locks the administrator: two requests may carry the same code.
func (s *Service) spendCode(ctx context.Context, administratorID, code string) error {
	a, err := s.client.Administrator.Query().Where(administrator.ID(administratorID), database.ForUpdate).Only(ctx)
	if err != nil {
		return absent(err)
	}
	f, err := s.openFactor(ctx, a)
	switch {
	case err != nil:
		return err
	case a.Suspended || !a.EnableMultiFactor || f.Secret == "":
		return refused()
	}
	if i, ok := credential.MatchRecoveryCode(a.RecoveryHashes, code); ok {
		return s.client.Administrator.UpdateOneID(a.ID).
			SetRecoveryHashes(slices.Delete(slices.Clone(a.RecoveryHashes), i, i+1)).Exec(ctx)
	}
	step, err := credential.VerifyTOTP(f.Secret, code, s.now(), a.TotpStep)
	if err != nil {
		return err
	}
	return s.client.Administrator.UpdateOneID(a.ID).SetTotpStep(step).Exec(ctx)
}

// EnrollTOTP begins the enrolment of an authenticator for whoever is signed in.
// It must not run in a transaction: see [Service.confirm].
func (s *Service) EnrollTOTP(ctx context.Context, password string) (credential.TOTPEnrolment, error) {
	_, a, err := s.confirm(ctx, "input.password", password)
	if err != nil {
		return credential.TOTPEnrolment{}, err
	}
	enrolment, err := credential.EnrolTOTP(s.config.Product, a.Email)
	if err != nil {
		return credential.TOTPEnrolment{}, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		// Read again under the lock: an enrolment may just have been confirmed.
		if a, err = s.client.Administrator.Query().Where(administrator.ID(a.ID), database.ForUpdate).Only(ctx); err != nil {
			return absent(err)
		}
		f, err := s.openFactor(ctx, a)
		if err != nil {
			return err
		}
		f.Pending = enrolment.Secret
		sealed, err := s.sealFactor(ctx, a, f)
		if err != nil {
			return err
		}
		return s.client.Administrator.UpdateOne(a).SetTotpSecret(sealed).Exec(ctx)
	})
	if err != nil {
		return credential.TOTPEnrolment{}, err
	}
	return enrolment, nil
}

// ConfirmTOTP completes an enrolment with a first code, and answers the
// recovery codes, which are never shown again.
func (s *Service) ConfirmTOTP(ctx context.Context, code string) (*ent.Administrator, []string, error) {
	c, err := signedIn(ctx)
	if err != nil {
		return nil, nil, err
	}
	codes, hashes := credential.NewRecoveryCodes()
	var a *ent.Administrator
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if a, err = s.client.Administrator.Query().Where(administrator.ID(c.AdministratorID()), database.ForUpdate).Only(ctx); err != nil {
			return absent(err)
		}
		f, err := s.openFactor(ctx, a)
		switch {
		case err != nil:
			return err
		case f.Pending == "":
			return fault.New(fault.PreconditionFailed, "no enrolment has begun: call enrollTotp first")
		}
		step, err := credential.VerifyTOTP(f.Pending, code, s.now(), 0)
		if err != nil {
			return fault.Invalid("input.code", "the code is wrong: check the authenticator's clock").Wrap(err)
		}
		sealed, err := s.sealFactor(ctx, a, factor{Secret: f.Pending})
		if err != nil {
			return err
		}
		if a, err = s.client.Administrator.UpdateOneID(a.ID).SetTotpSecret(sealed).SetTotpStep(step).
			SetEnableMultiFactor(true).SetRecoveryHashes(hashes).Save(ctx); err != nil {
			return absent(err)
		}
		return s.Announce(ctx, a.ProviderID, a.ID)
	})
	if err != nil {
		return nil, nil, err
	}
	return a, codes, nil
}
