package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/tenancy"
)

const email = "ada.osei@northwind.example"

// deployment is a set-up as an operator makes it, on an empty database.
type deployment struct {
	env    []string
	url    string
	master secret.Text
	key    string // an API key of the first administrator
}

func deploy(t *testing.T, engine string) *deployment {
	t.Helper()
	d := &deployment{url: testdb.Blank(t, engine), master: secret.NewMasterKey()}
	url := d.url
	if engine == dialect.SQLite && !strings.HasPrefix(url, "sqlite:") {
		url = "sqlite:" + url
	}
	d.env = []string{
		"BAILIWICK_DATABASE_URL=" + url, "BAILIWICK_MASTER_KEY=" + d.master.Reveal(), "BAILIWICK_DATA_DIR=" + t.TempDir(),
		"BAILIWICK_DATABASE_MAX_CONNECTIONS=4", "BAILIWICK_LOG_FORMAT=json", "BAILIWICK_ADDR=127.0.0.1:0",
		"BAILIWICK_JOB_POLL_INTERVAL=100ms", "BAILIWICK_SHUTDOWN_GRACE=10s", "BAILIWICK_DEVELOPMENT=true", "BAILIWICK_PSA_ALLOW_LOOPBACK=true",
	}
	return d
}

func (d *deployment) ok(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := execute(t, d.env, stdin, args...)
	require.Zero(t, r.code, r.err)
	return r.out
}

// provide creates a provider and an API key.
func (d *deployment) provide(t *testing.T) {
	t.Helper()
	d.ok(t, "", "migrate", "up")
	d.ok(t, "", "provider", "create", "--name=Northwind MSP", "--email="+email, "--generate-password")
	d.key = strings.TrimSpace(d.ok(t, "", "key", "create", "--email="+email, "--name=test", "--allow"))
}

func (d *deployment) serve(t *testing.T) (*process, api) {
	t.Helper()
	p := start(t, d.env, "serve")
	return p, api{p.serving(t) + "/graphql", map[string]string{"x-api-key": d.key}}
}

