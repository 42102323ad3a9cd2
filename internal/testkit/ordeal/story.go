package ordeal

import (
	"context"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/testkit/replica"

	entalert "github.com/bailiwick/bailiwick/ent/alert"
)

// incident is a condition that comes, gets worse, and goes.
type incident struct {
	tenant, organization int
	title                string
	alert                *ent.Alert
	stays                bool // it does not go
	recurs               bool // it comes back, and goes again
	want                 []event
}

// event is what a note of a ticket tells.
type event int

const (
	worse event = iota
	worst
	over
	again
)

// words are how the notes of each event are known.
func (e event) words() string {
	return [...]string{"is now MEDIUM", "is now HIGH", "The alert was resolved by", "again since"}[e]
}

// casting makes the run's incidents, some in each tenant.
func (s *site) casting() (all []*incident) {
	for n := range s.tenants {
		for k := range 2 + s.random.IntN(2) {
			i := &incident{
				tenant: n, organization: s.random.IntN(organizations), title: fmt.Sprintf("Incident %d-%d of tenant %d", s.seed, k, n),
				stays: k > 0 && s.random.IntN(4) == 0,
			}
			i.recurs = !i.stays && s.random.IntN(3) == 0
			s.told[n][i.title] = i
			all = append(all, i)
		}
	}
	s.random.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	s.result.Incidents += len(all)
	return all
}

// reporter is a replica that takes reports.
func (s *site) reporter() *replica.Replica {
	if s.fault.skew > 0 {
		return s.workers[s.random.IntN(len(s.workers))]
	}
	return s.front
}

func (s *site) scope(i *incident) context.Context { return s.tenants[i.tenant].in[i.organization] }

func (s *site) report(i *incident, severity entalert.Severity) error {
	a, _, err := s.reporter().Alerts.Submit(s.scope(i), alert.Report{
		Type: alert.Custom, Title: i.title, DedupeKey: i.title, Severity: severity,
	})
	i.alert = a
	return err
}

func (s *site) resolve(i *incident) error {
	i.want = append(i.want, over)
	_, err := s.reporter().Alerts.Resolve(s.scope(i), i.alert.ID, nil)
	return err
}

// act is a part of the story: what happens to each incident, and whether all
// tickets must be at rest before the next.
type act struct {
	does  func(*site, *incident) error
	rests bool
}

// acts are the story. An incident goes only when its ticket is made: otherwise
// none would be, and rightly so. It comes back only when that is closed.
func acts() []act {
	worsen := func(severity entalert.Severity, e event) func(*site, *incident) error {
		return func(s *site, i *incident) error {
			i.want = append(i.want, e)
			return s.report(i, severity)
		}
	}
	return []act{
		{func(s *site, i *incident) error { return s.report(i, entalert.SeverityLow) }, false},
		{worsen(entalert.SeverityMedium, worse), true},
		{worsen(entalert.SeverityHigh, worst), false},
		{func(s *site, i *incident) error {
			if i.stays {
				return nil
			}
			return s.resolve(i)
		}, true},
		{func(s *site, i *incident) error {
			if !i.recurs {
				return nil
			}
			i.want = append(i.want, again)
			return s.report(i, entalert.SeverityLow)
		}, true},
		{func(s *site, i *incident) error {
			if !i.recurs {
				return nil
			}
			return s.resolve(i)
		}, true},
	}
}

// tell plays the story. The fault's own part comes before each act.
func (s *site) tell(ctx context.Context, before func(act int) error, rest func(act int) error) error {
	all := s.casting()
	for n, a := range acts() {
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		for _, i := range all {
			if err := a.does(s, i); err != nil {
				return err
			}
		}
		if !a.rests && s.random.IntN(2) == 0 {
			// The next act begins in the middle of this one.
			for range s.random.IntN(4) {
				if _, err := s.turns(ctx); err != nil {
					return err
				}
			}
			continue
		}
		if err := rest(n); err != nil {
			return err
		}
	}
	s.side.mend()
	all, s.later = append(all, s.later...), nil
	for _, i := range all {
		if err := s.judge(i); err != nil {
			return err
		}
	}
	return nil
}
