package ticket_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// receipts counts the calls that were heeded.
func (f *followed) receipts() int {
	return f.client.TicketingWebhookReceipt.Query().CountX(f.system(f.t.Context()))
}

// call is the last call that a vendor has made.
func (f *followed) call() desk.Hook {
	f.t.Helper()
	all := f.calls()
	require.NotEmpty(f.t, all)
	return all[len(all)-1]
}

func (f *followed) path(n int) string { return ticket.WebhookPath + f.integrations[n] }

// TestCalled: a technician closes a ticket, the vendor calls, and the alert is
// over, without a poll.
func TestCalled(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		for n := range f.tenants {
			f.enable(n)
		}
		a, made := f.opened(0, "disk")
		theirs, others := f.opened(1, "disk")
		f.take()
		f.finish(0, made.ExternalID)
		require.Equal(t, http.StatusOK, f.call().Status)
		require.Equal(t, []any{ticket.Reading{Tenant: tenantOf(made), Ticket: made.ID}}, anys(f.take()))
		require.Nil(t, f.alert(a).ResolvedAt, "the call itself is believed")
		require.NoError(t, f.run(ticket.Reading{Tenant: tenantOf(made), Ticket: made.ID}))
		f.requireClosedThere(0, a)
		require.Nil(t, f.alert(theirs).ResolvedAt)

		f.remove(1, others.ExternalID)
		require.Equal(t, http.StatusOK, f.call().Status)
		f.settle()
		require.Equal(t, entticket.StatusClosed, f.ticketOf(theirs).Status)
		require.Nil(t, f.alert(theirs).ResolvedAt)
		require.Equal(t, 2, f.receipts())
	})
}

func anys[T any](all []T) []any {
	out := make([]any, len(all))
	for n := range all {
		out[n] = all[n]
	}
	return out
}

// TestForgedCall: whatever is wrong with a call, nothing changes, and what is
// wrong is not told.
func TestForgedCall(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		for n := range f.tenants {
			f.enable(n)
		}
		a, made := f.opened(0, "disk")
		f.opened(1, "disk")
		f.finish(0, made.ExternalID)
		real := f.call()
		require.Equal(t, http.StatusOK, real.Status)
		f.take()
		require.Equal(t, 1, f.receipts())
		flipped := bytes.Clone(real.Body)
		flipped[len(flipped)/2] ^= 1
		signature := func(value string) http.Header {
			h := real.Header.Clone()
			for name := range h {
				h.Set(name, value)
			}
			return h
		}
		for name, c := range map[string]struct {
			path   string
			header http.Header
			body   []byte
			status int
		}{
			"replayed":            {f.path(0), real.Header, real.Body, http.StatusOK},
			"unsigned":            {f.path(0), nil, real.Body, http.StatusUnauthorized},
			"signed with zeros":   {f.path(0), signature("sha1=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), real.Body, http.StatusUnauthorized},
			"signed with rubbish": {f.path(0), signature("\u00ff"), real.Body, http.StatusUnauthorized},
			"changed":             {f.path(0), real.Header, flipped, http.StatusUnauthorized},
			"truncated":           {f.path(0), real.Header, real.Body[:len(real.Body)-1], http.StatusUnauthorized},
			"empty":               {f.path(0), real.Header, nil, http.StatusUnauthorized},
			"another tenant's":    {f.path(1), real.Header, real.Body, http.StatusUnauthorized},
			"no webhook":          {ticket.WebhookPath + f.tenants[0].integration, real.Header, real.Body, http.StatusUnauthorized},
			"unknown":             {ticket.WebhookPath + "psa_01h2xcejqtf2nbrexx3vqjhp41", real.Header, real.Body, http.StatusUnauthorized},
			"no id":               {ticket.WebhookPath + strings.Repeat("x", 5000), real.Header, real.Body, http.StatusUnauthorized},
			"injected":            {ticket.WebhookPath + "'%20OR%201=1--", real.Header, real.Body, http.StatusUnauthorized},
			"oversized":           {f.path(0), real.Header, make([]byte, psa.MaxEvent+1), http.StatusRequestEntityTooLarge},
			"oversized, unknown":  {ticket.WebhookPath + "psa_x", real.Header, make([]byte, psa.MaxEvent+1), http.StatusRequestEntityTooLarge},
			"elsewhere":           {f.path(0) + "/more", real.Header, real.Body, http.StatusNotFound},
		} {
			require.Equal(t, c.status, f.post(c.path, c.header, c.body), name)
			require.Equal(t, 1, f.receipts(), name)
			require.Empty(t, f.take(), name)
		}
		response, err := caller.Get(f.web.URL + f.path(0))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
		require.Nil(t, f.alert(a).ResolvedAt)

		// Weeks later what was heeded may be forgotten: the call is too old then.
		f.clock.to(f.clock.Now().Add(f.config.TwoWay.ReceiptAge))
		f.client.TicketingWebhookReceipt.Update().ExecX(f.system(t.Context()))
		require.NoError(t, f.tickets.ForgetReceipts(t.Context()))
		require.Equal(t, http.StatusUnauthorized, f.post(f.path(0), real.Header, real.Body), "stale")
		require.Empty(t, f.take())
	})
}

