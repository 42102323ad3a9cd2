package app_test

import (
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	psadesk "github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

type alerts struct {
	TicketingAlerts []struct {
		AlertType                        struct{ Key string }
		Configuration, Default, Override *struct{ ID string }
	}
}

func (s *server) configured(t *testing.T, key, integration string, organization any) (counts, byDefault, override string) {
	t.Helper()
	var list alerts
	s.must(t, key, "", `query($i: ID!, $o: ID) { ticketingAlerts(integrationId: $i, organizationId: $o) {
		alertType { key } configuration { id } default { id } override { id } } }`, object{"i": integration, "o": organization}, &list)
	for _, a := range list.TicketingAlerts {
		if a.AlertType.Key != "CUSTOM" {
			continue
		}
		for into, from := range map[*string]*struct{ ID string }{&counts: a.Configuration, &byDefault: a.Default, &override: a.Override} {
			if from != nil {
				*into = from.ID
			}
		}
	}
	return counts, byDefault, override
}

func TestAlertConfigurationsOfEveryKind(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		all := vendors(t)
		for n, v := range all {
			t.Log(v.product)
			integration := s.connected(t, s.north, v, "north")
			for name, wrong := range v.wrong {
				_, refused := s.configuring(t, s.north, v, integration, wrong.change)
				require.Equal(t, "INVALID_ARGUMENT", code(refused), "%s: %v", name, refused)
				require.Equal(t, name, field(refused), "%v", refused)
				require.Contains(t, refused[0].Message, wrong.words)
			}
			_, refused := s.configuring(t, s.north, all[(n+1)%len(all)], integration)
			require.Equal(t, "input.integrationId", field(refused))
			_, refused = s.configuring(t, s.north, v, integration, object{"alertType": "NOPE"})
			require.Equal(t, "input.alertType", field(refused))
			_, refused = s.configuring(t, s.north, v, integration, object{"organizationId": s.foreign})
			require.Equal(t, "NOT_FOUND", code(refused))
			_, refused = s.configuring(t, s.south, v, integration)
			require.Equal(t, "NOT_FOUND", code(refused))
			counts, _, _ := s.configured(t, s.north, integration, nil)
			require.Empty(t, counts, "what is refused is not stored")

			byDefault, failures := s.configuring(t, s.north, v, integration)
			require.Empty(t, failures)
			override, failures := s.configuring(t, s.north, v, integration, object{"organizationId": s.fabrikam, "shouldCreateTickets": false})
			require.Empty(t, failures)
			for organization, want := range map[any][3]string{
				nil: {byDefault, byDefault, ""}, s.contoso: {byDefault, byDefault, ""}, s.fabrikam: {override, byDefault, override},
			} {
				counts, usual, own := s.configured(t, s.north, integration, organization)
				require.Equal(t, want, [3]string{counts, usual, own})
			}
			require.Equal(t, "NOT_FOUND", code(s.do(t, s.north, "", `query($i: ID!, $o: ID) { ticketingAlerts(integrationId: $i, organizationId: $o) { default { id } } }`,
				object{"i": integration, "o": s.foreign}, nil)))

			require.Empty(t, s.update(t, s.north, object{"id": integration, "catchAllCompanyId": v.companies["Contoso"]}))
			s.becomes(t, s.north, s.raise(t, s.north, s.contoso, v.kind+" default"), "CREATED")
			require.Empty(t, s.ticketsOf(t, s.north, s.raise(t, s.north, s.fabrikam, v.kind+" override")), "the organization wants none")
			deleting := `mutation($in: DeleteTicketingAlertConfigurationInput!) { deleteTicketingAlertConfiguration(input: $in) { deletedId } }`
			input := object{"integrationId": integration, "alertType": "CUSTOM", "organizationId": s.fabrikam}
			require.Equal(t, "NOT_FOUND", code(s.do(t, s.south, "", deleting, object{"in": input}, nil)))
			s.must(t, s.north, "", deleting, object{"in": input}, nil)
			require.Equal(t, "NOT_FOUND", code(s.do(t, s.north, "", deleting, object{"in": input}, nil)))
			s.becomes(t, s.north, s.raise(t, s.north, s.fabrikam, v.kind+" default again"), "CREATED")
			delete(input, "organizationId")
			s.must(t, s.north, "", deleting, object{"in": input}, nil)
			require.Empty(t, s.ticketsOf(t, s.north, s.raise(t, s.north, s.contoso, v.kind+" nothing")))
		}
	})
}

func TestOptionsAreRememberedAndRefreshed(t *testing.T) {
	s := newTenants(t, dialect.SQLite)
	for _, v := range vendors(t) {
		integration := s.connected(t, s.north, v, "north")
		var answer struct {
			TicketingAlertOptions []struct {
				Name   string
				Values []struct {
					Value, Label string
					Parent       *string
				}
			}
		}
		query := `query($i: ID!, $r: Boolean!) { ticketingAlertOptions(integrationId: $i, refresh: $r) { name values { value label parent } } }`
		s.must(t, s.north, "", query, object{"i": integration, "r": false}, &answer)
		parents := 0
		for _, o := range answer.TicketingAlertOptions {
			for _, choice := range o.Values {
				require.NotContains(t, []string{"Dispatched", "Old", "Abandoned"}, choice.Label, "what is inactive cannot be chosen")
				if choice.Parent != nil {
					parents++
				}
			}
		}
		require.Equal(t, v.kind != "SYNCRO", parents > 0, "a status belongs to its board, a role to a person")
		v.revoke("north", true)
		s.must(t, s.north, "", query, object{"i": integration, "r": false}, &answer)
		require.Equal(t, "PRECONDITION_FAILED", code(s.do(t, s.north, "", query, object{"i": integration, "r": true}, nil)))
		v.revoke("north", false)
		require.Equal(t, "NOT_FOUND", code(s.do(t, s.south, "", query, object{"i": integration, "r": false}, nil)))
		listed := s.errors(t, s.north, "", integration)
		require.Len(t, listed, 1)
		require.Equal(t, "options", listed[0].Operation)
	}
}

