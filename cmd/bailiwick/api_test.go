package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// api is a client of the public API.
type api struct {
	endpoint string
	headers  map[string]string
}

func (a api) with(name, value string) api {
	headers := map[string]string{name: value}
	for k, v := range a.headers {
		if k != name {
			headers[k] = v
		}
	}
	return api{a.endpoint, headers}
}

// answer is a GraphQL response.
type answer struct {
	Status int
	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions map[string]any
	}
}

// at walks down the data.
func (a answer) at(t *testing.T, path ...string) any {
	t.Helper()
	var v any = a.Data
	for _, p := range path {
		m, ok := v.(map[string]any)
		require.True(t, ok, "no %s in %v", p, a.Data)
		v = m[p]
	}
	return v
}

func (a answer) text(t *testing.T, path ...string) string {
	t.Helper()
	s, ok := a.at(t, path...).(string)
	require.True(t, ok, "%v is no text in %v", path, a.Data)
	return s
}

// nodes are the objects of the connection at the path.
func (a answer) nodes(t *testing.T, path ...string) []map[string]any {
	t.Helper()
	edges, ok := a.at(t, append(path, "edges")...).([]any)
	require.True(t, ok)
	var nodes []map[string]any
	for _, e := range edges {
		nodes = append(nodes, e.(map[string]any)["node"].(map[string]any))
	}
	return nodes
}

// do sends an operation, and wants it to succeed.
func (a api) do(t *testing.T, query string, variables map[string]any) answer {
	t.Helper()
	got, err := a.try(t.Context(), query, variables)
	require.NoError(t, err)
	require.Empty(t, got.Errors, query)
	return got
}

func (a api) try(ctx context.Context, query string, variables map[string]any) (answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for k, v := range a.headers {
		request.Header.Set(k, v)
	}
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got := answer{Status: response.StatusCode}
	return got, json.NewDecoder(response.Body).Decode(&got)
}

// alertTickets are the statuses of an alert's tickets.
func (a api) alertTickets(t *testing.T, alert string) []string {
	t.Helper()
	got := a.do(t, `query($id: ID!) { alert(id: $id) { tickets { edges { node { status } } } } }`, map[string]any{"id": alert})
	var all []string
	for _, n := range got.nodes(t, "alert", "tickets") {
		all = append(all, n["status"].(string))
	}
	return all
}