// TestReplaysAtOnce: of many copies that arrive together one is heeded.
func TestReplaysAtOnce(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		f.enable(0)
		_, made := f.opened(0, "disk")
		i := f.integration(0)
		secret := i.WebhookSecret
		f.client.TicketingIntegration.UpdateOne(i).ClearWebhookSecret().ExecX(f.tenants[0].all)
		f.finish(0, made.ExternalID) // refused: so the first to be heeded is among the copies
		real := f.call()
		require.Equal(t, http.StatusUnauthorized, real.Status)
		f.client.TicketingIntegration.UpdateOne(i).SetWebhookSecret(secret).ExecX(f.tenants[0].all)
		f.take()
		const copies = 8
		statuses := make(chan int, copies)
		for range copies {
			go func() { statuses <- f.post(f.path(0), real.Header, real.Body) }()
		}
		for range copies {
			require.Equal(t, http.StatusOK, <-statuses)
		}
		require.Equal(t, 1, f.receipts())
		require.Len(t, f.take(), 1)
	})
}

// TestKeyElsewhere: the address of the key in a ConnectWise callback leads
// nowhere but to the configured site.
func TestKeyElsewhere(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := follow(t, testdb.New(t, engine), psa.ConnectWise)
		f.enable(0)
		_, made := f.opened(0, "disk")
		f.finish(0, made.ExternalID)
		real := f.call()
		f.take()
		var hits atomic.Int32
		inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"signing_key":"known to the attacker"}`))
		}))
		t.Cleanup(inside.Close)
		for _, address := range []string{inside.URL + "/login/keys/1", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "//" + strings.TrimPrefix(inside.URL, "http://")} {
			var body map[string]any
			require.NoError(t, json.Unmarshal(real.Body, &body))
			body["Metadata"], body["MessageId"] = map[string]any{"key_url": address}, address
			raw, err := json.Marshal(body)
			require.NoError(t, err)
			f.clock.to(f.clock.Now().Add(time.Minute))
			require.Equal(t, http.StatusUnauthorized, f.post(f.path(0), real.Header, raw))
		}
		require.Zero(t, hits.Load(), "an address out of a body was called")
		require.Empty(t, f.take())
	})
}

// TestCalledTooEarly: the vendor calls about a ticket that we do not know to
// have been made; it is found later.
func TestCalledTooEarly(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		f.enable(0)
		f.failCreate()
		a := f.raise(f.tenants[0].in[0], "disk")
		f.due(f.tickets)
		early := f.ticketOf(a)
		require.Empty(t, early.ExternalID)
		id := ""
		switch s := f.side.(type) {
		case *autotaskSide:
			id = itoa(s.server.Tickets(autotaskUser(0))[0].ID)
		case *connectWiseSide:
			id = itoa(s.server.Tickets(publicKey(0))[0].ID)
		}
		f.take()
		f.finish(0, id)
		require.Equal(t, http.StatusOK, f.call().Status)
		require.Empty(t, f.take())
		require.Zero(t, f.receipts())
		f.drive()
		require.Equal(t, id, f.ticketOf(a).ExternalID)
		f.poll()
		f.requireClosedThere(0, a)
	})
}

// TestWebhookIsMadeAndEnded: enabled once however often, and gone at the vendor
// with the integration.
func TestWebhookIsMadeAndEnded(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		first := f.enable(0)
		require.Equal(t, first.WebhookExternalID, f.enable(0).WebhookExternalID)
		require.Equal(t, 1, f.webhooks(0))
		require.Zero(t, f.webhooks(1))
		_, err := f.tickets.EnableWebhook(f.tenants[1].all, f.integrations[0])
		requireFault(t, err, fault.NotFound, "")
		_, err = f.tickets.DisableWebhook(f.tenants[1].all, f.integrations[0])
		requireFault(t, err, fault.NotFound, "")
		for range 2 {
			i, err := f.tickets.DisableWebhook(f.tenants[0].all, f.integrations[0])
			require.NoError(t, err)
			require.Empty(t, i.WebhookExternalID)
			require.Empty(t, i.WebhookSecret)
		}
		require.Zero(t, f.webhooks(0))

		f.revoke(0, true)
		_, err = f.tickets.EnableWebhook(f.tenants[0].all, f.integrations[0])
		requireFault(t, err, fault.PreconditionFailed, "")
		f.revoke(0, false)
		f.enable(0)
		f.enable(1)
		f.take()
		require.NoError(t, f.tickets.Delete(f.tenants[0].all, f.integrations[0]))
		require.Equal(t, 1, f.webhooks(0), "called the vendor within a transaction")
		f.settle()
		require.Zero(t, f.webhooks(0))
		require.Equal(t, 1, f.webhooks(1))

		f.config.TwoWay.PublicURL = ""
		f.replica = f.with(f.db, f.jobs, f.drivers)
		_, err = f.tickets.DisableWebhook(f.tenants[1].all, f.integrations[1])
		require.NoError(t, err)
		_, err = f.tickets.EnableWebhook(f.tenants[1].all, f.integrations[1])
		requireFault(t, err, fault.PreconditionFailed, "")
		_, err = f.tickets.EnableWebhook(f.tenants[1].all, f.tenants[1].integration)
		requireFault(t, err, fault.PreconditionFailed, "")
		require.ErrorContains(t, err, "polled")
	})
}

// TestVendorGivesUp: an unsigned farewell has us look, and no more; what the
// vendor itself says then counts.
func TestVendorGivesUp(t *testing.T) {
	eachHooker(t, func(t *testing.T, f *followed) {
		f.enable(0)
		f.opened(0, "disk")
		f.poll()
		f.clock.to(f.clock.Now().Add(5 * time.Minute))
		for range 3 { // by anyone
			require.Equal(t, http.StatusOK, f.post(f.path(0)+"/deactivated", nil, []byte(`{"Action":"Deactivated"}`)))
		}
		require.Equal(t, http.StatusOK, f.post(ticket.WebhookPath+"psa_unknown/deactivated", nil, nil))
		require.Equal(t, http.StatusOK, f.post(f.path(1)+"/deactivated", nil, nil))
		f.settle()
		require.NotEmpty(t, f.integration(0).WebhookExternalID)
		require.Equal(t, http.StatusOK, f.post(f.path(0)+"/deactivated", nil, nil))
		require.Empty(t, f.take(), "looked a moment ago")

		f.clock.to(f.clock.Now().Add(5 * time.Minute))
		f.deactivate(0)
		f.calls()
		f.settle()
		if f.kind == psa.Autotask { // ConnectWise says nothing
			require.Empty(t, f.integration(0).WebhookExternalID)
		}
		f.poll()
		require.Empty(t, f.integration(0).WebhookExternalID)
		f.enable(0)
		require.Equal(t, 1, f.webhooks(0))
	})
}

// TestTooManyCalls: an address takes no more than so many calls a minute.
func TestTooManyCalls(t *testing.T) {
	f := follow(t, anySQLite(t), psa.Autotask)
	handler, err := f.tickets.Webhooks()
	require.NoError(t, err)
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	statuses := map[int]int{}
	for range 700 {
		statuses[post(t, web.URL+f.path(0), nil, nil)]++
	}
	require.Equal(t, map[int]int{http.StatusUnauthorized: 600, http.StatusTooManyRequests: 100}, statuses)
	require.Equal(t, http.StatusUnauthorized, post(t, web.URL+f.path(1), nil, nil))
	f.clock.to(f.clock.Now().Add(time.Minute))
	require.Equal(t, http.StatusUnauthorized, post(t, web.URL+f.path(0), nil, nil))
}

// FuzzCall: nothing that is not signed gets anything done.
func FuzzCall(f *testing.F) {
	f.Add(true, "sha1=AAAA", []byte(`{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":1,"SequenceNumber":1}`))
	f.Add(false, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", []byte(`{"ID":5,"Type":"ticket","Metadata":{"key_url":"http://127.0.0.1:1/login/keys/1"}}`))
	f.Add(true, "", []byte("\xff\x00"))
	f.Add(false, strings.Repeat("A", 43)+"=", []byte(`{"MessageId":"m","ID":1,"Type":"ticket","Entity":"{","Metadata":null}`))
	var worlds [2]*followed
	var handlers [2]http.Handler
	open := func(t *testing.T, n int) {
		kind := []psa.Kind{psa.Autotask, psa.ConnectWise}[n]
		worlds[n] = follow(t, anySQLite(t), kind)
		worlds[n].enable(0)
		worlds[n].opened(0, "disk")
		var err error
		handlers[n], err = worlds[n].tickets.Webhooks()
		require.NoError(t, err)
	}
	f.Fuzz(func(t *testing.T, first bool, signature string, body []byte) {
		n := 0
		if !first {
			n = 1
		}
		open(t, n)
		w := worlds[n]
		w.take()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.path(0), bytes.NewReader(body))
		r.Header.Set(autotask.SignatureHeader, signature)
		r.Header.Set("x-content-signature", signature)
		answer := httptest.NewRecorder()
		handlers[n].ServeHTTP(answer, r)
		if len(body) <= psa.MaxEvent {
			require.Equal(t, http.StatusUnauthorized, answer.Code)
		}
		require.Empty(t, w.take())
		require.Zero(t, w.receipts())
	})
}
