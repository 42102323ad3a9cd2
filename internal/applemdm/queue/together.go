package queue

import (
	"context"
	"slices"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

// order is one device that a caller tells something.
type order struct {
	scope    tenancy.Scope
	pending  *audit.Pending // the event of the change, nil if it has none to be recorded with it
	deviceID string
	what     Instruction
}

// tellTogether is [Service.TellOne] in a transaction with whoever else tells
// devices of the same reach something.
func (s *Service) tellTogether(ctx context.Context, deviceID string, what Instruction) (*Told, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	o := order{scope: scope, pending: audit.Take(ctx), deviceID: deviceID, what: what}
	told, err := s.orders.Do(ctx, scope.Key(), o)
	if err != nil || told.Refusal != nil {
		return told, err
	}
	if o.pending == nil {
		guard.Touch(ctx, told.touched())
	}
	s.wanted(ctx, channelsOf([]*Told{told})...) // by each for its own, when the transaction is no longer waited for
	return told, nil
}

// workOrders does orders of callers of one reach in one transaction. Of two for
// one device, the later follows the earlier.
func (s *Service) workOrders(ctx context.Context, _ string, orders []order) (outcomes []batch.Outcome[*Told], err error) {
	ctx = tenancy.With(ctx, orders[0].scope)
	parts := rounds(orders)
	work := func(ctx context.Context) error {
		outcomes = make([]batch.Outcome[*Told], len(orders)) // anew for each try
		for _, round := range parts {
			told := make([]*Told, len(round))
			for i, at := range round {
				told[i] = &Told{DeviceID: orders[at].deviceID, what: orders[at].what, pending: orders[at].pending}
				outcomes[at].Value = told[i]
			}
			if err := s.consider(ctx, told); err != nil {
				return err
			}
			if err := s.tell(ctx, told, ""); err != nil {
				return err
			}
		}
		return nil
	}
	if s.DB.Dialect() == dialect.Postgres && len(parts) == 1 && !slices.ContainsFunc(orders, order.several) {
		err = work(ctx) // one statement writes
		return outcomes, err
	}
	err = s.DB.InTx(ctx, work)
	return outcomes, err
}

// several reports whether an order may take a statement of its own: of what it
// replaces, or because of when it is given out.
func (o order) several() bool {
	return o.what.Replaces || o.what.NotBefore != nil || o.what.ExpiresAt != nil
}

// rounds parts orders, each named by its place, so that no part has two for one
// device; what comes later for a device is in a later part.
func rounds(orders []order) [][]int {
	var parts [][]int
	before := map[string]int{}
	for i, o := range orders {
		n := before[o.deviceID]
		before[o.deviceID]++
		if n == len(parts) {
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}

// touched is what queueing a command changes, for the system log.
func (p post) touched() guard.Touched {
	return guard.Touched{Type: "DeviceCommand", ID: p.ID, Op: "CREATE", Organization: p.OrganizationID}
}

func (t *Told) touched() guard.Touched { return post{DeviceCommand: t.Command}.touched() }
