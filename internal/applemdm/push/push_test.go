package push_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/push"
	"github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
)

type bundle struct {
	apns   *standin.Server
	sender *push.Sender
	key    *ecdsa.PrivateKey
}

func setup(t *testing.T, config push.Config) bundle {
	t.Helper()
	return setupStreams(t, config, 0)
}

func setupStreams(t *testing.T, config push.Config, streams int) bundle {
	t.Helper()
	apns, err := standin.Start(t.Context(), "127.0.0.1:0", standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: time.Now, Streams: streams})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, apns.Close()) })
	config.Host, config.Roots, config.Clock = apns.URL(), apns.Roots(), time.Now
	config.Timeout = cmp.Or(config.Timeout, 5*time.Minute) // a busy machine is no fault
	sender, err := push.New(config)
	require.NoError(t, err)
	t.Cleanup(sender.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return bundle{apns: apns, sender: sender, key: key}
}

func (b bundle) certificate(t *testing.T, tenant string, notAfter time.Time) push.Certificate {
	t.Helper()
	der, err := b.apns.Issue(b.key.Public(), topic(tenant), notAfter)
	require.NoError(t, err)
	return push.Certificate{Tenant: tenant, TLS: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: b.key}}
}

func topic(tenant string) string { return "com.apple.mgmt.External." + tenant }

func note(tenant string, n int) push.Notification {
	return push.Notification{Token: fmt.Appendf(nil, "token-%s-%d", tenant, n), Magic: fmt.Sprintf("magic-%d", n), Topic: topic(tenant)}
}

func year() time.Time { return time.Now().AddDate(1, 0, 0) }

func TestSend(t *testing.T) {
	b := setup(t, push.Config{})
	certificate := b.certificate(t, "a", year())
	n := note("a", 1)
	n.Magic = `E5-"quoted" <ü>`
	got := b.sender.Send(t.Context(), certificate, n)
	require.Equal(t, push.Accepted, got.Status, "%+v", got)
	pushes := b.apns.Pushes()
	require.Len(t, pushes, 1)
	assert.Equal(t, got.ID, pushes[0].ID)
	assert.Equal(t, n.Token, pushes[0].Token)
	assert.Equal(t, n.Magic, pushes[0].Magic)
	assert.Equal(t, n.Topic, pushes[0].Topic)
	assert.Equal(t, "10", pushes[0].Priority)
	assert.WithinDuration(t, time.Now().Add(7*24*time.Hour), pushes[0].Expiration, time.Minute)
}

// TestOutcomes: each answer that APNs documents, and what a caller has to do.
func TestOutcomes(t *testing.T) {
	b := setup(t, push.Config{})
	certificate := b.certificate(t, "a", year())
	since := time.Unix(1_700_000_000, 0)
	for i, c := range []struct {
		answer standin.Answer
		want   push.Status
		wait   time.Duration
	}{
		{standin.Answer{Status: 410, Reason: "Unregistered", Since: since}, push.DeadToken, 0},
		{standin.Answer{Status: 410, Reason: "ExpiredToken", Since: since}, push.DeadToken, 0},
		{standin.Answer{Status: 400, Reason: "BadDeviceToken"}, push.DeadToken, 0},
		{standin.Answer{Status: 400, Reason: "DeviceTokenNotForTopic"}, push.DeadToken, 0},
		{standin.Answer{Status: 400, Reason: "TopicDisallowed"}, push.CertificateRefused, 0},
		{standin.Answer{Status: 400, Reason: "BadMessageId"}, push.Rejected, 0},
		{standin.Answer{Status: 400, Reason: "IdleTimeout"}, push.RetryLater, 0},
		{standin.Answer{Status: 403, Reason: "BadCertificate"}, push.CertificateRefused, 0},
		{standin.Answer{Status: 403, Reason: "Forbidden"}, push.CertificateRefused, 0},
		{standin.Answer{Status: 413, Reason: "PayloadTooLarge"}, push.Rejected, 0},
		{standin.Answer{Status: 429, Reason: "TooManyRequests", RetryAfter: "90"}, push.RetryLater, 90 * time.Second},
		{standin.Answer{Status: 429, Reason: "TooManyRequests", RetryAfter: "-1"}, push.RetryLater, 0},
		{standin.Answer{Status: 429, Reason: "TooManyRequests", RetryAfter: "99999999999"}, push.RetryLater, 24 * time.Hour},
		{standin.Answer{Status: 500, Reason: "InternalServerError"}, push.RetryLater, 0},
		{standin.Answer{Status: 503, Reason: "Shutdown", RetryAfter: "5"}, push.RetryLater, 5 * time.Second},
	} {
		n := note("a", i)
		b.apns.Answer(n.Token, c.answer)
		got := b.sender.Send(t.Context(), certificate, n)
		assert.Equal(t, c.want, got.Status, "%+v", c.answer)
		assert.Equal(t, c.answer.Reason, got.Reason)
		assert.Equal(t, c.answer.Status, got.Code)
		assert.Equal(t, c.wait, got.RetryAfter, "%+v", c.answer)
		assert.NoError(t, got.Err)
		assert.True(t, c.answer.Since.Equal(got.Since), "%+v: since %s", c.answer, got.Since)
	}
	opened, _ := b.apns.Connections()
	assert.Equal(t, 1, opened)
}

