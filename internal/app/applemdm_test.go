package app_test

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/micromdm/plist"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestDeviceManagementIsSetUpAndDeleted(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		require.Equal(t, "CONFLICT", code(m.do(t, m.a.key, m.a.organization, `mutation { createAppleMdm(input: {name: "again"}) { appleMdm { id } } }`, nil, nil)))
		require.Equal(t, "NOT_FOUND", code(m.do(t, m.a.key, m.b.organization, `mutation { createAppleMdm(input: {name: "x"}) { appleMdm { id } } }`, nil, nil)))
		two := m.organization(t, m.a.key, "Two")
		require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, m.a.key, "", `mutation { createAppleMdm(input: {name: "x"}) { appleMdm { id } } }`, nil, nil)), "two organizations are in reach")
		require.Equal(t, "PRECONDITION_FAILED", code(m.do(t, m.a.key, two, `mutation { createEnrollment(input: {name: "x"}) { link } }`, nil, nil)))

		var list struct {
			AppleMdms struct {
				TotalCount int
				Edges      []struct {
					Node struct {
						ID              string
						PushStatus      string
						EnrolledDevices int
						EnrollmentURL   string
						Organization    struct{ Name string }
					}
				}
			}
		}
		m.enrolled(t, m.a, "C01", "f")
		m.enrolled(t, m.b, "C02", "f")
		m.must(t, m.a.key, "", `{ appleMdms { totalCount edges { node { id pushStatus enrolledDevices enrollmentUrl organization { name } certificateDaysLeft } } } }`, nil, &list)
		require.Equal(t, 1, list.AppleMdms.TotalCount)
		node := list.AppleMdms.Edges[0].Node
		require.Equal(t, "MISSING", node.PushStatus)
		require.Equal(t, 1, node.EnrolledDevices)
		require.Equal(t, mdmURL+"/mdm/"+m.a.organization+"/enroll", node.EnrollmentURL)

		const update = `mutation($in: UpdateAppleMdmInput!) { updateAppleMdm(input: $in) { appleMdm { inventoryIntervalHours enrollmentLimit } } }`
		failures := m.do(t, m.a.key, "", update, map[string]any{"in": map[string]any{"id": m.a.id, "inventoryIntervalHours": 3}}, nil)
		require.Equal(t, "INVALID_ARGUMENT", code(failures))
		require.Equal(t, "input.inventoryIntervalHours", failures[0].Extensions["field"])
		m.must(t, m.a.key, "", update, map[string]any{"in": map[string]any{"id": m.a.id, "inventoryIntervalHours": 168, "enrollmentLimit": 5}}, nil)

		const remove = `mutation($in: DeleteAppleMdmInput!) { deleteAppleMdm(input: $in) { deletedId } }`
		in := func(id, confirm string) map[string]any {
			return map[string]any{"in": map[string]any{"id": id, "confirm": confirm}}
		}
		for what, query := range map[string]struct {
			text      string
			variables map[string]any
		}{
			"read":   {csrQuery, map[string]any{"id": m.b.id}},
			"update": {update, map[string]any{"in": map[string]any{"id": m.b.id, "name": "x"}}},
			"delete": {remove, in(m.b.id, "Bolt")},
			"upload": {uploadMutation, map[string]any{"in": map[string]any{"appleMdmId": m.b.id, "certificate": "-----BEGIN "}}},
		} {
			require.Equal(t, "NOT_FOUND", code(m.do(t, m.a.key, "", query.text, query.variables, nil)), what)
		}
		m.ready(t, m.a)
		_, path := m.enrollment(t, m.a, nil)
		challenge, _ := m.download(t, path)
		require.NotNil(t, m.identify(t, m.a.organization, challenge))
		require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, m.a.key, "", remove, in(m.a.id, "acme"), nil)))
		scoped := m.scope(t, m.a)
		m.must(t, m.a.key, "", remove, in(m.a.id, "Acme"), nil)
		for what, count := range map[string]func() (int, error){
			"identities":  func() (int, error) { return m.Client.DeviceIdentity.Query().Count(scoped) },
			"enrolments":  func() (int, error) { return m.Client.Enrollment.Query().Count(scoped) },
			"challenges":  func() (int, error) { return m.Client.ScepChallenge.Query().Count(scoped) },
			"managements": func() (int, error) { return m.Client.AppleMdm.Query().Count(scoped) },
		} {
			n, err := count()
			require.NoError(t, err, what)
			require.Zero(t, n, what)
		}
		d, err := m.Client.Device.Query().Only(scoped)
		require.NoError(t, err)
		require.False(t, d.Enrolled)
		status, _ := m.get(t, path)
		require.Equal(t, http.StatusNotFound, status)
		status, _ = m.get(t, "/mdm/"+m.b.organization+"/scep?operation=GetCACert")
		require.Equal(t, http.StatusOK, status, "the other's is as it was")
	})
}

