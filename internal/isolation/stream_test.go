package isolation_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/bailiwick/bailiwick/graph/exec"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

const streamTimeout = 30 * time.Second

// Every subscription, as every caller: what happens in another tenant before
// something of one's own is never seen.
func TestSubscriptions(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s, counts := serve(t, testdb.URL(t, engine)), tally{}
		url := s.listen(t)
		api := exec.NewExecutableSchema(exec.Config{}).Schema()
		bolt := s.session(t, "bolt", "boss@canary-bolt.example", s.in())
		for _, f := range api.Subscription.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			for _, c := range s.callers {
				for _, h := range []string{"", s.acme.organizations[0], s.bolt.organizations[0]} {
					counts["streams"]++
					t.Run(f.Name+" as "+c.name+" in "+h, func(t *testing.T) {
						s.watch(t, url, api, f, c, h, bolt)
					})
				}
			}
		}
		counts.log(t)
	})
}

// listen runs the server, so that events travel as they do in the product.
func (s *served) listen(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.app.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String() + "/graphql"
}

// trigger is a mutation that causes an event of a subscription, with a text of
// $t.
func trigger(t *testing.T, subscription string) string {
	t.Helper()
	switch subscription {
	case "alertChanged":
		return `mutation($t: String!) { raiseAlert(input: {title: $t}) { alert { id } } }`
	case "deviceChanged":
		return fmt.Sprintf(`mutation($t: String!) { createDevice(input: {name: $t, serialNumber: %q, platform: MACOS}) { device { id } } }`, rand.Text())
	}
	t.Fatalf("nothing is known to cause %s", subscription)
	return ""
}

func (s *served) watch(t *testing.T, url string, api *ast.Schema, f *ast.FieldDefinition, c *caller, organization string, bolt *caller) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), streamTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"query": document(api, "subscription", f, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	if organization != "" {
		r.Header.Set("x-org-id", organization)
	}
	response, err := (&http.Client{Timeout: streamTimeout}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	welcome := organization != s.bolt.organizations[0] && !c.scope.IsZero()
	if welcome {
		// First what must not be seen, then what tells that it would have been.
		for _, o := range s.bolt.organizations {
			s.mustIn(t, bolt, o, trigger(t, f.Name), "canary-bolt-1-raised")
		}
		if !c.scope.All() {
			s.mustIn(t, s.callers[0], s.acme.organizations[1], trigger(t, f.Name), "canary-acme-2-raised")
		}
		s.mustIn(t, s.callers[0], s.acme.organizations[0], trigger(t, f.Name), "canary-acme-1-raised")
	}
	seen, all := false, []string(nil)
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		all = append(all, text)
		if leaked := s.leaks(c.scope, text); len(leaked) > 0 || strings.Contains(text, "canary-bolt") {
			t.Fatalf("shows %v: %s", leaked, text)
		}
		if seen = strings.Contains(text, "canary-acme-1-raised"); seen {
			break
		}
	}
	if seen != welcome {
		t.Errorf("one's own was seen: %v, want %v (%d, %v): %s", seen, welcome, response.StatusCode, lines.Err(), all)
	}
}

func (s *served) mustIn(t *testing.T, c *caller, organization, query, title string) {
	t.Helper()
	if a := s.post(t, c, &organization, query, map[string]any{"t": title}); a.errors != "" {
		t.Fatal(a.errors)
	}
}
