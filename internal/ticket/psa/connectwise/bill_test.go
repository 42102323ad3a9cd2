package connectwise_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
)

// agreements are more than a page, the last of them cancelled.
func agreements() (all []standin.Agreement) {
	for i := range 102 {
		all = append(all, standin.Agreement{
			Name: fmt.Sprintf("Agreement %03d", i), Cancelled: i == 101,
			Additions: []standin.Addition{{Name: "Users", Quantity: 3}, {Name: "Backup", Quantity: 3}},
		})
	}
	return all
}

func TestBill(t *testing.T) {
	psatest.Bill(t, func(t *testing.T) psatest.BillBench {
		b := newBench(t, nil)
		all := b.server.Agreements(public)
		var names []string
		for _, a := range all {
			names = append(names, a.Name)
		}
		neighbour, denied, limited := b.credentials(), b.credentials(), b.credentials()
		neighbour.CompanyID, neighbour.PublicKey = "globex", otherPub
		denied.PrivateKey = "wrong"
		limited.PublicKey = limitedPub
		id := func(n int64) string { return strconv.FormatInt(n, 10) }
		return psatest.BillBench{
			Server: seen{b.server}, Vendor: b.client(t), Neighbour: open(t, config(), neighbour), Denied: open(t, config(), denied),
			Limited: open(t, config(), limited), Secret: private,
			Company: b.company(2), Empty: b.company(0), Agreements: names, Inactive: "Agreement 101",
			Agreement: id(all[0].ID), Lines: []string{"Users", "Backup"}, Other: id(all[1].ID), Unknown: "999999", Clock: time.Now,
		}
	})
}

func (s seen) Quantity(line string) float64 {
	for _, one := range s.Agreements(public) {
		for _, d := range one.Additions {
			if strconv.FormatInt(d.ID, 10) == line {
				return d.Quantity
			}
		}
	}
	return -1
}

func (s seen) Writes() int {
	return len(s.Requests(http.MethodPatch, "/finance/agreements/*/additions/*"))
}