func TestPushCertificateIsUploadedAndRenewed(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		const topic, other = "com.apple.mgmt.External.one", "com.apple.mgmt.External.other"
		year := m.now().Add(365*24*time.Hour + time.Hour)
		mine, signed := m.csr(t, m.a)
		require.False(t, signed)
		theirs, _ := m.csr(t, m.b)
		require.NotEqual(t, mine, theirs)

		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, apple(t, theirs, topic, year), nil, nil)), "made for another tenant's key")
		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, apple(t, mine, "com.example", year), nil, nil)))
		require.Equal(t, "INVALID_ARGUMENT", code(m.upload(t, m.a, "no file", nil, nil)))
		var got uploaded
		require.Empty(t, m.upload(t, m.a, apple(t, mine, topic, year), map[string]any{"creatorAppleId": "mdm@acme.example"}, &got))
		first := got.UploadPushCertificate.AppleMdm
		require.Equal(t, topic, first.Topic)
		require.Equal(t, "ACTIVE", first.PushStatus)
		require.Equal(t, 365, first.CertificateDaysLeft)
		require.Equal(t, "mdm@acme.example", first.CreatorAppleID)

		next, _ := m.csr(t, m.a)
		require.NotEqual(t, mine, next, "the request was answered; the next one is ready")
		m.enrolled(t, m.a, "C01", "f")
		m.enrolled(t, m.a, "C02", "f")
		failures := m.upload(t, m.a, apple(t, next, other, year.Add(time.Hour)), nil, nil)
		require.Equal(t, "PRECONDITION_FAILED", code(failures))
		for _, part := range []string{topic, other, "2 enrolled devices", "mdm@acme.example", first.CertificateSerialNumber, "enrolled again"} {
			require.Contains(t, failures[0].Message, part)
		}
		require.Equal(t, "PRECONDITION_FAILED", code(m.upload(t, m.a, apple(t, next, topic, year.Add(-time.Hour)), nil, nil)), "older")
		require.Empty(t, m.upload(t, m.a, apple(t, mine, topic, year.Add(time.Hour)), nil, &got), "renewed with the request of the year before")
		require.Equal(t, "mdm@acme.example", got.UploadPushCertificate.AppleMdm.CreatorAppleID)
		require.NotEqual(t, first.CertificateSerialNumber, got.UploadPushCertificate.AppleMdm.CertificateSerialNumber)
		require.Empty(t, m.upload(t, m.a, apple(t, next, topic, year.Add(2*time.Hour)), nil, &got))
		again, _ := m.csr(t, m.a)
		require.Empty(t, m.upload(t, m.a, apple(t, again, other, year), map[string]any{"force": true}, &got))
		require.Equal(t, other, got.UploadPushCertificate.AppleMdm.Topic)
		site, err := m.AppleMDM.Site(t.Context(), m.a.organization)
		require.NoError(t, err)
		require.Equal(t, other, site.Topic, "what is kept in memory follows")
		certificate, err := m.AppleMDM.PushCertificate(m.scope(t, m.a), site)
		require.NoError(t, err)
		require.Equal(t, got.UploadPushCertificate.AppleMdm.CertificateSerialNumber, hex.EncodeToString(certificate.Leaf.SerialNumber.Bytes()))
		key, ok := certificate.PrivateKey.(*rsa.PrivateKey)
		require.True(t, ok)
		require.True(t, key.PublicKey.Equal(certificate.Leaf.PublicKey))
		_, err = m.AppleMDM.PushCertificate(m.scope(t, m.b), site)
		require.Error(t, err, "another tenant's")
	})
}

