package check_test

import (
	"slices"
	"testing"

	"github.com/bailiwick/bailiwick/tools/check"
)

// core is what every domain may stand on.
var core = []string{
	"self", "ent/...", "schema", "tenancy", "internal/fault", "internal/guard", "internal/database", "internal/event",
	"internal/job/...", "internal/secret/...", "internal/audit/...", "internal/batch",
}

// architecture says who may import whom. The first rule that fits a package
// holds, so a new directory under internal is a domain until it says otherwise.
var architecture = []check.ImportRule{
	{
		Who: []string{"tenancy", "internal/fault"},
		Why: "a leaf stands on the standard library alone",
	},
	{
		Who: []string{"internal/guard"},
		May: []string{"tenancy", "internal/fault"}, Outside: []string{"entgo.io"},
		Why: "the schema imports it: it may know ent, tenancy and fault, and nothing generated",
	},
	{
		Who: []string{"schema/..."},
		May: []string{"schema/...", "internal/guard"}, Leaves: true, Outside: []string{"entgo.io", "go.jetify.com/typeid"},
		Why: "entities are pure data, and never import what is generated from them",
	},
	{
		Who: []string{"ent/..."},
		May: []string{"ent/...", "schema/...", "tenancy", "internal/fault", "internal/guard", "internal/database/lateral"}, Leaves: true, Outside: []string{"*"},
		Why: "what is generated stands on the schema, and on what its templates call",
	},
	{
		Who: []string{"graph/exec/...", "graph/model/..."},
		May: []string{"ent/...", "schema/...", "graph/model", "tenancy"}, Leaves: true, Outside: []string{"*"},
		Why: "it is a package of its own so that an edited resolver does not rebuild it",
	},
	{
		Who:     []string{"migrations/..."},
		Outside: []string{"entgo.io/ent/dialect"},
		Why:     "migrations are data",
	},
	{
		Who: []string{"internal/config"},
		May: []string{"internal/fault", "internal/secret"}, Outside: []string{"*"},
		Why: "configuration is read before anything else exists",
	},
	{
		Who: []string{"internal/database/...", "internal/job/...", "internal/secret/...", "internal/audit/..."},
		May: []string{
			"ent/...", "schema/...", "migrations/...", "tenancy", "internal/fault", "internal/guard",
			"internal/database/...", "internal/job/...", "internal/secret/...", "internal/audit/...", "internal/batch",
		}, Outside: []string{"*"},
		Why: "what every domain stands on knows no domain",
	},
	{
		Who: []string{"internal/app/...", "internal/demo/..."},
		May: []string{"internal/...", "!internal/testkit/...", "ent/...", "graph/...", "schema/...", "migrations/...", "tenancy"}, Outside: []string{"*"},
		Why: "it composes the product, which stands on no test code",
	},
	{
		Who: []string{"internal/httpd/..."},
		May: []string{"internal/...", "!internal/app/...", "!internal/demo/...", "!internal/testkit/...", "graph/...", "tenancy"}, Outside: []string{"*"},
		Why: "it orders routes and middleware, and is composed by internal/app",
	},
	{
		Who: []string{
			"internal/applemdm/command", "internal/applemdm/message", "internal/applemdm/plist", "internal/applemdm/result",
		},
		May: []string{"internal/fault", "internal/applemdm/command", "internal/applemdm/plist"}, Outside: []string{"*"},
		Why: "the protocol is pure: it knows neither tenants nor a database",
	},
	{
		Who: []string{"internal/applemdm/push/...", "internal/applemdm/gdmf/...", "internal/applemdm/simulator"},
		May: []string{"internal/fault", "internal/applemdm/plist", "internal/applemdm/push", "internal/applemdm/gdmf"}, Outside: []string{"*"},
		Why: "what speaks to Apple, or in a device's place, is given what it needs; a simulated device shares no code with its server",
	},
	{
		Who: []string{"internal/keystore"},
		May: append([]string{"internal/access/token"}, core...), Outside: []string{"*"},
		Why: "it stores what secret and token declare",
	},
	{
		Who: []string{"internal/testkit/...", "internal/ticket/psa/psatest/..."},
		May: []string{"internal/...", "ent/...", "graph/...", "schema/...", "migrations/...", "tenancy"}, Outside: []string{"*"},
		Why: "test code does not import commands or tools",
	},
	{
		Who: []string{
			"internal/applemdm/cms", "internal/applemdm/pki", "internal/applemdm/profile", "internal/applemdm/pushcert",
			"internal/applemdm/scep", "internal/applemdm/signature",
		},
		May: []string{
			"internal/fault", "internal/applemdm/cms", "internal/applemdm/pki", "internal/applemdm/pushcert",
		}, Outside: []string{"*"},
		Why: "certificates and documents are pure: their callers store them",
	},
	{
		Who: []string{
			"internal/applemdm/arrival", "internal/applemdm/inventory", "internal/applemdm/queue", "internal/applemdm/membership",
			"internal/applemdm/endpoint",
		},
		May: append(slices.Clone(core), "!internal/applemdm", "!internal/applemdm/push", "!internal/applemdm/portal"), Outside: []string{"*"},
		Why: "managed devices stand on the protocol; how devices come to be managed is another matter",
	},
	{
		Who: []string{"internal/applemdm", "internal/applemdm/portal"},
		May: append([]string{
			"internal/applemdm", "internal/applemdm/arrival", "internal/applemdm/cms", "internal/applemdm/pki",
			"internal/applemdm/profile", "internal/applemdm/pushcert", "internal/applemdm/scep",
		}, core...), Outside: []string{"*"},
		Why: "a domain stands on its own certificates and documents, and knows no other domain",
	},
	{
		Who: []string{"internal/..."},
		May: core, Outside: []string{"*"},
		Why: "a domain knows another only through an interface that it declares, and never the API",
	},
	{
		Who: []string{"graph/..."},
		May: []string{
			"graph/...", "ent/...", "schema/...", "tenancy", "internal/...", "!internal/app/...", "!internal/demo/...",
			"!internal/httpd/...", "!internal/config", "!internal/testkit/...",
		}, Outside: []string{"*"},
		Why: "the API calls domains, and is given what else it needs",
	},
	{
		Who: []string{"cmd/..."},
		May: []string{"internal/...", "!internal/testkit/...", "tenancy"}, Outside: []string{"*"},
		Why: "a command reads its configuration and hands it to internal/app",
	},
	{
		Who: []string{"tools/..."},
		May: []string{"tools/...", "internal/...", "ent/...", "graph/...", "schema/...", "migrations/...", "tenancy"}, Outside: []string{"*"},
		Why: "tools build the product and do not run its commands",
	},
}

