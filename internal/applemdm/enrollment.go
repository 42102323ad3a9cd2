package applemdm

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// NewEnrollment is an enrolment to be made.
type NewEnrollment struct {
	Name      string
	Kind      enrollment.Kind
	Quota     *int       // devices; nil for any number
	ExpiresAt *time.Time // nil for never
}

// CreateEnrollment makes a way into the device management of the scope's
// organization, and its link (ZE-022, ZE-026). Without device management it is
// PRECONDITION_FAILED.
func (s *Service) CreateEnrollment(ctx context.Context, n NewEnrollment) (e *ent.Enrollment, link string, err error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, "", err
	}
	organizationID, one := scope.Organization()
	if !one {
		return nil, "", fault.Invalid(tenancy.Header, "name the organization to act in with the %s header", tenancy.Header)
	}
	if err := s.checkEnd(n.ExpiresAt); err != nil {
		return nil, "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		m, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organizationID)).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.New(fault.PreconditionFailed, "the organization has no device management yet: createAppleMdm comes first")
		}
		if err != nil {
			return err
		}
		id := schema.NewID("enr")()
		token, sealed, err := s.newToken(ctx, organizationID, id)
		if err != nil {
			return err
		}
		link = s.link(organizationID, token)
		e, err = s.client.Enrollment.Create().SetID(id).SetOrganizationID(organizationID).SetAppleMdmID(m.ID).
			SetName(n.Name).SetKind(n.Kind).SetNillableQuota(n.Quota).SetNillableExpiresAt(n.ExpiresAt).
			SetTokenHash(digest(token)).SetToken(sealed).Save(ctx)
		return err
	})
	return e, link, err
}

// newToken makes the secret part of a link: 26 characters of base32, which a
// person can type.
func (s *Service) newToken(ctx context.Context, organizationID, id string) (token string, sealed []byte, err error) {
	token = rand.Text()
	sealed, err = s.config.Vault.Seal(ctx, placeOfToken(organizationID, id), []byte(token))
	return token, sealed, err
}

// normalToken is a token as it was made, however a person typed it.
func normalToken(typed string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(typed))
}

func (s *Service) checkEnd(at *time.Time) error {
	if at != nil && !at.After(s.now()) {
		return fault.Invalid("input.expiresAt", "must lie in the future; revokeEnrollment ends an enrolment now")
	}
	return nil
}

// EnrollmentChange is what to change about an enrolment; what is not set stays.
type EnrollmentChange struct {
	ID           string
	Name         *string
	ChangeQuota  bool
	Quota        *int // nil for any number of devices
	ChangeExpiry bool
	ExpiresAt    *time.Time // nil for never
}

// UpdateEnrollment changes an enrolment (ZE-024).
func (s *Service) UpdateEnrollment(ctx context.Context, c EnrollmentChange) (*ent.Enrollment, error) {
	update := s.client.Enrollment.UpdateOneID(c.ID).SetNillableName(c.Name)
	if c.ChangeQuota && c.Quota == nil {
		update.ClearQuota()
	} else if c.ChangeQuota {
		update.SetQuota(*c.Quota)
	}
	if c.ChangeExpiry {
		if err := s.checkEnd(c.ExpiresAt); err != nil {
			return nil, err
		}
		if c.ExpiresAt == nil {
			update.ClearExpiresAt()
		} else {
			update.SetExpiresAt(*c.ExpiresAt)
		}
	}
	return update.Save(ctx)
}

// RotateEnrollment gives an enrolment a new link. The old one, and whatever was
// downloaded with it and not used, stops working.
func (s *Service) RotateEnrollment(ctx context.Context, id string) (e *ent.Enrollment, link string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if e, err = s.usable(ctx, id); err != nil {
			return err
		}
		token, sealed, err := s.newToken(ctx, e.OrganizationID, e.ID)
		if err != nil {
			return err
		}
		link = s.link(e.OrganizationID, token)
		if e, err = e.Update().SetTokenHash(digest(token)).SetToken(sealed).SetRotatedAt(s.now()).ClearRevealedAt().Save(ctx); err != nil {
			return err
		}
		return s.withdraw(ctx, id)
	})
	return e, link, err
}

// RevokeEnrollment ends an enrolment for good. Devices that have enrolled with
// it stay.
func (s *Service) RevokeEnrollment(ctx context.Context, id string) (e *ent.Enrollment, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if e, err = s.usable(ctx, id); err != nil {
			return err
		}
		if e, err = e.Update().SetRevokedAt(s.now()).Save(ctx); err != nil {
			return err
		}
		return s.withdraw(ctx, id)
	})
	return e, err
}

// RevealEnrollmentLink answers the link of an enrolment, and notes that it did.
func (s *Service) RevealEnrollmentLink(ctx context.Context, id string) (e *ent.Enrollment, link string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if e, err = s.usable(ctx, id); err != nil {
			return err
		}
		token, err := s.config.Vault.Open(ctx, placeOfToken(e.OrganizationID, e.ID), e.Token)
		if err != nil {
			return err
		}
		link = s.link(e.OrganizationID, string(token))
		e, err = e.Update().SetRevealedAt(s.now()).Save(ctx)
		return err
	})
	return e, link, err
}

// usable is an enrolment that has not been revoked, locked.
func (s *Service) usable(ctx context.Context, id string) (*ent.Enrollment, error) {
	e, err := s.client.Enrollment.Query().Where(enrollment.ID(id)).Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	if err == nil && e.RevokedAt != nil {
		err = fault.New(fault.PreconditionFailed, "the enrolment was revoked on %s: create another", day(*e.RevokedAt))
	}
	return e, err
}

// withdraw takes back the challenges of an enrolment that wait to be redeemed.
func (s *Service) withdraw(ctx context.Context, id string) error {
	_, err := s.client.ScepChallenge.Delete().
		Where(scepchallenge.EnrollmentID(id), scepchallenge.RedeemedAtIsNil()).Exec(guard.WithoutTrail(ctx))
	return err
}

// EnrollmentURL is the organization's own page, on which a person gives the code
// of an enrolment.
func (s *Service) EnrollmentURL(organizationID string) string {
	return s.address(organizationID, "enroll")
}

func (s *Service) link(organizationID, token string) string {
	return s.EnrollmentURL(organizationID) + "/" + token
}

func (s *Service) address(organizationID, path string) string {
	return s.config.URL + "/mdm/" + organizationID + "/" + path
}
