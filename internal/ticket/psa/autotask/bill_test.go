package autotask_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
)

// contracts are more than a page of recurring ones, the last of them inactive,
// and one of another type.
func contracts() (all []standin.Contract) {
	for i := range 12 {
		all = append(all, standin.Contract{
			Name: fmt.Sprintf("Contract %02d", i), Inactive: i == 11,
			Services: []standin.Service{{Name: "Users", Units: 3}, {Name: "Backup", Units: 3}},
		})
	}
	return append(all, standin.Contract{Name: "Time and Materials", Type: 1})
}

func TestBill(t *testing.T) {
	psatest.Bill(t, func(t *testing.T) psatest.BillBench {
		b := newBench(t, nil, nil)
		all := b.server.Contracts(user)
		var names []string
		for _, c := range all[:len(all)-1] {
			names = append(names, c.Name)
		}
		id := func(n int64) string { return strconv.FormatInt(n, 10) }
		return psatest.BillBench{
			Server: seen{b.server}, Vendor: b.acme(t), Neighbour: b.client(t, otherUser, otherKey), Denied: b.client(t, user, "wrong"),
			Limited: b.client(t, readUser, secret), Secret: secret,
			Company: b.company(2), Empty: b.company(1), Agreements: names, Inactive: "Contract 11",
			Agreement: id(all[0].ID), Lines: []string{"Users", "Backup"}, Other: id(all[1].ID), Unknown: "999999", Clock: time.Now,
		}
	})
}

func (s seen) Quantity(line string) float64 {
	now := time.Now().UTC().Truncate(24 * time.Hour)
	for _, c := range s.Contracts(user) {
		for _, v := range c.Services {
			if strconv.FormatInt(v.ID, 10) == line {
				return float64(v.UnitsOn(now))
			}
		}
	}
	return -1
}

func (s seen) Writes() int {
	return len(s.Requests(http.MethodPost, "/ContractServiceAdjustments"))
}

// Units are set from a day on: the days before keep theirs, and a contract that
// begins later has them from its beginning.
func TestUnitsAreSetFromADayOn(t *testing.T) {
	start := time.Date(time.Now().Year(), 1, 10, 0, 0, 0, 0, time.UTC)
	b := newBench(t, func(c *standin.Config) {
		c.Accounts[0].Companies[1].Contracts = []standin.Contract{{Name: "C", Start: start, Services: []standin.Service{{Name: "Users", Units: 4}}}}
	}, nil)
	c, ctx := b.acme(t), t.Context()
	service := func() standin.Service { return b.server.Contracts(user)[0].Services[0] }
	set := func(quantity int, from time.Time) {
		t.Helper()
		contract, line := strconv.FormatInt(b.server.Contracts(user)[0].ID, 10), strconv.FormatInt(service().ID, 10)
		if err := c.SetQuantity(ctx, contract, line, quantity, from); err != nil {
			t.Fatal(err)
		}
	}
	want := func(quantity int, day time.Time) {
		t.Helper()
		if got := service().UnitsOn(day); got != quantity {
			t.Errorf("%d units on %s, want %d", got, day.Format(time.DateOnly), quantity)
		}
	}
	set(6, start.AddDate(0, 0, -9))
	want(6, start)
	set(9, start.AddDate(0, 0, 5))
	set(9, start.AddDate(0, 0, 5))
	want(6, start.AddDate(0, 0, 4))
	want(9, start.AddDate(0, 0, 6))
	want(9, start.AddDate(0, 3, 0))
	set(5, start.AddDate(0, 2, 0))
	want(9, start.AddDate(0, 1, 0))
	want(5, start.AddDate(0, 2, 0))
	if n := service().Adjustments; n != 3 {
		t.Errorf("%d adjustments, want 3", n)
	}
	contract, line := strconv.FormatInt(b.server.Contracts(user)[0].ID, 10), strconv.FormatInt(service().ID, 10)
	err := c.SetQuantity(ctx, contract, line, 1, start.AddDate(20, 0, 0))
	if psa.ClassOf(err) != psa.Permanent {
		t.Errorf("after the contract's end: %v", err)
	}
}
