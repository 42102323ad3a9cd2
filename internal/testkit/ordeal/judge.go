package ordeal

import (
	"cmp"
	"slices"
	"strings"

	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	entdelivery "github.com/bailiwick/bailiwick/ent/ticketdelivery"
	"github.com/bailiwick/bailiwick/ent/ticketingerror"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// duplicate begins the note with which a duplicate is closed.
const duplicate = "This ticket is a duplicate of "

// judge compares what the vendor has of an incident with what happened, and our
// own row with both.
func (s *site) judge(i *incident) error {
	r := &s.result
	var found []held
	for _, t := range s.side.tickets(i.tenant) {
		switch {
		case t.title != i.title:
		case s.fault.scanned && t.closed && len(t.notes) == 1 && strings.HasPrefix(t.notes[0], duplicate):
			r.Again++
		default:
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		r.complain(&r.Lost, "%s has no ticket", i.title)
		return nil
	}
	// What was done after the first was doubled is in one of them.
	slices.SortStableFunc(found, func(a, b held) int { return cmp.Compare(len(b.notes), len(a.notes)) })
	for range found[1:] {
		r.complain(&r.Doubled, "%s has %d tickets", i.title, len(found))
	}
	s.examine(i, found[0])
	return s.compare(i, found[0])
}

// examine checks the incident's ticket.
func (s *site) examine(i *incident, t held) {
	r := &s.result
	var have []event
	for _, note := range t.notes {
		e := slices.IndexFunc([]event{worse, worst, over, again}, func(e event) bool { return strings.Contains(note, e.words()) })
		if e < 0 {
			r.complain(&r.Disordered, "%s has a note that nobody wanted: %s", i.title, psa.FitLine(note, 100))
			continue
		}
		have = append(have, event(e))
	}
	sound := true
	for _, e := range []event{worse, worst, over, again} {
		want, got := count(i.want, e), count(have, e)
		for n := got; n < want; n++ {
			sound = false
			r.complain(&r.Lost, "%s lacks the note %q", i.title, e.words())
		}
		for n := want; n < got; n++ {
			sound = false
			r.complain(&r.Doubled, "%s has the note %q twice", i.title, e.words())
		}
	}
	if sound && !slices.Equal(have, i.want) {
		r.complain(&r.Disordered, "%s has its notes out of order: %v instead of %v", i.title, have, i.want)
	}
	if want := s.side.company(i.tenant, i.organization); t.company != want {
		r.complain(&r.Disordered, "%s is the company's %s and not %s's", i.title, t.company, want)
	}
	if t.mailed {
		r.complain(&r.Disordered, "%s was shown to the customer", i.title)
	}
	switch {
	case !i.stays && !t.closed:
		r.complain(&r.Lost, "%s is over, and its ticket open", i.title)
	case i.stays && t.closed:
		r.complain(&r.Disordered, "%s is not over, and its ticket closed", i.title)
	}
}

func count(all []event, e event) (n int) {
	for _, have := range all {
		if have == e {
			n++
		}
	}
	return n
}

// compare checks our row of an incident against the vendor's ticket.
func (s *site) compare(i *incident, t held) error {
	client, ctx := s.front.DB.Client(), s.scope(i)
	links, err := client.TicketAlert.Query().Where(ticketalert.AlertID(i.alert.ID)).WithTicket().All(ctx)
	if err != nil {
		return err
	}
	if len(links) != 1 {
		s.result.complain(&s.result.Disordered, "%s has %d tickets of ours", i.title, len(links))
		return nil
	}
	ours := links[0].Edges.Ticket
	want := entticket.StatusClosed
	if i.stays {
		want = entticket.StatusCreated
	}
	if ours.Status != want || ours.ExternalID != t.id {
		s.result.complain(&s.result.Disordered, "%s is %s as %s with us, and %s at the vendor: %s",
			i.title, ours.Status, ours.ExternalID, t.id, ours.LastError)
	}
	left, err := client.TicketDelivery.Query().
		Where(entdelivery.TicketID(ours.ID), entdelivery.StateNotIn(entdelivery.StateDone, entdelivery.StateCancelled)).Count(ctx)
	if left > 0 {
		s.result.complain(&s.result.Disordered, "%s has %d deliveries left", i.title, left)
	}
	return err
}

// census counts what each tenant has at the vendor, and finds what belongs to
// nobody.
func (s *site) census() {
	for n := range s.tenants {
		for _, t := range s.side.tickets(n) {
			s.result.Tickets++
			if s.told[n][t.title] == nil {
				s.result.complain(&s.result.Disordered, "tenant %d has a ticket of nobody: %s", n, t.title)
			}
		}
	}
}

// spared checks that a fault on one tenant's account has not touched the
// other's: no error is listed for it, and it is in use.
func (s *site) spared() error {
	other := s.tenants[1]
	all, err := s.front.DB.Client().TicketingError.Query().Where(ticketingerror.IntegrationID(other.integration)).All(other.all)
	if err != nil {
		return err
	}
	for _, e := range all {
		s.result.complain(&s.result.Disordered, "the neighbour had an error: %s", e.Message)
	}
	if paused, err := s.paused(other); err != nil || !paused {
		return err
	}
	s.result.complain(&s.result.Disordered, "the neighbour is paused")
	return nil
}
