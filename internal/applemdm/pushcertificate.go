package applemdm

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
)

// SignedRequest answers what is to be uploaded at identity.apple.com, and
// whether a vendor signed it: only then Apple takes it (JC-010, ZE-007). A
// request that is missing is made.
func (s *Service) SignedRequest(ctx context.Context, m *ent.AppleMdm) (content []byte, byVendor bool, err error) {
	if len(m.StagedCsr) == 0 {
		if m, err = s.restage(ctx, m); err != nil {
			return nil, false, err
		}
	}
	vendor := s.config.Vendor
	if vendor != nil && s.now().After(vendor.NotAfter()) {
		vendor = nil
	}
	content, err = pushcert.SignedCSR(m.StagedCsr, vendor)
	return content, vendor != nil, err
}

// restage makes a request where there is none; of two at once, one is kept.
func (s *Service) restage(ctx context.Context, m *ent.AppleMdm) (*ent.AppleMdm, error) {
	csr, key, err := s.stage(ctx, m)
	if err != nil {
		return nil, err
	}
	err = s.client.AppleMdm.Update().Where(applemdm.ID(m.ID), applemdm.StagedCsrIsNil()).
		SetStagedCsr(csr).SetStagedKey(key).Exec(ctx)
	if err != nil {
		return nil, err
	}
	return s.client.AppleMdm.Fetch(ctx, m.ID)
}

// stage makes a key, sealed, and the request for it.
func (s *Service) stage(ctx context.Context, m *ent.AppleMdm) (csr, key []byte, err error) {
	staged, err := pushcert.Stage(pkix.Name{CommonName: "Push certificate", Organization: []string{attribute(m.Name)}})
	if err != nil {
		return nil, nil, err
	}
	key, err = s.sealKey(ctx, m.OrganizationID, m.ID, applemdm.FieldStagedKey, staged.Key)
	return staged.CSR, key, err
}

// PushUpload is a push certificate that an administrator brings.
type PushUpload struct {
	pushcert.Upload
	AppleMdmID     string
	CreatorAppleID *string // nil keeps the one that is known
	// Force takes a certificate that cannot reach the enrolled devices, or an
	// older one.
	Force bool
}

// UploadPushCertificate puts a push certificate into use (JC-012, ZE-008 to
// ZE-010). A renewal keeps the topic. While devices are enrolled, one with
// another topic is PRECONDITION_FAILED unless it is forced, as is an older one.
// It derives keys from passphrases, so it is not to be called in a transaction.
func (s *Service) UploadPushCertificate(ctx context.Context, u PushUpload) (*ent.AppleMdm, error) {
	m, err := s.client.AppleMdm.Load(ctx, u.AppleMdmID)
	if err != nil {
		return nil, err
	}
	certificate, staged, err := s.readUpload(ctx, m, u.Upload)
	if err != nil {
		return nil, err
	}
	key, err := s.sealKey(ctx, m.OrganizationID, m.ID, applemdm.FieldPushKey, certificate.Key)
	if err != nil {
		return nil, err
	}
	var csr, next []byte // for the renewal in a year, once this request is answered
	if staged {
		if csr, next, err = s.stage(ctx, m); err != nil {
			return nil, err
		}
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		current, err := s.client.AppleMdm.Query().Where(applemdm.ID(m.ID)).Modify(database.ForUpdate).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing(u.AppleMdmID)
		}
		if err != nil {
			return err
		}
		if err := s.acceptable(ctx, current, certificate, u.Force); err != nil {
			return err
		}
		update := current.Update().SetTopic(certificate.Topic).
			SetCertificateNotBefore(certificate.NotBefore).SetCertificateNotAfter(certificate.NotAfter).
			SetCertificateSerialNumber(certificate.Serial).SetNillableCreatorAppleID(u.CreatorAppleID).
			SetPushCertificate(certificate.Leaf.Raw).SetPushKey(key).
			SetPushStatus(applemdm.PushStatusActive).SetExpiryWarnedDays(0)
		if staged {
			update.SetStagedCsr(csr).SetStagedKey(next)
		}
		if m, err = update.Save(ctx); err != nil {
			return err
		}
		if current.Topic != "" && current.Topic != m.Topic {
			if err := s.markUnreachable(ctx, m); err != nil {
				return err
			}
		}
		if err := s.clear(ctx, m); err != nil {
			return err
		}
		return s.announce(ctx, m)
	})
	return m, err
}

