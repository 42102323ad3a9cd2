package isolation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/schema"
)

// FuzzOrganizationHeader sends whatever it likes as the tenant header: it
// names an organization in reach or it is refused, and it never shows another
// tenant's data nor breaks the server.
func FuzzOrganizationHeader(f *testing.F) {
	s := serve(f, "")
	const query = `{
		viewer { administrator { id } provider { name } organization { id name } }
		organizations { totalCount edges { node { id name users(first: 5) { edges { node { login } } } } } }
		devices { totalCount edges { node { id name organization { name } } } }
	}`
	mine := map[string]bool{"": true}
	for _, id := range s.acme.organizations {
		mine[id] = true
	}
	for _, id := range append(append([]string{}, s.acme.organizations...), s.bolt.organizations...) {
		for _, seed := range []string{id, " " + id, strings.ToUpper(id), id + "\x00", id + "," + s.acme.organizations[0], id[:len(id)-1], id + "%", "{" + id + "}"} {
			f.Add(seed)
		}
	}
	for _, seed := range []string{"", "*", "%", "null", "org_", schema.NewID("org")(), schema.NewID("dev")(), s.bolt.provider, "' OR 1=1 --", "\n", "\xff", strings.Repeat("org_", 9000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range s.callers {
			a := s.post(t, c, &header, query, nil)
			if a.status >= http.StatusInternalServerError || strings.Contains(a.errors, "INTERNAL") {
				t.Fatalf("%q as %s: %d %s", header, c.name, a.status, a.errors)
			}
			if leaked := s.leaks(c.scope, a.data); len(leaked) > 0 {
				t.Fatalf("%q as %s shows %v", header, c.name, leaked)
			}
			if strings.Contains(a.data, `"totalCount"`) && !mine[strings.TrimSpace(header)] {
				t.Fatalf("%q as %s is taken for an organization: %s", header, c.name, a.data)
			}
		}
	})
}
