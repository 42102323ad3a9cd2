package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/graph/serve"
)

// nest wraps a selection in n levels of parent.
func nest(n int, inner string) string {
	return strings.Repeat("parent{", n) + inner + strings.Repeat("}", n)
}

// bomb doubles a fragment n times.
func bomb(n int, leaf string) string {
	var b strings.Builder
	b.WriteString("{node(id:1){...F0}}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Item{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Item{%s}", n, leaf)
	return b.String()
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+" ", i)
	}
	return b.String()
}

func TestLimitsAreNamed(t *testing.T) {
	server, _, _ := newServer(t, nil)
	for _, c := range []struct{ name, query, limit string }{
		{"tokens", "{" + strings.Repeat("hello ", 3000) + "}", "tokens"},
		{"depth", "{items{nodes{" + nest(10, "id") + "}}}", "depth"},
		{"depth through fragments", "{items{nodes{...A}}} fragment A on Item{" + nest(5, "...B") + "} fragment B on Item{" + nest(5, "id") + "}", "depth"},
		{"aliases", "{" + numbered(31, "a%d:__typename") + "}", "aliases"},
		{"aliases through fragments", bomb(5, "x:id"), "aliases"},
		{"root fields", "{" + strings.Repeat("hello ", 21) + "}", "root fields"},
		{"directives", "{hello " + strings.Repeat("@include(if:true)", 31) + "}", "directives"},
		{"fields", "{items{nodes{" + strings.Repeat("id ", 1000) + "}}}", "fields"},
		{"one field repeated", "{items{nodes{" + strings.Repeat("id ", 101) + "}}}", "repeats of one field"},
		{"one field repeated by fragments", "{items{nodes{" + strings.Repeat("...A ", 51) + "}}} fragment A on Item{id id}", "repeats of one field"},
		{"one field repeated below another", "{items{nodes{" + strings.Repeat("parent{id id} ", 51) + "}}}", "repeats of one field"},
		{"a fragment bomb", bomb(60, "id"), "fields"},
		{"fragments that nobody uses", "{hello}" + bomb(60, "id")[len("{node(id:1){...F0}}"):], "fields"},
		{"fragments over one large one", "{items{nodes{...L}}} fragment L on Item{" + strings.Repeat("parent{"+strings.Repeat("id ", 9)+"} ", 10) + "}" + numbered(60, "fragment S%d on Item{...L}"), "fields over all definitions"},
		{"introspection depth", "{__schema{types{" + strings.Repeat("ofType{", 25) + "name" + strings.Repeat("}", 25) + "}}}", "introspection depth"},
		{"cost", "{items(first:500){nodes{items(first:50){nodes{id}}}}}", "cost"},
		{"cost by default pages", "{items{nodes{items{nodes{items{nodes{id}}}}}}}", "cost"},
	} {
		got := ask(t, server, c.query, nil)
		if got.code() != "QUERY_TOO_COMPLEX" || got.extension("limit") != c.limit || got.Status != 400 {
			t.Errorf("%s: %d %.300s", c.name, got.Status, got.Raw)
			continue
		}
		if got.Errors[0].Extensions["maximum"] == nil {
			t.Errorf("%s: no maximum: %s", c.name, got.Raw)
		}
	}
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	server, _, _ := newServer(t, nil)
	for name, query := range map[string]string{
		"a fragment that spreads itself":   "{node(id:1){...A}} fragment A on Item{id ...A}",
		"fragments that spread each other": "{node(id:1){...A}} fragment A on Item{...B} fragment B on Item{...A}",
		"two fragments of one name":        "{node(id:1){...A}} fragment A on Item{id} fragment A on Item{name}",
		"a fragment that is not there":     "{...A}",
		"introspection lists":              "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
		"defer":                            "{...@defer{hello}}",
		"introspection beneath a field":    "{node(id:1){__schema{types{name}}}}",
	} {
		if got := ask(t, server, query, nil); got.code() != "INVALID_ARGUMENT" || got.Status != 400 {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
}

func TestOrdinaryScreensPass(t *testing.T) {
	server, _, _ := newServer(t, nil)
	introspection, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	row := strings.Repeat("id name parent{id} ", 4)
	for name, query := range map[string]string{
		"20 organizations with 10 devices":   "{items(first:20){nodes{id name items(first:10){nodes{id name parent{id name}} totalCount}}pageInfo{hasNextPage endCursor}totalCount}}",
		"20 organizations with 50 devices":   "{items(first:20){nodes{id name items{edges{cursor node{id name parent{id name}}}}}}}",
		"500 rows of 12 fields":              "{items(first:500){edges{node{" + row + "}}pageInfo{hasNextPage endCursor}totalCount}}",
		"500 nodes by id":                    "query{nodes(ids:[" + numbered(500, `"%d"`) + "]){id}}",
		"a page of nothing":                  "{items(first:0){totalCount}}",
		"the introspection query of clients": string(introspection),
	} {
		if got := ask(t, server, query, nil); len(got.Errors) != 0 {
			t.Errorf("%s: %.300s", name, got.Raw)
		}
	}
}

func TestPagesAreChecked(t *testing.T) {
	server, _, _ := newServer(t, nil)
	for _, c := range []struct {
		name, query, field string
		variables          map[string]any
	}{
		{"too many", "{items(first:501){totalCount}}", "first", nil},
		{"too many from the end", "{items(last:501){totalCount}}", "last", nil},
		{"negative", "{items(first:-1){totalCount}}", "first", nil},
		{"both", "{items(first:1,last:1){totalCount}}", "last", nil},
		{"in a variable", "query($n:Int){items(first:$n){totalCount}}", "first", map[string]any{"n": 1000}},
		{"in a variable's default", "query($n:Int=1000){items(first:$n){totalCount}}", "first", nil},
		{"beneath a fragment", "{items(first:1){nodes{...A}}} fragment A on Item{items(first:501){totalCount}}", "first", nil},
		{"too many ids", "query($i:[ID!]!){nodes(ids:$i){id}}", "ids", map[string]any{"i": make([]string, 501)}},
	} {
		got := ask(t, server, c.query, c.variables)
		if got.code() != "INVALID_ARGUMENT" || got.extension("field") != c.field {
			t.Errorf("%s: %s", c.name, got.Raw)
		}
	}
	if got := ask(t, server, "query($n:Int){items(first:$n,last:2){totalCount}}", map[string]any{"n": nil}); len(got.Errors) != 0 {
		t.Errorf("null is absent: %s", got.Raw)
	}
	if got := ask(t, server, "query($n:Int){items(first:$n){nodes{items(first:$n){nodes{id}}}}}", map[string]any{"n": 400}); got.extension("limit") != "cost" {
		t.Errorf("cost reads variables: %s", got.Raw)
	}
}

// BenchmarkHostile measures what the worst documents that arrive cost, from
// the first byte to the refusal.
func BenchmarkHostile(b *testing.B) {
	wide := strings.Repeat("id ", 31)
	doubled := "{items(first:1){nodes{" + strings.Repeat("items(first:1){nodes{"+wide+"}} ", 29) + "}}}"
	sameField := strings.Repeat("id ", 100) + strings.Repeat("name ", 100) + numbered(9, "p%d:parent{"+strings.Repeat("id ", 60)+"}")
	for _, c := range []struct{ name, query string }{
		{"FragmentBomb", bomb(200, "id")},
		{"AliasFlood", "{" + numbered(900, "a%d:hello") + "}"},
		{"TokenFlood", "{" + strings.Repeat("hello ", 170_000) + "}"},
		{"MebibyteOfComment", "#" + strings.Repeat("x", 1_000_000) + "\n{nothing}"},
		{"MebibyteOfString", `{hello(name:"` + strings.Repeat("x", 1_000_000) + `",x:1)}`},
		{"SameFieldAThousandTimes", "{items(first:1){nodes{" + strings.Repeat("id ", 990) + "x}}}"},
		{"SameFieldAsOftenAsAllowed", "{items(first:1){nodes{" + sameField + "x}}}"},
		{"NestedDuplicates", strings.Replace(doubled, "id", "x", 1)},
		{"DeepIntrospection", "{__schema{types{" + strings.Repeat("fields{type{", 9) + "name" + strings.Repeat("}}", 9) + "}}}"},
		{"FragmentsInAllPairs", "{node(id:1){" + numbered(40, "...F%d") + "}}" + numbered(40, "fragment F%d on Item{id name parent{id name parent{id}}x}")},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmark(b, c.query, func(code string) bool { return code != "" })
		})
	}
}

// BenchmarkQuery is the frame's own cost on a document that is cached.
func BenchmarkQuery(b *testing.B) {
	benchmark(b, "{hello}", func(code string) bool { return code == "" })
}

func benchmark(b *testing.B, query string, wanted func(code string) bool) {
	_, _, server := newServer(b, func(c *serve.Config) { c.Limits.BodyBytes = 2 << 20 })
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var got reply
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !wanted(got.code()) {
			b.Fatalf("%.300s", w.Body)
		}
	}
}
