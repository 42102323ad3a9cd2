package app_test

import (
	"log/slog"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// invoicing is a ticketing system with a customer that has a recurring invoice.
func invoicing(t *testing.T) (server *standin.Server, url, agreement, line string) {
	t.Helper()
	server, err := standin.New(standin.Config{Logger: slog.New(slog.DiscardHandler), Clock: time.Now, Accounts: []standin.Account{{
		Subdomain: "north", Token: "desk-token", Customers: []standin.Customer{{ID: 1, BusinessName: "One", Schedules: []standin.Schedule{
			{Name: "Services", Lines: []standin.ScheduleLine{{Name: "Users", Quantity: 1}}},
		}}},
	}}})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	s := server.Schedules("desk-token")[0]
	return server, web.URL, strconv.FormatInt(s.ID, 10), strconv.FormatInt(s.Lines[0].ID, 10)
}

func TestUsageIsBilledThroughTheAPI(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, two, foreign := s.organization(t, a, "One"), s.organization(t, a, "Two"), s.organization(t, b, "Foreign")
		psa, url, agreement, line := invoicing(t)
		s.ticketed(t, a, one, url)
		var integrations struct {
			TicketingIntegrations struct {
				Edges []struct{ Node struct{ ID string } }
			}
		}
		s.must(t, a, "", `{ ticketingIntegrations { edges { node { id } } } }`, nil, &integrations)
		integration := integrations.TicketingIntegrations.Edges[0].Node.ID
		for _, login := range []string{"ann", "bob", "cid"} {
			var made struct {
				CreateUser struct{ User struct{ ID string } }
			}
			s.must(t, a, one, `mutation($l: String!) { createUser(input: {login: $l, email: "u@x.example"}) { user { id } } }`, map[string]any{"l": login}, &made)
		}

		asked := map[string]any{"i": integration, "o": one, "a": agreement}
		const agreements = `query($i: ID!, $o: ID!) { ticketingAgreements(integrationId: $i, organizationId: $o) { agreements { id name companyId active } next } }`
		const lines = `query($i: ID!, $a: ID!) { ticketingAgreementLines(integrationId: $i, agreementId: $a) { lines { id name quantity active } next } }`
		var listed struct {
			TicketingAgreements struct {
				Agreements []struct {
					ID, Name, CompanyID string
					Active              bool
				}
			}
			TicketingAgreementLines struct {
				Lines []struct {
					ID, Name string
					Quantity float64
				}
			}
		}
		s.must(t, a, "", agreements, asked, &listed)
		s.must(t, a, "", lines, asked, &listed)
		require.Equal(t, agreement, listed.TicketingAgreements.Agreements[0].ID)
		require.Equal(t, line, listed.TicketingAgreementLines.Lines[0].ID)
		require.EqualValues(t, 1, listed.TicketingAgreementLines.Lines[0].Quantity)

		const set = `mutation($in: SetTicketingBillingMappingsInput!) { setTicketingBillingMappings(input: $in) { mappings { externalLineName nonBillableUsers organization { id } } } }`
		entry := func(organization string) map[string]any {
			return map[string]any{"in": map[string]any{"integrationId": integration, "mappings": []any{map[string]any{
				"organizationId": organization, "agreementId": agreement, "lineId": line, "nonBillableUsers": 1,
			}}}}
		}
		refused := s.do(t, a, "", set, entry(two), nil)
		require.Equal(t, "INVALID_ARGUMENT", code(refused))
		require.Equal(t, "input.mappings.0.organizationId", refused[0].Extensions["field"])
		require.Equal(t, "NOT_FOUND", code(s.do(t, a, "", set, entry(foreign), nil)))
		s.must(t, a, "", set, entry(one), nil)

		const preview = `query($i: ID!) { ticketingUsagePreview(integrationId: $i) { next previews {
			users highWater nonBillableUsers quantity writtenQuantity obstacle organization { id } mapping { externalAgreementName } latestRecord { status day } } } }`
		type previewed struct {
			TicketingUsagePreview struct {
				Previews []struct {
					Users, HighWater, NonBillableUsers, Quantity int
					WrittenQuantity                              *int
					Obstacle                                     string
					Organization                                 struct{ ID string }
					Mapping                                      *struct{ ExternalAgreementName string }
					LatestRecord                                 *struct{ Status, Day string }
				}
			}
		}
		var before, after previewed
		s.must(t, a, "", preview, asked, &before)
		require.Len(t, before.TicketingUsagePreview.Previews, 2)
		p := before.TicketingUsagePreview.Previews[0]
		require.Equal(t, []int{3, 3, 1, 2}, []int{p.Users, p.HighWater, p.NonBillableUsers, p.Quantity})
		require.Nil(t, p.WrittenQuantity)
		require.Equal(t, "NO_COMPANY", before.TicketingUsagePreview.Previews[1].Obstacle)

		const write = `mutation($i: ID!, $o: ID) { writeTicketingUsage(input: {integrationId: $i, organizationId: $o}) { job { id } } }`
		var begun struct {
			WriteTicketingUsage struct{ Job struct{ ID string } }
		}
		s.must(t, a, "", write, asked, &begun)
		var followed struct {
			Job struct {
				Status      string
				Done, Total int
			}
		}
		require.Eventually(t, func() bool {
			failures := s.do(t, a, "", `query($id: ID!) { job(id: $id) { status done total } }`, map[string]any{"id": begun.WriteTicketingUsage.Job.ID}, &followed)
			return failures == nil && followed.Job.Status == "SUCCEEDED"
		}, 30*time.Second, 20*time.Millisecond, "%+v", &followed)
		require.Equal(t, 1, followed.Job.Done)
		require.EqualValues(t, 2, psa.Schedules("desk-token")[0].Lines[0].Quantity)
		s.must(t, a, "", preview, asked, &after)
		p = after.TicketingUsagePreview.Previews[0]
		require.Equal(t, 2, *p.WrittenQuantity)
		require.Equal(t, "WRITTEN", p.LatestRecord.Status)

		var history struct {
			TicketingUsageRecords    struct{ TotalCount int }
			TicketingBillingMappings struct{ TotalCount int }
		}
		const records = `query($i: ID!, $d: String!) {
			ticketingUsageRecords(filter: {integrationId: $i, status: WRITTEN, dayFrom: $d}) { totalCount edges { node { day quantity attempts organization { id } } } }
			ticketingBillingMappings(filter: {integrationId: $i}) { totalCount } }`
		day := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
		s.must(t, a, "", records, map[string]any{"i": integration, "d": day}, &history)
		require.Equal(t, 1, history.TicketingUsageRecords.TotalCount)
		require.Equal(t, 1, history.TicketingBillingMappings.TotalCount)

		// Another provider finds nothing of it.
		s.must(t, b, "", records, map[string]any{"i": integration, "d": day}, &history)
		require.Zero(t, history.TicketingUsageRecords.TotalCount)
		require.Zero(t, history.TicketingBillingMappings.TotalCount)
		for _, query := range []string{agreements, lines, preview, write} {
			require.Equal(t, "NOT_FOUND", code(s.do(t, b, "", query, asked, nil)), query)
		}
		require.Equal(t, "NOT_FOUND", code(s.do(t, b, "", set, entry(foreign), nil)))
		require.Equal(t, "NOT_FOUND", code(s.do(t, a, "", write, map[string]any{"i": integration, "o": foreign}, nil)))

		// Most roles see billing, and do not change it.
		_, bearer := s.technician(t, a, "tech@north.example", "Help Desk", two)
		require.Equal(t, "FORBIDDEN", code(s.do(t, bearer, "", write, map[string]any{"i": integration}, nil)))
		require.Equal(t, "NOT_FOUND", code(s.do(t, bearer, "", agreements, asked, nil)), "an organization out of reach")
		s.must(t, bearer, "", preview, asked, &before)
		require.Len(t, before.TicketingUsagePreview.Previews, 1, "of the organizations in reach alone")
	})
}
