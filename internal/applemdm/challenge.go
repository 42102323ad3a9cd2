package applemdm

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/applemdm/scep"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	// challengeLife is for how long a profile that was downloaded can be installed,
	// and a device that has been sent one may take to use it.
	challengeLife = time.Hour
	// identityLife is how long a device's identity is valid. It is renewed before.
	identityLife = 365 * 24 * time.Hour
	// maxTransaction is what is kept of a client's name for its transaction, in bytes.
	maxTransaction = 255
)

// bearer is whom an identity is for.
type bearer struct{ enrollment, device, user *string }

// challenge makes a challenge for one identity, to be used by some time.
func (s *Service) challenge(ctx context.Context, site *Site, b bearer, until time.Time) (string, error) {
	password := rand.Text()
	err := s.client.ScepChallenge.Create().SetOrganizationID(site.Organization).SetChallengeHash(digest(password)).
		SetNillableEnrollmentID(b.enrollment).SetNillableDeviceID(b.device).SetNillableUserID(b.user).
		SetExpiresAt(until.Add(challengeLife)).Exec(ctx)
	return password, err
}

// Redeem implements [scep.Challenges] for the organization that the context's
// scope names. A challenge is used once; an identity that renews itself without
// one must be in use, and its message not seen before.
func (s *Service) Redeem(ctx context.Context, r scep.Request, issue scep.Issue) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	organizationID, _ := scope.Organization()
	site, err := s.Site(ctx, organizationID)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		b, err := s.claim(ctx, site, r)
		if err != nil {
			return err
		}
		id := schema.NewID("did")()
		certificate, err := issue(scep.Grant{
			Subject:  pkix.Name{CommonName: id, Organization: []string{attribute(site.OrganizationName)}},
			Validity: identityLife,
		})
		if err != nil {
			return err
		}
		serial := hex.EncodeToString(certificate.SerialNumber.Bytes())
		err = s.client.DeviceIdentity.Create().SetID(id).SetOrganizationID(organizationID).
			SetNillableEnrollmentID(b.enrollment).SetNillableDeviceID(b.device).SetNillableUserID(b.user).
			SetFingerprint(Fingerprint(certificate)).SetSerialNumber(serial).
			SetCommonName(id).SetNotBefore(certificate.NotBefore).SetNotAfter(certificate.NotAfter).Exec(ctx)
		if err != nil {
			return err
		}
		targets, err := s.named(ctx, b)
		if err != nil {
			return err
		}
		identity := schema.LogTarget{Type: "DeviceIdentity", ID: id, Op: "CREATE", Name: serial}
		return s.record(ctx, eventIssue, organizationID, append(targets, identity)...)
	})
	if fault.CodeOf(err) == fault.Forbidden { // its limit may have come about in a way that nobody was told of
		err = errors.Join(err, s.ReviewSeats(ctx, organizationID))
	}
	if ent.IsConstraintError(err) { // the message's nonce, or what it was for is gone
		return fault.New(fault.Conflict, "the message was seen before").Wrap(err)
	}
	return err
}

// claim uses up what a request proves itself with, and answers whom the identity
// is for.
func (s *Service) claim(ctx context.Context, site *Site, r scep.Request) (b bearer, err error) {
	var renewed *ent.DeviceIdentity
	if r.Current != nil {
		if renewed, err = s.inUse(ctx, r.Current); err != nil {
			return b, err
		}
		b = bearer{device: renewed.DeviceID, user: renewed.UserID}
		if err := s.remember(ctx, site, r, b); err != nil {
			return b, err
		}
	}
	if r.Challenge == "" {
		if renewed == nil {
			return b, fault.New(fault.PreconditionFailed, "there is no challenge")
		}
		return b, nil
	}
	c, err := s.redeem(ctx, r)
	if err != nil {
		return b, err
	}
	if renewed != nil && (c.DeviceID == nil || *c.DeviceID != *renewed.DeviceID) {
		return b, fault.New(fault.PreconditionFailed, "the challenge is not for the device that sends it")
	}
	if c.DeviceID != nil {
		if no, err := s.blocked(ctx, *c.DeviceID); err != nil || no {
			return b, refusal(err, "the device is blocked")
		}
	}
	if c.EnrollmentID != nil {
		if err := s.enter(ctx, site, *c.EnrollmentID); err != nil {
			return b, err
		}
	}
	return bearer{enrollment: c.EnrollmentID, device: c.DeviceID, user: c.UserID}, nil
}

