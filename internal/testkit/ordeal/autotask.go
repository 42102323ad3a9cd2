package ordeal

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

type autotaskSide struct{ *standin.Server }

func autotaskUser(n int) string { return fmt.Sprintf("api@msp%d.example", n) }

func newAutotaskSide(limited bool, clock func() time.Time) (side, error) {
	c := standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: clock}
	if limited {
		c.PerHour, c.Threads = 10_000, 3
	}
	for n := range tenants {
		c.Accounts = append(c.Accounts, standin.Account{
			Database: fmt.Sprint("MSP ", n), Zone: strconv.Itoa(n + 1), IntegrationCode: integrationCode, Username: autotaskUser(n),
			Secret: fmt.Sprint("secret-", n), Companies: []standin.Company{{Name: "Left"}, {Name: "Right"}},
		})
	}
	server, err := standin.New(c)
	return autotaskSide{server}, err
}

func (s autotaskSide) credentials(n int, _ string) ticket.Credentials {
	return ticket.Credentials{"username": text(autotaskUser(n)), "secret": text(fmt.Sprint("secret-", n))}
}

// company skips the MSP itself.
func (s autotaskSide) company(n, i int) string { return itoa(s.Companies(autotaskUser(n))[i+1].ID) }

func (s autotaskSide) settings(int) ticket.Settings {
	return autotask.Settings{
		Destination: autotask.ToQueue, ShouldCreateTickets: true, Queue: autotask.Choice{ID: 8},
		Priority: autotask.Choice{ID: 2}, Status: autotask.Choice{ID: 1},
	}
}

func (s autotaskSide) route(on target) route {
	return map[target]route{
		onCreate: {http.MethodPost, "/Tickets"}, onFind: {http.MethodGet, "/Tickets/query"}, onGet: {http.MethodGet, "/Tickets/*"},
		onNote: {http.MethodPost, "/Tickets/*/Notes"}, onNotes: {http.MethodGet, "/TicketNotes/query"}, onClose: {http.MethodPatch, "/Tickets"},
	}[on]
}

func (s autotaskSide) strike(n int, f desk.Fault) {
	s.Inject(standin.Fault{
		Method: f.Method, Path: f.Path, Username: autotaskUser(n), Skip: f.Skip, Count: f.Count, Action: f.Action, RetryAfter: f.RetryAfter,
	})
}

func (s autotaskSide) mend()                 { s.Mend() }
func (s autotaskSide) struck() int           { return s.Struck() }
func (s autotaskSide) revoke(n int, is bool) { s.Revoke(autotaskUser(n), is) }

func (s autotaskSide) move(n, times int) bool {
	s.Move(autotaskUser(n), strconv.Itoa(10+times%20))
	return true
}

func (s autotaskSide) tickets(n int) (all []held) {
	for _, t := range s.Tickets(autotaskUser(n)) {
		h := held{
			id: itoa(t.ID), company: itoa(t.CompanyID), title: t.Title, closed: !t.CompletedAt.IsZero(), mailed: t.ContactID != 0,
		}
		for _, note := range t.Notes {
			h.notes = append(h.notes, note.Description)
			h.mailed = h.mailed || !note.Internal()
		}
		all = append(all, h)
	}
	return all
}
