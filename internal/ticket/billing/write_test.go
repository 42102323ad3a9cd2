package billing_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/ticketingbillingmapping"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// each runs a test for both tenants, whose vendors differ, on both engines.
func each(t *testing.T, test func(t *testing.T, w *world, one, other *tenant)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.bill(w.tenants[0], 1)
		w.bill(w.tenants[1], 1)
		for _, one := range w.tenants {
			w.users(one, 0, 5)
			w.users(one, 1, 3)
		}
		test(t, w, w.tenants[0], w.tenants[1])
	})
}

func TestADayIsWrittenWhenItIsOver(t *testing.T) {
	each(t, func(t *testing.T, w *world, _, _ *tenant) {
		w.sample()
		w.at(11, 11, 0)
		w.sweep()
		for _, one := range w.tenants {
			require.Zero(t, one.writes(), "before the time to write")
		}
		w.at(11, 11, 1)
		w.sweep()
		w.sweep()
		for _, one := range w.tenants {
			require.Equal(t, 2, one.writes())
			require.EqualValues(t, 4, one.quantity(one.line[0]))
			require.EqualValues(t, 2, one.quantity(one.line[1]))
			r := w.record(one, 0, "2026-11-10")
			require.Equal(t, ticketingusagerecord.StatusWritten, r.Status)
			require.Equal(t, 1, r.Attempts)
			require.Nil(t, r.NextAttemptAt)
			require.Equal(t, w.clock.Now(), r.WrittenAt.UTC())
			require.Equal(t, ticketingusagerecord.StatusUnmapped, w.record(one, 2, "2026-11-10").Status)
			require.Contains(t, w.record(one, 2, "2026-11-10").LastError, "no company")
			w.users(one, 0, 2)
			w.users(one, 1, 6)
		}

		// Of the next day, only the mark that has risen is sent.
		w.sample()
		w.at(11, 12, 1)
		w.sweep()
		for _, one := range w.tenants {
			require.Equal(t, 3, one.writes())
			require.EqualValues(t, 4, one.quantity(one.line[0]))
			require.EqualValues(t, 5, one.quantity(one.line[1]))
			r := w.record(one, 0, "2026-11-11")
			require.Equal(t, ticketingusagerecord.StatusWritten, r.Status)
			require.Zero(t, r.Attempts, "the vendor has it already")
		}

		// The month's last day is written on the next month's first; only then the
		// new month begins anew.
		w.at(11, 30, 20)
		w.sample()
		w.at(12, 1, 2)
		w.sample()
		w.sweep()
		for _, one := range w.tenants {
			require.Equal(t, 3, one.writes())
			require.Equal(t, 4, w.record(one, 0, "2026-11-30").Quantity)
			require.Equal(t, 1, w.record(one, 0, "2026-12-01").Quantity)
		}
		w.at(12, 2, 2)
		w.sweep()
		for _, one := range w.tenants {
			require.EqualValues(t, 1, one.quantity(one.line[0]))
			require.EqualValues(t, 5, one.quantity(one.line[1]))
		}
	})
}

// After days without a process, or of a vendor that does not answer, each
// month's newest record goes to the vendor, oldest month first.
func TestWritingCatchesUp(t *testing.T) {
	each(t, func(t *testing.T, w *world, one, other *tenant) {
		for day := 27; day <= 32; day++ {
			w.clock.to(time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC))
			w.users(one, 0, day)
			w.sample()
		}
		w.at(12, 3, 12)
		var sent []string
		w.around = func(v psa.Vendor) psa.Vendor {
			return &spy{Vendor: v, before: func(_, line string, quantity int, from time.Time) {
				if line == one.line[0] {
					sent = append(sent, fmt.Sprint(quantity, " from ", from.Format(time.DateOnly)))
				}
			}}
		}
		w.sweep()
		require.Equal(t, []string{"29 from 2026-11-01", "31 from 2026-12-01"}, sent)
		for _, day := range []string{"2026-11-27", "2026-11-30", "2026-12-02"} {
			require.Equal(t, ticketingusagerecord.StatusWritten, w.record(one, 0, day).Status)
		}
		require.Equal(t, 26, w.record(one, 0, "2026-11-27").Quantity, "a day keeps what it was")
		require.EqualValues(t, 4, other.quantity(other.line[0]))
	})
}

// spy looks at, or stops, what a worker asks of a vendor.
type spy struct {
	psa.Vendor

	before func(agreement, line string, quantity int, from time.Time)
	after  func()
}

