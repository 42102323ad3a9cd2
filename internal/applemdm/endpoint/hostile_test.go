package endpoint_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// state is everything that a message could have changed.
func (w *world) state() string {
	w.t.Helper()
	all := tenancy.System(w.t.Context(), "a test looks at everything")
	var b strings.Builder
	fmt.Fprintln(&b, w.client.Device.Query().AllX(all), w.client.DeviceChannel.Query().AllX(all), w.client.DeviceCommand.Query().AllX(all),
		w.client.DeviceIdentity.Query().AllX(all), w.client.DeviceApp.Query().AllX(all), w.client.DeviceSecret.Query().AllX(all),
		w.client.Alert.Query().AllX(all), w.client.AlertOccurrence.Query().AllX(all))
	return b.String()
}

func TestBadInputStoresNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.enrolled(w.one, 1)
		neighbour, foreigner := w.enrolled(w.one, 2), w.enrolled(w.foreign, 3)
		fresh := w.mac(w.one, 4)
		expired := w.issue(w.one, "")
		before := w.state()

		idle, err := plist.Encode(dict{"UDID": m.udid, "Status": "Idle"})
		require.NoError(t, err)
		authenticate := m.message("Authenticate", dict{"SerialNumber": m.serial, "ProductName": "Mac15,3"})
		deep := []byte(strings.Repeat("<dict><key>a</key>", 100_000))
		wide := []byte("<plist><array>" + strings.Repeat("<true/>", plist.MaxElements) + "</array></plist>")
		laughs := []byte(`<!DOCTYPE plist [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><plist><dict><key>Status</key><string>&b;</string></dict></plist>`)
		cyclic := []byte("bplist00\xa1\x00\x08" + strings.Repeat("\x00", 6) + "\x01\x01" + strings.Repeat("\x00", 7) + "\x01" +
			strings.Repeat("\x00", 8) + strings.Repeat("\x00", 7) + "\x0a")
		var compressed bytes.Buffer
		zip := gzip.NewWriter(&compressed)
		_, err = zip.Write(idle)
		require.NoError(t, errors.Join(err, zip.Close()))
		good := m.sign(idle)
		raw, err := base64.StdEncoding.DecodeString(good)
		require.NoError(t, err)
		send := func(to *tenant, path string, body []byte, signature string) int {
			status, _ := w.put(to.organization, path, body, signature)
			return status
		}
		signed := func(by *mac, to *tenant, path string, body []byte) int { return send(to, path, body, by.sign(body)) }
		for name, got := range map[string]int{
			"no signature":               send(w.one, "connect", idle, ""),
			"not base64":                 send(w.one, "connect", idle, "%%%"),
			"truncated CMS":              send(w.one, "connect", idle, base64.StdEncoding.EncodeToString(raw[:len(raw)/2])),
			"another body":               send(w.one, "connect", append(bytes.Clone(idle), ' '), good),
			"too large":                  send(w.one, "connect", bytes.Repeat([]byte(" "), plist.MaxBody+1), good),
			"deep":                       signed(m, w.one, "connect", deep),
			"fanned out":                 signed(m, w.one, "connect", wide),
			"entities of entities":       signed(m, w.one, "connect", laughs),
			"binary":                     signed(m, w.one, "connect", []byte("bplist00\xd1\x01\x02")),
			"binary, holding itself":     signed(m, w.one, "connect", cyclic),
			"compressed":                 signed(m, w.one, "connect", compressed.Bytes()),
			"bytes after the signature":  send(w.one, "connect", idle, base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 0))),
			"a signature nested deep":    send(w.one, "connect", idle, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\x30\x80"), 5000))),
			"a large signature":          send(w.one, "connect", idle, strings.Repeat("A", 17<<10)),
			"empty":                      signed(m, w.one, "connect", nil),
			"no plist":                   signed(m, w.one, "checkin", []byte("{}")),
			"unknown message":            signed(m, w.one, "checkin", m.message("Reboot", nil)),
			"unknown status":             signed(m, w.one, "connect", bytes.Replace(idle, []byte("Idle"), []byte("Lazy"), 1)),
			"unknown organization":       send(&tenant{organization: "org_01arz3ndektsv4rrffq69g5fav"}, "connect", idle, good),
			"another organization":       send(w.two, "connect", idle, good),
			"another provider":           send(w.foreign, "connect", idle, good),
			"authenticates elsewhere":    signed(m, w.foreign, "checkin", authenticate),
			"another tenant's device":    signed(foreigner, w.one, "connect", idle),
			"another tenant's UDID":      signed(foreigner, w.foreign, "connect", idle),
			"a neighbour's UDID":         signed(neighbour, w.one, "connect", idle),
			"enrols as a neighbour":      signed(neighbour, w.one, "checkin", authenticate),
			"a neighbour's tokens":       signed(neighbour, w.one, "checkin", m.message("TokenUpdate", dict{"Token": []byte("x"), "PushMagic": "x"})),
			"a neighbour's escrow":       signed(neighbour, w.one, "checkin", m.message("GetBootstrapToken", nil)),
			"checks a neighbour out":     signed(neighbour, w.one, "checkin", m.message("CheckOut", nil)),
			"not yet enrolled":           signed(fresh, w.one, "connect", idle),
			"tokens before enrolment":    signed(fresh, w.one, "checkin", fresh.message("TokenUpdate", dict{"Token": []byte("x"), "PushMagic": "x"})),
			"another topic":              signed(fresh, w.one, "checkin", fresh.message("Authenticate", dict{"Topic": w.two.topic, "SerialNumber": "S"})),
			"an authority's certificate": signed(&mac{world: w, certificate: parse(t, authorities()[1].certificate)}, w.one, "connect", idle),
		} {
			t.Log(name, got)
			require.GreaterOrEqual(t, got, 400, name)
			require.Less(t, got, 500, name)
			require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, got, "nobody may be unenrolled: %s", name)
		}
		require.Equal(t, before, w.state())

		w.clock.pass(366 * 24 * time.Hour)
		late := &mac{world: w, home: w.one, udid: "LATE", serial: "LATE", certificate: expired}
		require.Equal(t, http.StatusBadRequest, late.authenticate(), "an expired identity")
		require.Equal(t, before, w.state())
	})
}

