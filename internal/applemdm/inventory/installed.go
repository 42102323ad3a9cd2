package inventory

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/deviceapp"
	"github.com/bailiwick/bailiwick/ent/devicecertificate"
	"github.com/bailiwick/bailiwick/ent/deviceprofile"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
)

// app is what is kept of an application.
type app struct {
	name, identifier, version, short string
	size                             float64 // negative if unknown
}

func (s *Store) applications(ctx context.Context, c *ent.DeviceCommand, list []result.Application) error {
	stored, err := s.client.DeviceApp.Query().Where(deviceapp.DeviceID(c.DeviceID)).All(ctx)
	if err != nil {
		return err
	}
	now := make([]app, 0, len(list))
	for _, a := range list {
		entry := app{
			name: fit(a.Name, long), identifier: fit(a.Identifier, long),
			version: fit(a.Version, long), short: fit(a.ShortVersion, long), size: -1,
		}
		if a.BundleSize != nil && *a.BundleSize >= 0 {
			entry.size = float64(*a.BundleSize)
		}
		now = append(now, entry)
	}
	return replacement[*ent.DeviceApp, app]{
		stored: stored, now: now,
		entry: func(r *ent.DeviceApp) app {
			entry := app{name: r.Name, identifier: r.Identifier, version: r.Version, short: r.ShortVersion, size: -1}
			if r.BundleSize != nil {
				entry.size = *r.BundleSize
			}
			return entry
		},
		id: func(r *ent.DeviceApp) string { return r.ID },
		remove: func(ids []string) error {
			_, err := s.client.DeviceApp.Delete().Where(deviceapp.IDIn(ids...)).Exec(ctx)
			return err
		},
		add: func(apps []app) error {
			return s.client.DeviceApp.CreateBulk(creates(apps, func(a app) *ent.DeviceAppCreate {
				row := s.client.DeviceApp.Create().SetOrganizationID(c.OrganizationID).SetDeviceID(c.DeviceID).
					SetName(a.name).SetIdentifier(a.identifier).SetVersion(a.version).SetShortVersion(a.short)
				if a.size >= 0 {
					row.SetBundleSize(a.size)
				}
				return row
			})...).Exec(ctx)
		},
	}.run()
}

// profile is what is kept of a profile.
type profile struct {
	identifier, uuid, name, organization string
	managed, permanent, encrypted        bool
}

func (s *Store) profiles(ctx context.Context, c *ent.DeviceCommand, list []result.Profile) error {
	stored, err := s.client.DeviceProfile.Query().Where(deviceprofile.DeviceID(c.DeviceID)).All(ctx)
	if err != nil {
		return err
	}
	var now []profile
	for _, p := range list {
		if p.PayloadIdentifier == "" {
			continue // what has no identity is no profile
		}
		now = append(now, profile{
			identifier: fit(p.PayloadIdentifier, long), uuid: fit(p.PayloadUUID, short),
			name: fit(p.PayloadDisplayName, long), organization: fit(p.PayloadOrganization, long),
			managed: is(p.IsManaged), permanent: is(p.PayloadRemovalDisallowed), encrypted: is(p.IsEncrypted),
		})
	}
	return replacement[*ent.DeviceProfile, profile]{
		stored: stored, now: now,
		entry: func(r *ent.DeviceProfile) profile {
			return profile{
				identifier: r.Identifier, uuid: r.UUID, name: r.Name, organization: r.ProfileOrganization,
				managed: r.Managed, permanent: r.RemovalDisallowed, encrypted: r.Encrypted,
			}
		},
		id: func(r *ent.DeviceProfile) string { return r.ID },
		remove: func(ids []string) error {
			_, err := s.client.DeviceProfile.Delete().Where(deviceprofile.IDIn(ids...)).Exec(ctx)
			return err
		},
		add: func(profiles []profile) error {
			return s.client.DeviceProfile.CreateBulk(creates(profiles, func(p profile) *ent.DeviceProfileCreate {
				return s.client.DeviceProfile.Create().SetOrganizationID(c.OrganizationID).SetDeviceID(c.DeviceID).
					SetIdentifier(p.identifier).SetUUID(p.uuid).SetName(p.name).SetProfileOrganization(p.organization).
					SetManaged(p.managed).SetRemovalDisallowed(p.permanent).SetEncrypted(p.encrypted)
			})...).Exec(ctx)
		},
	}.run()
}

// certificate is what is kept of a certificate.
type certificate struct {
	name, fingerprint string
	identity          bool
	notAfter          time.Time // zero if it cannot be read
}

func (s *Store) certificates(ctx context.Context, c *ent.DeviceCommand, list []result.Certificate) error {
	stored, err := s.client.DeviceCertificate.Query().Where(devicecertificate.DeviceID(c.DeviceID)).All(ctx)
	if err != nil {
		return err
	}
	now := make([]certificate, 0, len(list))
	for _, entry := range list {
		if len(entry.Data) == 0 {
			continue
		}
		sum := sha256.Sum256(entry.Data)
		found := certificate{name: entry.CommonName, fingerprint: hex.EncodeToString(sum[:]), identity: is(entry.IsIdentity)}
		if parsed, err := x509.ParseCertificate(entry.Data); err == nil {
			found.notAfter = parsed.NotAfter.UTC()
			if found.name == "" {
				found.name = parsed.Subject.CommonName
			}
		}
		found.name = fit(found.name, long)
		now = append(now, found)
	}
	return replacement[*ent.DeviceCertificate, certificate]{
		stored: stored, now: now,
		entry: func(r *ent.DeviceCertificate) certificate {
			known := certificate{name: r.CommonName, fingerprint: r.Fingerprint, identity: r.IsIdentity}
			if r.NotAfter != nil {
				known.notAfter = r.NotAfter.UTC()
			}
			return known
		},
		id: func(r *ent.DeviceCertificate) string { return r.ID },
		remove: func(ids []string) error {
			_, err := s.client.DeviceCertificate.Delete().Where(devicecertificate.IDIn(ids...)).Exec(ctx)
			return err
		},
		add: func(certificates []certificate) error {
			return s.client.DeviceCertificate.CreateBulk(creates(certificates, func(found certificate) *ent.DeviceCertificateCreate {
				row := s.client.DeviceCertificate.Create().SetOrganizationID(c.OrganizationID).SetDeviceID(c.DeviceID).
					SetCommonName(found.name).SetFingerprint(found.fingerprint).SetIsIdentity(found.identity)
				if !found.notAfter.IsZero() {
					row.SetNotAfter(found.notAfter)
				}
				return row
			})...).Exec(ctx)
		},
	}.run()
}

func is(b *bool) bool { return b != nil && *b }
