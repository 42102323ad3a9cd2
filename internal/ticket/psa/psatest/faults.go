package psatest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// outcome is what a fault on a write must look like.
type outcome struct {
	fault     Fault
	class     psa.Class
	committed bool
}

var writes = []outcome{
	{CommitDrop, psa.Uncertain, true},
	{Commit500, psa.Uncertain, true},
	{CommitTruncate, psa.Uncertain, true},
	{CommitHTML, psa.Uncertain, true},
	{CommitGarbage, psa.Uncertain, true},
	{Drop, psa.Uncertain, false},
	{Fail500, psa.Uncertain, false},
	{HTML, psa.Uncertain, false},
	{Elsewhere, psa.Uncertain, false},
	{Throttle, psa.Throttled, false},
	{ThrottleBare, psa.Throttled, false},
	{Unauthorized, psa.Auth, false},
}

func createFaults(t *testing.T, b Bench) {
	ctx := context.Background()
	tickets := 0
	for _, w := range writes {
		d := b.draft(string(w.fault))
		sent := b.Server.Creates()
		b.Server.Inject(OnCreate, w.fault, 1)
		_, err := b.Vendor.Create(ctx, d)
		e := failure(t, err, w.class)
		if n := b.Server.Creates() - sent; n != 1 {
			t.Errorf("%s: %d requests were sent, want 1", w.fault, n)
		}
		if want := retryAfterOf(w.fault); e.RetryAfter != want {
			t.Errorf("%s: retry after %s, want %s", w.fault, e.RetryAfter, want)
		}
		got := b.found(t, d)
		if (len(got) == 1) != w.committed || len(got) > 1 {
			t.Errorf("%s: found %+v, committed %t", w.fault, got, w.committed)
		}
		// What the caller does: send again only if the marker is absent.
		if len(got) == 0 {
			if _, err := b.Vendor.Create(ctx, d); err != nil {
				t.Errorf("%s: second attempt: %v", w.fault, err)
			}
		}
		if tickets++; len(b.Server.Tickets()) != tickets {
			t.Fatalf("%s: %d tickets after %d drafts", w.fault, len(b.Server.Tickets()), tickets)
		}
	}
}

func retryAfterOf(f Fault) time.Duration {
	if f == Throttle {
		return 7 * time.Second
	}
	return 0
}

func noteFaults(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	want := 0
	for _, w := range writes {
		n := psa.Note{Marker: psa.NoteMarker("m", string(w.fault)), Title: "Update", Body: string(w.fault)}
		sent := b.Server.NotePosts()
		b.Server.Inject(OnNote, w.fault, 1)
		wantClass(t, b.Vendor.AddNote(ctx, r.ID, n), w.class)
		if k := b.Server.NotePosts() - sent; k != 1 {
			t.Errorf("%s: %d requests were sent, want 1", w.fault, k)
		}
		again, err := psa.AddNoteOnce(ctx, b.Vendor, r.ID, n)
		if err != nil || again == w.committed {
			t.Errorf("%s: sent again = %t, %v", w.fault, again, err)
		}
		want++
		if held := b.Server.Tickets()[0].Notes; len(held) != want || !strings.HasPrefix(held[want-1].Body, string(w.fault)) {
			t.Fatalf("%s: %d notes, want %d in order", w.fault, len(held), want)
		}
	}
}

func readFaults(t *testing.T, b Bench) {
	ctx := context.Background()
	d := b.draft("a")
	r := b.made(t, "a")
	reads := map[Target]func() error{
		OnFind: func() error {
			found, err := b.Vendor.Find(ctx, d.Marker, d.CompanyID, b.since())
			if err == nil && len(found) == 0 {
				return errors.New("found nothing, without an error")
			}
			return err
		},
		OnGet:       func() error { _, err := b.Vendor.Get(ctx, r.ID); return err },
		OnListNotes: func() error { _, err := b.Vendor.ListNotes(ctx, r.ID); return err },
		OnVerify:    func() error { _, err := b.Vendor.Verify(ctx); return err },
		OnOptions:   func() error { _, err := b.Vendor.Options(ctx); return err },
		OnCompanies: func() error { _, err := b.Vendor.Companies(ctx, psa.CompanyQuery{}); return err },
	}
	for target, read := range reads {
		for f, want := range map[Fault]psa.Class{
			Drop: psa.Uncertain, Fail500: psa.Uncertain, CommitTruncate: psa.Uncertain, CommitGarbage: psa.Uncertain,
			Throttle: psa.Throttled, Unauthorized: psa.Auth, HTML: psa.Auth, Elsewhere: psa.Auth,
		} {
			b.Server.Inject(target, f, 1)
			err := read()
			if got := psa.ClassOf(err); got != want {
				t.Errorf("%s on %s: class %q (%v), want %q", f, target, got, err, want)
			}
			if err := read(); err != nil {
				t.Errorf("%s after %s: %v", target, f, err)
			}
		}
	}
}

func lag(t *testing.T, b Bench) {
	d := b.draft("a")
	b.Server.Inject(OnFind, StaleSearch, 2)
	b.Server.Inject(OnCreate, CommitDrop, 1)
	_, err := b.Vendor.Create(context.Background(), d)
	wantClass(t, err, psa.Uncertain)
	for range 2 {
		if got := b.found(t, d); len(got) != 0 {
			t.Fatalf("the search does not lag: %+v", got)
		}
	}
	if got := b.found(t, d); len(got) != 1 {
		t.Errorf("found %+v once the search has caught up", got)
	}
}

func slow(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Server.Inject(OnCreate, CommitSlow, 1)
	done := make(chan error, 1)
	go func() {
		_, err := b.Vendor.Create(ctx, b.draft("a"))
		done <- err
	}()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(b.Server.Tickets()) == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the request did not arrive")
		}
	}
	cancel()
	select {
	case err := <-done:
		wantClass(t, err, psa.Uncertain)
	case <-deadline:
		t.Fatal("the client waits although its caller has gone")
	}
	if got := b.found(t, b.draft("a")); len(got) != 1 || b.Server.Creates() != 1 {
		t.Errorf("found %+v after %d requests", got, b.Server.Creates())
	}
}

func away(t *testing.T, b Bench) {
	ctx := context.Background()
	_, err := b.Away.Create(ctx, b.draft("a"))
	wantClass(t, err, psa.NotSent)
	wantClass(t, b.Away.AddNote(ctx, b.UnknownTicket, psa.Note{Marker: psa.NoteMarker("m", "1"), Body: "x"}), psa.NotSent)
	_, err = b.Away.Find(ctx, b.draft("a").Marker, b.Company, b.since())
	wantClass(t, err, psa.NotSent)
}

func secrets(t *testing.T, b Bench) {
	ctx := context.Background()
	for _, w := range writes {
		b.Server.Inject(OnCreate, w.fault, 1)
		_, err := b.Vendor.Create(ctx, b.draft(string(w.fault)))
		if strings.Contains(err.Error(), b.Secret) || strings.Contains(err.Error(), "http://") {
			t.Errorf("%s shows a credential or an address: %v", w.fault, err)
		}
	}
}
