package applemdm

import (
	"context"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// maxToken bounds what is looked up, in bytes.
const maxToken = 128

// Admit finds the enrolment of a link's token in the site's organization, and
// judges whether a device may enrol with it now. The context carries the site's
// scope. A token that is unknown, or of another kind or organization, is
// NOT_FOUND; an enrolment that is over PRECONDITION_FAILED; an organization that
// may not enrol now FORBIDDEN; one that is not set up UNAVAILABLE. The messages
// are for the person who holds the link.
func (s *Service) Admit(ctx context.Context, site *Site, kind enrollment.Kind, token string) (*ent.Enrollment, error) {
	if len(token) > maxToken {
		return nil, fault.Missing("")
	}
	e, err := s.client.Enrollment.Query().
		Where(enrollment.TokenHash(digest(normalToken(token))), enrollment.KindEQ(kind)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("")
	}
	if err != nil {
		return nil, err
	}
	return e, s.admit(ctx, site, e)
}

func (s *Service) admit(ctx context.Context, site *Site, e *ent.Enrollment) error {
	over := func(why string) error { return fault.New(fault.PreconditionFailed, "%s", why) }
	switch {
	case e.RevokedAt != nil:
		return over("This link has been withdrawn.")
	case e.ExpiresAt != nil && !e.ExpiresAt.After(s.now()):
		return over("This link has expired.")
	case e.Quota != nil && e.Used >= *e.Quota:
		return over("This link is used up.")
	case site.Suspended:
		return fault.New(fault.Forbidden, "The organization cannot take devices in at present.")
	case site.Topic == "":
		return fault.New(fault.Unavailable, "The organization's device management is not set up yet.")
	case e.Kind == enrollment.KindUser && !site.AllowUserEnrollment:
		return fault.New(fault.Forbidden, "The organization does not take in people's own devices.")
	}
	return s.CheckSeat(ctx, site, "", 1)
}

// OfferUserEnrollment finds the site of the person whom a device names before
// anybody has signed in: the one organization that lets people enrol their own
// devices and has a user with this e-mail address. It is NOT_FOUND for none, and
// for several. It takes no scope.
func (s *Service) OfferUserEnrollment(ctx context.Context, address string) (*Site, error) {
	if address == "" || len(address) > maxAddress {
		return nil, fault.Missing("")
	}
	users, err := s.client.User.Query().
		Where(user.EmailIn(addresses(address)...), user.StatusNotIn(user.StatusSuspended, user.StatusDeprovisioned)).
		Select(user.FieldOrganizationID).Limit(maxNamesakes).
		All(tenancy.System(ctx, "find the organization of a person who enrols a device of their own, before the provider is known"))
	if err != nil {
		return nil, err
	}
	var found *Site
	for _, u := range users {
		site, err := s.Site(ctx, u.OrganizationID)
		if fault.CodeOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !site.AllowUserEnrollment || site.Suspended || site.Topic == "" || found != nil && found.ID == site.ID {
			continue
		}
		if found != nil {
			return nil, fault.Missing("")
		}
		found = site
	}
	if found == nil {
		return nil, fault.Missing("")
	}
	return found, nil
}

const (
	maxAddress   = 255
	maxNamesakes = 100 // users of one e-mail address that are looked at
)

// Person finds the user whom a device was signed in to. The context carries the
// site's scope. One who is unknown, or not in use, is NOT_FOUND.
func (s *Service) Person(ctx context.Context, address string) (*ent.User, error) {
	u, err := s.client.User.Query().
		Where(user.EmailIn(addresses(address)...), user.StatusNotIn(user.StatusSuspended, user.StatusDeprovisioned)).
		Order(user.ByID()).First(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("")
	}
	return u, err
}

// blocked reports whether a device is out of reach or may not have an identity.
func (s *Service) blocked(ctx context.Context, deviceID string) (bool, error) {
	free, err := s.client.Device.Query().Where(device.ID(deviceID), device.BlockedAtIsNil()).Exist(ctx)
	return !free, err
}

// addresses are the spellings of an e-mail address under which a user may be kept.
func addresses(address string) []string {
	return []string{address, strings.ToLower(address)}
}
