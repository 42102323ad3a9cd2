package isolation_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

const password = "maple-quartz-lantern-84"

// served is a world behind the whole server, with those who call it.
type served struct {
	*world
	app     *app.App
	callers []*caller
}

// caller is a principal of acme's.
type caller struct {
	name   string
	header http.Header
	// scope is the most that the caller reaches.
	scope tenancy.Scope
	// renew signs in again; nil for a key.
	renew func(testing.TB) http.Header
}

// serve seeds a world and puts the server in front of it; an empty
// URL is an embedded database of its own. Its jobs do not run:
// what changes is what a request changed.
func serve(t testing.TB, url string) *served {
	t.Helper()
	a, err := app.New(t.Context(), app.Config{
		Config: config.Config{
			DataDir: t.TempDir(), Development: true, Addr: "127.0.0.1:0",
			DatabaseURL: secret.NewText(url), MasterKey: secret.NewMasterKey(),
			DatabaseMaxConnections: 8, AccessTokenTTL: time.Hour,
			JobWorkers: 1, JobPollInterval: time.Second, ShutdownGrace: time.Second,
			GraphQLMaxDepth: 50, GraphQLMaxComplexity: 1 << 30, GraphQLMaxAliases: 1 << 20, GraphQLMaxTokens: 1 << 20,
			LogLevel: "info", LogFormat: "text", PSAAllowLoopback: true,
		},
		Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &served{world: emptyWorld(t, a.DB), app: a}
	s.honest = true
	var bosses []string
	for i, key := range []string{"acme", "bolt"} {
		p, boss, err := a.Access.Bootstrap(t.Context(), "canary-"+key, "boss@canary-"+key+".example", password)
		if err != nil {
			t.Fatal(err)
		}
		bosses = append(bosses, boss.ID)
		tn := s.seedTenant(t, tenant{key: key, provider: p.ID})
		if i == 0 {
			s.acme = tn
		} else {
			s.bolt = tn
		}
		s.rows = append(s.rows, row{table: "administrators", id: boss.ID, provider: p.ID, canary: "canary-" + key})
	}
	s.enlist(t, bosses[0])
	return s
}

// enlist makes acme's callers: one who reaches everything, one linked to the
// first organization, and their keys.
func (s *served) enlist(t testing.TB, boss string) {
	t.Helper()
	system := tenancy.System(t.Context(), "enlist")
	everything, first := tenancy.ForProvider(tester, s.acme.provider), s.in(s.acme.organizations[0])
	s.app.Client.Administrator.UpdateOneID(boss).SetAPIKeyAllowed(true).ExecX(system)

	unrestricted := s.session(t, "unrestricted", "boss@canary-acme.example", everything)
	var roles struct {
		Roles struct {
			Edges []struct{ Node struct{ ID, Key string } }
		}
	}
	s.must(t, unrestricted, `{ roles(first: 100) { edges { node { id key } } } }`, nil, &roles)
	role := ""
	for _, e := range roles.Roles.Edges {
		if e.Node.Key == "ADMINISTRATOR_WITH_BILLING" {
			role = e.Node.ID
		}
	}
	var made struct {
		CreateAdministrator struct {
			Administrator   struct{ ID string }
			ActivationToken string
		}
	}
	s.must(t, unrestricted, `mutation($in: CreateAdministratorInput!) { createAdministrator(input: $in) { administrator { id } activationToken } }`,
		map[string]any{"in": map[string]any{"email": "tech@acme.example", "roleId": role, "organizationIds": s.acme.organizations[:1]}}, &made)
	s.must(t, &caller{}, `mutation($in: ActivateAdministratorInput!) { activateAdministrator(input: $in) { administrator { id } } }`,
		map[string]any{"in": map[string]any{"token": made.CreateAdministrator.ActivationToken, "password": password}}, nil)

	key := func(name string, organizations []string, scope tenancy.Scope) *caller {
		var created struct {
			Created struct{ Key string } `json:"createApiKey"`
		}
		in := map[string]any{"name": name}
		if organizations != nil {
			in["organizationIds"] = organizations
		}
		s.must(t, unrestricted, `mutation($in: CreateApiKeyInput!) { createApiKey(input: $in) { key } }`, map[string]any{"in": in}, &created)
		return &caller{name: name, header: http.Header{"X-Api-Key": {created.Created.Key}}, scope: scope}
	}
	s.callers = []*caller{
		unrestricted,
		s.session(t, "restricted", "tech@acme.example", first),
		key("key", nil, everything),
		key("narrowed key", s.acme.organizations[:1], first),
		{name: "nobody", header: http.Header{}, scope: tenancy.Scope{}},
	}
}

func (s *served) session(t testing.TB, name, email string, scope tenancy.Scope) *caller {
	t.Helper()
	c := &caller{name: name, scope: scope}
	renew := func(t testing.TB) http.Header {
		t.Helper()
		var answer struct {
			SignIn struct{ Session struct{ AccessToken string } }
		}
		s.must(t, &caller{}, `mutation($in: SignInInput!) { signIn(input: $in) { session { accessToken } } }`,
			map[string]any{"in": map[string]any{"email": email, "password": password}}, &answer)
		return http.Header{"Authorization": {"Bearer " + answer.SignIn.Session.AccessToken}}
	}
	c.header = renew(t)
	c.renew = renew
	return c
}

// answer is a response, taken apart.
type answer struct {
	status int
	data   string
	errors string
	codes  []string
	body   string
}

// post sends one operation; organization is the tenant header, absent if nil.
func (s *served) post(t testing.TB, c *caller, organization *string, query string, variables map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", bytes.NewReader(body))
	for name, values := range c.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	if organization != nil {
		r.Header["X-Org-Id"] = []string{*organization} // as it is, whatever it holds
	}
	w := httptest.NewRecorder()
	s.app.Handler().ServeHTTP(w, r)
	var parsed struct {
		Data   json.RawMessage
		Errors json.RawMessage
	}
	if err := json.Unmarshal(w.Body.Bytes(), &parsed); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	a := answer{status: w.Code, data: string(parsed.Data), errors: string(parsed.Errors), body: w.Body.String()}
	var list []struct{ Extensions struct{ Code string } }
	if len(parsed.Errors) > 0 {
		if err := json.Unmarshal(parsed.Errors, &list); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range list {
		a.codes = append(a.codes, e.Extensions.Code)
	}
	return a
}

func (s *served) must(t testing.TB, c *caller, query string, variables map[string]any, into any) {
	t.Helper()
	a := s.post(t, c, nil, query, variables)
	if a.errors != "" {
		t.Fatalf("%s: %s", query, a.errors)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.data), into); err != nil {
			t.Fatal(err)
		}
	}
}