// TestNonsense: what a proxy may answer instead of APNs.
func TestNonsense(t *testing.T) {
	b := setup(t, push.Config{})
	certificate := b.certificate(t, "a", year())
	n := note("a", 1)
	for _, a := range []standin.Answer{
		{Status: 503, Body: "<html>", RetryAfter: "7"},
		{Status: 502, Body: `{"reason":`, RetryAfter: "7"},
	} {
		b.apns.Answer(n.Token, a)
		got := b.sender.Send(t.Context(), certificate, n)
		assert.Equal(t, push.RetryLater, got.Status)
		assert.Equal(t, a.Status, got.Code)
		assert.Equal(t, 7*time.Second, got.RetryAfter)
		assert.Error(t, got.Err)
	}
}

func TestCertificateRefused(t *testing.T) {
	b := setup(t, push.Config{})
	t.Run("expired", func(t *testing.T) {
		end := time.Now().Add(-time.Hour).Truncate(time.Second)
		got := b.sender.Send(t.Context(), b.certificate(t, "a", end), note("a", 1))
		assert.Equal(t, push.CertificateRefused, got.Status)
		assert.Equal(t, push.ReasonExpired, got.Reason)
		assert.True(t, end.Equal(got.Since))
	})
	t.Run("topic of another", func(t *testing.T) {
		got := b.sender.Send(t.Context(), b.certificate(t, "a", year()), note("b", 1))
		assert.Equal(t, push.CertificateRefused, got.Status)
		assert.Equal(t, "TopicDisallowed", got.Reason)
	})
	t.Run("nothing there", func(t *testing.T) {
		for _, c := range []tls.Certificate{{}, {Certificate: [][]byte{[]byte("no DER")}, PrivateKey: b.key}} {
			got := b.sender.Send(t.Context(), push.Certificate{Tenant: "a", TLS: c}, note("a", 1))
			assert.Equal(t, push.CertificateRefused, got.Status)
			assert.Equal(t, push.ReasonUnusable, got.Reason)
		}
	})
	assert.Empty(t, b.apns.Pushes())
}

// TestForeignAuthority: APNs ends the handshake with an alert. A TCP reset can
// overtake it, which reads like any other network error: hence the attempts.
func TestForeignAuthority(t *testing.T) {
	b, other := setup(t, push.Config{}), setup(t, push.Config{})
	foreign := other.certificate(t, "a", year())
	require.Eventually(t, func() bool {
		got := b.sender.Send(t.Context(), foreign, note("a", 1))
		return got.Status == push.CertificateRefused && got.Reason == push.ReasonTLS
	}, 10*time.Second, time.Millisecond)
}

// TestForeignHost: a host that the roots do not certify is the network's
// fault, not the organization's, and learns nothing.
func TestForeignHost(t *testing.T) {
	b, other := setup(t, push.Config{}), setup(t, push.Config{})
	sender, err := push.New(push.Config{Host: b.apns.URL(), Roots: other.apns.Roots(), Clock: time.Now})
	require.NoError(t, err)
	got := sender.Send(t.Context(), b.certificate(t, "a", year()), note("a", 1))
	assert.Equal(t, push.RetryLater, got.Status)
	assert.Error(t, got.Err)
	assert.Empty(t, b.apns.Pushes())
}

