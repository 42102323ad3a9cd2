package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// server is a process under test, and its provider's first key.
type server struct {
	*app.App
	url string
	key string
}

func start(t *testing.T, engine string) *server {
	t.Helper()
	c := config.Config{
		DataDir: t.TempDir(), Development: true, Addr: "127.0.0.1:0",
		DatabaseURL: secret.NewText(testdb.URL(t, engine)), MasterKey: secret.NewMasterKey(),
		DatabaseMaxConnections: 8, AccessTokenTTL: 600e9, JobWorkers: 4, JobPollInterval: 200e6,
		LogLevel: "info", LogFormat: "text", PSAAllowLoopback: true,
	}
	a, err := app.New(t.Context(), app.Config{Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	s := &server{App: a}
	web := httptest.NewServer(a.Handler())
	t.Cleanup(web.Close)
	s.url = web.URL + "/graphql"
	return s
}

// provider creates a provider and answers a key of its first administrator.
func (s *server) provider(t *testing.T, name, email string) (key string) {
	t.Helper()
	_, administrator, err := s.Access.Bootstrap(t.Context(), name, email, "maple-quartz-lantern-84")
	require.NoError(t, err)
	var answer struct {
		SignIn struct{ Session struct{ AccessToken string } }
	}
	s.must(t, "", "", `mutation($e: String!) { signIn(input: {email: $e, password: "maple-quartz-lantern-84"}) { session { accessToken } } }`,
		map[string]any{"e": email}, &answer)
	bearer := "Bearer " + answer.SignIn.Session.AccessToken
	s.must(t, bearer, "", `mutation($id: ID!) { updateAdministrator(input: {id: $id, apiKeyAllowed: true}) { administrator { apiKeyAllowed } } }`,
		map[string]any{"id": administrator.ID}, nil)
	var created struct{ CreateApiKey struct{ Key string } }
	s.must(t, bearer, "", `mutation { createApiKey(input: {name: "test"}) { key apiKey { id prefix } } }`, nil, &created)
	return created.CreateApiKey.Key
}

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
	r.Header.Set("Content-Type", "application/json")
	switch {
	case len(credential) > 7 && credential[:7] == "Bearer ":
		r.Header.Set("Authorization", credential)
	case credential != "":
		r.Header.Set("x-api-key", credential)
	}
	if organization != "" {
		r.Header.Set("x-org-id", organization)
	}
	response, err := http.DefaultClient.Do(r)
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

func TestOrganizationsAndDevicesOfTwoProviders(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		type created struct{ CreateOrganization struct{ Organization struct{ ID string } } }
		var orgA, orgB created
		const create = `mutation($n: String!) { createOrganization(input: {name: $n, maxSystemUsers: 1}) { organization { id name } } }`
		s.must(t, a, "", create, map[string]any{"n": "Acme"}, &orgA)
		s.must(t, b, "", create, map[string]any{"n": "Acme"}, &orgB)
		idA, idB := orgA.CreateOrganization.Organization.ID, orgB.CreateOrganization.Organization.ID

		const device = `mutation { createDevice(input: {name: "Mac", serialNumber: "C02", platform: MACOS}) { device { id name organization { name } } } }`
		var deviceB struct{ CreateDevice struct{ Device struct{ ID string } } }
		s.must(t, a, idA, device, nil, nil)
		s.must(t, b, idB, device, nil, &deviceB)
		foreign := s.do(t, a, idB, device, nil, nil)
		require.Equal(t, "NOT_FOUND", foreign[0].Extensions["code"])

		var list struct {
			Organizations struct {
				TotalCount int
				Edges      []struct {
					Node struct {
						Name    string
						Devices struct {
							TotalCount int
							Edges      []struct{ Node struct{ Name string } }
						}
					}
				}
			}
		}
		s.must(t, a, "", `{ organizations(orderBy: {field: NAME}) { totalCount edges { node { name devices(first: 3, orderBy: {field: NAME}) { totalCount edges { node { name } } } } } } }`, nil, &list)
		require.Equal(t, 1, list.Organizations.TotalCount)
		require.Equal(t, 1, list.Organizations.Edges[0].Node.Devices.TotalCount)
		require.Equal(t, "Mac", list.Organizations.Edges[0].Node.Devices.Edges[0].Node.Name)

		failed := s.do(t, a, "", `query($id: ID!) { device(id: $id) { name } }`, map[string]any{"id": deviceB.CreateDevice.Device.ID}, nil)
		require.Equal(t, "NOT_FOUND", failed[0].Extensions["code"])
		failed = s.do(t, a, "", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": deviceB.CreateDevice.Device.ID}, nil)
		require.Equal(t, "NOT_FOUND", failed[0].Extensions["code"])

		const user = `mutation($l: String!) { createUser(input: {login: $l, email: "u@acme.example"}) { user { id } } }`
		s.must(t, a, idA, user, map[string]any{"l": "one"}, nil)
		failed = s.do(t, a, idA, user, map[string]any{"l": "two"}, nil)
		require.Equal(t, "PRECONDITION_FAILED", failed[0].Extensions["code"], failed)

		var events struct {
			SystemLogEvents struct {
				Edges []struct {
					Node struct {
						EventType, Outcome string
						Targets            []struct{ Type, ID, Op string }
					}
				}
			}
		}
		s.must(t, a, "", `{ systemLogEvents { edges { node { eventType outcome targets { type id op } } } } }`, nil, &events)
		first := events.SystemLogEvents.Edges[0].Node
		require.Equal(t, "createUser", first.EventType)
		require.Equal(t, "FAILURE", first.Outcome)
	})
}
