package ordeal

import (
	"context"
	"fmt"

	entalert "github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/internal/alert"
)

// revoked has the first tenant's credentials refused from some request on,
// until its integration is paused and all of the neighbour's work is done; then
// they are accepted again, and nobody tells the services.
func revoked(ctx context.Context, s *site) error {
	s.idle()
	when, refused := s.random.IntN(3), false
	err := s.tell(ctx, func(act int) error {
		if act == when {
			s.after(1+s.random.IntN(4), false, func() { s.side.revoke(0, true) })
			refused = true
		}
		return nil
	}, func(int) error {
		if !refused {
			return s.drive(ctx, nil)
		}
		refused = false
		if err := s.drive(ctx, s.standstill); err != nil {
			return err
		}
		s.after(0, false, nil)
		err := s.meanwhile(ctx)
		s.side.revoke(0, false)
		if err != nil {
			return err
		}
		if err := s.drive(ctx, nil); err != nil {
			return err
		}
		return s.failing(false)
	})
	if err != nil {
		return err
	}
	return s.spared()
}

// standstill reports whether the first tenant's integration is paused, and the
// second has nothing to do.
func (s *site) standstill() (bool, error) {
	paused, err := s.paused(s.tenants[0])
	if err != nil || !paused {
		return false, err
	}
	left, err := s.waiting(s.tenants[1])
	return len(left) == 0, err
}

// meanwhile has both tenants raise another alert while one is paused: the
// neighbour's becomes a ticket, and the other waits.
func (s *site) meanwhile(ctx context.Context) error {
	paused, err := s.paused(s.tenants[0])
	if err != nil || !paused {
		return err // it had nothing left to call for
	}
	s.result.Struck++
	var both []*incident
	for n := range s.tenants {
		i := &incident{tenant: n, title: fmt.Sprintf("Meanwhile %d of tenant %d", s.seed, n), stays: true}
		s.told[n][i.title] = i
		s.result.Incidents++
		if err := s.report(i, entalert.SeverityLow); err != nil {
			return err
		}
		both = append(both, i)
	}
	s.later = append(s.later, both...)
	if err := s.drive(ctx, s.standstill); err != nil {
		return err
	}
	for n, i := range both {
		if found := s.find(i); found != (n == 1) {
			s.result.complain(&s.result.Disordered, "%s has a ticket: %t, while the first tenant's credentials are refused", i.title, found)
		}
	}
	return s.failing(true)
}

func (s *site) find(i *incident) bool {
	for _, t := range s.side.tickets(i.tenant) {
		if t.title == i.title {
			return true
		}
	}
	return false
}

// failing checks whether alerts say that the first tenant's integration does not
// work, one in each organization that has noticed, and that none says so of the
// second's.
func (s *site) failing(want bool) error {
	for n, t := range s.tenants {
		have, err := s.front.DB.Client().Alert.Query().
			Where(entalert.TypeEQ(alert.IntegrationFailing), entalert.ResolvedAtIsNil()).Count(t.all)
		if err != nil {
			return err
		}
		if (have > 0) != (want && n == 0) {
			s.result.complain(&s.result.Disordered, "tenant %d has %d alerts that its integration fails", n, have)
		}
	}
	return nil
}
