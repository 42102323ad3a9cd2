package connectwise_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
)

// TestChosenStatus: which status a ticket gets when none is named.
func TestChosenStatus(t *testing.T) {
	b := newBench(t, nil)
	c := b.client(t)
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := strconv.ParseInt(made.ID, 10, 64)
	held := func() standin.Ticket { return b.server.Tickets(public)[0] }
	edit := func(status int64) { b.server.Edit(public, id, func(t *standin.Ticket) { t.StatusID = status }) }
	patches := func() int { return len(b.server.Requests(http.MethodPatch, "")) }

	if err := c.Close(t.Context(), made.ID, psa.Closing{}); err != nil || held().StatusID != b.status(5) {
		t.Errorf("closed as %d (%v), want Closed and not >Closed", held().StatusID, err)
	}
	if held().Severity != "Medium" || held().Impact != "Medium" {
		t.Errorf("severity %q and impact %q, which an update needs", held().Severity, held().Impact)
	}
	if err := c.Reopen(t.Context(), made.ID, ""); err != nil || held().StatusID != b.status(0) {
		t.Errorf("reopened as %d, %v", held().StatusID, err)
	}
	working := b.status(1)
	b.server.Edit(public, id, func(t *standin.Ticket) { t.Severity, t.StatusID = "High", working })
	sent := patches()
	if err := c.Reopen(t.Context(), made.ID, ""); err != nil || held().StatusID != working || patches() != sent {
		t.Errorf("reopening an open ticket takes it from the technician: %d, %v", held().StatusID, err)
	}
	edit(b.status(4))
	if err := c.Close(t.Context(), made.ID, psa.Closing{}); err != nil || held().StatusID != b.status(4) || patches() != sent {
		t.Errorf("closing a closed ticket changes its status to %d, %v", held().StatusID, err)
	}
	if err := c.Close(t.Context(), made.ID, psa.Closing{Status: strconv.FormatInt(b.status(5), 10)}); err != nil || held().StatusID != b.status(5) {
		t.Errorf("closing with a status: %d, %v", held().StatusID, err)
	}
	if held().Severity != "High" {
		t.Errorf("the technician's severity became %q", held().Severity)
	}
	other := strconv.FormatInt(b.server.Account(public).Boards[0].Statuses[1].ID, 10)
	if err := c.SetStatus(t.Context(), made.ID, other); psa.ClassOf(err) != psa.Permanent {
		t.Errorf("a status of another board: %v", err)
	}
}

// TestForbidden: verifying names what the member's role lacks.
func TestForbidden(t *testing.T) {
	b := newBench(t, nil)
	limited := b.credentials()
	limited.PublicKey = limitedPub
	_, err := open(t, config(), limited).Verify(t.Context())
	e, ok := err.(*psa.Error) //nolint:errorlint // the suite's contract: not wrapped
	if !ok || e.Class != psa.Auth || e.Status != http.StatusForbidden || e.Vendor == "" {
		t.Errorf("%#v", err)
	}
}
