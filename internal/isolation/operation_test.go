package isolation_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/bailiwick/bailiwick/graph/exec"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// named says which table an id of a name is of, where the name does not tell.
var named = map[string]string{"actorId": "administrators"}

// unlogged lists the mutations that no system-log event of acme's is expected
// of when they are called as here: without their credential nobody knows whose
// log it would be.
var unlogged = map[string]string{
	"verifyTotp":     "the token leads to no session",
	"refreshSession": "the token leads to no session",
}

// walk calls the operations of the API as acme's callers, and looks for
// anything of bolt's, or of an organization that the caller is not linked to.
type walk struct {
	*served
	schema *ast.Schema
	counts tally
	codes  tally // of the errors that were answered
	depths tally // of the documents
	known  map[string]string
	serial int
}

// Every root field, as every kind of caller, under every kind of tenant
// header, with the ids of others wherever an id is taken: nothing of theirs is
// shown, nothing of theirs changes, and their ids read like unknown ones.
func TestOperations(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		w := &walk{served: serve(t, testdb.URL(t, engine)), schema: exec.NewExecutableSchema(exec.Config{}).Schema(), counts: tally{}, codes: tally{}, depths: tally{}, known: map[string]string{}}
		for _, root := range []struct {
			kind string
			def  *ast.Definition
		}{{"query", w.schema.Query}, {"mutation", w.schema.Mutation}} {
			for _, f := range root.def.Fields {
				if strings.HasPrefix(f.Name, "__") {
					continue
				}
				t.Run(f.Name, func(t *testing.T) {
					w.counts["operations"]++
					w.field(t, root.kind, f)
				})
			}
		}
		w.counts.log(t)
		t.Logf("answered: %v; documents by depth: %v", w.codes, w.depths)
		w.logged(t)
	})
}

func (w *walk) field(t *testing.T, kind string, f *ast.FieldDefinition) {
	t.Helper()
	before := w.snapshot(t)
	for _, c := range w.callers {
		headers, since := w.headers(c), before
		if kind == "mutation" && !c.scope.All() {
			since = w.snapshot(t)
		}
		for _, v := range w.variants(kind, f, c) {
			query, variables := w.documents(t, kind, f), v.fill.arguments(f)
			for _, h := range headers {
				a := w.send(t, c, h.value, query, variables)
				if c == w.callers[0] && h.value == nil && v.foreign == nil && v.fill.ids == nil {
					w.attentive(t, f, v, a)
				}
				w.judge(t, fmt.Sprintf("%s as %s, header %s, %s", f.Name, c.name, h.name, v.name), c, v, a)
				if v.foreign == nil || h.value != nil {
					continue
				}
				// An id of another tenant's must read like one that nobody has.
				w.counts["compared"]++
				unknown := v.unknown()
				other := w.send(t, c, h.value, query, unknown.fill.arguments(f))
				if got, want := v.normal(a.body), unknown.normal(other.body); got != want {
					t.Errorf("%s as %s, header %s, %s tells an id of another tenant from an unknown one:\n%s\n%s", f.Name, c.name, h.name, v.name, got, want)
				}
			}
		}
		// The header itself: another's organization reads like an unknown one.
		v := w.variants(kind, f, c)[0]
		query, variables := w.documents(t, kind, f), v.fill.arguments(f)
		foreign, unknown := w.bolt.organizations[0], schema.NewID("org")()
		w.counts["compared"]++
		a, b := w.send(t, c, &foreign, query, variables), w.send(t, c, &unknown, query, variables)
		if got, want := strings.ReplaceAll(v.normal(a.body), foreign, "?"), strings.ReplaceAll(v.normal(b.body), unknown, "?"); got != want {
			t.Errorf("%s as %s tells another's organization in the header from an unknown one:\n%s\n%s", f.Name, c.name, got, want)
		}
		if kind == "mutation" && !c.scope.All() {
			w.unchanged(t, since, f.Name+" as "+c.name, func(r row) bool { return r.organization == w.acme.organizations[1] })
		}
	}
	w.unchanged(t, before, f.Name, func(r row) bool { return r.provider == w.bolt.provider })
}

// send posts an operation; a session that an operation has ended begins anew.
func (w *walk) send(t *testing.T, c *caller, organization *string, query string, variables map[string]any) answer {
	t.Helper()
	a := w.post(t, c, organization, query, variables)
	if slices.Contains(a.codes, string(fault.Unauthenticated)) && c.renew != nil {
		c.header = c.renew(t)
		a = w.post(t, c, organization, query, variables)
	}
	w.counts["requests"]++
	if a.errors == "" {
		w.codes["none"]++
	}
	for _, code := range a.codes {
		w.codes[code]++
	}
	return a
}

