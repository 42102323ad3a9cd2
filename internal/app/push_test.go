package app_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func encoded(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestADeviceIsWokenThroughAPushServiceWithItsOwnAuthorities(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		fleet, err := simulator.NewFleet(2, logger(t))
		require.NoError(t, err)
		apns, err := standin.Start(t.Context(), "127.0.0.1:0", standin.Config{
			Logger: logger(t), Clock: time.Now, OnPush: func(p standin.Push) { fleet.Push(p.Token, p.Magic) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, apns.Close()) })
		ca := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(ca, []byte(encoded("CERTIFICATE", apns.Authority().Raw)), 0o600))
		f := startFleetWith(t, engine, func(c *app.Config) { c.APNSHost, c.APNSCA = apns.URL(), ca })

		request, _ := f.csr(t, f.a)
		block, _ := pem.Decode([]byte(request))
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		require.NoError(t, err)
		der, err := apns.Issue(csr.PublicKey, "com.apple.mgmt.External."+f.a.name, time.Now().AddDate(1, 1, 0))
		require.NoError(t, err)
		require.Empty(t, f.upload(t, f.a, encoded("CERTIFICATE", der), nil, nil))

		go fleet.Run(t.Context())
		var devices []*simulator.Device
		for i, kind := range simulator.Kinds() {
			d, profile := f.device(t, f.a, uint64(i+1), kind)
			fleet.Add(d)
			require.NoError(t, d.Enroll(t.Context(), profile))
			devices = append(devices, d)
		}
		// Each as soon as the one before has obeyed: its notification is hardly over.
		for _, d := range devices {
			f.must(t, f.a.key, "", `mutation($id: ID!) { lockDevice(input: {deviceId: $id}) { pin } }`, map[string]any{"id": f.idOf(t, f.a, d)}, nil)
			require.Eventually(t, func() bool { return d.State().Locked }, 30*time.Second, 20*time.Millisecond)
		}
		require.NotEmpty(t, apns.Pushes())
		require.Empty(t, apns.Refused())
	})
}

func TestAPushServicesAuthoritiesMustBeReadable(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	for _, path := range []string{empty, empty + ".missing"} {
		_, err := app.New(t.Context(), app.Config{
			Config: config.Config{
				DataDir: t.TempDir(), Development: true, Addr: "127.0.0.1:0", MasterKey: secret.NewMasterKey(),
				DatabaseURL: secret.NewText(testdb.URL(t, dialect.SQLite)), DatabaseMaxConnections: 8, AccessTokenTTL: 10 * time.Minute,
				JobWorkers: 4, JobPollInterval: 200 * time.Millisecond,
				APNSHost: "https://127.0.0.1:1", APNSCA: path,
			},
			Logger: logger(t),
		})
		require.ErrorContains(t, err, "--apns-ca (BAILIWICK_APNS_CA)")
	}
}
