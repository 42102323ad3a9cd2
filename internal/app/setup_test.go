package app_test

import (
	"maps"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// field is the input that the first error names.
func field(failures []failure) string {
	if len(failures) == 0 {
		return ""
	}
	text, _ := failures[0].Extensions["field"].(string)
	return text
}

// with is an input with some fields changed.
func with(base object, changes ...object) object {
	merged := maps.Clone(base)
	for _, change := range changes {
		maps.Copy(merged, change)
	}
	return merged
}

func (s *server) connecting(t *testing.T, key string, v vendor, input object) (id string, failures []failure) {
	t.Helper()
	var answer struct {
		C struct{ Integration struct{ ID string } }
	}
	failures = s.do(t, key, "", `mutation($in: Connect`+v.product+`Input!) { c: connect`+v.product+`(input: $in) { integration { id kind account status } } }`, object{"in": input}, &answer)
	return answer.C.Integration.ID, failures
}

func (s *server) connected(t *testing.T, key string, v vendor, account string) (id string) {
	t.Helper()
	id, failures := s.connecting(t, key, v, v.credentials(account, vendorSecret))
	require.Empty(t, failures, v.product)
	return id
}

const updating = `mutation($in: UpdateTicketingIntegrationInput!) { updateTicketingIntegration(input: $in) {
	integration { name account status automaticTicketing companyTypeIds catchAllCompanyId catchAllCompanyName lastError } } }`

func (s *server) update(t *testing.T, key string, input object) []failure {
	t.Helper()
	return s.do(t, key, "", updating, object{"in": input}, nil)
}

func (s *server) configuring(t *testing.T, key string, v vendor, integration string, changes ...object) (id string, failures []failure) {
	t.Helper()
	var answer struct {
		U struct{ Configuration struct{ ID string } }
	}
	input := with(v.settings, append([]object{{"integrationId": integration, "alertType": "CUSTOM", "shouldCreateTickets": true}}, changes...)...)
	failures = s.do(t, key, "", `mutation($in: Update`+v.product+`AlertConfigurationInput!) { u: update`+v.product+`AlertConfiguration(input: $in) {
		configuration { id alertType dueDays organization { id }
			autotask { destination queue { id name } priority { id name } status { id name } resource { id name role { id name } } source { id } }
			connectWise { board { id name } status { id name } priority { id name } source { id name } }
			syncro { problemType priority status userId username } } } }`, object{"in": input}, &answer)
	return answer.U.Configuration.ID, failures
}

func (s *server) mapping(t *testing.T, key, integration, organization string, company any) []failure {
	t.Helper()
	return s.do(t, key, "", `mutation($in: SetTicketingCompanyMappingsInput!) { setTicketingCompanyMappings(input: $in) { mappings { externalCompanyName } } }`,
		object{"in": object{"integrationId": integration, "mappings": []any{object{"organizationId": organization, "externalCompanyId": company}}}}, nil)
}

// tenants are two providers with two organizations each.
type tenants struct {
	*server
	north, south               string // keys
	contoso, fabrikam, foreign string // organizations; the last is the south's
}

func newTenants(t *testing.T, engine string) tenants {
	t.Helper()
	s := tenants{server: start(t, engine)}
	s.north, s.south = s.provider(t, "North", "north@msp.example"), s.provider(t, "South", "south@msp.example")
	s.contoso, s.fabrikam = s.organization(t, s.north, "Contoso Ltd."), s.organization(t, s.north, "Fabrikám GmbH")
	s.foreign = s.organization(t, s.south, "Contoso")
	return s
}

// errors are what ticketingErrors lists.
type listedError struct {
	Operation, ErrorType, Message, Advice string
	OccurrenceCount                       int
	TicketID                              *string `json:"ticketId"`
	Organization                          *struct{ ID string }
}

func (s *server) errors(t *testing.T, key, organization, integration string) (list []listedError) {
	t.Helper()
	var answer struct {
		TicketingErrors struct{ Edges []struct{ Node listedError } }
	}
	s.must(t, key, organization, `query($i: ID) { ticketingErrors(filter: {integrationId: $i}) { edges { node {
		operation errorType message advice occurrenceCount ticketId organization { id } } } } }`, object{"i": integration}, &answer)
	for _, e := range answer.TicketingErrors.Edges {
		list = append(list, e.Node)
	}
	return list
}

func (s *server) verify(t *testing.T, key, integration string) (accepted bool) {
	t.Helper()
	var answer struct{ VerifyTicketingIntegration struct{ Accepted bool } }
	s.must(t, key, "", `mutation($id: ID!) { verifyTicketingIntegration(input: {id: $id}) { accepted integration { status lastError } } }`, object{"id": integration}, &answer)
	return answer.VerifyTicketingIntegration.Accepted
}

func TestIntegrationsOfEveryKind(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		all := vendors(t)
		for n, v := range all {
			other := all[(n+1)%len(all)]
			_, refused := s.connecting(t, s.north, v, v.credentials("north", "wrong-Secret-1"))
			require.Equal(t, "INVALID_ARGUMENT", code(refused), "%s: %v", v.product, refused)
			require.Equal(t, "input."+v.secret, field(refused))
			require.Contains(t, refused[0].Message, "the ticketing system refuses it: ")
			require.Zero(t, s.Client.TicketingIntegration.Query().CountX(tenancy.System(t.Context(), "a test counts"))-2*n)

			integration := s.connected(t, s.north, v, "north")
			_, again := s.connecting(t, s.north, v, v.credentials("north", vendorSecret))
			require.Equal(t, "CONFLICT", code(again))
			second := s.connected(t, s.north, v, "northern")
			require.NotEqual(t, integration, second, "several of a kind")

			require.Empty(t, s.update(t, s.north, object{"id": integration, "name": "Desk", "automaticTicketing": false}))
			wrong := s.update(t, s.north, object{"id": integration, other.input: object{other.secret: "x"}})
			require.Equal(t, "INVALID_ARGUMENT", code(wrong), "%v", wrong)
			require.Equal(t, "input."+other.input, field(wrong))
			wrong = s.update(t, s.north, object{"id": integration, v.input: object{v.secret: "wrong-Secret-2"}})
			require.Equal(t, "input."+v.input+"."+v.secret, field(wrong), "%v", wrong)
			require.True(t, s.verify(t, s.north, integration), "the credentials before are still there")

			v.revoke("north", true)
			require.False(t, s.verify(t, s.north, integration))
			require.False(t, s.verify(t, s.north, integration))
			v.revoke("north", false)
			listed := s.errors(t, s.north, "", integration)
			require.Len(t, listed, 1, "%s: %v", v.product, listed)
			require.Equal(t, "CREDENTIALS", listed[0].ErrorType)
			require.GreaterOrEqual(t, listed[0].OccurrenceCount, 3, "a repeated error is counted: %v", listed)
			require.Contains(t, listed[0].Advice, map[string]string{
				"AUTOTASK": "API User (system)", "CONNECTWISE": "Security Roles", "SYNCRO": "API Tokens",
			}[v.kind])
			require.True(t, s.verify(t, s.north, integration))
			require.Empty(t, s.update(t, s.north, object{"id": integration, v.input: object{v.secret: v.credentials("north", vendorSecret)[v.secret]}}))

			for _, stranger := range [][]failure{
				s.update(t, s.south, object{"id": integration, "name": "Mine"}),
				s.do(t, s.south, "", `mutation($id: ID!) { verifyTicketingIntegration(input: {id: $id}) { accepted } }`, object{"id": integration}, nil),
				s.do(t, s.south, "", `mutation($id: ID!) { deleteTicketingIntegration(input: {id: $id}) { deletedId } }`, object{"id": integration}, nil),
			} {
				require.Equal(t, "NOT_FOUND", code(stranger))
			}
			require.Empty(t, s.errors(t, s.south, "", integration))
			theirs := s.connected(t, s.south, v, "south")
			s.must(t, s.south, "", `mutation($id: ID!) { deleteTicketingIntegration(input: {id: $id}) { deletedId } }`, object{"id": theirs}, nil)
		}
		for _, i := range s.Client.TicketingIntegration.Query().AllX(tenancy.System(t.Context(), "a test looks for secrets")) {
			require.NotContains(t, string(i.Credentials), vendorSecret)
		}
	})
}