func (s *spy) SetQuantity(ctx context.Context, agreement, line string, quantity int, from time.Time) error {
	if s.before != nil {
		s.before(agreement, line, quantity, from)
	}
	err := s.Vendor.SetQuantity(ctx, agreement, line, quantity, from)
	if s.after != nil {
		s.after()
	}
	return err
}

func TestWhateverFailsTheQuantityIsRight(t *testing.T) {
	for _, fault := range []desk.Action{
		desk.CommitDrop, desk.Commit500, desk.CommitTruncate, desk.CommitHTML, desk.CommitGarbage, desk.Drop, desk.Fail500, desk.HTML,
		desk.Throttle, desk.Unauthorized,
	} {
		t.Run(string(fault), func(t *testing.T) {
			each(t, func(t *testing.T, w *world, _, _ *tenant) {
				w.sample()
				w.at(11, 11, 1)
				count := 3
				if fault == desk.Unauthorized {
					count = 2 // of two organizations, each final for its day
				}
				for _, one := range w.tenants {
					one.inject(fault, 90*time.Second, count)
				}
				w.sweep()
				pending := 0
				for _, one := range w.tenants {
					for k := range one.line {
						if r := w.record(one, k, "2026-11-10"); r.Status == ticketingusagerecord.StatusPending && r.LastError != "" {
							pending++
						}
					}
				}
				if fault == desk.Unauthorized { // the account works: a permission is lacking
					require.Equal(t, ticketingusagerecord.StatusFailed, w.record(w.tenants[0], 0, "2026-11-10").Status)
				} else {
					require.NotZero(t, pending, "what went wrong is seen")
				}
				w.drive()
				w.at(11, 12, 1)
				w.sample()
				w.at(11, 13, 1)
				w.drive()
				for _, one := range w.tenants {
					require.EqualValues(t, 4, one.quantity(one.line[0]))
					require.EqualValues(t, 2, one.quantity(one.line[1]))
					r := w.record(one, 0, "2026-11-12")
					require.Equal(t, ticketingusagerecord.StatusWritten, r.Status)
					require.Empty(t, r.LastError)
				}
			})
		})
	}
}

func TestAWorkerMayDieAnywhere(t *testing.T) {
	for name, kill := range map[string]func(*spy){
		"before the call": func(s *spy) { s.before = func(string, string, int, time.Time) { panic(death{}) } },
		"after the call":  func(s *spy) { s.after = func() { panic(death{}) } },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world, _, _ *tenant) {
				w.sample()
				w.at(11, 11, 1)
				w.around = func(v psa.Vendor) psa.Vendor {
					s := &spy{Vendor: v}
					kill(s)
					return s
				}
				w.sweep()
				w.clock.pass(5 * time.Minute)
				w.sweep()
				w.around = nil
				w.sweep()
				for _, one := range w.tenants {
					require.NotEqual(t, ticketingusagerecord.StatusWritten, w.record(one, 0, "2026-11-10").Status, "the dead worker's lease holds")
				}
				w.drive()
				for _, one := range w.tenants {
					require.EqualValues(t, 4, one.quantity(one.line[0]))
					require.EqualValues(t, 2, one.quantity(one.line[1]))
					require.Equal(t, ticketingusagerecord.StatusWritten, w.record(one, 0, "2026-11-10").Status)
				}

				// The dead worker's call may have been executed after all: the next
				// day's quantity is set again, though it is the same.
				for _, one := range w.tenants {
					m := w.client.TicketingBillingMapping.Query().Where(ticketingbillingmapping.OrganizationID(one.organizations[0])).OnlyX(one.all)
					require.NotNil(t, m.DoubtfulAt)
				}
				w.at(11, 11, 8)
				w.sample()
				w.at(11, 12, 2)
				w.drive()
				for _, one := range w.tenants {
					m := w.client.TicketingBillingMapping.Query().Where(ticketingbillingmapping.OrganizationID(one.organizations[0])).OnlyX(one.all)
					require.Nil(t, m.DoubtfulAt)
				}
			})
		})
	}
}

// Two workers at a time, of which one holds each mapping.
func TestTwoWorkersDoNotMeet(t *testing.T) {
	each(t, func(t *testing.T, w *world, _, _ *tenant) {
		w.sample()
		w.at(11, 11, 1)
		var mu sync.Mutex
		at := map[string]int{}
		w.around = func(v psa.Vendor) psa.Vendor {
			return &spy{Vendor: v, before: func(_, line string, _ int, _ time.Time) {
				mu.Lock()
				defer mu.Unlock()
				at[line]++
			}}
		}
		var group sync.WaitGroup
		for range 2 {
			for _, one := range w.tenants {
				group.Go(func() {
					if err := w.service.Write(one.all, one.integration); err != nil {
						t.Errorf("write: %v", err)
					}
				})
			}
		}
		group.Wait()
		w.around = nil
		w.drive()
		for _, one := range w.tenants {
			for k, quantity := range []float64{4, 2} {
				require.Equal(t, 1, at[one.line[k]])
				require.Equal(t, quantity, one.quantity(one.line[k]))
			}
		}
	})
}

