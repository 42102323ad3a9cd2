package simulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// TestGenerate: the same seed makes the same device, and no two share what
// tells them apart.
func TestGenerate(t *testing.T) {
	udid := map[bool]*regexp.Regexp{
		true:  regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`),
		false: regexp.MustCompile(`^0000[0-9]{4}-[0-9A-F]{16}$`),
	}
	serials, udids := map[string]bool{}, map[string]bool{}
	for _, kind := range simulator.Kinds() {
		for seed := range uint64(2500) {
			h := simulator.Generate(seed, kind)
			require.Equal(t, h, simulator.Generate(seed, kind))
			require.Regexp(t, udid[kind.Mac()], h.UDID)
			require.Regexp(t, `^[0-9A-Z]{10}$`, h.SerialNumber)
			udids[h.UDID] = true
			serials[h.SerialNumber] = true
		}
	}
	assert.Equal(t, 10_000, len(udids))
	assert.Equal(t, 10_000, len(serials))
}

func TestEnroll(t *testing.T) {
	for _, kind := range simulator.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			s := startServer(t)
			d := newDevice(t, s, simulator.Config{Hardware: simulator.Generate(3, kind)})
			require.NoError(t, d.Enroll(t.Context(), s.profile(t, nil)))
			h := d.Hardware()
			authenticate, update := s.sent("Authenticate")[0], s.sent("TokenUpdate")[0]
			assert.Equal(t, h.UDID, authenticate["UDID"])
			assert.Equal(t, h.SerialNumber, authenticate["SerialNumber"])
			assert.Equal(t, topic, authenticate["Topic"])
			assert.Equal(t, h.ProductName, authenticate["ProductName"])
			token, magic := d.Push()
			assert.Equal(t, token, update["Token"])
			assert.Len(t, token, 32)
			assert.Equal(t, magic, update["PushMagic"])
			_, unlock := update["UnlockToken"]
			assert.Equal(t, !kind.Mac(), unlock)
			assert.Equal(t, h.SerialNumber, d.Identity().Certificate.Subject.CommonName)
			assert.Equal(t, "Authenticate TokenUpdate", s.story())
			assert.Zero(t, connect(t, d))
			assert.Equal(t, "Idle", s.story())
			require.NoError(t, d.TokenUpdate(t.Context()))
			again := s.sent("TokenUpdate")[0]
			assert.NotEqual(t, token, again["Token"])
			assert.NotContains(t, again, "UnlockToken")
			require.NoError(t, d.CheckOut(t.Context()))
			assert.False(t, d.State().Enrolled)
			_, err := d.Connect(t.Context())
			assert.ErrorIs(t, err, simulator.ErrNotEnrolled)
		})
	}
}

func TestSCEPRefusal(t *testing.T) {
	s := startServer(t)
	profile := s.profile(t, nil)
	require.NoError(t, newDevice(t, s, simulator.Config{}).Enroll(t.Context(), profile))
	var refused *simulator.SCEPError
	require.ErrorAs(t, newDevice(t, s, simulator.Config{}).Enroll(t.Context(), profile), &refused, "the challenge was used")
	assert.Equal(t, "2", refused.Status)
}

// TestMutualTLS: without SignMessage the device shows its certificate.
func TestMutualTLS(t *testing.T) {
	s := startServer(t)
	s.mutual = true
	s.TLS.ClientAuth = tls.RequestClientCert
	d := newDevice(t, s, simulator.Config{})
	require.NoError(t, d.Enroll(t.Context(), s.profile(t, map[string]any{"SignMessage": false})))
	assert.Zero(t, connect(t, d))
}

// TestProxyHeader: what a proxy would add is added, and unsigned.
func TestProxyHeader(t *testing.T) {
	s := startServer(t)
	d := newDevice(t, s, simulator.Config{Header: func(c *x509.Certificate) http.Header {
		return http.Header{"Ssl-Client-Cert": {url.QueryEscape(string(c.Raw))}}
	}})
	require.NoError(t, d.Enroll(t.Context(), s.profile(t, nil)))
}

func TestUserEnrollment(t *testing.T) {
	s := startServer(t)
	d := newDevice(t, s, simulator.Config{Hardware: simulator.Generate(1, simulator.IPhone)})
	require.NoError(t, d.Enroll(t.Context(), s.profile(t, map[string]any{"EnrollmentMode": "BYOD", "AssignedManagedAppleID": "ada@example.com"})))
	require.NotEmpty(t, d.EnrollmentID())
	s.enqueue(d, "DeviceInformation", map[string]any{"Queries": []any{"UDID", "SerialNumber", "IMEI", "OSVersion"}})
	s.enqueue(d, "EraseDevice", nil)
	assert.Equal(t, 2, connect(t, d))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		assert.NotContains(t, m, "UDID")
		assert.NotContains(t, m, "SerialNumber")
		assert.NotContains(t, m, "IMEI")
		assert.NotContains(t, m, "UnlockToken")
		assert.Equal(t, d.EnrollmentID(), m["EnrollmentID"])
	}
	answers := d.Obeyed("DeviceInformation")[0].Report["QueryResponses"].(map[string]any)
	assert.Equal(t, map[string]any{"OSVersion": d.Hardware().OSVersion}, answers)
	assert.True(t, d.State().Enrolled)
}

// TestScript: each way to misbehave, as the server sees it.
func TestScript(t *testing.T) {
	for _, c := range []struct {
		script simulator.Script
		story  []string // of each session
		left   int      // in the queue after them
	}{
		{simulator.Script{}, []string{"Idle Acknowledged Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.Fail}, []string{"Idle Error Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.FormatError, Times: -1}, []string{"Idle CommandFormatError CommandFormatError"}, 0},
		{simulator.Script{Behaviour: simulator.NotNow, Times: 2}, []string{"Idle NotNow", "Idle NotNow", "Idle Acknowledged Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.Twice}, []string{"Idle Acknowledged Acknowledged Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.Late}, []string{"Idle", "Acknowledged Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.Never}, []string{"Idle", "Idle Acknowledged Acknowledged"}, 0},
		{simulator.Script{Behaviour: simulator.Fail, RequestType: "SecurityInfo"}, []string{"Idle Acknowledged Error"}, 0},
	} {
		t.Run(string(c.script.Behaviour)+c.script.RequestType, func(t *testing.T) {
			s := startServer(t)
			d := enrolled(t, s, simulator.Config{})
			if c.script.Behaviour != "" {
				d.Script(c.script)
			}
			s.enqueue(d, "ProfileList", nil)
			s.enqueue(d, "SecurityInfo", nil)
			for _, want := range c.story {
				connect(t, d)
				assert.Equal(t, want, s.story())
			}
			assert.Len(t, s.queue[d.Hardware().UDID], c.left)
		})
	}
}

func TestScriptedErrors(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{})
	d.Script(simulator.Script{Behaviour: simulator.Fail, Errors: []simulator.Error{{Code: 7, Domain: "D", Description: "why"}}})
	s.enqueue(d, "ProfileList", nil)
	connect(t, d)
	assert.Equal(t, map[string]any{"ErrorCode": uint64(7), "ErrorDomain": "D", "LocalizedDescription": "why", "USEnglishDescription": "why"},
		s.sent("Error")[0]["ErrorChain"].([]any)[0])
}

// TestRenewal: an enrolment profile sent again brings a new identity, in each
// of the ways that devices have.
func TestRenewal(t *testing.T) {
	for renewal, want := range map[simulator.Renewal]string{
		simulator.RenewQuietly:      "Idle Acknowledged",
		simulator.RenewTokenUpdate:  "Idle TokenUpdate Acknowledged",
		simulator.RenewAuthenticate: "Idle Authenticate TokenUpdate Acknowledged",
	} {
		t.Run(string(renewal), func(t *testing.T) {
			s := startServer(t)
			d := enrolled(t, s, simulator.Config{Renewal: renewal})
			before := d.Identity().Certificate.SerialNumber
			s.enqueue(d, "InstallProfile", map[string]any{"Payload": s.profile(t, map[string]any{"AccessRights": 1})})
			connect(t, d)
			after := d.Identity().Certificate.SerialNumber
			assert.NotEqual(t, before, after)
			reports := s.sent("Acknowledged")
			assert.Equal(t, after.Int64(), reports[0]["signer"])
			assert.Equal(t, want, s.story())
			assert.Len(t, d.Profiles(), 1)
			s.enqueue(d, "InstallProfile", map[string]any{"Payload": s.profile(t, map[string]any{"Topic": "com.apple.mgmt.other"})})
			connect(t, d)
			assert.Len(t, s.sent("Error"), 1, "the topic never changes")
			assert.Equal(t, after, d.Identity().Certificate.SerialNumber)
		})
	}
}

// TestRefusal: only 401, and a 403 that says so, unenrol.
func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		status   int
		body     string
		enrolled bool
	}{
		{400, "", true},
		{500, "", true},
		{410, "", true},
		{403, "", true},
		{403, `{"code":"com.apple.softwareupdate.required"}`, true},
		{403, `{"code":"com.apple.unrecognized.device"}`, false},
		{403, `<plist version="1.0"><dict><key>code</key><string>com.apple.unrecognized.device</string></dict></plist>`, false},
		{401, "", false},
	} {
		s := startServer(t)
		d := enrolled(t, s, simulator.Config{})
		s.refuse, s.refusal = c.status, c.body
		_, err := d.Connect(t.Context())
		var refused *simulator.RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, c.status, refused.Status)
		assert.Equal(t, c.enrolled, d.State().Enrolled, "%d %s", c.status, c.body)
	}
}

// TestAttacks: what an adversary would send arrives as meant.
func TestAttacks(t *testing.T) {
	s := startServer(t)
	d, victim := enrolled(t, s, simulator.Config{}), enrolled(t, s, simulator.Config{Hardware: simulator.Generate(9, simulator.IPhone)})
	connect(t, d)
	status := func(r simulator.Reply, err error) int {
		t.Helper()
		require.NoError(t, err)
		return r.Status
	}
	assert.Equal(t, 400, status(d.Tampered(t.Context())))
	assert.Equal(t, 400, status(d.Unsigned(t.Context())))
	s.story()
	assert.Equal(t, 200, status(d.Spoofed(t.Context(), victim.Hardware().UDID)))
	spoofed := s.sent("Idle")[0]
	assert.Equal(t, victim.Hardware().UDID, spoofed["UDID"])
	assert.Equal(t, d.Identity().Certificate.SerialNumber.Int64(), spoofed["signer"])
	s.story()
	assert.Equal(t, 200, status(d.Impersonate(t.Context(), victim.Identity())))
	impersonated := s.sent("Idle")[0]
	assert.Equal(t, d.Hardware().UDID, impersonated["UDID"])
	assert.Equal(t, victim.Identity().Certificate.SerialNumber.Int64(), impersonated["signer"])
	s.story()
	assert.Equal(t, 200, status(d.Replayed(t.Context(), "")))
	assert.Equal(t, "Idle", s.story())
	assert.Equal(t, 400, status(d.Raw(t.Context(), false, []byte("bplist00"))))
	assert.Equal(t, 400, status(d.Raw(t.Context(), true, []byte("bplist00"))))
}

// TestCrossReplay: a request that one server accepted reaches another as it
// was.
func TestCrossReplay(t *testing.T) {
	first, second := startServer(t), startServer(t)
	pool := first.roots()
	pool.AddCert(second.Certificate())
	d, err := simulator.New(simulator.Config{
		Hardware: simulator.Generate(1, simulator.IPad), Transport: simulator.NewTransport(pool), Clock: time.Now, Keys: sharedKeys.Key,
	})
	require.NoError(t, err)
	_, err = d.Replayed(t.Context(), "")
	require.Error(t, err, "nothing was sent yet")
	require.NoError(t, d.Enroll(t.Context(), first.profile(t, nil)))
	got, err := d.Replayed(t.Context(), first.URL+"/checkin")
	require.NoError(t, err)
	assert.Equal(t, 200, got.Status)
	got, err = d.Replayed(t.Context(), second.URL+"/checkin")
	require.NoError(t, err)
	assert.Equal(t, 400, got.Status, "it knows no such authority")
	assert.Len(t, first.sent("TokenUpdate"), 2)
	assert.Empty(t, second.sent("TokenUpdate"))
}

func TestReenroll(t *testing.T) {
	first, second := startServer(t), startServer(t)
	pool := first.roots()
	pool.AddCert(second.Certificate())
	d, err := simulator.New(simulator.Config{
		Hardware: simulator.Generate(1, simulator.IPhone), Transport: simulator.NewTransport(pool), Clock: time.Now, Keys: sharedKeys.Key,
	})
	require.NoError(t, err)
	require.NoError(t, d.Enroll(t.Context(), first.profile(t, nil)))
	token, magic := d.Push()
	require.NoError(t, d.Enroll(t.Context(), second.profile(t, nil)))
	newToken, newMagic := d.Push()
	assert.NotEqual(t, token, newToken)
	assert.NotEqual(t, magic, newMagic)
	assert.NotEqual(t, first.sent("TokenUpdate")[0]["UnlockToken"], second.sent("TokenUpdate")[0]["UnlockToken"])
	connect(t, d)
	assert.Equal(t, "Authenticate TokenUpdate", first.story())
	assert.Equal(t, "Authenticate TokenUpdate Idle", second.story())
}

// TestFleet: many devices, pushed at once.
func TestFleet(t *testing.T) {
	const size = 120
	s := startServer(t)
	transport := simulator.NewTransport(s.roots())
	fleet, err := simulator.NewFleet(8, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	profiles := make(chan []byte, size)
	for i := range size {
		d, err := simulator.New(simulator.Config{
			Hardware: simulator.Generate(uint64(i), simulator.Kinds()[i%4]), Transport: transport, Clock: time.Now, Keys: sharedKeys.Key,
		})
		require.NoError(t, err)
		fleet.Add(d)
		profiles <- s.profile(t, nil)
	}
	devices := make(chan *simulator.Device, size)
	for _, d := range fleet.Devices() {
		devices <- d
	}
	close(devices)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for d := range devices {
				assert.NoError(t, d.Enroll(t.Context(), <-profiles))
			}
		})
	}
	workers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	workers.Go(func() { fleet.Run(ctx) })
	for _, d := range fleet.Devices() {
		s.enqueue(d, "ProfileList", nil)
		token, magic := d.Push()
		require.True(t, fleet.Push(token, magic))
		require.False(t, fleet.Push(token, "another"))
	}
	require.False(t, fleet.Push([]byte("unknown"), ""))
	require.Eventually(t, func() bool {
		for _, d := range fleet.Devices() {
			if len(d.Obeyed("ProfileList")) != 1 {
				return false
			}
		}
		return true
	}, time.Minute, 20*time.Millisecond)
	cancel()
	workers.Wait()
}