func TestAVendorWithoutAnIdentifierIsUnavailable(t *testing.T) {
	s := replica(t, testdb.URL(t, dialect.SQLite), secret.NewMasterKey(), func(c *config.Config) {
		c.AutotaskIntegrationCode, c.ConnectWiseClientID = secret.Text{}, ""
	})
	key := s.provider(t, "North", "north@msp.example")
	for setting, v := range map[string]vendor{
		"--autotask-integration-code (BAILIWICK_AUTOTASK_INTEGRATION_CODE)": autotaskVendor(t),
		"--connectwise-client-id (BAILIWICK_CONNECTWISE_CLIENT_ID)":         connectWiseVendor(t),
	} {
		_, refused := s.connecting(t, key, v, v.credentials("north", vendorSecret))
		require.Equal(t, "PRECONDITION_FAILED", code(refused))
		require.Contains(t, refused[0].Message, setting)
	}
}

type unmappedPage struct {
	UnmappedOrganizations struct {
		TotalCount int
		PageInfo   struct {
			HasNextPage bool
			EndCursor   string
		}
		Edges []struct {
			Node        struct{ ID, Name string }
			Suggestions []struct {
				Company struct{ ID, Name string }
				Score   float64
			}
		}
	}
}

const unmappedQuery = `query($i: ID!, $first: Int, $after: Cursor) { unmappedOrganizations(integrationId: $i, first: $first, after: $after) {
	totalCount pageInfo { hasNextPage endCursor } edges { node { id name } suggestions { company { id name } score } } } }`

