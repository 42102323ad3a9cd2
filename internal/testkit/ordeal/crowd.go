package ordeal

import (
	"context"
	"fmt"
	"time"

	entalert "github.com/bailiwick/bailiwick/ent/alert"
	entticket "github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/internal/alert"
)

// crowded has one organization raise many alerts within a minute, and in the
// middle of it another one of the same provider, and one of another, raise one
// each. All of them end.
func crowded(ctx context.Context, s *site) error {
	const rounds = 300 // in each of which both workers may have a turn
	in := s.tenants[0].in[0]
	s.result.Incidents += s.Crowd
	s.result.Struck = s.Crowd
	s.told[0]["Many alerts at once in Organization 0 of 0"] = &incident{}
	var ids []string
	var others []*incident
	turns, began := 0, time.Time{}
	for n := range s.Crowd {
		title := fmt.Sprint("One of the crowd: ", n)
		s.told[0][title] = &incident{}
		a, _, err := s.front.Alerts.Submit(in, alert.Report{Type: alert.Custom, Title: title, DedupeKey: title})
		if err != nil {
			return err
		}
		ids = append(ids, a.ID)
		s.clock.to(s.clock.Now().Add(time.Minute / time.Duration(s.Crowd)))
		if n == s.Crowd/2 {
			if others, err = s.others(); err != nil {
				return err
			}
			began = s.clock.Now()
		}
		if n%max(s.Crowd/rounds, 1) != 0 {
			continue
		}
		if _, err := s.turns(ctx); err != nil {
			return err
		}
		if began.IsZero() || s.result.Remark != "" {
			continue
		}
		if turns++; s.find(others[0]) && s.find(others[1]) {
			s.result.Remark = fmt.Sprintf("the others' tickets were there %s after their alerts, when each worker had had %d more of its turns", s.clock.Now().Sub(began).Round(time.Millisecond), turns)
		}
	}
	if err := s.drive(ctx, nil); err != nil {
		return err
	}
	if err := s.accounted(ids); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.front.Alerts.Resolve(in, id, nil); err != nil {
			return err
		}
	}
	for _, i := range others {
		if err := s.resolve(i); err != nil {
			return err
		}
	}
	if err := s.drive(ctx, nil); err != nil {
		return err
	}
	for _, i := range others {
		if err := s.judge(i); err != nil {
			return err
		}
	}
	s.dispersed()
	return s.spared()
}

// others raise an alert each.
func (s *site) others() (all []*incident, err error) {
	for n := range s.tenants {
		i := &incident{tenant: n, organization: 1 - n, title: fmt.Sprint("Beside the crowd: ", n)}
		s.told[n][i.title] = i
		s.result.Incidents++
		if err := s.report(i, entalert.SeverityLow); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// accounted checks that every alert of the crowd is in a ticket that the vendor
// has, and named there.
func (s *site) accounted(ids []string) error {
	client, ctx := s.front.DB.Client(), s.tenants[0].in[0]
	links, err := client.TicketAlert.Query().Where(ticketalert.NotedAtNotNil(), ticketalert.HasTicketWith(entticket.ExternalIDNEQ(""))).All(ctx)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, l := range links {
		named[l.AlertID] = true
	}
	for _, id := range ids {
		if !named[id] {
			s.result.complain(&s.result.Lost, "the alert %s is in no ticket", id)
		}
	}
	return nil
}

// dispersed checks the crowd's tickets when all of it is over.
func (s *site) dispersed() {
	tickets, notes, seen := 0, 0, map[string]bool{}
	for _, t := range s.side.tickets(0) {
		if t.company != s.side.company(0, 0) {
			continue
		}
		tickets, notes = tickets+1, notes+len(t.notes)
		if seen[t.title] {
			s.result.complain(&s.result.Doubled, "%s has several tickets", t.title)
		}
		seen[t.title] = true
		if !t.closed {
			s.result.complain(&s.result.Lost, "%s is over, and its ticket open", t.title)
		}
	}
	if s.result.Remark == "" {
		s.result.complain(nil, "the others' tickets were not made while the crowd came")
	}
	s.result.Remark = fmt.Sprintf("%d alerts became %d tickets with %d notes; ", s.Crowd, tickets, notes) + s.result.Remark
}
