package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/tenancy"
)

// desk is a ticketing system with a customer for each name.
func desk(t *testing.T, customers ...string) (*standin.Server, string) {
	t.Helper()
	account := standin.Account{Subdomain: "north", Token: "desk-token"}
	for i, name := range customers {
		account.Customers = append(account.Customers, standin.Customer{ID: int64(i + 1), BusinessName: name})
	}
	server, err := standin.New(standin.Config{Accounts: []standin.Account{account}, Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return server, web.URL
}

// ticketed connects a provider to a desk, so that alerts of an organization
// become its first customer's tickets.
func (s *server) ticketed(t *testing.T, key, organization, deskURL string) {
	t.Helper()
	var connected struct {
		ConnectSyncro struct{ Integration struct{ ID string } }
	}
	s.must(t, key, "", `mutation($in: ConnectSyncroInput!) { connectSyncro(input: $in) { integration { id } } }`,
		map[string]any{"in": map[string]any{"subdomain": "north", "apiToken": "desk-token", "baseUrl": deskURL}}, &connected)
	id := connected.ConnectSyncro.Integration.ID
	s.must(t, key, "", `mutation($in: SetTicketingCompanyMappingsInput!) { setTicketingCompanyMappings(input: $in) { mappings { id } } }`,
		map[string]any{"in": map[string]any{"integrationId": id, "mappings": []any{map[string]any{"organizationId": organization, "externalCompanyId": "1"}}}}, nil)
	s.must(t, key, "", `mutation($in: SetTicketRulesInput!) { setTicketRules(input: $in) { integration { stormThreshold rules { recovery } } } }`,
		map[string]any{"in": map[string]any{"integrationId": id, "rules": map[string]any{}, "storm": map[string]any{"threshold": 0, "minutes": 10}}}, nil)
	s.must(t, key, "", `mutation($in: UpdateSyncroAlertConfigurationInput!) { updateSyncroAlertConfiguration(input: $in) { configuration { id } } }`,
		map[string]any{"in": map[string]any{"integrationId": id, "alertType": "CUSTOM", "shouldCreateTickets": true, "problemType": "Other"}}, nil)
}

func TestPostgresRestartedUnderLoadLosesAndDoublesNothing(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		own, err := cluster.Start(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, own.Stop()) })
		url, _, err := cluster.CreateDatabase(t.Context(), own.URL(), "restarted", "template0")
		require.NoError(t, err)
		migrate(t, url)
		s := replica(t, url, secret.NewMasterKey())
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, foreign := s.organization(t, a, "One"), s.organization(t, b, "Foreign")
		psa, psaURL := desk(t, "One")
		s.ticketed(t, a, one, psaURL)

		const workers, each = 4, 15
		var unavailable, other atomic.Int64
		var group sync.WaitGroup
		for worker := range workers {
			group.Go(func() {
				for i := range each {
					name := fmt.Sprintf("alert %d-%d", worker, i)
					once := s.with("Idempotency-Key", name)
					require.Eventually(t, func() bool {
						failures := once.do(t, a, one, raiseTitled, map[string]any{"t": name}, nil)
						switch code(failures) {
						case "":
							return true
						case "UNAVAILABLE":
							unavailable.Add(1)
						case "CONFLICT": // the commit's answer was lost, and the commit was not
							return true
						default:
							t.Log(failures)
							other.Add(1)
						}
						return false
					}, time.Minute, 20*time.Millisecond)
				}
			})
		}
		require.NoError(t, own.Restart(t.Context()))
		group.Wait()
		require.Zero(t, other.Load(), "a database that is away is UNAVAILABLE, and nothing else")

		var list struct{ Alerts struct{ TotalCount int } }
		require.Eventually(t, func() bool {
			return s.do(t, a, "", `{ alerts { totalCount } }`, nil, &list) == nil
		}, 30*time.Second, 50*time.Millisecond)
		require.Equal(t, workers*each, list.Alerts.TotalCount)
		s.must(t, b, foreign, `{ alerts { totalCount } }`, nil, &list)
		require.Zero(t, list.Alerts.TotalCount)
		require.Eventually(t, func() bool { return len(psa.Tickets("desk-token")) >= workers*each }, time.Minute, 100*time.Millisecond)
		subjects := map[string]int{}
		for _, ticket := range psa.Tickets("desk-token") {
			subjects[ticket.Subject]++
		}
		require.Len(t, subjects, workers*each)
		for subject, n := range subjects {
			require.Equal(t, 1, n, subject)
		}
		t.Logf("%d alerts, each with one ticket; UNAVAILABLE answered %d times", workers*each, unavailable.Load())
	})
}

func migrate(t *testing.T, url string) {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	migrator, err := db.Migrator()
	require.NoError(t, err)
	require.NoError(t, migrator.Up(t.Context(), nil))
}

func TestAFullDiskIsUnavailableAndNothingIsHalfWritten(t *testing.T) {
	s := start(t, "sqlite3")
	a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
	one, foreign := s.organization(t, a, "One"), s.organization(t, b, "Foreign")
	pages := func(statement string) (n int) {
		ctx := tenancy.System(context.Background(), "fill the disk of a test")
		require.NoError(t, s.DB.System().QueryRowContext(ctx, statement).Scan(&n))
		return n
	}
	// SQLite answers at its page limit as it does when the disk has no more.
	used := pages("PRAGMA page_count")
	pages(fmt.Sprintf("PRAGMA max_page_count = %d", used+2))
	var failures []failure
	raised := 0
	for ; raised < 200; raised++ {
		failures = s.do(t, a, one, raiseTitled, map[string]any{"t": fmt.Sprintf("alert %d", raised)}, nil)
		if len(failures) > 0 {
			break
		}
	}
	require.Equal(t, "UNAVAILABLE", code(failures), failures)
	require.Contains(t, failures[0].Message, "full")
	require.Equal(t, "UNAVAILABLE", code(s.do(t, b, foreign, raiseTitled, map[string]any{"t": "theirs"}, nil)))

	var list struct{ Alerts struct{ TotalCount int } }
	s.must(t, a, "", `{ alerts { totalCount } }`, nil, &list)
	require.Equal(t, raised, list.Alerts.TotalCount, "what was refused left nothing")
	pages(fmt.Sprintf("PRAGMA max_page_count = %d", used+10_000))
	s.must(t, a, one, raiseTitled, map[string]any{"t": "room again"}, nil)
	s.must(t, b, foreign, raiseTitled, map[string]any{"t": "theirs"}, nil)
}
