package applemdm

import (
	"context"
	"crypto/x509/pkix"
	"errors"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Create sets up the scope's organization: an authority, a certificate to sign
// profiles with, and a request for a push certificate (JC-009, ZE-006). A second
// one is CONFLICT. Making keys takes a second, so it is not to be called in a
// transaction.
func (s *Service) Create(ctx context.Context, name string) (*ent.AppleMdm, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	organizationID, one := scope.Organization()
	if !one {
		return nil, fault.Invalid(tenancy.Header, "name the organization to act in with the %s header", tenancy.Header)
	}
	if err := applemdm.NameValidator(name); err != nil {
		return nil, fault.Invalid("input.name", "must have 1 to 255 bytes")
	}
	o, err := s.client.Organization.Load(ctx, organizationID)
	if err != nil {
		return nil, err
	}
	conflict := fault.New(fault.Conflict, "the organization has a device management already: there is one for each")
	taken, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organizationID)).Exist(ctx)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, conflict
	}
	create, err := s.prepare(ctx, o, name)
	if err != nil {
		return nil, err
	}
	var m *ent.AppleMdm
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if m, err = create.Save(ctx); err != nil {
			return err
		}
		return s.announce(ctx, m)
	})
	if ent.IsConstraintError(err) {
		return nil, conflict.Wrap(err)
	}
	return m, err
}

// prepare makes everything that a device management begins with.
func (s *Service) prepare(ctx context.Context, o *ent.Organization, name string) (*ent.AppleMdmCreate, error) {
	id := schema.NewID("amdm")()
	subject := func(common string) pkix.Name {
		return pkix.Name{CommonName: common, Organization: []string{attribute(o.Name)}}
	}
	authority, err := pki.New(subject("Device identities"), s.config.Clock)
	if err != nil {
		return nil, err
	}
	signer, err := authority.IssueSigner(subject("Device management"), pki.Lifetime)
	if err != nil {
		return nil, err
	}
	staged, err := pushcert.Stage(subject("Push certificate"))
	if err != nil {
		return nil, err
	}
	caKey, err1 := s.sealKey(ctx, o.ID, id, applemdm.FieldCaKey, authority.Key())
	signingKey, err2 := s.sealKey(ctx, o.ID, id, applemdm.FieldSigningKey, signer.Key)
	stagedKey, err3 := s.sealKey(ctx, o.ID, id, applemdm.FieldStagedKey, staged.Key)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return s.client.AppleMdm.Create().SetID(id).SetOrganizationID(o.ID).SetName(name).
		SetCaCertificate(authority.Certificate().Raw).SetCaKey(caKey).
		SetSigningCertificate(signer.Certificate.Raw).SetSigningKey(signingKey).
		SetStagedCsr(staged.CSR).SetStagedKey(stagedKey), nil
}

// maxAttribute is the most characters that X.520 allows in a name's attribute.
const maxAttribute = 64

// attribute fits a text into a certificate's subject.
func attribute(text string) string {
	if runes := []rune(text); len(runes) > maxAttribute {
		return string(runes[:maxAttribute])
	}
	return text
}

// Update changes the settings: change says which (JC-012).
func (s *Service) Update(ctx context.Context, id string, change func(*ent.AppleMdmUpdateOne)) (m *ent.AppleMdm, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.AppleMdm.UpdateOneID(id)
		change(update)
		if m, err = update.Save(ctx); err != nil {
			return err
		}
		if err := s.ReviewSeats(ctx, m.OrganizationID); err != nil {
			return err
		}
		if m, err = s.client.AppleMdm.Load(ctx, id); err != nil {
			return err
		}
		return s.announce(ctx, m)
	})
	return m, err
}

// Delete deletes a device management with its keys, enrolments and identities:
// no device can be managed any more, and each has to be enrolled again (JC-013).
// The organization's name, written out, confirms that this one is meant.
func (s *Service) Delete(ctx context.Context, id, confirm string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		m, err := s.client.AppleMdm.Load(ctx, id)
		if err != nil {
			return err
		}
		o, err := s.client.Organization.Load(ctx, m.OrganizationID)
		if err != nil {
			return err
		}
		if o.Name != confirm {
			return fault.Invalid("input.confirm", "not the organization's name: write it out to confirm that its devices are to be lost")
		}
		// Before the identities go that the devices have come in with.
		if err := s.trail.Settle(ctx, devicechannel.OrganizationID(m.OrganizationID)); err != nil {
			return err
		}
		if err := s.client.AppleMdm.DeleteOneID(id).Exec(ctx); err != nil {
			return err
		}
		if err := s.release(guard.WithoutTrail(ctx), m.OrganizationID); err != nil {
			return err
		}
		if err := s.clear(ctx, m); err != nil {
			return err
		}
		if _, err := s.config.Alarms.Clear(ctx, m.OrganizationID, alertLimit, limitKey); err != nil {
			return err
		}
		if _, err := s.config.Alarms.ClearDevices(ctx, m.OrganizationID, alertEnrolled, alertMissing); err != nil {
			return err
		}
		return s.announce(ctx, m)
	})
}

// The types of alert about devices that end when these are no longer managed.
const (
	alertEnrolled = "DEVICE_ENROLLED"
	alertMissing  = "DEVICE_MISSING"
)

// release lets all devices of an organization go, as the records have it.
func (s *Service) release(ctx context.Context, organizationID string) error {
	_, err := s.client.DeviceIdentity.Delete().Where(deviceidentity.OrganizationID(organizationID)).Exec(ctx)
	if err != nil {
		return err
	}
	if _, err = s.client.ScepChallenge.Delete().Where(scepchallenge.OrganizationID(organizationID)).Exec(ctx); err != nil {
		return err
	}
	err = s.client.DeviceCommand.Update().
		Where(devicecommand.OrganizationID(organizationID),
			devicecommand.StatusIn(devicecommand.StatusPending, devicecommand.StatusSent, devicecommand.StatusNotNow)).
		SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).ClearSealedArguments().Exec(ctx)
	if err != nil {
		return err
	}
	err = s.client.DeviceChannel.Update().Where(devicechannel.OrganizationID(organizationID)).
		SetStatus(devicechannel.StatusRemoved).
		ClearFingerprint().ClearPushToken().ClearPushMagic().ClearPushWantedAt().ClearArrivedAt().ClearNextInventoryAt().
		ClearUnlockToken().ClearBootstrapToken().Exec(ctx)
	if err != nil {
		return err
	}
	return s.client.Device.Update().Where(device.OrganizationID(organizationID), device.Enrolled(true)).
		SetEnrolled(false).ClearMissingSince().SetBootstrapTokenEscrowed(false).ClearCertificateNotAfter().ClearReenrollmentRequiredAt().Exec(ctx)
}