func TestCompaniesOfEveryKind(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		for _, v := range vendors(t) {
			t.Log(v.product)
			integration := s.connected(t, s.north, v, "north")
			var answer struct {
				TicketingCompanyTypes []struct{ ID int }
				TicketingCompanies    struct {
					Companies []struct{ ID, Name string }
					Next      *string
				}
			}
			query := `query($i: ID!) { ticketingCompanyTypes(integrationId: $i) { id name } ticketingCompanies(integrationId: $i, search: "acme") { companies { id name } next } }`
			s.must(t, s.north, "", query, object{"i": integration}, &answer)
			require.Len(t, answer.TicketingCompanies.Companies, 1)
			if v.typeID == 0 {
				require.Empty(t, answer.TicketingCompanyTypes)
				require.Equal(t, "input.companyTypeIds", field(s.update(t, s.north, object{"id": integration, "companyTypeIds": []int{1}})))
			} else {
				require.NotEmpty(t, answer.TicketingCompanyTypes)
				require.Equal(t, "input.companyTypeIds", field(s.update(t, s.north, object{"id": integration, "companyTypeIds": []int{v.typeID, 4711}})))
				require.Empty(t, s.update(t, s.north, object{"id": integration, "companyTypeIds": []int{v.typeID}}))
				s.must(t, s.north, "", query, object{"i": integration}, &answer)
				require.Empty(t, answer.TicketingCompanies.Companies, "of another type")
			}

			before := v.reads()
			var page unmappedPage
			s.must(t, s.north, "", unmappedQuery, object{"i": integration}, &page)
			require.Equal(t, 1, v.reads()-before, "the companies are read once for all organizations")
			require.Equal(t, 2, page.UnmappedOrganizations.TotalCount)
			for _, e := range page.UnmappedOrganizations.Edges {
				want := map[string]string{s.contoso: "Contoso", s.fabrikam: "Fabrikam"}[e.Node.ID]
				require.NotEmpty(t, e.Suggestions, e.Node.Name)
				require.Equal(t, want, e.Suggestions[0].Company.Name)
				require.Equal(t, v.companies[want], e.Suggestions[0].Company.ID)
				require.InDelta(t, 1, e.Suggestions[0].Score, 0.001)
			}
			s.must(t, s.north, "", unmappedQuery, object{"i": integration, "first": 1}, &page)
			require.True(t, page.UnmappedOrganizations.PageInfo.HasNextPage)
			s.must(t, s.north, "", unmappedQuery, object{"i": integration, "first": 1, "after": page.UnmappedOrganizations.PageInfo.EndCursor}, &page)
			require.False(t, page.UnmappedOrganizations.PageInfo.HasNextPage)

			const entry = "input.mappings.0."
			require.Equal(t, entry+"externalCompanyId", field(s.mapping(t, s.north, integration, s.contoso, "99999")))
			gone := s.mapping(t, s.north, integration, s.contoso, v.companies["Gone"])
			require.Equal(t, entry+"externalCompanyId", field(gone))
			require.Contains(t, gone[0].Message, "inactive")
			require.Equal(t, "NOT_FOUND", code(s.mapping(t, s.north, integration, s.foreign, v.companies["Contoso"])))
			require.Equal(t, "NOT_FOUND", code(s.mapping(t, s.south, integration, s.foreign, v.companies["Contoso"])))
			require.Empty(t, s.mapping(t, s.north, integration, s.contoso, v.companies["Contoso"]))
			s.must(t, s.north, "", unmappedQuery, object{"i": integration}, &page)
			require.Equal(t, 1, page.UnmappedOrganizations.TotalCount)
			for _, refused := range [][]failure{
				s.do(t, s.south, "", unmappedQuery, object{"i": integration}, nil),
				s.do(t, s.south, "", query, object{"i": integration}, nil),
			} {
				require.Equal(t, "NOT_FOUND", code(refused))
			}
			require.Equal(t, "input.catchAllCompanyId", field(s.update(t, s.north, object{"id": integration, "catchAllCompanyId": v.companies["Gone"]})))
			require.Empty(t, s.update(t, s.north, object{"id": integration, "automaticTicketing": false}))
		}
	})
}