func TestImports(t *testing.T) {
	report(t, check.Imports(list(t, "../.."), architecture))
}

func TestImportsFixture(t *testing.T) {
	got := check.Imports(list(t, "testdata/module"), architecture)
	expect(t, got, []string{
		"attic: no rule says",
		"cmd/bailiwick: imports ent: a command",
		"ent: imports internal/alert: what is generated",
		"graph: imports internal/app: the API",
		"graph/exec: imports graph: it is a package of its own",
		"internal/alert: imports graph: a domain",
		"internal/alert: imports internal/ticket/psa/syncro: a domain",
		"internal/app: imports internal/testkit: it composes",
		"internal/config: imports internal/alert: configuration",
		"internal/fault: imports entgo.io/ent: a leaf",
		"internal/guard: imports ent: the schema",
		"internal/httpd: imports internal/app: it orders",
		"internal/job: imports internal/alert: what every domain",
		"internal/testkit: imports tools/load: test code",
		"migrations: imports github.com/pressly/goose/v3: migrations",
		"schema: imports ent: entities",
		"schema: imports github.com/lib/pq: entities",
		"tools/load: imports cmd/bailiwick: tools",
	})
}

func TestComments(t *testing.T) {
	report(t, check.Comments(list(t, "../.."), "ent/...", "graph/exec/...", "graph/model/..."))
}

func TestCommentsFixture(t *testing.T) {
	got := check.Comments(list(t, "testdata/module"), "ent/...", "graph/exec")
	expect(t, got, []string{
		`attic: its comment should begin with "Package attic "`,
		`cmd/bailiwick: its comment should begin with "Command bailiwick "`,
	})
}

func list(t *testing.T, dir string) []check.Package {
	t.Helper()
	packages, err := check.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		t.Fatalf("no packages in %s", dir)
	}
	return packages
}
