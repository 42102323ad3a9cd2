package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// server is a process under test.
type server struct {
	*app.App
	url       string
	header    http.Header     // sent with every request
	transport *http.Transport // trusts its certificate, if it has one
}

// start serves a new database.
func start(t *testing.T, engine string) *server {
	t.Helper()
	return replica(t, testdb.URL(t, engine), secret.NewMasterKey())
}

// replica serves a database that others may serve as well.
func replica(t *testing.T, database string, master secret.Text, change ...func(*config.Config)) *server {
	t.Helper()
	return replicaWith(t, database, master, func(whole *app.Config) {
		for _, apply := range change {
			apply(&whole.Config)
		}
	})
}

func logger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// replicaWith is a replica whose configuration is changed first.
func replicaWith(t *testing.T, database string, master secret.Text, change func(*app.Config)) *server {
	t.Helper()
	c := config.Config{
		DataDir: t.TempDir(), Development: true, Addr: "127.0.0.1:0",
		DatabaseURL: secret.NewText(database), MasterKey: master,
		DatabaseMaxConnections: 8, AccessTokenTTL: 10 * time.Minute,
		JobWorkers: 4, JobPollInterval: 200 * time.Millisecond, ShutdownGrace: 10 * time.Second,
		LogLevel: "info", LogFormat: "text", PSAAllowLoopback: true,
		AutotaskIntegrationCode: secret.NewText(integrationCode), ConnectWiseClientID: clientID,
	}
	whole := app.Config{
		Config: c, Version: "test",
		Logger: logger(t),
	}
	change(&whole)
	a, err := app.New(t.Context(), whole)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", c.Addr)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, a.Close())
	})
	s := &server{App: a, url: "http://" + listener.Addr().String() + "/graphql", transport: direct}
	if whole.TLSCertificate != "" {
		s.url = "https" + strings.TrimPrefix(s.url, "http")
		s.transport = trusting(t, whole.TLSCertificate)
	}
	return s
}

// provider creates a provider and answers a key of its first administrator.
func (s *server) provider(t *testing.T, name, email string) (key string) {
	t.Helper()
	_, administrator, err := s.Access.Bootstrap(t.Context(), name, email, "maple-quartz-lantern-84")
	require.NoError(t, err)
	bearer := s.signIn(t, email, "maple-quartz-lantern-84")
	s.must(t, bearer, "", `mutation($id: ID!) { updateAdministrator(input: {id: $id, apiKeyAllowed: true}) { administrator { apiKeyAllowed } } }`,
		map[string]any{"id": administrator.ID}, nil)
	var created struct {
		CreateAPIKey struct{ Key string } `json:"createApiKey"`
	}
	s.must(t, bearer, "", `mutation { createApiKey(input: {name: "test"}) { key apiKey { id prefix } } }`, nil, &created)
	return created.CreateAPIKey.Key
}

// patience is how long a server may take to answer.
const patience = 30 * time.Second

// client gives up on a server that does not answer.
var client = &http.Client{Timeout: patience}

type failure struct {
	Message    string
	Path       []any
	Extensions map[string]any
}

func (s *server) do(t *testing.T, credential, organization, query string, variables map[string]any, data any) []failure {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url, bytes.NewReader(body))
	require.NoError(t, err)
	for name, values := range s.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(credential, "Bearer "):
		r.Header.Set("Authorization", credential)
	case credential != "":
		r.Header.Set("x-api-key", credential)
	}
	if organization != "" {
		r.Header.Set("x-org-id", organization)
	}
	response, err := (&http.Client{Timeout: patience, Transport: s.transport}).Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	var answer struct {
		Data   json.RawMessage
		Errors []failure
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	if data != nil && len(answer.Data) > 0 && string(answer.Data) != "null" {
		require.NoError(t, json.Unmarshal(answer.Data, data))
	}
	return answer.Errors
}

func (s *server) must(t *testing.T, credential, organization, query string, variables map[string]any, data any) {
	t.Helper()
	require.Empty(t, s.do(t, credential, organization, query, variables, data))
}

// with is the same server, called with a header.
func (s *server) with(name, value string) *server {
	header := s.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set(name, value)
	return &server{App: s.App, url: s.url, header: header, transport: s.transport}
}

// code is the code of the first error; "" without one.
func code(failures []failure) string {
	if len(failures) == 0 {
		return ""
	}
	text, _ := failures[0].Extensions["code"].(string)
	return text
}

// organization creates an organization of the key's provider.
func (s *server) organization(t *testing.T, key, name string) (id string) {
	t.Helper()
	var created struct {
		CreateOrganization struct{ Organization struct{ ID string } }
	}
	s.must(t, key, "", `mutation($n: String!) { createOrganization(input: {name: $n}) { organization { id } } }`,
		map[string]any{"n": name}, &created)
	return created.CreateOrganization.Organization.ID
}

// role is the id of a built-in role.
func (s *server) role(t *testing.T, key, name string) (id string) {
	t.Helper()
	var list struct {
		Roles struct {
			Edges []struct{ Node struct{ ID string } }
		}
	}
	s.must(t, key, "", `query($n: String!) { roles(filter: {name: $n}) { edges { node { id } } } }`, map[string]any{"n": name}, &list)
	require.Len(t, list.Roles.Edges, 1)
	return list.Roles.Edges[0].Node.ID
}

// technician creates and activates an administrator, and answers a session.
func (s *server) technician(t *testing.T, key, email, role string, organizations ...string) (id, bearer string) {
	t.Helper()
	var created struct {
		CreateAdministrator struct {
			Administrator   struct{ ID string }
			ActivationToken string
		}
	}
	s.must(t, key, "", `mutation($in: CreateAdministratorInput!) { createAdministrator(input: $in) { administrator { id } activationToken } }`,
		map[string]any{"in": map[string]any{"email": email, "roleId": s.role(t, key, role), "organizationIds": organizations}}, &created)
	const password = "violet-anchor-teapot-19"
	s.must(t, "", "", `mutation($in: ActivateAdministratorInput!) { activateAdministrator(input: $in) { administrator { registered } } }`,
		map[string]any{"in": map[string]any{"token": created.CreateAdministrator.ActivationToken, "password": password}}, nil)
	return created.CreateAdministrator.Administrator.ID, s.signIn(t, email, password)
}

// signIn answers a session's access token, as the header takes it.
func (s *server) signIn(t *testing.T, email, password string) (bearer string) {
	t.Helper()
	var answer struct {
		SignIn struct{ Session struct{ AccessToken string } }
	}
	s.must(t, "", "", `mutation($in: SignInInput!) { signIn(input: $in) { session { accessToken } } }`,
		map[string]any{"in": map[string]any{"email": email, "password": password}}, &answer)
	return "Bearer " + answer.SignIn.Session.AccessToken
}
