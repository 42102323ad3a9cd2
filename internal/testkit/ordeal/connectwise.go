package ordeal

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

type connectWiseSide struct{ *standin.Server }

func publicKey(n int) string { return fmt.Sprint("public", n) }

func newConnectWiseSide(limited bool, clock func() time.Time) (side, error) {
	c := standin.Config{ClientIDs: []string{clientID}, Logger: slog.New(slog.DiscardHandler), Clock: clock}
	if limited {
		c.PerMinute = 1000
	}
	for n := range tenants {
		c.Accounts = append(c.Accounts, standin.Account{
			CompanyID: fmt.Sprint("msp", n), PublicKey: publicKey(n), PrivateKey: fmt.Sprint("private", n),
			Companies: []standin.Company{{Name: "Left"}, {Name: "Right"}},
		})
	}
	server, err := standin.New(c)
	return connectWiseSide{server}, err
}

func (s connectWiseSide) credentials(n int, url string) ticket.Credentials {
	return ticket.Credentials{
		"url": text(url), "companyId": text(fmt.Sprint("msp", n)), "publicKey": text(publicKey(n)), "privateKey": text(fmt.Sprint("private", n)),
	}
}

func (s connectWiseSide) company(n, i int) string {
	return itoa(s.Account(publicKey(n)).Companies[i].ID)
}

func (s connectWiseSide) settings(n int) ticket.Settings {
	board := s.Account(publicKey(n)).Boards[0]
	return connectwise.Settings{
		ShouldCreateTickets: true, Board: connectwise.Choice{ID: board.ID}, Status: connectwise.Choice{ID: board.Statuses[0].ID},
	}
}

func (s connectWiseSide) route(on target) route {
	return map[target]route{
		onCreate: {http.MethodPost, "/service/tickets"}, onFind: {http.MethodGet, "/service/tickets"}, onGet: {http.MethodGet, "/service/tickets/*"},
		onNote: {http.MethodPost, "/service/tickets/*/notes"}, onNotes: {http.MethodGet, "/service/tickets/*/notes"},
		onClose: {http.MethodPatch, "/service/tickets/*"},
	}[on]
}

func (s connectWiseSide) strike(n int, f desk.Fault) {
	s.Inject(standin.Fault{
		Method: f.Method, Path: f.Path, PublicKey: publicKey(n), Skip: f.Skip, Count: f.Count, Action: f.Action, RetryAfter: f.RetryAfter,
	})
}

func (s connectWiseSide) mend()                 { s.Mend() }
func (s connectWiseSide) struck() int           { return s.Struck() }
func (s connectWiseSide) revoke(n int, is bool) { s.Revoke(publicKey(n), is) }

func (s connectWiseSide) move(n, times int) bool {
	s.Upgrade(fmt.Sprint("msp", n), fmt.Sprintf("v2026_%d/", 1+times))
	return true
}

func (s connectWiseSide) tickets(n int) (all []held) {
	for _, t := range s.Tickets(publicKey(n)) {
		h := held{id: itoa(t.ID), company: itoa(t.CompanyID), title: t.Summary, closed: t.Closed, mailed: t.MailContact}
		for i, note := range t.Notes {
			h.mailed = h.mailed || note.Notified
			if i > 0 {
				h.notes = append(h.notes, note.Text)
			}
		}
		all = append(all, h)
	}
	return all
}
