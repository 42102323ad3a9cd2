package queue

import (
	"context"

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
	s.wanted(ctx, told.channel) // by each for its own, when the transaction is no longer waited for
	return told, nil
}

// workOrders does orders of callers of one reach in one transaction. Of two for
// one device, the later follows the earlier.
func (s *Service) workOrders(ctx context.Context, _ string, orders []order) (outcomes []batch.Outcome[*Told], err error) {
	ctx = tenancy.With(ctx, orders[0].scope)
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		outcomes = make([]batch.Outcome[*Told], len(orders)) // anew for each try
		var events []audit.Settled
		for _, round := range rounds(orders) {
			told := make([]*Told, len(round))
			for i, at := range round {
				told[i] = &Told{DeviceID: orders[at].deviceID, what: orders[at].what}
				outcomes[at].Value = told[i]
			}
			if err := s.consider(ctx, told); err != nil {
				return err
			}
			if err := s.tell(ctx, told, ""); err != nil {
				return err
			}
			for i, at := range round {
				if pending := orders[at].pending; pending != nil && told[i].Refusal == nil {
					events = append(events, audit.Settled{Pending: pending, Touched: []guard.Touched{told[i].touched()}})
				}
			}
		}
		return s.Log.Settle(ctx, events)
	})
	return outcomes, err
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

// touched is what telling a device changes, for the system log.
func (t *Told) touched() guard.Touched {
	return guard.Touched{Type: "DeviceCommand", ID: t.Command.ID, Op: "CREATE", Organization: t.Command.OrganizationID}
}
