package syncro_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/psatest"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// schedules are more than a page, the last of them paused.
func schedules() (all []standin.Schedule) {
	for i := range 27 {
		all = append(all, standin.Schedule{
			Name: fmt.Sprintf("Invoice %02d", i), Paused: i == 26,
			Lines: []standin.ScheduleLine{{Name: "Users", Quantity: 3}, {Name: "Backup", Quantity: 3}},
		})
	}
	return all
}

func TestBill(t *testing.T) {
	psatest.Bill(t, func(t *testing.T) psatest.BillBench {
		b := newBench(t, nil)
		all := b.server.Schedules(token)
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		id := func(n int64) string { return strconv.FormatInt(n, 10) }
		return psatest.BillBench{
			Server: seen{b.server}, Vendor: b.client(t, token), Neighbour: b.client(t, otherToken), Denied: b.client(t, "wrong"),
			Limited: b.client(t, readToken), Secret: token,
			Company: b.company(2), Empty: b.company(0), Agreements: names, Inactive: "Invoice 26",
			Agreement: id(all[0].ID), Lines: []string{"Users", "Backup"}, Other: id(all[1].ID), Unknown: "999999", Clock: time.Now,
		}
	})
}

func (s seen) Quantity(line string) float64 {
	for _, one := range s.Schedules(token) {
		for _, l := range one.Lines {
			if strconv.FormatInt(l.ID, 10) == line {
				return l.Quantity
			}
		}
	}
	return -1
}

func (s seen) Writes() int { return len(s.Requests(http.MethodPut, "/schedules/*/line_items/*")) }