func TestOperator(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		d := deploy(t, engine)
		if engine == dialect.Postgres {
			for _, args := range [][]string{{"serve"}, {"provider", "create", "--name=x", "--email=" + email, "--generate-password"}} {
				r := execute(t, d.env, "", args...)
				require.Equal(t, 3, r.code)
				require.Contains(t, r.err, "run bailiwick migrate up")
			}
			require.Contains(t, d.ok(t, "", "migrate", "up"), "applied ")
		}

		made := d.ok(t, "", "provider", "create", "--name=Northwind MSP", "--email="+email, "--generate-password")
		generated := regexp.MustCompile(`(?m)^password +(\S{20,})$`).FindStringSubmatch(made)
		require.NotNil(t, generated, made)
		again := execute(t, d.env, "", "provider", "create", "--name=Other", "--email="+strings.ToUpper(email), "--generate-password")
		require.Equal(t, 1, again.code, "an address signs in to one provider")
		given := "seven herons over the weir"
		other := d.ok(t, given+"\r\n", "provider", "create", "--name=Southwind MSP", "--email=sam@southwind.example", "--password-file=-")
		require.NotContains(t, other, given)

		refused := execute(t, d.env, "", "key", "create", "--email="+email, "--name=test")
		require.Equal(t, 1, refused.code)
		require.Contains(t, refused.err, "--allow")
		require.Empty(t, refused.out)
		d.key = strings.TrimSuffix(d.ok(t, "", "key", "create", "--email="+email, "--name=test", "--allow", "--expires-in=24h"), "\n")
		require.NotContains(t, d.key, "\n", "the key alone goes to standard output")
		narrow := d.ok(t, "", "key", "create", "--email="+email, "--name=narrow", "--permissions=alert.raise_alert")

		p, client := d.serve(t)
		for address, password := range map[string]string{email: generated[1], "sam@southwind.example": given} {
			signedIn := api{endpoint: client.endpoint}.do(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { session { accessToken } } }`,
				map[string]any{"e": address, "p": password})
			require.NotEmpty(t, signedIn.text(t, "signIn", "session", "accessToken"))
		}
		viewer := client.do(t, `{ provider { name } apiKeys { edges { node { name expiresAt } } } systemLogEvents { edges { node { eventType } } } }`, nil)
		require.Equal(t, "Northwind MSP", viewer.text(t, "provider", "name"))
		require.Len(t, viewer.nodes(t, "apiKeys"), 2)
		var events []string
		for _, e := range viewer.nodes(t, "systemLogEvents") {
			events = append(events, e["eventType"].(string))
		}
		slices.Sort(events)
		require.Equal(t, []string{"createApiKey", "createApiKey", "createProvider"}, slices.DeleteFunc(events, func(e string) bool { return e == "signIn" }))
		denied, err := client.with("x-api-key", strings.TrimSpace(narrow)).try(t.Context(), `{ provider { name } }`, nil)
		require.NoError(t, err)
		require.Equal(t, "FORBIDDEN", denied.Errors[0].Extensions["code"])
		require.Zero(t, p.stop(t, syscall.SIGTERM))
	})
}

func TestRotateMasterKey(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		d := deploy(t, engine)
		d.provide(t)
		next := secret.NewMasterKey()
		change := func(current, previous secret.Text) {
			d.env = slices.DeleteFunc(d.env, func(v string) bool { return strings.Contains(v, "MASTER_KEY") })
			d.env = append(d.env, "BAILIWICK_MASTER_KEY="+current.Reveal())
			if !previous.IsZero() {
				d.env = append(d.env, "BAILIWICK_PREVIOUS_MASTER_KEYS="+previous.Reveal())
			}
		}
		change(next, secret.Text{})
		require.NotZero(t, execute(t, d.env, "", "secret", "rotate").code, "the old key is still needed")
		change(next, d.master)
		rotated := execute(t, d.env, "", "secret", "rotate")
		require.Zero(t, rotated.code, rotated.err)
		require.Regexp(t, `rotated: \d+ keysets looked at, [1-9]\d* changed`, rotated.out)
		require.NotContains(t, rotated.err, "\x1b", "no bar where there is no terminal")
		change(next, secret.Text{})
		p, client := d.serve(t)
		client.do(t, `{ viewer { administrator { email } } }`, nil)
		require.Zero(t, p.stop(t, syscall.SIGTERM))
	})
}

// ticketing is a provider whose CUSTOM alerts become tickets in a Syncro that
// outlives the server: it runs in the test.
type ticketing struct {
	*deployment
	syncro       *standin.Server
	organization string
}

const token = "T0ken-of-northwind"

func withTicketing(t *testing.T, engine string) ticketing {
	t.Helper()
	d := deploy(t, engine)
	d.provide(t)
	s, err := standin.New(standin.Config{
		Accounts: []standin.Account{{Subdomain: "northwind", Token: token, Customers: []standin.Customer{{ID: 7, BusinessName: "Alder"}}}},
		Logger:   slog.New(slog.DiscardHandler), Clock: time.Now,
	})
	require.NoError(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })

	p, client := d.serve(t)
	organization := client.do(t, `mutation { createOrganization(input: {name: "Alder"}) { organization { id } } }`, nil).
		text(t, "createOrganization", "organization", "id")
	integration := client.do(t, `mutation($t: String!, $u: String!) { connectSyncro(input: {subdomain: "northwind", apiToken: $t, baseUrl: $u}) { integration { id } } }`,
		map[string]any{"t": token, "u": server.URL}).text(t, "connectSyncro", "integration", "id")
	client.do(t, `mutation($i: ID!, $o: ID!) {
		setTicketingCompanyMappings(input: {integrationId: $i, mappings: [{organizationId: $o, externalCompanyId: "7"}]}) { mappings { id } }
		updateSyncroAlertConfiguration(input: {integrationId: $i, alertType: "CUSTOM", shouldCreateTickets: true, problemType: "Other"}) { configuration { id } }
	}`, map[string]any{"i": integration, "o": organization})
	require.Zero(t, p.stop(t, syscall.SIGTERM))
	return ticketing{d, s, organization}
}

func (x ticketing) raise(t *testing.T, client api) string {
	t.Helper()
	return client.with("x-org-id", x.organization).
		do(t, `mutation { raiseAlert(input: {title: "Coolant leak", dedupeKey: "rack-4"}) { alert { id } } }`, nil).
		text(t, "raiseAlert", "alert", "id")
}

// arrives waits for the first request of a kind to reach Syncro.
func (x ticketing) arrives(t *testing.T, method, path string) {
	t.Helper()
	eventually(t, method+" "+path+" has arrived", func() bool { return len(x.syncro.Requests(method, path)) > 0 })
}

// leaseEnds lets the time pass for which a worker that died holds its ticket.
func (x ticketing) leaseEnds(t *testing.T) {
	t.Helper()
	db := testdb.Open(t, database.Config{URL: x.url})
	ctx := tenancy.System(t.Context(), "test: let a lease end")
	past := time.Now().Add(-time.Second).UTC()
	n, err := db.Client().Ticket.Update().Where(ticket.LeaseUntilNotNil()).SetLeaseUntil(past).Save(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, n, 1)
}

// deliveredOnce wants exactly one ticket at Syncro, that Bailiwick knows of it,
// and that it can be closed.
func (x ticketing) deliveredOnce(t *testing.T, client api, alert string) {
	t.Helper()
	eventually(t, "the ticket is known", func() bool { return slices.Equal(client.alertTickets(t, alert), []string{"CREATED"}) })
	require.Len(t, x.syncro.Tickets(token), 1)
	client.do(t, `mutation($id: ID!) { resolveAlert(input: {id: $id}) { alert { status } } }`, map[string]any{"id": alert})
	eventually(t, "the ticket is closed", func() bool { return slices.Equal(client.alertTickets(t, alert), []string{"CLOSED"}) })
	tickets := x.syncro.Tickets(token)
	require.Len(t, tickets, 1)
	require.Equal(t, "Resolved", tickets[0].Status)
}

func TestInterruptedDelivery(t *testing.T) {
	t.Parallel()
	slow := standin.Fault{Method: http.MethodPost, Path: "/tickets", Action: standin.CommitSlow} // made, and no answer
	refused := standin.Fault{Method: http.MethodPost, Path: "/tickets", Action: standin.Fail500, Count: -1}
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		t.Parallel()
		for name, c := range map[string]struct {
			signal syscall.Signal
			fault  standin.Fault
		}{
			"told to stop after the ticket was made": {syscall.SIGTERM, slow},
			"killed after the ticket was made":       {syscall.SIGKILL, slow},
			"told to stop before it was made":        {syscall.SIGTERM, refused},
			"killed before it was made":              {syscall.SIGKILL, refused},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := withTicketing(t, engine)
				x.env = append(x.env, "BAILIWICK_SHUTDOWN_GRACE=2s")
				x.syncro.Inject(c.fault)
				p, client := x.serve(t)
				alert := x.raise(t, client)
				x.arrives(t, http.MethodPost, "/tickets")
				code := p.stop(t, c.signal)
				if c.signal == syscall.SIGTERM {
					require.Zero(t, code)
				}
				x.syncro.Mend()
				if c.signal == syscall.SIGKILL {
					x.leaseEnds(t)
				}
				p, client = x.serve(t)
				x.deliveredOnce(t, client, alert)
				require.Zero(t, p.stop(t, syscall.SIGTERM))
			})
		}
	})
}

func TestRequestsFinish(t *testing.T) {
	x := withTicketing(t, dialect.SQLite)
	p, client := x.serve(t)
	integration := client.do(t, `{ ticketingIntegrations { edges { node { id } } } }`, nil).nodes(t, "ticketingIntegrations")[0]["id"]
	before := len(x.syncro.Requests(http.MethodGet, ""))
	x.syncro.Inject(standin.Fault{Method: http.MethodGet, Count: -1, Action: standin.CommitSlow, Delay: 700 * time.Millisecond})
	type ended struct {
		answer
		err error
	}
	done := make(chan ended, 1)
	go func() {
		got, err := client.try(context.WithoutCancel(t.Context()),
			`mutation($id: ID!) { verifyTicketingIntegration(input: {id: $id}) { accepted } }`, map[string]any{"id": integration})
		done <- ended{got, err}
	}()
	eventually(t, "the vendor is asked", func() bool { return len(x.syncro.Requests(http.MethodGet, "")) > before })
	require.Zero(t, p.stop(t, syscall.SIGTERM), "told to stop while a request is under way")
	got := <-done
	require.NoError(t, got.err)
	require.Empty(t, got.Errors, fmt.Sprint(got.Errors))
	require.Equal(t, true, got.at(t, "verifyTicketingIntegration", "accepted"))
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	x := withTicketing(t, dialect.SQLite)
	x.env = append(x.env, "BAILIWICK_SHUTDOWN_GRACE=10m")
	x.syncro.Inject(standin.Fault{Method: http.MethodPost, Path: "/tickets", Action: standin.CommitSlow})
	p, client := x.serve(t)
	x.raise(t, client)
	x.arrives(t, http.MethodPost, "/tickets")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	p.logs.until(t, func(line string) bool { return strings.Contains(line, `"msg":"stopping"`) })
	eventually(t, "a further signal ends it", func() bool {
		_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
		return len(p.end) > 0
	})
	require.Equal(t, 1, p.wait(t), "while a job was under way")
}