// watched is a body that notices when it is read.
type watched struct {
	io.Reader
	read atomic.Bool
}

func (b *watched) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

// Whoever has no identity of the organization does not make the server hold
// bodies: it turns them away without asking for one.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		w := newWorld(t, testdb.Open(t, database.Config{URL: testdb.URL(t, engine)}))
		m, foreigner := w.enrolled(w.one, 1), w.enrolled(w.foreign, 2)
		idle, err := plist.Encode(dict{"UDID": m.udid, "Status": "Idle"})
		require.NoError(t, err)
		patient := &http.Transport{ExpectContinueTimeout: time.Minute}
		defer patient.CloseIdleConnections()
		send := func(signature string) (status int, read bool) {
			body := &watched{Reader: bytes.NewReader(idle)}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.url+"/mdm/"+w.one.organization+"/connect", body)
			require.NoError(t, err)
			r.ContentLength = int64(len(idle))
			r.Header.Set("Expect", "100-continue")
			if signature != "" {
				r.Header.Set("Mdm-Signature", signature)
			}
			response, err := patient.RoundTrip(r)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			return response.StatusCode, body.read.Load()
		}
		for name, signature := range map[string]string{"none": "", "no signature": "AAAA", "another tenant's": foreigner.sign(idle)} {
			status, read := send(signature)
			require.Equal(t, http.StatusBadRequest, status, name)
			require.False(t, read, name)
		}
		status, read := send(m.sign(idle))
		require.Equal(t, http.StatusOK, status)
		require.True(t, read)
	})
}

