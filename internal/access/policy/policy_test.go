package policy_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	provider = "prv_1"
	acme     = "org_acme"
	globex   = "org_globex"
)

func builtIns() []policy.Role {
	var roles []policy.Role
	for _, b := range policy.BuiltIns() {
		roles = append(roles, policy.Role{ID: string(b.Key), Key: b.Key})
	}
	return roles
}

func engine(t testing.TB, extra ...policy.Role) *policy.Engine {
	t.Helper()
	e, err := policy.New(provider, append(builtIns(), extra...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCatalogue(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+\.(view|add|change|delete|suspend|cancel|raise|reveal)_[a-z]+$`)
	seen := map[policy.Permission]bool{}
	for _, entry := range policy.Catalogue() {
		if !form.MatchString(string(entry.Permission)) || seen[entry.Permission] || entry.Description == "" ||
			entry.Level != policy.ProviderLevel && entry.Level != policy.OrganizationLevel {
			t.Errorf("bad entry %+v", entry)
		}
		seen[entry.Permission] = true
		if found, ok := policy.Find(entry.Permission); !ok || found != entry {
			t.Errorf("Find(%s) = %v, %v", entry.Permission, found, ok)
		}
	}
	if _, ok := policy.Find("mdm.explode_device"); ok {
		t.Error("found a permission that does not exist")
	}
	if p := policy.Permission("mdm.add_devicecommand"); p.Object() != "mdm.devicecommand" || p.Action() != "add" {
		t.Errorf("object %q action %q", p.Object(), p.Action())
	}
}

// TestRoles pins the truth table: P is allowed at the provider, O inside an
// organization. Run with -update after a deliberate change, and read the diff.
func TestRoles(t *testing.T) {
	e := engine(t)
	var table strings.Builder
	fmt.Fprintf(&table, "%-36s", "")
	for _, b := range policy.BuiltIns() {
		fmt.Fprintf(&table, " | %s", b.Name)
	}
	table.WriteString("\n")
	for _, entry := range policy.Catalogue() {
		fmt.Fprintf(&table, "%-36s", entry.Permission)
		for _, b := range policy.BuiltIns() {
			cell := ""
			if e.Allows(string(b.Key), provider, entry.Permission) {
				cell += "P"
			}
			if e.Allows(string(b.Key), acme, entry.Permission) {
				cell += "O"
			}
			if cell == "" {
				cell = "-"
			}
			fmt.Fprintf(&table, " | %-*s", len(b.Name), cell)
		}
		table.WriteString("\n")
	}
	file := filepath.Join("testdata", "roles.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("the truth table changed; if that is meant, run with -update.\n%s", table.String())
	}
}

// The table could be updated by accident; the rules could not.
func TestOnlyAdministratorWithBillingManagesTheProvider(t *testing.T) {
	e := engine(t)
	for _, entry := range policy.Catalogue() {
		for _, b := range policy.BuiltIns() {
			got := e.Allows(string(b.Key), provider, entry.Permission)
			if b.Key == policy.AdministratorWithBilling && !got {
				t.Errorf("%s lacks %s", b.Name, entry.Permission)
			}
			if b.Key != policy.AdministratorWithBilling && got && entry.Reserved() {
				t.Errorf("%s has %s", b.Name, entry.Permission)
			}
			if b.Key == policy.ReadOnly && got && entry.Permission.Action() != "view" {
				t.Errorf("%s has %s", b.Name, entry.Permission)
			}
			if entry.Level == policy.ProviderLevel && e.Allows(string(b.Key), acme, entry.Permission) {
				t.Errorf("%s has %s inside an organization", b.Name, entry.Permission)
			}
		}
	}
}

func TestCustomRoles(t *testing.T) {
	e := engine(t,
		policy.Role{ID: "everywhere", Permissions: []policy.Permission{"mdm.view_device", "access.view_administrator"}},
		policy.Role{ID: "acme", OrganizationID: acme, Permissions: []policy.Permission{"mdm.view_device", "access.view_administrator"}},
		policy.Role{ID: "stale", Permissions: []policy.Permission{"gone.view_thing", "tenancy.delete_organization", "alert.view_alert"}},
		policy.Role{ID: "nothing"},
		policy.Role{ID: "acme admin", Key: policy.AdministratorWithBilling, OrganizationID: acme},
	)
	for _, c := range []struct {
		role, domain string
		permission   policy.Permission
		want         bool
	}{
		{"everywhere", acme, "mdm.view_device", true},
		{"everywhere", globex, "mdm.view_device", true},
		{"everywhere", provider, "mdm.view_device", true},
		{"everywhere", provider, "access.view_administrator", true},
		{"everywhere", acme, "access.view_administrator", false},
		{"everywhere", acme, "mdm.change_device", false},
		{"everywhere", "", "mdm.view_device", false},
		{"everywhere", acme, "", false},
		{"everywhere", acme, "mdm.*", false},
		{"acme", acme, "mdm.view_device", true},
		{"acme", globex, "mdm.view_device", false},
		{"acme", provider, "mdm.view_device", false},
		{"acme", acme, "access.view_administrator", false},
		{"acme", provider, "access.view_administrator", false},
		{"stale", provider, "gone.view_thing", false},
		{"stale", provider, "tenancy.delete_organization", false},
		{"stale", acme, "alert.view_alert", true},
		{"nothing", acme, "alert.view_alert", false},
		{"unknown", acme, "alert.view_alert", false},
		{"acme admin", acme, "access.add_role", true},
		{"acme admin", globex, "access.add_role", false},
		{"acme admin", provider, "tenancy.delete_organization", false},
	} {
		if got := e.Allows(c.role, c.domain, c.permission); got != c.want {
			t.Errorf("Allows(%q, %q, %q) = %v", c.role, c.domain, c.permission, got)
		}
		if listed := slices.Contains(e.Permissions(c.role, c.domain), c.permission); listed != c.want {
			t.Errorf("Permissions(%q, %q) lists %q: %v", c.role, c.domain, c.permission, listed)
		}
	}
}

func TestCovers(t *testing.T) {
	e := engine(t,
		policy.Role{ID: "viewer of acme", OrganizationID: acme, Permissions: []policy.Permission{"mdm.view_device"}},
		policy.Role{ID: "nothing"},
	)
	for _, c := range []struct {
		granter, role, domain string
		want                  bool
	}{
		{"ADMINISTRATOR_WITH_BILLING", "ADMINISTRATOR_WITH_BILLING", provider, true},
		{"ADMINISTRATOR_WITH_BILLING", "READ_ONLY", acme, true},
		{"ADMINISTRATOR", "ADMINISTRATOR_WITH_BILLING", provider, false},
		{"ADMINISTRATOR", "MANAGER", acme, true},
		{"MANAGER", "ADMINISTRATOR", acme, false},
		{"READ_ONLY", "HELP_DESK", acme, false},
		{"HELP_DESK", "READ_ONLY", acme, true},
		{"ADMINISTRATOR", "viewer of acme", acme, true},
		{"ADMINISTRATOR", "viewer of acme", globex, false},
		{"ADMINISTRATOR", "viewer of acme", provider, false},
		{"viewer of acme", "viewer of acme", acme, true},
		{"viewer of acme", "nothing", globex, false},
		{"READ_ONLY", "nothing", acme, true},
		{"nothing", "READ_ONLY", acme, false},
		{"unknown", "nothing", acme, false},
		{"READ_ONLY", "unknown", acme, false},
		{"READ_ONLY", "READ_ONLY", "", false},
	} {
		if got := e.Covers(c.granter, c.role, c.domain); got != c.want {
			t.Errorf("Covers(%q, %q, %q) = %v", c.granter, c.role, c.domain, got)
		}
	}
}

func TestNewRefusesAmbiguity(t *testing.T) {
	for name, roles := range map[string][]policy.Role{
		"empty id":          {{}},
		"twice":             {{ID: "a"}, {ID: "a"}},
		"unknown key":       {{ID: "a", Key: "OWNER"}},
		"extended built-in": {{ID: "a", Key: policy.ReadOnly, Permissions: []policy.Permission{"mdm.add_device"}}},
		"wildcard":          {{ID: "a", OrganizationID: "*"}},
		"provider as org":   {{ID: "a", OrganizationID: provider}},
	} {
		if _, err := policy.New(provider, roles); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := policy.New("", nil); err == nil {
		t.Error("no provider: accepted")
	}
}

func TestCheckPermissions(t *testing.T) {
	for _, c := range []struct {
		level policy.Level
		list  []policy.Permission
		ok    bool
	}{
		{policy.ProviderLevel, []policy.Permission{"mdm.view_device", "access.view_administrator"}, true},
		{policy.OrganizationLevel, []policy.Permission{"mdm.view_device"}, true},
		{policy.OrganizationLevel, []policy.Permission{"access.view_administrator"}, false},
		{policy.ProviderLevel, []policy.Permission{"access.add_administrator"}, false},
		{policy.ProviderLevel, []policy.Permission{"mdm.*"}, false},
		{policy.ProviderLevel, []policy.Permission{"mdm.view_device", "mdm.view_device"}, false},
	} {
		err := policy.CheckPermissions("input.permissions", c.level, c.list)
		if (err == nil) != c.ok || err != nil && fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s %v: %v", c.level, c.list, err)
		}
	}
}

func TestEngineIsConcurrent(t *testing.T) {
	e := engine(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				if !e.Allows("MANAGER", acme, "mdm.change_device") || e.Allows("READ_ONLY", acme, "mdm.change_device") {
					t.Error("wrong answer under concurrency")
					return
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkAllows(b *testing.B) {
	e := engine(b)
	b.ReportAllocs()
	for b.Loop() {
		if !e.Allows("MANAGER", acme, "mdm.change_device") {
			b.Fatal("refused")
		}
	}
}

func BenchmarkFirstAnswerOfARole(b *testing.B) {
	for b.Loop() {
		if !engine(b).Allows("MANAGER", acme, "mdm.change_device") {
			b.Fatal("refused")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, custom := range []int{0, 100} {
		roles := builtIns()
		for i := range custom {
			roles = append(roles, policy.Role{ID: fmt.Sprint("custom", i), Permissions: policy.BuiltIns()[2].Permissions()})
		}
		b.Run(fmt.Sprintf("custom=%d", custom), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.New(provider, roles); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
