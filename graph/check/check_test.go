package check_test

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"entgo.io/ent/dialect/entsql"
	entschema "entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"github.com/bailiwick/bailiwick/ent/migrate"
	"github.com/bailiwick/bailiwick/graph/check"
	"github.com/bailiwick/bailiwick/graph/exec"
	"github.com/bailiwick/bailiwick/internal/access/policy"
)

var update = flag.Bool("update", false, "accept additions to the released API")

// rules of this API.
var rules = check.AccessRules{
	Permissions: permissions(),
	Public: map[string]string{
		"signIn":                "internal/access, once the account is known",
		"verifyTotp":            "internal/access",
		"refreshSession":        "internal/access",
		"activateAdministrator": "internal/access",
	},
	Untransacted: map[string]string{
		"changePassword":                      "counts wrong passwords, also when it fails",
		"enrollTotp":                          "counts wrong passwords, also when it fails",
		"connectSyncro":                       "tries the credentials at the vendor",
		"updateTicketingIntegration":          "tries the credentials at the vendor",
		"verifyTicketingIntegration":          "tries the credentials at the vendor",
		"setTicketingBillingMappings":         "reads the agreements and their lines at the vendor",
		"enableTicketingWebhook":              "makes the webhook at the vendor",
		"disableTicketingWebhook":             "deletes the webhook at the vendor",
		"syncTicket":                          "reads the ticket at the vendor",
		"setTicketingCompanyMappings":         "reads the companies' names at the vendor",
		"updateSyncroAlertConfiguration":      "checks the names at the vendor",
		"connectAutotask":                     "tries the credentials at the vendor",
		"connectConnectWise":                  "tries the credentials at the vendor",
		"createTestTicket":                    "makes a ticket at the vendor",
		"updateAutotaskAlertConfiguration":    "checks the names at the vendor",
		"updateConnectWiseAlertConfiguration": "checks the names at the vendor",
		"createAppleMdm":                      "makes keys, which takes a second",
		"uploadPushCertificate":               "derives keys from passphrases, which takes a second",
		"createEnrollmentProfile":             "signs with a key that is opened at first use",
	},
}

// short lists the lists that are no connections.
var short = map[string]string{
	"TicketingIntegration.companyTypeIds":         "a choice among the vendor's few company types",
	"Query.nodes":                                 "as many as ids are given, at most 100",
	"BulkCommandDevicesPayload.refusals":          "at most one for each device given, at most 500",
	"Query.permissions":                           "a catalogue in the code",
	"Query.alertTypes":                            "a catalogue in the code",
	"Query.ticketingAlerts":                       "one for each alert type",
	"Query.ticketingAlertOptions":                 "six at most, and their choices at the vendor",
	"Query.ticketingCompanyTypes":                 "the vendor's few company types",
	"UnmappedOrganizationEdge.suggestions":        "at most three",
	"TicketingAlertOption.values":                 "an account's own lists at the vendor",
	"TicketingCompanyPage.companies":              "a page of the vendor's",
	"TicketPreview.reasons":                       "at most one for each thing that can hold a ticket",
	"SystemLogEvent.targets":                      "what one operation touched",
	"Role.permissions":                            "of the catalogue",
	"ApiKey.permissions":                          "of the catalogue",
	"ApiKey.organizationIds":                      "at most 500, set in one mutation",
	"ConfirmTotpPayload.recoveryCodes":            "ten",
	"TicketingAgreementPage.agreements":           "a page of the vendor's",
	"TicketingAgreementLinePage.lines":            "a page of the vendor's",
	"TicketingUsagePreviewPage.previews":          "a page, at most 200",
	"SetTicketingBillingMappingsPayload.mappings": "as many as the input has, at most 500",
	"DeviceCommand.errorChain":                    "at most sixteen, of one report",
	"SetTicketingCompanyMappingsPayload.mappings": "as many as the input has, at most 500",
}

// generators are directives of the code generators, which no client sees.
var generators = []string{"goField", "goModel", "goTag", "goEnum", "goExtraField", "inlineArguments"}

