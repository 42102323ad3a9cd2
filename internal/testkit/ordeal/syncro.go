package ordeal

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

type syncroSide struct{ *standin.Server }

func token(n int) string { return fmt.Sprint("token-", n) }

func newSyncroSide(limited bool, clock func() time.Time) (side, error) {
	c := standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: clock}
	if limited {
		c.PerMinute = 180
	}
	for n := range tenants {
		c.Accounts = append(c.Accounts, standin.Account{
			Subdomain: fmt.Sprint("msp", n), Token: token(n),
			Customers: []standin.Customer{{BusinessName: "Left"}, {BusinessName: "Right"}}, Users: []standin.User{{Name: "Ada"}},
		})
	}
	server, err := standin.New(c)
	return syncroSide{server}, err
}

func (s syncroSide) credentials(n int, url string) ticket.Credentials {
	return ticket.Credentials{"subdomain": text(fmt.Sprint("msp", n)), "apiToken": text(token(n)), "baseUrl": text(url)}
}

func (s syncroSide) company(n, i int) string { return itoa(s.Customers(token(n))[i].ID) }

func (s syncroSide) settings(n int) ticket.Settings {
	return syncro.Settings{ProblemType: "Other", Priority: "2 Normal", Status: "New", UserID: s.Users(token(n))[0].ID}
}

func (s syncroSide) route(on target) route {
	return map[target]route{
		onCreate: {http.MethodPost, "/tickets"}, onFind: {http.MethodGet, "/tickets"}, onGet: {http.MethodGet, "/tickets/*"},
		onNote: {http.MethodPost, "/tickets/*/comment"}, onNotes: {http.MethodGet, "/tickets/*/comments"}, onClose: {http.MethodPut, "/tickets/*"},
	}[on]
}

func (s syncroSide) strike(n int, f desk.Fault) {
	s.Inject(standin.Fault{
		Method: f.Method, Path: f.Path, Token: token(n), Skip: f.Skip, Count: f.Count, Action: f.Action, RetryAfter: f.RetryAfter,
	})
}

func (s syncroSide) mend()                 { s.Mend() }
func (s syncroSide) struck() int           { return s.Struck() }
func (s syncroSide) revoke(n int, is bool) { s.Revoke(token(n), is) }

// move is nothing that Syncro does.
func (s syncroSide) move(int, int) bool { return false }

func (s syncroSide) tickets(n int) (all []held) {
	for _, t := range s.Tickets(token(n)) {
		h := held{id: itoa(t.ID), company: itoa(t.CustomerID), title: t.Subject, closed: !t.ResolvedAt.IsZero()}
		for i, c := range t.Comments {
			h.mailed = h.mailed || c.Emailed
			if i > 0 {
				h.notes = append(h.notes, c.Body)
			}
		}
		all = append(all, h)
	}
	return all
}
