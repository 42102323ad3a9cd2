package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// watch subscribes to alerts, and answers the titles and statuses that arrive.
func (s *server) watch(t *testing.T, credential, organization string) <-chan string {
	t.Helper()
	return stream(t, s, credential, organization, `subscription { alertChanged { title status organization { name } } }`,
		func(data struct {
			AlertChanged struct {
				Title, Status string
				Organization  struct{ Name string }
			}
		}) string {
			return data.AlertChanged.Organization.Name + ": " + data.AlertChanged.Title + " " + data.AlertChanged.Status
		})
}

// watchDevices subscribes to devices, and answers the names that arrive.
func (s *server) watchDevices(t *testing.T, credential, organization string) <-chan string {
	t.Helper()
	return stream(t, s, credential, organization, `subscription { deviceChanged { name organization { name } } }`,
		func(data struct {
			DeviceChanged struct {
				Name         string
				Organization struct{ Name string }
			}
		}) string {
			return data.DeviceChanged.Organization.Name + ": " + data.DeviceChanged.Name
		})
}

// stream subscribes over SSE, and answers what is shown of each event.
func stream[D any](t *testing.T, s *server, credential, organization, query string, show func(D) string) <-chan string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	body, err := json.Marshal(map[string]any{"query": query})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("x-api-key", credential)
	if organization != "" {
		r.Header.Set("x-org-id", organization)
	}
	response, err := (&http.Client{}).Do(r) //nolint:bodyclose // its reader closes it; the context bounds it
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	seen := make(chan string, 64)
	go func() {
		defer close(seen)
		defer func() { _ = response.Body.Close() }()
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var event struct{ Data *D }
			if ok && json.Unmarshal([]byte(data), &event) == nil && event.Data != nil {
				seen <- show(*event.Data)
			}
		}
	}()
	return seen
}

func next(t *testing.T, seen <-chan string) string {
	t.Helper()
	select {
	case text := <-seen:
		return text
	case <-time.After(10 * time.Second):
		require.Fail(t, "no event arrived")
		return ""
	}
}

const raiseTitled = `mutation($t: String!) { raiseAlert(input: {title: $t}) { alert { id } opened } }`

func TestAlertChangedIsConfinedToTheSubscriber(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, two, foreign := s.organization(t, a, "One"), s.organization(t, a, "Two"), s.organization(t, b, "Foreign")
		all, narrowed := s.watch(t, a, ""), s.watch(t, a, two)
		theirs := s.watch(t, b, "")
		s.must(t, b, foreign, raiseTitled, map[string]any{"t": "theirs"}, nil)
		s.must(t, a, one, raiseTitled, map[string]any{"t": "first"}, nil)
		s.must(t, a, two, raiseTitled, map[string]any{"t": "second"}, nil)
		require.Equal(t, "One: first OPEN", next(t, all))
		require.Equal(t, "Two: second OPEN", next(t, all))
		require.Equal(t, "Two: second OPEN", next(t, narrowed))
		require.Equal(t, "Foreign: theirs OPEN", next(t, theirs))
		require.Empty(t, theirs)
		require.Empty(t, narrowed)
	})
}

// listens reports whether the replica hears of what others change.
func (s *server) listens() bool {
	response, err := client.Get(strings.TrimSuffix(s.url, "/graphql") + "/readyz")
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

func TestAlertChangedCrossesReplicas(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		url, master := testdb.URL(t, "postgres"), secret.NewMasterKey()
		here, there := replica(t, url, master), replica(t, url, master)
		a := here.provider(t, "North", "a@north.example")
		b := here.provider(t, "South", "b@south.example")
		one, foreign := here.organization(t, a, "One"), here.organization(t, b, "Foreign")
		require.Eventually(t, there.listens, 10*time.Second, 10*time.Millisecond)
		seen := there.watch(t, a, "")
		here.must(t, b, foreign, raiseTitled, map[string]any{"t": "theirs"}, nil)
		here.must(t, a, one, raiseTitled, map[string]any{"t": "ours"}, nil)
		require.Equal(t, "One: ours OPEN", next(t, seen))
	})
}
