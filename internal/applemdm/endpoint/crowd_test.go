package endpoint_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/internal/applemdm/endpoint"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// said is a message on its way to an organization.
type said struct {
	to        *tenant
	path      string
	body      []byte
	signature string
}

func (m *mac) says(kind string, more dict) said {
	m.t.Helper()
	body := m.message(kind, more)
	return said{m.home, "checkin", body, m.sign(body)}
}

func (m *mac) saysAuthenticate(more dict) said {
	m.t.Helper()
	all := dict{"SerialNumber": m.serial, "DeviceName": "Mac " + m.serial, "ModelName": "MacBook Pro", "ProductName": "Mac15,3", "OSVersion": "15.1"}
	for k, v := range more {
		all[k] = v
	}
	return m.says("Authenticate", all)
}

func (m *mac) saysToken(more dict) said {
	m.t.Helper()
	all := dict{"Token": []byte("token of " + m.udid), "PushMagic": "magic-" + m.serial, "UnlockToken": []byte("unlock " + m.udid)}
	for k, v := range more {
		all[k] = v
	}
	return m.says("TokenUpdate", all)
}

// atOnce sends messages at the same time, and answers the statuses.
func (w *world) atOnce(messages ...said) []int {
	w.t.Helper()
	statuses := make([]int, len(messages))
	var all sync.WaitGroup
	for i, s := range messages {
		all.Go(func() {
			r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.url+"/mdm/"+s.to.organization+"/"+s.path, bytes.NewReader(s.body))
			if err != nil {
				return
			}
			r.Header.Set("Mdm-Signature", s.signature)
			response, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
			if err != nil {
				w.t.Error(err)
				return
			}
			statuses[i] = response.StatusCode
			_ = response.Body.Close()
		})
	}
	all.Wait()
	return statuses
}

// heldUp holds the first that asks for a seat until as many requests have come,
// so that the others come together.
func (w *world) heldUp(requests int) {
	until := w.asked.Load() + int64(requests)
	var once sync.Once
	w.seating = func(context.Context) {
		once.Do(func() {
			assert.Eventually(w.t, func() bool { return w.asked.Load() >= until }, 20*time.Second, time.Millisecond)
		})
	}
}

// whole verifies that no enrolment has been kept by half: every device has a
// channel of its organization, and that the identity that it came with.
func (w *world) whole() {
	w.t.Helper()
	all := tenancy.System(w.t.Context(), "a test looks at everything")
	devices := w.client.Device.Query().AllX(all)
	for _, d := range devices {
		c := w.client.DeviceChannel.Query().Where(devicechannel.DeviceID(d.ID), devicechannel.StatusNEQ(devicechannel.StatusRemoved)).OnlyX(all)
		i := w.client.DeviceIdentity.Query().Where(deviceidentity.Fingerprint(c.Fingerprint)).OnlyX(all)
		require.Equal(w.t, []string{d.OrganizationID, d.ProviderID, d.ID}, []string{c.OrganizationID, c.ProviderID, c.DeviceID})
		require.Equal(w.t, []string{d.OrganizationID, d.ProviderID, d.ID}, []string{i.OrganizationID, i.ProviderID, *i.DeviceID})
		if d.Enrolled {
			require.True(w.t, i.NotAfter.Equal(*d.CertificateNotAfter))
		}
	}
}

// counting is a world that counts the statements that begin with a text.
func counting(t *testing.T, engine, prefix string) (*world, *atomic.Int64) {
	t.Helper()
	var count atomic.Int64
	return newWorld(t, testdb.Open(t, database.Config{URL: testdb.URL(t, engine), Observe: func(_ context.Context, query string, _ time.Duration, _ error) {
		if strings.HasPrefix(query, prefix) {
			count.Add(1)
		}
	}})), &count
}