func TestARefusalIsShown(t *testing.T) {
	each(t, func(t *testing.T, w *world, _, _ *tenant) {
		w.sample()
		w.at(11, 11, 1)
		for _, one := range w.tenants {
			one.refusal()
		}
		w.sweep()
		for _, one := range w.tenants {
			r := w.record(one, 0, "2026-11-10")
			require.Equal(t, ticketingusagerecord.StatusFailed, r.Status)
			require.NotEmpty(t, r.LastError)
			require.Nil(t, r.NextAttemptAt)
			require.Equal(t, ticketingusagerecord.StatusWritten, w.record(one, 1, "2026-11-10").Status, "others go on")
			require.Contains(t, w.listed, failure{one.integration, one.organizations[0], "usage"})
		}
		require.Len(t, w.listed, 2)
	})
}

func TestRevokedCredentialsPause(t *testing.T) {
	each(t, func(t *testing.T, w *world, one, other *tenant) {
		w.sample()
		w.at(11, 11, 1)
		one.revoke(true)
		w.sweep()
		require.Equal(t, ticketingintegration.StatusPaused, w.client.TicketingIntegration.GetX(one.all, one.integration).Status)
		require.EqualValues(t, 4, other.quantity(other.line[0]), "another's billing goes on")
		asked := one.writes()
		w.clock.pass(time.Hour)
		w.sweep()
		require.Equal(t, asked, one.writes(), "a paused integration waits")
		require.Equal(t, ticketingusagerecord.StatusPending, w.record(one, 0, "2026-11-10").Status)
		one.revoke(false)
		w.drive()
		require.EqualValues(t, 4, one.quantity(one.line[0]))
		require.EqualValues(t, 2, one.quantity(one.line[1]))
	})
}

func TestWhatKeepsUsageFromBeingWritten(t *testing.T) {
	each(t, func(t *testing.T, w *world, _, _ *tenant) {
		for _, one := range w.tenants {
			_, err := w.client.TicketingCompanyMapping.Update().
				Where(ticketingcompanymapping.OrganizationID(one.organizations[0])).SetExternalCompanyID("424242").Save(one.all)
			require.NoError(t, err)
			off := w.entry(one, 1, 0)
			off.Enabled = false
			_, err = w.service.Map(one.all, one.integration, []billing.Mapping{off})
			require.NoError(t, err)
			page, err := w.service.Preview(one.all, one.integration, 10, "")
			require.NoError(t, err)
			require.Len(t, page.Previews, 3)
			require.Empty(t, page.Next)
			for k, obstacle := range []billing.Obstacle{billing.CompanyChanged, billing.Disabled, billing.NoCompany} {
				require.Equal(t, obstacle, page.Previews[k].Obstacle)
			}
		}
		w.sample()
		w.at(11, 11, 1)
		w.sweep()
		for _, one := range w.tenants {
			require.Zero(t, one.writes())
			for k := range one.organizations {
				require.Equal(t, ticketingusagerecord.StatusUnmapped, w.record(one, k, "2026-11-10").Status)
			}
		}
	})
}

// A mapping that gets another line while the old one's call is under way leaves
// the record to be written there.
func TestAMappingMayChangeUnderACall(t *testing.T) {
	each(t, func(t *testing.T, w *world, one, _ *tenant) {
		w.sample()
		w.at(11, 11, 1)
		lines, err := w.service.Lines(one.all, one.integration, one.agreement[0], "")
		require.NoError(t, err)
		fresh := lines.Lines[0].ID
		changed := false
		w.around = func(v psa.Vendor) psa.Vendor {
			return &spy{Vendor: v, before: func(_, line string, _ int, _ time.Time) {
				if line != one.line[0] || changed {
					return
				}
				changed = true
				m := w.entry(one, 0, 0)
				m.Line = &fresh
				_, err := w.service.Map(one.all, one.integration, []billing.Mapping{m})
				require.NoError(t, err)
			}}
		}
		w.drive()
		require.True(t, changed)
		require.EqualValues(t, 5, one.quantity(fresh))
		require.Equal(t, ticketingusagerecord.StatusWritten, w.record(one, 0, "2026-11-10").Status)
	})
}