// One identity has the server hold so many bodies at a time, and no more.
func TestRequestsOfOneIdentityAreBounded(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		w := newWorld(t, testdb.Open(t, database.Config{URL: testdb.URL(t, engine)}))
		m, other := w.enrolled(w.one, 1), w.enrolled(w.one, 2)
		idle, err := plist.Encode(dict{"UDID": m.udid, "Status": "Idle"})
		require.NoError(t, err)
		signature := m.sign(idle)
		patient := &http.Transport{ExpectContinueTimeout: time.Minute}
		defer patient.CloseIdleConnections()
		const most = 4
		statuses := make(chan int, most)
		var held [most]*watched
		release := make(chan struct{})
		finish := sync.OnceFunc(func() { close(release) })
		defer finish()
		for i := range held {
			held[i] = &watched{Reader: io.MultiReader(bytes.NewReader(idle[:10]), &waiting{release}, bytes.NewReader(idle[10:]))}
			go func() {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.url+"/mdm/"+w.one.organization+"/connect", held[i])
				if err != nil {
					statuses <- 0
					return
				}
				r.ContentLength = int64(len(idle))
				r.Header.Set("Expect", "100-continue")
				r.Header.Set("Mdm-Signature", signature)
				response, err := patient.RoundTrip(r)
				if err != nil {
					statuses <- 0
					return
				}
				_ = response.Body.Close()
				statuses <- response.StatusCode
			}()
		}
		require.Eventually(t, func() bool {
			for _, body := range held {
				if !body.read.Load() {
					return false
				}
			}
			return true
		}, 20*time.Second, time.Millisecond)
		status, _ := w.put(w.one.organization, "connect", idle, signature)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Nil(t, other.idle(), "others are not held up")
		finish()
		for range held {
			require.Equal(t, http.StatusOK, <-statuses)
		}
		require.Nil(t, m.idle())
	})
}

// waiting is a reader that ends when it is released.
type waiting struct{ release <-chan struct{} }

func (w *waiting) Read([]byte) (int, error) {
	<-w.release
	return 0, io.EOF
}

// A connection is one transaction at most, and of few statements, whatever the
// history.
func TestStatementsOfAConnection(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		var count atomic.Int64
		var last atomic.Pointer[[]string]
		last.Store(&[]string{})
		db := testdb.Open(t, database.Config{URL: testdb.URL(t, engine), Observe: func(_ context.Context, query string, _ time.Duration, _ error) {
			count.Add(1)
			seen := append(*last.Load(), query)
			last.Store(&seen)
		}})
		w := newWorld(t, db)
		m := w.enrolled(w.one, 1)
		id := m.row(w.one).ID
		measure := func(what string, most int64, do func()) {
			t.Helper()
			count.Store(0)
			last.Store(&[]string{})
			do()
			t.Logf("%s on %s: %d statements", what, engine, count.Load())
			require.LessOrEqual(t, count.Load(), most, "%s", strings.Join(*last.Load(), "\n"))
		}
		measure("idle", 1, func() { require.Nil(t, m.idle()) })
		_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
		require.NoError(t, err)
		var restart *order
		measure("idle with a command", 2, func() { restart = m.idle() })
		measure("report", 2, func() { require.Nil(t, m.answer(restart, "Acknowledged", nil)) })
		w.clock.pass(2 * time.Minute)
		measure("idle, seen anew", 3, func() { require.Nil(t, m.idle()) })
		measure("enqueue", 7, func() {
			_, err := w.queue.Enqueue(w.one.ctx, id, command.RestartDevice{}, queue.Options{})
			require.NoError(t, err)
		})
		fresh := w.mac(w.one, 2)
		measure("authenticate", 9, func() { require.Equal(t, http.StatusOK, fresh.authenticate()) })
		measure("token update", 9, func() { require.Equal(t, http.StatusOK, fresh.token(nil)) })
	})
}
