package psatest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func cutting(t *testing.T, b Bench) {
	ctx := context.Background()
	const family = "👩‍👩‍👧‍👦" // one character of eleven units
	for i, unit := range []string{"a", "é", "e\u0301", "漢", "😀", family} {
		d := b.draft(fmt.Sprint("cut", i))
		d.Title = strings.Repeat(unit, b.TitleMax+1)
		d.Body = strings.Repeat(unit, b.BodyMax+1)
		r, err := b.Vendor.Create(ctx, d)
		if err != nil {
			t.Fatalf("%q: %v", unit, err)
		}
		h := b.Server.Tickets()[i]
		kept, cut := strings.CutSuffix(h.Title, "…")
		if !cut || units(h.Title) > b.TitleMax || units(h.Title) < b.TitleMax-units(unit) || strings.Trim(kept, unit) != "" || len(kept)%len(unit) != 0 {
			t.Errorf("%q: title of %d units ends in %q", unit, units(h.Title), h.Title[max(0, len(h.Title)-40):])
		}
		if units(h.Body) > b.BodyMax || !utf8.ValidString(h.Body) {
			t.Errorf("%q: body of %d units", unit, units(h.Body))
		}
		if got := b.found(t, d); len(got) != 1 || got[0].ID != r.ID {
			t.Errorf("%q: a cut ticket is not found by its marker: %+v", unit, got)
		}
		n := psa.Note{Marker: psa.NoteMarker(d.Marker, "1"), Title: d.Title, Body: d.Body}
		for range 2 {
			if _, err := psa.AddNoteOnce(ctx, b.Vendor, r.ID, n); err != nil {
				t.Fatalf("%q: note: %v", unit, err)
			}
		}
		if notes := b.Server.Tickets()[i].Notes; len(notes) != 1 || !psa.Marked(notes[0].Body, n.Marker) {
			t.Errorf("%q: %d notes", unit, len(notes))
		}
	}
	d := b.draft("controls")
	d.Title, d.Body = "bell\a and\nbreak\xff", "line\r\nline\x00 <script>alert(1)</script>"
	if _, err := b.Vendor.Create(ctx, d); err != nil {
		t.Fatal(err)
	}
	tickets := b.Server.Tickets()
	h := tickets[len(tickets)-1]
	if h.Title != "bell and break\uFFFD" || !strings.HasPrefix(h.Body, "line\nline <script>alert(1)</script>") {
		t.Errorf("kept %q and %q", h.Title, h.Body)
	}
}

func notes(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	marker := b.draft("a").Marker
	for i := range b.NotesMany {
		n := psa.Note{Marker: psa.NoteMarker(marker, strconv.Itoa(i)), Title: "Update", Body: fmt.Sprintf("event %d", i), Public: i == 1}
		if err := b.Vendor.AddNote(ctx, r.ID, n); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := b.Vendor.ListNotes(ctx, r.ID)
	if err != nil || len(listed) < b.NotesMany {
		t.Fatalf("%d notes, %v", len(listed), err)
	}
	listed = listed[len(listed)-b.NotesMany:] // some vendors list the body first
	held := b.Server.Tickets()[0]
	for i, n := range listed {
		want := fmt.Sprintf("event %d", i)
		if !strings.HasPrefix(n.Body, want) || !psa.Marked(n.Body, psa.NoteMarker(marker, strconv.Itoa(i))) || n.Public != (i == 1) || n.ID == "" {
			t.Fatalf("note %d = %+v", i, n)
		}
		if held.Notes[i].Body != n.Body || held.Notes[i].Public != n.Public {
			t.Fatalf("the server holds %+v as note %d", held.Notes[i], i)
		}
	}
	if held.Mailed {
		t.Error("a note mailed the customer")
	}
	sent := b.Server.NotePosts()
	err = b.Vendor.AddNote(ctx, r.ID, psa.Note{Body: "no marker"})
	wantClass(t, err, psa.Permanent)
	if b.Server.NotePosts() != sent {
		t.Error("a note that could not be found again was sent")
	}
}