// judge holds an answer to the rules.
func (w *walk) judge(t *testing.T, what string, c *caller, v variant, a answer) {
	t.Helper()
	if a.status >= http.StatusInternalServerError || slices.Contains(a.codes, string(fault.Internal)) {
		t.Errorf("%s: %d %s", what, a.status, a.errors)
	}
	// An error may name the id that it is about, and so may a refusal: the caller
	// sent it.
	shown := refusal.ReplaceAllString(a.data, "") + v.normal(a.errors)
	for _, o := range w.bolt.organizations {
		if !strings.Contains(a.data, o) {
			shown = strings.ReplaceAll(shown, o, "?") // sent as the header
		}
	}
	if leaked := w.leaks(c.scope, shown); len(leaked) > 0 {
		t.Errorf("%s shows %v: %s", what, leaked, a.body)
	}
}

// attentive holds the search for leaks to account: what is one's own is found
// by it in the answer of every list.
func (w *walk) attentive(t *testing.T, f *ast.FieldDefinition, v variant, a answer) {
	t.Helper()
	if v.name == "without ids" && strings.HasSuffix(f.Type.Name(), "Connection") && len(w.leaks(tenancy.Scope{}, a.data)) == 0 {
		t.Errorf("%s shows nothing of one's own: %s", f.Name, a.body)
	}
}

// documents is an operation of a root field that reads as deep as the server's
// limits allow.
func (w *walk) documents(t *testing.T, kind string, f *ast.FieldDefinition) string {
	t.Helper()
	for depth := selectionDepth; w.known[f.Name] == ""; depth-- {
		if depth < 0 {
			t.Fatalf("%s is too complex, however little is selected", f.Name)
		}
		text := document(w.schema, kind, f, depth)
		// Nobody may do it, but what is too complex is refused before that.
		a := w.post(t, &caller{}, nil, text, fill{schema: w.schema, ids: map[string]string{}, text: "x"}.arguments(f))
		if !slices.Contains(a.codes, string(fault.QueryTooComplex)) {
			w.known[f.Name] = text
			w.depths[strconv.Itoa(depth)]++
		}
	}
	return w.known[f.Name]
}

type header struct {
	name  string
	value *string
}

func (w *walk) headers(c *caller) []header {
	value := func(name, v string) header { return header{name, &v} }
	first := []header{
		{"absent", nil}, value("the first organization", w.acme.organizations[0]),
		value("another tenant's", w.bolt.organizations[0]),
	}
	if c.renew == nil {
		return first
	}
	return append(first,
		value("the second organization", w.acme.organizations[1]),
		value("unknown", schema.NewID("org")()),
		value("of another type", w.find("devices", w.bolt.provider, w.bolt.organizations[0])),
		value("malformed", "'; --"), value("empty", ""),
	)
}

// variant is one way to fill a root field's arguments.
type variant struct {
	name    string
	fill    fill
	foreign []string // the ids in it that are another tenant's
}

// normal is a text without the ids that are another tenant's, and without what
// differs between any two requests.
func (v variant) normal(text string) string {
	for _, id := range v.foreign {
		text = strings.ReplaceAll(text, id, "?")
	}
	text = requestID.ReplaceAllString(text, "")
	return probe.ReplaceAllString(text, "probe")
}

var (
	requestID = regexp.MustCompile(`"requestId":"[^"]*"`)
	probe     = regexp.MustCompile(`probe-\d+`)
	refusal   = regexp.MustCompile(`"__typename":"DeviceRefusal","deviceId":"[^"]*","code":"NOT_FOUND"`)
)

// unknown is the same with ids that nobody has.
func (v variant) unknown() variant {
	u := variant{name: v.name, fill: v.fill}
	u.fill.ids = map[string]string{}
	for path, id := range v.fill.ids {
		if slices.Contains(v.foreign, id) {
			prefix, _, _ := strings.Cut(id, "_")
			id = schema.NewID(prefix)()
			u.foreign = append(u.foreign, id)
		}
		u.fill.ids[path] = id
	}
	return u
}