func TestExpiryIsWarnedOfOnceAtEachThreshold(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		content, _ := m.csr(t, m.a)
		ends := m.now().Add(40 * 24 * time.Hour)
		require.Empty(t, m.upload(t, m.a, apple(t, content, "com.apple.mgmt.x", ends), nil, nil))
		type alert struct {
			Type, Status    string
			OccurrenceCount int
		}
		alerts := func(key string) (all []alert) {
			var got struct {
				Alerts struct{ Edges []struct{ Node alert } }
			}
			m.must(t, key, "", `{ alerts { edges { node { type status occurrenceCount } } } }`, nil, &got)
			for _, e := range got.Alerts.Edges {
				all = append(all, e.Node)
			}
			return all
		}
		warn := func(left time.Duration) []alert {
			m.ahead.Store(int64(time.Until(ends.Add(-left))))
			for range 2 {
				require.NoError(t, m.AppleMDM.WarnOfExpiry(t.Context()))
			}
			return alerts(m.a.key)
		}
		const day = 24 * time.Hour
		require.Empty(t, warn(31*day))
		expiring := func(n int) []alert { return []alert{{"PUSH_CERTIFICATE_EXPIRING", "OPEN", n}} }
		require.Equal(t, expiring(1), warn(30*day))
		require.Equal(t, expiring(1), warn(20*day))
		require.Equal(t, expiring(2), warn(14*day))
		require.Equal(t, expiring(3), warn(6*day))
		require.Equal(t, expiring(4), warn(20*time.Hour))
		require.ElementsMatch(t, []alert{
			{"PUSH_CERTIFICATE_EXPIRING", "AUTO_RESOLVED", 4}, {"PUSH_CERTIFICATE_EXPIRED", "OPEN", 1},
		}, warn(-time.Hour))
		var state struct {
			AppleMdm struct {
				PushStatus          string
				CertificateDaysLeft int
			}
		}
		m.must(t, m.a.key, "", `query($id: ID!) { appleMdm(id: $id) { pushStatus certificateDaysLeft } }`, map[string]any{"id": m.a.id}, &state)
		require.Equal(t, "EXPIRED", state.AppleMdm.PushStatus)
		require.Equal(t, -1, state.AppleMdm.CertificateDaysLeft)
		next, _ := m.csr(t, m.a)
		require.Empty(t, m.upload(t, m.a, apple(t, next, "com.apple.mgmt.x", ends.Add(365*day)), nil, nil))
		for _, a := range alerts(m.a.key) {
			require.Equal(t, "AUTO_RESOLVED", a.Status)
		}
		require.Empty(t, alerts(m.b.key))
	})
}

func TestRequestsAreSignedByTheVendor(t *testing.T) {
	dir := t.TempDir()
	authority, err := pki.New(pkix.Name{CommonName: "Apple"}, time.Now)
	require.NoError(t, err)
	vendor, err := authority.IssueSigner(pkix.Name{CommonName: "Vendor"}, 24*time.Hour)
	require.NoError(t, err)
	key, err := pki.MarshalKey(vendor.Key)
	require.NoError(t, err)
	write := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, mode))
		return path
	}
	chain := write("chain.pem", pki.PEM(vendor.Certificate, authority.Certificate()), 0o644)
	keyPath := write("vendor.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
	m := startMDM(t, dialect.SQLite, func(c *app.Config) { c.MDMVendorCertificate, c.MDMVendorKey = chain, keyPath })
	content, signed := m.csr(t, m.a)
	require.True(t, signed)
	document, err := base64.StdEncoding.DecodeString(content)
	require.NoError(t, err)
	var request struct{ PushCertRequestCSR, PushCertSignature string }
	require.NoError(t, plist.Unmarshal(document, &request))
	der, err := base64.StdEncoding.DecodeString(request.PushCertRequestCSR)
	require.NoError(t, err)
	signature, err := base64.StdEncoding.DecodeString(request.PushCertSignature)
	require.NoError(t, err)
	require.NoError(t, vendor.Certificate.CheckSignature(x509.SHA256WithRSA, der, signature))

	m.ahead.Add(int64(25 * time.Hour))
	_, signed = m.csr(t, m.a)
	require.False(t, signed, "Apple takes nothing that an expired vendor signed")

	require.NoError(t, os.Chmod(keyPath, 0o644))
	_, err = app.New(t.Context(), app.Config{
		Config: config.Config{DatabaseURL: secret.NewText(testdb.URL(t, dialect.SQLite)), MasterKey: secret.NewMasterKey(), DataDir: dir,
			Development: true, AccessTokenTTL: time.Minute, JobWorkers: 1, JobPollInterval: time.Second,
			MDMVendorCertificate: chain, MDMVendorKey: keyPath},
		Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	require.ErrorContains(t, err, "chmod")
}
