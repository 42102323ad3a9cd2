package psatest

import (
	"context"
	"testing"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func moves(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	read := func() psa.Remote {
		t.Helper()
		got, err := b.Vendor.Get(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 2 { // a move is safe to repeat
		if err := b.Vendor.SetStatus(ctx, r.ID, b.Working); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); got.Status != b.Working || got.Closed {
		t.Errorf("after SetStatus: %+v", got)
	}
	for range 2 {
		if err := b.Vendor.Close(ctx, r.ID, psa.Closing{Resolution: "The disk is encrypted now."}); err != nil {
			t.Fatal(err)
		}
	}
	if !read().Closed || !b.Server.Tickets()[0].Closed {
		t.Errorf("after Close: %+v", read())
	}
	if got := b.found(t, b.draft("a")); len(got) != 1 || !got[0].Closed {
		t.Errorf("a closed ticket is found as %+v", got)
	}
	if err := b.Vendor.Reopen(ctx, r.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := read(); got.Closed || got.Status == "" {
		t.Errorf("after Reopen: %+v", got)
	}
	if err := b.Vendor.Reopen(ctx, r.ID, b.Working); err != nil {
		t.Fatal(err)
	}
	if got := read(); got.Status != b.Working {
		t.Errorf("after Reopen with a status: %+v", got)
	}
	wantClass(t, b.Vendor.SetStatus(ctx, r.ID, "No Such Status"), psa.Permanent)
	wantClass(t, b.Vendor.SetStatus(ctx, r.ID, ""), psa.Permanent)
	if n := len(b.Server.Tickets()); n != 1 || b.Server.Creates() != 1 {
		t.Errorf("%d tickets of %d creates", n, b.Server.Creates())
	}
}

func moveFaults(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	for f, want := range map[Fault]psa.Class{
		CommitDrop: psa.Uncertain, Commit500: psa.Uncertain, CommitTruncate: psa.Uncertain, CommitHTML: psa.Uncertain,
		Drop: psa.Uncertain, Fail500: psa.Uncertain, Throttle: psa.Throttled, Unauthorized: psa.Auth,
	} {
		b.Server.Inject(OnMove, f, 1)
		wantClass(t, b.Vendor.Close(ctx, r.ID, psa.Closing{}), want)
		if err := b.Vendor.Close(ctx, r.ID, psa.Closing{}); err != nil {
			t.Errorf("close after %s: %v", f, err)
		}
		if err := b.Vendor.Reopen(ctx, r.ID, ""); err != nil {
			t.Errorf("reopen after %s: %v", f, err)
		}
	}
}

func gone(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	b.Server.Delete(r.ID)
	for _, id := range []string{r.ID, b.UnknownTicket} {
		_, err := b.Vendor.Get(ctx, id)
		wantClass(t, err, psa.Gone)
		_, err = b.Vendor.ListNotes(ctx, id)
		wantClass(t, err, psa.Gone)
		wantClass(t, b.Vendor.AddNote(ctx, id, psa.Note{Marker: psa.NoteMarker("m", "1"), Body: "x"}), psa.Gone)
		wantClass(t, b.Vendor.Close(ctx, id, psa.Closing{}), psa.Gone)
	}
	for _, id := range []string{"", "x", "1/../2", "1?x=1"} {
		_, err := b.Vendor.Get(ctx, id)
		wantClass(t, err, psa.Permanent)
	}
	if got := b.found(t, b.draft("a")); len(got) != 0 {
		t.Errorf("a deleted ticket is found: %+v", got)
	}
}