func (w *walk) variants(kind string, f *ast.FieldDefinition, c *caller) []variant {
	slots := slotsOf(w.schema, f)
	base := fill{schema: w.schema, text: w.text(kind)}
	list := []variant{{name: "without ids", fill: base}}
	list[0].fill.bare = kind == "query"
	if slices.ContainsFunc(slots, func(s slot) bool {
		return s.path == "id" || s.path == "ids" || s.path == "input.id" || s.path == "integrationId"
	}) {
		list = nil // it takes one
	}
	for _, others := range w.strangers(c) {
		tables := 1
		for _, s := range slots {
			tables = max(tables, len(w.fitting(f, s)))
		}
		for i := range tables {
			if slots == nil {
				break
			}
			v := variant{name: "ids of " + others.name, fill: base}
			v.fill.text, v.fill.ids = w.text(kind), map[string]string{}
			for _, s := range slots {
				fits := w.fitting(f, s)
				v.point(s, w.find(fits[i%len(fits)], others.provider, others.organization), true)
			}
			if !w.reaches(c, v.foreign) {
				list = append(list, v)
			}
		}
		for _, s := range slots {
			if len(slots) == 1 {
				break
			}
			v := variant{name: s.path + " of " + others.name, fill: base}
			v.fill.text, v.fill.ids = w.text(kind), map[string]string{}
			for _, o := range slots {
				own := w.find(w.fitting(f, o)[0], w.acme.provider, w.acme.organizations[0])
				if o == s {
					v.point(o, w.find(w.fitting(f, o)[0], others.provider, others.organization), true)
				} else {
					v.point(o, own, false)
				}
			}
			if len(v.foreign) > 0 && !w.reaches(c, v.foreign) {
				list = append(list, v)
			}
		}
	}
	return append(list, w.filters(f)...)
}

// reaches reports whether one of the ids is within a caller's reach after
// all: what is the provider's as a whole is every organization's to see.
func (w *walk) reaches(c *caller, ids []string) bool {
	return slices.ContainsFunc(w.rows, func(r row) bool { return slices.Contains(ids, r.id) && w.visible(c.scope, r) })
}

func (v *variant) point(s slot, id string, foreign bool) {
	v.fill.ids[s.path] = id
	if foreign && id != "" {
		v.foreign = append(v.foreign, id)
	}
}

// text fills a mutation's texts; each is new, for most are unique.
func (w *walk) text(string) string {
	w.serial++
	return fmt.Sprintf("probe-%d", w.serial)
}

// filters are variants with one field of the filter each, that asks for what
// is another tenant's.
func (w *walk) filters(f *ast.FieldDefinition) []variant {
	a := f.Arguments.ForName("filter")
	if a == nil {
		return nil
	}
	var list []variant
	for _, field := range w.schema.Types[a.Type.Name()].Fields {
		if field.Type.Name() == "ID" {
			continue // among the ids
		}
		for _, text := range []string{"canary-", "canary-bolt-1-" + strings.ToLower(field.Name)} {
			list = append(list, variant{name: "filter " + field.Name, fill: fill{
				schema: &ast.Schema{Types: map[string]*ast.Definition{
					a.Type.Name(): {Kind: ast.InputObject, Name: a.Type.Name(), Fields: ast.FieldList{field}},
				}}, text: text,
			}})
			for name, def := range w.schema.Types {
				if name != a.Type.Name() {
					list[len(list)-1].fill.schema.Types[name] = def
				}
			}
		}
	}
	return list
}

type stranger struct{ name, provider, organization string }

// strangers are the tenants out of a caller's reach.
func (w *walk) strangers(c *caller) []stranger {
	list := []stranger{{"another provider", w.bolt.provider, w.bolt.organizations[0]}}
	if !c.scope.All() && !c.scope.IsZero() {
		list = append(list, stranger{"another organization", w.acme.provider, w.acme.organizations[1]})
	}
	return list
}

// fitting are the tables whose ids an argument takes, as far as its name and
// the operation's tell; all of them if they do not.
func (w *walk) fitting(f *ast.FieldDefinition, s slot) []string {
	if table := named[s.name]; table != "" {
		return []string{table}
	}
	about := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(s.name, "s"), "Id"))
	best, all := "", []string(nil)
	for _, e := range w.guarded() {
		name := strings.ToLower(e.name)
		all = append(all, e.table.Name)
		fits := strings.HasSuffix(name, about)
		if about == "id" {
			fits = strings.Contains(strings.ToLower(f.Name), name)
		}
		better := best == "" || about == "id" && len(e.table.Name) > len(best) || about != "id" && len(e.table.Name) < len(best)
		if fits && better {
			best = e.table.Name
		}
	}
	if best != "" {
		return []string{best}
	}
	return all
}

// logged verifies that each mutation left an event in the system log.
func (w *walk) logged(t *testing.T) {
	t.Helper()
	ctx := tenancy.System(t.Context(), "read the log")
	events, err := w.app.Client.SystemLogEvent.Query().All(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range events {
		if e.ProviderID == w.acme.provider {
			seen[e.EventType]++
		}
	}
	for _, f := range w.schema.Mutation.Fields {
		if seen[f.Name] == 0 && unlogged[f.Name] == "" && !strings.HasPrefix(f.Name, "__") {
			t.Errorf("%s left no event in the system log", f.Name)
		}
	}
	t.Logf("%d events of %d operations", len(events), len(seen))
}