// markUnreachable marks the devices that listen to another topic than the
// organization's, which they cannot change: they have to be enrolled again.
// Those that listen to it are reached, perhaps again.
func (s *Service) markUnreachable(ctx context.Context, m *ent.AppleMdm) error {
	ctx = guard.WithoutTrail(ctx) // the whole fleet
	listens := func(q *sql.Selector) {
		t := sql.Table(devicechannel.Table)
		q.Where(sql.Exists(sql.Dialect(q.Dialect()).Select(t.C(devicechannel.FieldID)).From(t).Where(sql.And(
			sql.ColumnsEQ(t.C(devicechannel.FieldOrganizationID), q.C(device.FieldOrganizationID)),
			sql.ColumnsEQ(t.C(devicechannel.FieldDeviceID), q.C(device.FieldID)),
			sql.EQ(t.C(devicechannel.FieldKind), string(devicechannel.KindDevice)),
			sql.EQ(t.C(devicechannel.FieldStatus), string(devicechannel.StatusEnrolled)),
			sql.EQ(t.C(devicechannel.FieldTopic), m.Topic),
		))))
	}
	err := s.client.Device.Update().
		Where(device.OrganizationID(m.OrganizationID), device.Enrolled(true), device.ReenrollmentRequiredAtIsNil(), device.Not(listens)).
		SetReenrollmentRequiredAt(s.now()).Exec(ctx)
	if err != nil {
		return err
	}
	return s.client.Device.Update().
		Where(device.OrganizationID(m.OrganizationID), device.ReenrollmentRequiredAtNotNil(), listens).
		ClearReenrollmentRequiredAt().Exec(ctx)
}

// readUpload reads an upload. Without a key of its own it belongs to the staged
// one, or to the one in use: a renewal may have been asked for with the request
// of the year before. staged says that the staged key was taken.
func (s *Service) readUpload(ctx context.Context, m *ent.AppleMdm, u pushcert.Upload) (c *pushcert.Certificate, staged bool, err error) {
	var waiting *rsa.PrivateKey
	if len(u.Key) == 0 {
		if waiting, err = s.privateKey(ctx, m, applemdm.FieldStagedKey, m.StagedKey); err != nil {
			return nil, false, err
		}
	}
	c, err = pushcert.Read(u, waiting, s.now())
	if err == nil {
		return c, waiting != nil && waiting.Equal(c.Key), nil
	}
	if len(u.Key) == 0 && len(m.PushKey) > 0 {
		used, openErr := s.privateKey(ctx, m, applemdm.FieldPushKey, m.PushKey)
		if openErr != nil {
			return nil, false, openErr
		}
		if again, againErr := pushcert.Read(u, used, s.now()); againErr == nil {
			return again, false, nil
		}
	}
	return nil, false, err
}

// privateKey opens a key; nil if there is none.
func (s *Service) privateKey(ctx context.Context, m *ent.AppleMdm, column string, sealed []byte) (*rsa.PrivateKey, error) {
	if len(sealed) == 0 {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	der, err := s.openKey(ctx, m, column, sealed)
	if err != nil {
		return nil, err
	}
	return pki.ParseKey(der)
}

// acceptable judges what a new certificate means for the devices.
func (s *Service) acceptable(ctx context.Context, m *ent.AppleMdm, next *pushcert.Certificate, force bool) error {
	if len(m.PushCertificate) == 0 || force {
		return nil
	}
	current, err := x509.ParseCertificate(m.PushCertificate)
	if err != nil {
		return err
	}
	switch pushcert.Compare(current, next.Leaf) {
	case pushcert.Older:
		return refusedUpload("this certificate ends on %s, before the one in use, which ends on %s: it is an older file; force puts it into use nevertheless",
			day(next.NotAfter), day(current.NotAfter))
	case pushcert.OtherTopic:
		devices, err := s.EnrolledDevices(ctx, m.OrganizationID)
		if err != nil || devices[m.OrganizationID] == 0 {
			return err
		}
		account := "the Apple ID that it was made with"
		if m.CreatorAppleID != "" {
			account = m.CreatorAppleID
		}
		return refusedUpload("the certificate's topic is %s, and %d enrolled devices listen to %s, which they cannot change: none of them "+
			"could be reached any more, and each would have to be enrolled again. Renew the certificate with the serial number %s "+
			"at identity.apple.com under %s instead of creating another; force replaces it nevertheless",
			next.Topic, devices[m.OrganizationID], m.Topic, m.CertificateSerialNumber, account)
	default:
		return nil
	}
}

func refusedUpload(format string, args ...any) error {
	e := fault.New(fault.PreconditionFailed, format, args...)
	e.Field = "input.certificate"
	return e
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// EnrolledDevices counts the devices under management of each organization named.
func (s *Service) EnrolledDevices(ctx context.Context, organizations ...string) (map[string]int, error) {
	var rows []struct {
		OrganizationID string `json:"organization_id"`
		Count          int    `json:"count"`
	}
	err := s.client.DeviceChannel.Query().
		Where(devicechannel.OrganizationIDIn(organizations...),
			devicechannel.KindEQ(devicechannel.KindDevice), devicechannel.StatusEQ(devicechannel.StatusEnrolled)).
		GroupBy(devicechannel.FieldOrganizationID).Aggregate(ent.Count()).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(organizations))
	for _, id := range organizations {
		counts[id] = 0
	}
	for _, r := range rows {
		counts[r.OrganizationID] = r.Count
	}
	return counts, nil
}