// Devices of several organizations and providers enrol at once. Those who may not
// are refused, and nobody else is hurt by it.
func TestDevicesThatEnrolAtOnce(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		w, inserts := counting(t, engine, "INSERT INTO devices")
		third := w.organization(w.one.provider, "Third") // has no room
		third.seats = 0
		var good []*mac
		for n := range 18 {
			m := w.mac([]*tenant{w.one, w.two, w.foreign}[n%3], n/3) // the same UDIDs and serial numbers in each
			good = append(good, m)
		}
		revoked, crowded, unissued, twin, thief, elsewhere := w.mac(w.one, 101), w.mac(third, 102), w.mac(w.one, 103), w.mac(w.two, 104), w.mac(w.one, 105), w.mac(w.foreign, 106)
		w.client.DeviceIdentity.Update().Where(deviceidentity.Fingerprint(endpoint.Fingerprint(revoked.certificate))).SetRevokedAt(w.clock.Now()).ExecX(w.one.ctx)
		w.client.DeviceIdentity.Delete().Where(deviceidentity.Fingerprint(endpoint.Fingerprint(unissued.certificate))).ExecX(w.one.ctx)
		twin.serial = good[1].serial
		thief.certificate = good[0].certificate
		refused := map[string]said{
			"revoked":           revoked.saysAuthenticate(nil),
			"no seat":           crowded.saysAuthenticate(nil),
			"never issued":      unissued.saysAuthenticate(nil),
			"foreign":           {w.one, "checkin", elsewhere.message("Authenticate", nil), elsewhere.sign(elsewhere.message("Authenticate", nil))},
			"another topic":     w.mac(w.two, 107).saysAuthenticate(dict{"Topic": w.one.topic}),
			"a user":            w.mac(w.two, 108).saysAuthenticate(dict{"UserID": "ABC"}),
			"a tokenless other": w.mac(w.two, 109).saysToken(nil),
		}
		var messages []said
		for _, m := range good {
			messages = append(messages, m.saysAuthenticate(nil))
		}
		messages = append(messages, good[2].saysAuthenticate(nil), twin.saysAuthenticate(nil)) // says it twice; two of one serial number
		fine := len(messages)
		for _, s := range refused {
			messages = append(messages, s)
		}
		w.heldUp(len(messages))
		statuses := w.atOnce(messages...)
		require.Equal(t, slices.Repeat([]int{http.StatusOK}, fine), statuses[:fine])
		require.Equal(t, slices.Repeat([]int{http.StatusBadRequest}, len(refused)), statuses[fine:])
		require.Less(t, inserts.Load(), int64(len(good)), "they were worked together")
		t.Logf("%d devices by %d statements", len(good), inserts.Load())
		w.seating = nil
		w.whole()
		require.Equal(t, []int{6, 6, 6, 0}, []int{
			w.client.Device.Query().CountX(w.one.ctx), w.client.Device.Query().CountX(w.two.ctx),
			w.client.Device.Query().CountX(w.foreign.ctx), w.client.Device.Query().CountX(third.ctx),
		})
		require.Contains(t, w.atOnce(thief.saysAuthenticate(nil)), http.StatusBadRequest, "another's certificate")

		// Of two of one serial number, only the one that came last is known by its key.
		good = slices.Delete(good, 1, 2)
		messages = nil
		for _, m := range good {
			messages = append(messages, m.saysToken(nil))
		}
		messages = append(messages, good[0].saysToken(nil))
		fine = len(messages)
		thief.udid = good[4].udid
		messages = append(messages,
			thief.saysToken(nil), revoked.saysToken(nil), unissued.saysToken(nil), crowded.saysToken(nil),
			good[5].saysToken(dict{"Topic": "com.apple.mgmt.External.None"}))
		statuses = w.atOnce(messages...)
		require.Equal(t, slices.Repeat([]int{http.StatusOK}, fine), statuses[:fine])
		require.Equal(t, slices.Repeat([]int{http.StatusBadRequest}, len(messages)-fine), statuses[fine:])
		w.whole()
		for _, m := range good {
			c := w.client.DeviceChannel.Query().Where(devicechannel.Key(m.udid)).WithDevice().OnlyX(m.home.ctx)
			require.Equal(t, devicechannel.StatusEnrolled, c.Status)
			require.Equal(t, []string{"token of " + m.udid, "magic-" + m.serial, m.home.topic}, []string{string(c.PushToken), c.PushMagic, c.Topic})
			require.NotNil(t, c.ArrivedAt)
			unlock, err := w.vault.Open(m.home.ctx, secret.Place{Tenant: m.home.organization, Table: devicechannel.Table, Column: devicechannel.FieldUnlockToken, Row: c.ID}, c.UnlockToken)
			require.NoError(t, err)
			require.Equal(t, "unlock "+m.udid, string(unlock))
			d := c.Edges.Device
			require.True(t, d.Enrolled && d.FirstEnrolledAt != nil && d.LastSeenOn != nil && d.FirstEnrolledAt.Equal(*d.LastEnrolledAt))
			require.Equal(t, []any{m.serial, "Mac " + m.serial, "MacBook Pro", "Mac15,3", "15.1", device.PlatformMacOS},
				[]any{d.SerialNumber, d.Name, d.Model, d.ModelIdentifier, d.OsVersion, d.Platform})
		}
	})
}