func TestNetwork(t *testing.T) {
	b := setup(t, push.Config{Timeout: 2 * time.Second})
	certificate := b.certificate(t, "a", year())
	reset, slow := note("a", 1), note("a", 2)
	b.apns.Answer(reset.Token, standin.Answer{Reset: true, Times: 1})
	b.apns.Answer(slow.Token, standin.Answer{Delay: time.Hour, Times: 1})
	got := b.sender.Send(t.Context(), certificate, reset)
	assert.Equal(t, push.RetryLater, got.Status)
	assert.Error(t, got.Err)
	got = b.sender.Send(t.Context(), certificate, reset)
	assert.Equal(t, push.Accepted, got.Status, "the connection is opened again: %v", got.Err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = b.sender.Send(ctx, certificate, note("a", 3))
	assert.ErrorIs(t, got.Err, context.Canceled)
	got = b.sender.Send(t.Context(), certificate, slow)
	assert.Equal(t, push.RetryLater, got.Status)
	assert.ErrorIs(t, got.Err, context.DeadlineExceeded)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := "https://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	sender, err := push.New(push.Config{Host: gone, Clock: time.Now})
	require.NoError(t, err)
	assert.Equal(t, push.RetryLater, sender.Send(t.Context(), certificate, slow).Status)
}

// TestFleet: 8,000 notifications of 200 organizations use one connection each.
func TestFleet(t *testing.T) {
	const tenants, devices = 200, 40
	b := setup(t, push.Config{})
	batches := make([]push.Batch, tenants)
	for i := range batches {
		tenant := fmt.Sprint("t", i)
		batches[i].Certificate = b.certificate(t, tenant, year())
		for n := range devices {
			batches[i].Notifications = append(batches[i].Notifications, note(tenant, n))
		}
	}
	begin := time.Now()
	for _, outcomes := range b.sender.SendMany(t.Context(), batches) {
		require.Len(t, outcomes, devices)
		for _, o := range outcomes {
			require.Equal(t, push.Accepted, o.Status, "%+v", o)
		}
	}
	t.Logf("%d notifications in %s", tenants*devices, time.Since(begin))
	seen := map[string]bool{}
	for _, p := range b.apns.Pushes() {
		seen[string(p.Token)] = true
	}
	assert.Len(t, seen, tenants*devices)
	opened, open := b.apns.Connections()
	assert.Equal(t, tenants, opened)
	assert.Equal(t, tenants, open)
	b.sender.Forget("t7")
	b.connections(t, tenants-1)
	b.sender.Close()
	b.connections(t, 0)
}

// connections waits until the stand-in has so many open.
func (b bundle) connections(t *testing.T, want int) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, open := b.apns.Connections()
		return open == want
	}, 10*time.Second, time.Millisecond, "open connections")
}

// TestEviction: with room for 8, 30 organizations still connect once each, and
// no more than 8 connections stay.
func TestEviction(t *testing.T) {
	const tenants, room = 30, 8
	b := setup(t, push.Config{Clients: room})
	batches := make([]push.Batch, tenants)
	for i := range batches {
		tenant := fmt.Sprint("t", i)
		batches[i].Certificate = b.certificate(t, tenant, year())
		for n := range 60 {
			batches[i].Notifications = append(batches[i].Notifications, note(tenant, n))
		}
	}
	b.sender.SendMany(t.Context(), batches)
	assert.Len(t, b.apns.Pushes(), tenants*60)
	opened, _ := b.apns.Connections()
	assert.Equal(t, tenants, opened)
	b.connections(t, room)
}

// TestEvictedInUse: a connection whose client falls out of the cache serves
// what is on its way, and closes then.
func TestEvictedInUse(t *testing.T) {
	b := setup(t, push.Config{Clients: 1})
	first, second := b.certificate(t, "a", year()), b.certificate(t, "b", year())
	slow := note("a", 1)
	b.apns.Answer(slow.Token, standin.Answer{Delay: 300 * time.Millisecond})
	done := make(chan push.Outcome)
	go func() { done <- b.sender.Send(t.Context(), first, slow) }()
	b.connections(t, 1)
	assert.Equal(t, push.Accepted, b.sender.Send(t.Context(), second, note("b", 1)).Status)
	assert.Equal(t, push.Accepted, (<-done).Status)
	b.connections(t, 1)
}

// TestFullConnection: what the connection has no room for waits, and opens no
// second one.
func TestFullConnection(t *testing.T) {
	b := setupStreams(t, push.Config{}, 100)
	certificate := b.certificate(t, "a", year())
	var senders sync.WaitGroup
	for n := range 400 {
		senders.Go(func() {
			got := b.sender.Send(t.Context(), certificate, note("a", n))
			assert.Equal(t, push.Accepted, got.Status, "%+v", got)
		})
	}
	senders.Wait()
	opened, _ := b.apns.Connections()
	assert.Equal(t, 1, opened)
}