func permissions() map[string]bool {
	known := map[string]bool{}
	for _, e := range policy.Catalogue() {
		known[string(e.Permission)] = true
	}
	return known
}

func api() *ast.Schema { return exec.NewExecutableSchema(exec.Config{}).Schema() }

func load(t *testing.T, path string) *ast.Schema {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gqlparser.LoadSchema(&ast.Source{Name: path, Input: string(content)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAccess(t *testing.T) { report(t, check.Access(api(), rules)) }

func TestAccessFixture(t *testing.T) {
	got := check.Access(load(t, "testdata/access.graphql"), check.AccessRules{
		Permissions:  map[string]bool{"mdm.view_device": true},
		Public:       map[string]string{"gone": "nobody", "held": "nobody"},
		Untransacted: map[string]string{"held": "nothing", "shares": "something"},
	})
	expect(t, got, []string{
		"Device.both: is both public and not",
		"Device.owner: leads to another object",
		"Device.owners: leads to another object",
		"Device.sesame: only root fields are public",
		`Device.users: there is no permission "mdm.view_usr"`,
		"Mutation.calls: runs outside of a transaction",
		"Mutation.gone: is listed, and does not exist",
		"Mutation.held: is listed as outside of a transaction",
		"Mutation.held: is listed as public",
		"Mutation.open: nobody is said to be let in",
		"Mutation.open: passes the gate that audits",
		"Mutation.shares: is to share a transaction",
		"Mutation.unlisted: passes the gate that audits",
		"Query.anyone: is public for no reason",
		"Query.bare: nobody is said to be let in",
		`Query.misspelt: there is no permission "mdm.see_device"`,
		"Subscription.bare: nobody is said to be let in",
	})
}

func TestDescriptions(t *testing.T) { report(t, check.Descriptions(api(), generators...)) }

func TestDescriptionsFixture(t *testing.T) {
	expect(t, check.Descriptions(load(t, "testdata/descriptions.graphql")), []string{
		"@bare(how): is not described",
		"@bare: is not described",
		"Bare: is not described",
		"Colour.RED: is not described",
		"Input.field: is not described",
		"Query.field(argument): is not described",
		"Query.field: is not described",
	})
}

func TestLists(t *testing.T) { report(t, check.Lists(api(), short)) }

func TestListsFixture(t *testing.T) {
	got := check.Lists(load(t, "testdata/lists.graphql"), map[string]string{
		"Query.few": "three", "Query.one": "one",
	})
	expect(t, got, []string{
		"Query.devices: is a connection without the argument filter",
		"Query.devices: is a connection without the argument last",
		"Query.devices: is a connection without the argument orderBy",
		"Query.many: answers a list",
		"Query.one: is listed as a short list, and is none",
	})
}

func TestFilters(t *testing.T) {
	filters := check.FiltersOf(reflect.TypeFor[exec.ResolverRoot]())
	if len(filters) < 5 {
		t.Fatalf("%d filters are found", len(filters))
	}
	report(t, check.Filters(filters, migrate.Tables))
}

func TestFiltersFixture(t *testing.T) {
	type resolver interface {
		Devices(filter *deviceFilter) (*DeviceConnection, error)
		Ghosts(filter *ghostFilter) (*GhostConnection, error)
	}
	type root interface{ Query() resolver }
	column := func(name string) *entschema.Column { return &entschema.Column{Name: name, Type: field.TypeString} }
	organization, name, ended, serial, model := column("organization_id"), column("name"), column("ended_at"), column("serial_number"), column("model")
	devices := entschema.NewTable("devices").AddColumn(organization).AddColumn(name).AddColumn(ended).AddColumn(serial).AddColumn(model)
	devices.Indexes = []*entschema.Index{
		{Columns: []*entschema.Column{organization, name, model}},
		{Columns: []*entschema.Column{organization}, Annotation: &entsql.IndexAnnotation{Where: "ended_at IS NULL"}},
		{Columns: []*entschema.Column{serial}, Annotation: &entsql.IndexAnnotation{Where: "name IS NULL"}},
		{Columns: []*entschema.Column{organization, serial}, Annotation: &entsql.IndexAnnotation{Where: "serial_number IS NOT NULL"}},
	}
	people := entschema.NewTable("people").AddColumn(name).AddColumn(column("mail"))
	people.Indexes = []*entschema.Index{{Columns: []*entschema.Column{name}}}
	expect(t, check.Filters(check.FiltersOf(reflect.TypeFor[root]()), []*entschema.Table{devices, people}), []string{
		"deviceFilter.Closed: no index of devices serves ended_at",
		"deviceFilter.Colour: devices has no column colour",
		"deviceFilter.Model: no index of devices serves model",
		"deviceFilter.OwnerMail: no index of people serves mail",
		"deviceFilter.OwnerName: devices has no column owner_id",
		"deviceFilter.Pet: there is no table animals",
		"deviceFilter.Search: no index of devices serves model",
		"ghostFilter: there is no table ghosts",
	})
}

type deviceFilter struct {
	Name          *string
	NameHasPrefix *string
	Open          *bool `filter:"ended_at,null"`
	Closed        *bool `filter:"ended_at,notnull"`
	HasSerial     *bool `filter:"serial_number,notnull"`
	Model         *string
	SerialNumber  *string
	Colour        *string
	Search        *string `filter:"name|model,eq"`
	OwnerName     *string `filter:"owner_id>people.name,eq"`
	OwnerMail     *string `filter:"name>people.mail,eq"`
	Pet           *string `filter:"name>animals.name,eq"`
}

type ghostFilter struct{}

// DeviceConnection and GhostConnection are what the fixture's resolvers answer.
type (
	DeviceConnection struct{}
	GhostConnection  struct{}
)

// The API that clients know is in testdata. It grows by -update; what is in
// it goes away, or changes in a way that clients would notice, only after a
// release in which it was deprecated.
func TestReleased(t *testing.T) {
	const path = "testdata/released.graphql"
	var current bytes.Buffer
	formatter.NewFormatter(&current, formatter.WithIndent("  ")).FormatSchema(api())
	findings := check.Compatible(load(t, path), api())
	report(t, findings)
	if *update && len(findings) == 0 {
		if err := os.WriteFile(path, current.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !t.Failed() && !bytes.Equal(known, current.Bytes()) {
		t.Error("the API has grown: look at the difference, then go test ./graph/check -update")
	}
}

func TestReleasedFixture(t *testing.T) {
	expect(t, check.Compatible(load(t, "testdata/before.graphql"), load(t, "testdata/after.graphql")), []string{
		"Colour.GREEN: is gone without having been released",
		"Device.model: is gone without having been released",
		"Device.name: answered String!, and answers String",
		"Device.tags: answered [String!]!, and answers String!",
		"Device: is no Node any more",
		"Gone: is gone",
		"Input.added: is new and required",
		"Input.limit: has another default",
		"Input.name: took String, and takes String!",
		"Input.width: is gone without having been released",
		"Kind: was OBJECT, and is INTERFACE",
		"Query.device(added): is new and required",
		"Query.device(colour): is gone without having been released",
		"Query.device(id): took ID, and takes ID!",
		"Thing: is never Kind any more",
	})
	same := load(t, "testdata/before.graphql")
	report(t, check.Compatible(same, same))
}

// report fails the test with every finding.
func report(t *testing.T, findings []check.Finding) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}

// expect wants exactly the findings that begin with the given words, in order.
func expect(t *testing.T, got []check.Finding, want []string) {
	t.Helper()
	for i, f := range got {
		if i >= len(want) || !strings.HasPrefix(f.String(), want[i]) {
			t.Errorf("finding %d: got %q, want one that begins with %q", i, f, strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""))
		}
	}
	if len(got) < len(want) {
		t.Errorf("got %d findings, want %d", len(got), len(want))
	}
}