// redeem uses a challenge. Of two at once, the database lets one through.
func (s *Service) redeem(ctx context.Context, r scep.Request) (*ent.ScepChallenge, error) {
	hash := digest(r.Challenge)
	n, err := s.client.ScepChallenge.Update().
		Where(scepchallenge.ChallengeHash(hash), scepchallenge.RedeemedAtIsNil(), scepchallenge.ExpiresAtGT(s.now())).
		SetRedeemedAt(s.now()).SetTransaction(r.TransactionID[:min(len(r.TransactionID), maxTransaction)]).Save(ctx)
	if err != nil || n == 0 {
		return nil, refusal(err, "the challenge is unknown, used or expired")
	}
	return s.client.ScepChallenge.Query().Where(scepchallenge.ChallengeHash(hash)).Only(ctx)
}

// enter takes one of an enrolment's places. Its limits are part of the update's
// condition, so that no two devices have the last place.
func (s *Service) enter(ctx context.Context, site *Site, id string) error {
	if site.Suspended {
		return fault.New(fault.Forbidden, "the organization is suspended")
	}
	n, err := s.client.Enrollment.Update().
		Where(enrollment.ID(id), enrollment.RevokedAtIsNil(),
			enrollment.Or(enrollment.ExpiresAtIsNil(), enrollment.ExpiresAtGT(s.now())),
			func(sel *sql.Selector) {
				quota := sel.C(enrollment.FieldQuota)
				sel.Where(sql.Or(sql.IsNull(quota), sql.ColumnsLT(sel.C(enrollment.FieldUsed), quota)))
			}).
		AddUsed(1).Save(ctx)
	if err != nil || n == 0 {
		return refusal(err, "the enrolment is over")
	}
	return s.CheckSeat(ctx, site, "", 1)
}

// inUse finds the identity that a device renews: it is neither revoked nor of a
// blocked device, and the device has not gone on to another.
func (s *Service) inUse(ctx context.Context, current *x509.Certificate) (*ent.DeviceIdentity, error) {
	i, err := s.client.DeviceIdentity.Query().
		Where(deviceidentity.Fingerprint(Fingerprint(current)), deviceidentity.RevokedAtIsNil(), deviceidentity.DeviceIDNotNil()).
		Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.New(fault.PreconditionFailed, "the identity is revoked, or of no device")
	}
	if err != nil {
		return nil, err
	}
	if no, err := s.blocked(ctx, *i.DeviceID); err != nil || no {
		return nil, refusal(err, "the device is blocked")
	}
	used, err := s.client.DeviceChannel.Query().
		Where(devicechannel.DeviceID(*i.DeviceID), devicechannel.KindEQ(devicechannel.KindDevice),
			devicechannel.Fingerprint(i.Fingerprint),
			devicechannel.StatusIn(devicechannel.StatusAuthenticated, devicechannel.StatusEnrolled)).Exist(ctx)
	if err != nil || !used {
		return nil, refusal(err, "the identity is superseded")
	}
	return i, nil
}

// remember notes the nonce of a renewal for as long as the identity that signed
// it could have it accepted again. It stands among the challenges, as one that
// has been used.
func (s *Service) remember(ctx context.Context, site *Site, r scep.Request, b bearer) error {
	return s.client.ScepChallenge.Create().SetOrganizationID(site.Organization).
		SetChallengeHash(digest("nonce:" + Fingerprint(r.Current) + ":" + hex.EncodeToString(r.SenderNonce))).
		SetNillableDeviceID(b.device).SetNillableUserID(b.user).
		SetTransaction(r.TransactionID[:min(len(r.TransactionID), maxTransaction)]).
		SetRedeemedAt(s.now()).SetExpiresAt(r.Current.NotAfter).Exec(ctx)
}

// refusal is the failure, or, where nothing failed, what is refused and why.
func refusal(err error, why string) error {
	if err != nil {
		return err
	}
	return fault.New(fault.PreconditionFailed, "%s", why)
}