// TestNarrowServer: one that takes less than any server should costs more
// connections, and no notification.
func TestNarrowServer(t *testing.T) {
	b := setupStreams(t, push.Config{}, 5)
	batch := push.Batch{Certificate: b.certificate(t, "a", year())}
	for n := range 100 {
		batch.Notifications = append(batch.Notifications, note("a", n))
	}
	for _, o := range b.sender.SendMany(t.Context(), []push.Batch{batch})[0] {
		assert.Equal(t, push.Accepted, o.Status, "%+v", o)
	}
	b.sender.Close()
	b.connections(t, 0)
}

// TestSameCertificate: two organizations never share a connection.
func TestSameCertificate(t *testing.T) {
	b := setup(t, push.Config{})
	certificate := b.certificate(t, "a", year())
	for _, tenant := range []string{"x", "y"} {
		certificate.Tenant = tenant
		assert.Equal(t, push.Accepted, b.sender.Send(t.Context(), certificate, note("a", 1)).Status)
	}
	opened, _ := b.apns.Connections()
	assert.Equal(t, 2, opened)
}

// TestConcurrent: many senders of few certificates, and tenants forgotten
// meanwhile.
func TestConcurrent(t *testing.T) {
	b := setup(t, push.Config{Clients: 2})
	certificates := []push.Certificate{b.certificate(t, "t0", year()), b.certificate(t, "t1", year()), b.certificate(t, "t2", year())}
	var senders sync.WaitGroup
	for worker := range 12 {
		senders.Go(func() {
			for n := range 20 {
				i := (worker + n) % len(certificates)
				got := b.sender.Send(t.Context(), certificates[i], note(certificates[i].Tenant, n))
				assert.Equal(t, push.Accepted, got.Status, "%+v", got)
				if n%7 == 0 {
					b.sender.Forget(certificates[i].Tenant)
				}
			}
		})
	}
	senders.Wait()
	b.sender.Close()
	b.connections(t, 0)
}

// TestRefusedBatch: what is left of a refused certificate is not sent, and the
// others are.
func TestRefusedBatch(t *testing.T) {
	b := setup(t, push.Config{Streams: 2, Concurrency: 4})
	bad, good := push.Batch{Certificate: b.certificate(t, "a", year())}, push.Batch{Certificate: b.certificate(t, "b", year())}
	for n := range 50 {
		bad.Notifications = append(bad.Notifications, note("a", n))
		good.Notifications = append(good.Notifications, note("b", n))
	}
	for _, n := range bad.Notifications {
		b.apns.Answer(n.Token, standin.Answer{Status: http.StatusForbidden, Reason: "BadCertificate"})
	}
	outcomes := b.sender.SendMany(t.Context(), []push.Batch{bad, {}, good})
	require.Len(t, outcomes, 3)
	for n := range 50 {
		assert.Equal(t, push.CertificateRefused, outcomes[0][n].Status)
		assert.Equal(t, push.Accepted, outcomes[2][n].Status)
	}
	assert.LessOrEqual(t, b.apns.Refused()["BadCertificate"], 3)
}

func TestCancelled(t *testing.T) {
	b := setup(t, push.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcomes := b.sender.SendMany(ctx, []push.Batch{{Certificate: b.certificate(t, "a", year()), Notifications: []push.Notification{note("a", 1), note("a", 2)}}})
	for _, o := range outcomes[0] {
		assert.Equal(t, push.RetryLater, o.Status)
		assert.ErrorIs(t, o.Err, context.Canceled)
	}
	assert.Empty(t, b.apns.Pushes())
}

func TestEmptyToken(t *testing.T) {
	b := setup(t, push.Config{})
	got := b.sender.Send(t.Context(), b.certificate(t, "a", year()), push.Notification{Magic: "m", Topic: topic("a")})
	assert.Equal(t, push.DeadToken, got.Status)
}

func TestConfig(t *testing.T) {
	for _, c := range []push.Config{
		{},
		{Clock: time.Now, Host: "http://api.push.apple.com"},
		{Clock: time.Now, Host: "https://api.push.apple.com/3"},
		{Clock: time.Now, Clients: -1},
		{Clock: time.Now, Streams: 51},
	} {
		_, err := push.New(c)
		assert.Error(t, err, "%+v", c.Host)
	}
}