type testTicket struct {
	CreateTestTicket struct {
		ExternalID, Number, Status string
		URL, Problem               *string
		Closed                     bool
	}
}

func TestTestTicketsOfEveryKind(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		for _, v := range vendors(t) {
			t.Log(v.product)
			integration := s.connected(t, s.north, v, "north")
			company, made := v.companies["Contoso"], 0
			try := func(key string, change object) (testTicket, []failure) {
				var answer testTicket
				failures := s.do(t, key, "", `mutation($in: CreateTestTicketInput!) { createTestTicket(input: $in) { externalId number url status closed problem } }`,
					object{"in": with(object{"integrationId": integration, "organizationId": s.contoso}, change)}, &answer)
				return answer, failures
			}
			_, refused := try(s.north, nil)
			require.Equal(t, "PRECONDITION_FAILED", code(refused), "nothing is configured")
			_, failures := s.configuring(t, s.north, v, integration)
			require.Empty(t, failures)
			_, refused = try(s.north, nil)
			require.Equal(t, "PRECONDITION_FAILED", code(refused), "no company is mapped")
			require.Empty(t, s.mapping(t, s.north, integration, s.contoso, company))

			for _, fault := range []psadesk.Action{"", psadesk.CommitDrop, psadesk.Commit500, psadesk.CommitTruncate, psadesk.CommitHTML} {
				if fault != "" {
					v.fail(fault)
				}
				answer, failures := try(s.north, nil)
				require.Empty(t, failures, "%s", fault)
				made++
				require.True(t, answer.CreateTestTicket.Closed)
				require.NotEmpty(t, answer.CreateTestTicket.Number)
				require.NotNil(t, answer.CreateTestTicket.URL)
				require.Nil(t, answer.CreateTestTicket.Problem)
				require.Contains(t, []string{"Complete", "Closed", "Resolved"}, answer.CreateTestTicket.Status)
				all, open := v.tickets("north", company)
				require.Equal(t, [2]int{made, 0}, [2]int{all, open}, "one ticket for each test, and closed: %s", fault)
			}
			answer, failures := try(s.north, object{"keepOpen": true, "alertType": "CUSTOM"})
			require.Empty(t, failures)
			require.False(t, answer.CreateTestTicket.Closed)
			all, open := v.tickets("north", company)
			require.Equal(t, [2]int{made + 1, 1}, [2]int{all, open})

			v.fail(psadesk.Unauthorized)
			_, refused = try(s.north, nil)
			if v.kind != "AUTOTASK" { // which asks for the zone again, and is refused there no more
				require.Equal(t, "PRECONDITION_FAILED", code(refused), "%v", refused)
			}
			for change, want := range map[string]object{"organizationId": {"organizationId": s.foreign}, "alertType": {"alertType": "NOPE"}} {
				_, refused = try(s.north, want)
				require.Equal(t, map[string]string{"organizationId": "NOT_FOUND", "alertType": "INVALID_ARGUMENT"}[change], code(refused))
			}
			_, refused = try(s.south, object{"organizationId": s.foreign})
			require.Equal(t, "NOT_FOUND", code(refused))

			v.fail(psadesk.Throttle) // the last: every call of the account waits after it
			for range 2 {
				_, refused = try(s.north, nil)
				require.Equal(t, "UNAVAILABLE", code(refused))
			}
		}
	})
}

func TestErrorsAreCountedAndSeenInTheirOrganization(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		for _, v := range vendors(t) {
			integration := s.connected(t, s.north, v, "north")
			_, failures := s.configuring(t, s.north, v, integration)
			require.Empty(t, failures)
			require.Empty(t, s.mapping(t, s.north, integration, s.contoso, v.companies["Contoso"]))
			v.revoke("north", true)
			alert := s.raise(t, s.north, s.contoso, v.kind)
			require.Eventually(t, func() bool { return len(s.errors(t, s.north, s.contoso, integration)) == 1 }, 20*time.Second, 50*time.Millisecond, v.product)
			listed := s.errors(t, s.north, s.contoso, integration)[0]
			require.Equal(t, "create", listed.Operation)
			require.Equal(t, "CREDENTIALS", listed.ErrorType)
			require.Equal(t, s.contoso, listed.Organization.ID)
			require.NotEmpty(t, listed.Message)
			require.NotEmpty(t, listed.Advice)
			require.Empty(t, s.errors(t, s.north, s.fabrikam, integration), "not another organization's")
			require.Empty(t, s.errors(t, s.south, "", integration), "not another provider's")
			require.False(t, s.verify(t, s.north, integration))
			require.Len(t, s.errors(t, s.north, "", integration), 2)
			require.Len(t, s.errors(t, s.north, s.fabrikam, integration), 1, "the provider's are everybody's")
			v.revoke("north", false)
			require.True(t, s.verify(t, s.north, integration))
			s.becomes(t, s.north, alert, "CREATED")
			require.Empty(t, s.update(t, s.north, object{"id": integration, "automaticTicketing": false}))
		}
	})
}
