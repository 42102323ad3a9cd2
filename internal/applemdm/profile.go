package applemdm

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// The paths below an organization's address that a device keeps for as long as
// it is enrolled.
const (
	CheckInPath = "checkin"
	ConnectPath = "connect"
	SCEPPath    = "scep"
)

// Profile returns the signed enrolment profile of a device that was admitted,
// with a challenge of its own (JC-015). person is set for an account-driven user
// enrolment. The context carries the site's scope.
func (s *Service) Profile(ctx context.Context, site *Site, e *ent.Enrollment, person *ent.User) (document []byte, err error) {
	b := bearer{enrollment: &e.ID}
	var account string
	if person != nil {
		b.user, account = &person.ID, person.Email
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if document, err = s.write(ctx, site, b, site.Topic, account, s.now()); err != nil {
			return err
		}
		targets, err := s.named(ctx, b)
		if err != nil {
			return err
		}
		return s.record(ctx, eventDownload, site.Organization, targets...)
	})
	return document, err
}

// EnrollmentProfile is Profile for an administrator, who brings it to one device
// by hand (JC-015). It is PRECONDITION_FAILED for an enrolment that is over, or
// of people's own devices. It is not to be called in a transaction.
func (s *Service) EnrollmentProfile(ctx context.Context, id string) (*ent.Enrollment, []byte, error) {
	e, err := s.client.Enrollment.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if e.Kind != enrollment.KindOTA {
		return nil, nil, fault.New(fault.PreconditionFailed, "people's own devices fetch their profile by themselves")
	}
	site, err := s.Site(ctx, e.OrganizationID)
	if err != nil {
		return nil, nil, err
	}
	if err := s.admit(ctx, site, e); err != nil {
		return nil, nil, err
	}
	document, err := s.Profile(ctx, site, e, nil)
	return e, document, err
}

// RenewalProfile returns the profile that has an enrolled device renew its
// identity: that of its enrolment, with a challenge that only yields an identity
// of this device. It is sent by InstallProfile; nothing in it differs from the
// installed one but the challenge. A device may be given it until some time: one
// whose challenge is over by then would lose its management over it. The context carries the site's scope. A
// device that is blocked or not enrolled is PRECONDITION_FAILED.
func (s *Service) RenewalProfile(ctx context.Context, site *Site, deviceID string, until time.Time) ([]byte, error) {
	d, err := s.client.Device.Query().Where(device.ID(deviceID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(deviceID)
	}
	if err != nil {
		return nil, err
	}
	channel, err := s.client.DeviceChannel.Query().
		Where(devicechannel.DeviceID(deviceID), devicechannel.KindEQ(devicechannel.KindDevice), devicechannel.StatusEQ(devicechannel.StatusEnrolled)).
		Order(devicechannel.ByUpdatedAt(), devicechannel.ByID()).First(ctx)
	if ent.IsNotFound(err) || err == nil && d.BlockedAt != nil {
		return nil, fault.New(fault.PreconditionFailed, "the device is blocked, or not enrolled")
	}
	if err != nil {
		return nil, err
	}
	b := bearer{device: &d.ID}
	var account string
	if d.UserEnrollment {
		used, err := s.client.DeviceIdentity.Query().
			Where(deviceidentity.Fingerprint(channel.Fingerprint), deviceidentity.UserIDNotNil()).WithUser().Only(ctx)
		if ent.IsNotFound(err) {
			return nil, fault.New(fault.PreconditionFailed, "it is not known any more whose device it is: it has to be enrolled again")
		}
		if err != nil {
			return nil, err
		}
		b.user, account = used.UserID, used.Edges.User.Email
	}
	topic := channel.Topic // the organization's may have been replaced since
	if topic == "" {
		topic = site.Topic
	}
	return s.write(ctx, site, b, topic, account, until)
}

// write makes the challenge and the profile around it.
func (s *Service) write(ctx context.Context, site *Site, b bearer, topic, account string, until time.Time) ([]byte, error) {
	m, err := s.client.AppleMdm.Query().Where(applemdm.ID(site.ID)).Only(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.open(ctx, m)
	if err != nil {
		return nil, err
	}
	password, err := s.challenge(ctx, site, b, until)
	if err != nil {
		return nil, err
	}
	p := profile.Enrollment{
		Identifier:   "bailiwick.mdm." + site.Organization,
		DisplayName:  "Device management by " + site.OrganizationName,
		Description:  "Lets " + site.OrganizationName + " and its service provider, " + site.ProviderName + ", manage this device.",
		Organization: site.OrganizationName,
		ServerURL:    s.address(site.Organization, ConnectPath),
		CheckInURL:   s.address(site.Organization, CheckInPath),
		Topic:        topic,
		AccessRights: profile.AllRights,
		SignMessage:  m.SignMessage,
		SCEP: profile.SCEP{
			URL: s.address(site.Organization, SCEPPath), Challenge: password,
			CommonName: "Device", Organization: site.OrganizationName,
		},
	}
	if account != "" {
		p.User = &profile.User{AssignedManagedAppleID: account, EnrollmentMode: profile.BYOD}
	}
	document, err := p.Marshal()
	if err != nil {
		return nil, err
	}
	return profile.Sign(document, k.signer)
}