func (s *server) raise(t *testing.T, key, organization, dedupe string) (alert string) {
	t.Helper()
	var raised struct {
		RaiseAlert struct{ Alert struct{ ID string } }
	}
	s.must(t, key, organization, `mutation($d: String!) { raiseAlert(input: {title: "UPS on battery", dedupeKey: $d}) { alert { id } } }`, object{"d": dedupe}, &raised)
	return raised.RaiseAlert.Alert.ID
}

type alertTicket struct{ Status, LastError, ExternalNumber string }

func (s *server) ticketsOf(t *testing.T, key, alert string) (list []alertTicket) {
	t.Helper()
	var answer struct {
		Alert struct {
			Tickets struct{ Edges []struct{ Node alertTicket } }
		}
	}
	s.must(t, key, "", `query($id: ID!) { alert(id: $id) { tickets { edges { node { status lastError externalNumber } } } } }`, object{"id": alert}, &answer)
	for _, e := range answer.Alert.Tickets.Edges {
		list = append(list, e.Node)
	}
	return list
}

func (s *server) becomes(t *testing.T, key, alert, status string) {
	t.Helper()
	require.Eventually(t, func() bool {
		list := s.ticketsOf(t, key, alert)
		return len(list) == 1 && list[0].Status == status
	}, 20*time.Second, 50*time.Millisecond, "the alert's ticket becomes %s: %v", status, s.ticketsOf(t, key, alert))
}

func TestHeldTicketsGoToTheCatchAllOrTheMappedCompany(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := newTenants(t, engine)
		for _, v := range vendors(t) {
			t.Log(v.product)
			integration := s.connected(t, s.north, v, "north")
			_, failures := s.configuring(t, s.north, v, integration)
			require.Empty(t, failures)
			held := s.raise(t, s.north, s.contoso, v.kind+" held")
			s.becomes(t, s.north, held, "BLOCKED")
			require.Empty(t, s.mapping(t, s.north, integration, s.contoso, v.companies["Contoso"]))
			s.becomes(t, s.north, held, "CREATED")

			held = s.raise(t, s.north, s.fabrikam, v.kind+" caught")
			s.becomes(t, s.north, held, "BLOCKED")
			require.Empty(t, s.update(t, s.north, object{"id": integration, "catchAllCompanyId": v.companies["Acme Supplies"]}))
			s.becomes(t, s.north, held, "CREATED")
			for company, want := range map[string]int{"Contoso": 1, "Fabrikam": 0, "Acme Supplies": 1} {
				got, _ := v.tickets("north", v.companies[company])
				require.Equal(t, want, got, company)
			}
			require.Empty(t, s.update(t, s.north, object{"id": integration, "catchAllCompanyId": nil}))
			held = s.raise(t, s.north, s.fabrikam, v.kind+" held again")
			s.becomes(t, s.north, held, "BLOCKED")
			require.Empty(t, s.update(t, s.north, object{"id": integration, "automaticTicketing": false}))
		}
	})
}