// As many devices come in as there are seats, however they come.
func TestSeatsOfDevicesThatEnrolAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.two.seats = 4
		var messages []said
		for n := range 10 {
			messages = append(messages, w.mac(w.two, n).saysAuthenticate(nil), w.mac(w.one, n).saysAuthenticate(nil))
		}
		w.heldUp(len(messages))
		statuses := w.atOnce(messages...)
		in := 0
		for i, status := range statuses {
			switch {
			case i%2 == 1:
				require.Equal(t, http.StatusOK, status, "the other organization has room")
			case status == http.StatusOK:
				in++
			default:
				require.Equal(t, http.StatusBadRequest, status)
			}
		}
		require.Equal(t, 4, in)
		require.Equal(t, 4, w.client.Device.Query().CountX(w.two.ctx))
		w.whole()
	})
}

// Who is overtaken by something else spoils a batch once, and nobody notices.
func TestASpoiltBatchIsWorkedOneByOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var messages []said
		var macs []*mac
		for n := range 8 {
			macs = append(macs, w.mac([]*tenant{w.one, w.two}[n%2], n))
			messages = append(messages, macs[n].saysAuthenticate(nil))
		}
		w.heldUp(len(messages))
		hold := w.seating
		var seats atomic.Int64
		w.seating = func(ctx context.Context) {
			hold(ctx)
			scope, err := tenancy.From(ctx)
			if seats.Add(1) != 2 || err != nil { // the second is of those that have come meanwhile
				return
			}
			for _, m := range macs { // what the batch has not seen is there when it writes
				if scope.Reaches(m.home.organization) && !w.client.Device.Query().Where(device.SerialNumber(m.serial)).ExistX(ctx) {
					w.client.Device.Create().SetOrganizationID(m.home.organization).SetName("other").
						SetPlatform(device.PlatformMacOS).SetSerialNumber(m.serial).ExecX(ctx)
				}
			}
		}
		require.Equal(t, slices.Repeat([]int{http.StatusOK}, len(messages)), w.atOnce(messages...))
		require.Equal(t, []int{4, 4}, []int{w.client.Device.Query().CountX(w.one.ctx), w.client.Device.Query().CountX(w.two.ctx)})
		w.whole()
	})
}

// A request that ends while it waits leaves nothing, and may be made again.
func TestARequestThatEndsWhileItWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		authority, err := w.Authority(t.Context(), w.one.organization)
		require.NoError(t, err)
		begin := func(ctx context.Context, m *mac) error {
			return w.members.Authenticate(ctx, membership.Arriving{
				Organization: w.one.organization, Sender: m.sender(), Topic: w.one.topic, Seat: authority.Seat,
			}, &message.Authenticate{Enrollment: message.Enrollment{UDID: m.udid}, Topic: w.one.topic, SerialNumber: m.serial})
		}
		first, second := w.mac(w.one, 1), w.mac(w.one, 2)
		held, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w.seating = func(context.Context) { once.Do(func() { close(held); <-release }) }
		ended := make(chan error, 1)
		go func() { ended <- begin(w.one.ctx, first) }()
		<-held
		waiting, cancel := context.WithTimeout(w.one.ctx, 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, begin(waiting, second), context.DeadlineExceeded)
		close(release)
		require.NoError(t, <-ended)
		require.Equal(t, 1, w.client.Device.Query().CountX(w.one.ctx))
		require.NoError(t, begin(w.one.ctx, second))
		require.Equal(t, 2, w.client.Device.Query().CountX(w.one.ctx))
		w.whole()
	})
}

// In another scope than its own organization's, and provider's, an identity is
// nobody's, whoever let it in.
func TestAnIdentityIsNobodysElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		begun, fresh := w.mac(w.one, 1), w.mac(w.one, 2)
		require.Equal(t, http.StatusOK, begun.authenticate())
		before := w.state()
		who := tenancy.ServicePrincipal("a test")
		for name, ctx := range map[string]context.Context{
			"another organization": w.two.ctx,
			"another provider":     w.foreign.ctx,
			"a mixture":            tenancy.With(t.Context(), tenancy.ForOrganizations(who, w.foreign.provider, w.one.organization)),
			"all organizations":    tenancy.With(t.Context(), tenancy.ForProvider(who, w.one.provider)),
		} {
			scope, err := tenancy.From(ctx)
			require.NoError(t, err)
			organization, _ := scope.Organization()
			free := func(context.Context, string, int) error { return nil }
			require.Error(t, w.members.Authenticate(ctx, membership.Arriving{
				Organization: organization, Sender: fresh.sender(), Topic: w.one.topic, Seat: free,
			}, &message.Authenticate{Enrollment: message.Enrollment{UDID: fresh.udid}, Topic: w.one.topic, SerialNumber: fresh.serial}), name)
			require.Error(t, w.members.TokenUpdate(ctx, begun.sender(), &message.TokenUpdate{
				Enrollment: message.Enrollment{UDID: begun.udid}, Topic: w.one.topic, PushMagic: "magic", Token: []byte("token"),
			}), name)
		}
		require.Equal(t, before, w.state())
	})
}
