package app_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// TestTicketClosedThere: a technician closes a ticket at the vendor, and by the
// API the alert is over; nobody else's key sees or moves it.
func TestTicketClosedThere(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one := s.organization(t, a, "One")
		desk, deskURL := desk(t, "One")
		s.ticketed(t, a, one, deskURL)
		s.must(t, a, one, raiseTitled, map[string]any{"t": "disk"}, nil)
		var list struct {
			Tickets struct {
				Edges []struct {
					Node struct {
						ID, Status, ExternalID string
						ClosedByTechnician     bool
						Integration            struct {
							ID            string
							WebhookActive bool
							PolledUntil   *string
						}
						Alert struct{ Status, Remark string }
					}
				}
			}
		}
		read := func() {
			list.Tickets.Edges = nil
			s.must(t, a, "", `{ tickets { edges { node { id status externalId closedByTechnician integration { id webhookActive polledUntil } alert { status remark } } } } }`, nil, &list)
		}
		require.Eventually(t, func() bool {
			read()
			return len(list.Tickets.Edges) == 1 && list.Tickets.Edges[0].Node.ExternalID != ""
		}, 30*time.Second, 20*time.Millisecond)
		made := list.Tickets.Edges[0].Node
		require.False(t, made.Integration.WebhookActive)
		external, err := strconv.ParseInt(made.ExternalID, 10, 64)
		require.NoError(t, err)
		require.True(t, desk.Edit("desk-token", external, func(t *standin.Ticket) { t.Status = "Resolved" }))

		const sync = `mutation($id: ID!) { syncTicket(input: {id: $id}) { ticket { status } } }`
		require.Equal(t, "NOT_FOUND", code(s.do(t, b, "", sync, map[string]any{"id": made.ID}, nil)))
		helpDesk, _ := s.technician(t, a, "read@north.example", "Read Only", one)
		require.NotEmpty(t, helpDesk)
		reader := s.signIn(t, "read@north.example", "violet-anchor-teapot-19")
		require.Equal(t, "FORBIDDEN", code(s.do(t, reader, "", sync, map[string]any{"id": made.ID}, nil)))
		s.must(t, a, "", sync, map[string]any{"id": made.ID}, nil)
		read()
		made = list.Tickets.Edges[0].Node
		require.Equal(t, "CLOSED", made.Status)
		require.True(t, made.ClosedByTechnician)
		require.Equal(t, "RESOLVED", made.Alert.Status)
		require.True(t, strings.HasPrefix(made.Alert.Remark, "Closed in Syncro as "), made.Alert.Remark)

		for _, name := range []string{"enableTicketingWebhook", "disableTicketingWebhook"} {
			change := `mutation($id: ID!) { ` + name + `(input: {integrationId: $id}) { integration { webhookActive } } }`
			id := map[string]any{"id": made.Integration.ID}
			require.Equal(t, "PRECONDITION_FAILED", code(s.do(t, a, "", change, id, nil)), "Syncro calls nobody")
			require.Equal(t, "NOT_FOUND", code(s.do(t, b, "", change, id, nil)))
			require.Equal(t, "FORBIDDEN", code(s.do(t, reader, "", change, id, nil)))
		}

		hook := strings.TrimSuffix(s.url, "/graphql") + "/webhook/ticketing/"
		for _, id := range []string{made.Integration.ID, "psa_unknown"} {
			response, err := client.Post(hook+id, "application/json", strings.NewReader("{}"))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		}
		response, err := client.Get(hook + made.Integration.ID)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	})
}
