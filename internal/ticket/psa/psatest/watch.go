package psatest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// changed reads every page of what has changed.
func changed(ctx context.Context, v psa.Watcher, since time.Time) (byID map[string]psa.Remote, pages int, err error) {
	byID = map[string]psa.Remote{}
	for cursor := ""; ; {
		page, err := v.Changed(ctx, since, cursor)
		if err != nil {
			return nil, 0, err
		}
		pages++
		for _, r := range page.Tickets {
			byID[r.ID] = r
		}
		if cursor = page.Next; cursor == "" || pages > 100 {
			return byID, pages, nil
		}
	}
}

func watch(t *testing.T, b Bench) {
	ctx := context.Background()
	var made []psa.Remote
	for i := range b.NotesMany {
		made = append(made, b.made(t, strconv.Itoa(i)))
	}
	if err := b.Vendor.Close(ctx, made[1].ID, psa.Closing{}); err != nil {
		t.Fatal(err)
	}
	b.Server.Delete(made[2].ID)
	got, pages, err := changed(ctx, b.Vendor, b.since())
	if err != nil || pages < 2 || len(got) != len(made)-1 {
		t.Fatalf("%d tickets on %d pages, %v; want %d on several", len(got), pages, err, len(made)-1)
	}
	for i, m := range made {
		r, listed := got[m.ID]
		if listed != (i != 2) || (listed && r.Closed != (i == 1)) {
			t.Errorf("ticket %d is listed as %+v, %t", i, r, listed)
		}
	}
	read, err := b.Vendor.Get(ctx, made[0].ID)
	if err != nil || got[made[0].ID] != read {
		t.Errorf("listed %+v, read %+v, %v", got[made[0].ID], read, err)
	}
	if later, _, err := changed(ctx, b.Vendor, b.Clock().Add(time.Hour)); err != nil || len(later) != 0 {
		t.Errorf("nothing changes in an hour: %v, %v", later, err)
	}
	if theirs, _, err := changed(ctx, b.Neighbour, b.since()); err != nil || len(theirs) != 0 {
		t.Errorf("the neighbour sees %d tickets, %v", len(theirs), err)
	}
	_, err = b.Vendor.Changed(ctx, b.since(), "no cursor of ours")
	wantClass(t, err, psa.Permanent)
	_, err = b.Denied.Changed(ctx, b.since(), "")
	wantClass(t, err, psa.Auth)
	for f, want := range map[Fault]psa.Class{
		Drop: psa.Uncertain, Fail500: psa.Uncertain, CommitTruncate: psa.Uncertain, CommitGarbage: psa.Uncertain,
		Throttle: psa.Throttled, Unauthorized: psa.Auth, HTML: psa.Auth,
	} {
		b.Server.Inject(OnFind, f, 1)
		_, err := b.Vendor.Changed(ctx, b.since(), "")
		wantClass(t, err, want)
	}
}

// Caller is a [Server] whose vendor calls those who subscribe: that of every
// [psa.Hooker].
type Caller interface {
	// Work has a technician change a ticket's status to the bench's Working.
	Work(id string)
	// Webhooks counts those of the tested account.
	Webhooks() int
	// Settle waits until every call has been answered.
	Settle()
	// Deactivate has the vendor give up on the tested account's webhooks.
	Deactivate()
}

// heard is a call that arrived.
type heard struct {
	path   string
	header http.Header
	body   []byte
}

func hooks(t *testing.T, b Bench) {
	ctx := context.Background()
	hooker, ok := b.Vendor.(psa.Hooker)
	server, calls := b.Server.(Caller)
	if ok != calls {
		t.Fatalf("the client has webhooks: %t; its server: %t", ok, calls)
	}
	if !ok {
		return
	}
	var mu sync.Mutex
	var arrived []heard
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		arrived = append(arrived, heard{r.URL.Path, r.Header, body})
	}))
	defer listener.Close()
	take := func() []heard {
		server.Settle()
		mu.Lock()
		defer mu.Unlock()
		all := arrived
		arrived = nil
		return all
	}

	request := psa.HookRequest{Name: "Bailiwick psa_1", URL: listener.URL + "/a", DeactivationURL: listener.URL + "/gone", Secret: "s3cret"}
	var id string
	for range 2 { // a second attempt replaces what the first has left
		var err error
		if id, err = hooker.Subscribe(ctx, request); err != nil || id == "" || server.Webhooks() != 1 {
			t.Fatalf("subscribed as %q, %v: %d webhooks", id, err, server.Webhooks())
		}
	}
	if active, err := hooker.Subscribed(ctx, id); err != nil || !active {
		t.Errorf("subscribed: %t, %v", active, err)
	}
	r := b.made(t, "a")
	if err := b.Vendor.Close(ctx, r.ID, psa.Closing{}); err != nil {
		t.Fatal(err)
	}
	if own := take(); len(own) != 0 {
		t.Errorf("our own changes came back: %s", own[0].body)
	}
	server.Work(r.ID)
	all := take()
	if len(all) != 1 || all[0].path != "/a" {
		t.Fatalf("a technician's change led to %d calls", len(all))
	}
	call := all[0]
	event, err := hooker.Event(ctx, request.Secret, call.header, call.body)
	if err != nil || event.TicketID != r.ID || event.ID == "" || event.At.IsZero() {
		t.Errorf("event %+v, %v", event, err)
	}
	again, err := hooker.Event(ctx, request.Secret, call.header, call.body)
	if err != nil || again != event {
		t.Errorf("the same call reads %+v, %v", again, err)
	}
	changedBody := append([]byte(nil), call.body...)
	changedBody[len(changedBody)-2] ^= 1
	for name, forged := range map[string]heard{
		"no signature": {header: http.Header{}, body: call.body},
		"another body": {header: call.header, body: changedBody},
		"cut short":    {header: call.header, body: call.body[:len(call.body)/2]},
		"empty":        {header: call.header},
		"far too long": {header: call.header, body: append(call.body[:len(call.body):len(call.body)], make([]byte, psa.MaxEvent)...)},
	} {
		if e, err := hooker.Event(ctx, request.Secret, forged.header, forged.body); err == nil {
			t.Errorf("%s passes as %+v", name, e)
		}
	}
	b.Server.Delete(r.ID)
	if all := take(); len(all) != 1 {
		t.Errorf("a deletion led to %d calls", len(all))
	} else if e, err := hooker.Event(ctx, request.Secret, all[0].header, all[0].body); err != nil || e.TicketID != r.ID || e.ID == event.ID {
		t.Errorf("deletion: %+v, %v", e, err)
	}
	server.Deactivate()
	if active, err := hooker.Subscribed(ctx, id); err != nil || active {
		t.Errorf("after the vendor gave up: %t, %v", active, err)
	}
	for range 2 {
		if err := hooker.Unsubscribe(ctx, id); err != nil || server.Webhooks() != 0 {
			t.Errorf("unsubscribe: %v, %d webhooks", err, server.Webhooks())
		}
	}
	if active, err := hooker.Subscribed(ctx, id); err != nil || active {
		t.Errorf("after the end: %t, %v", active, err)
	}
	_, err = hooker.Subscribe(ctx, psa.HookRequest{})
	wantClass(t, err, psa.Permanent)
	wantClass(t, hooker.Unsubscribe(ctx, "x/../1"), psa.Permanent)
}
