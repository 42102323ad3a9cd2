package access_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	"github.com/lib/pq"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

const password = "plenty of entropy 7!"

// world is two providers with two organizations each, on one database.
type world struct {
	t          testing.TB
	db         *database.DB
	url        string
	master     secret.Wrapper
	offset     atomic.Int64
	statements atomic.Int64
	*replica
	acme, globex msp
}

// replica is a process on the database.
type replica struct {
	service *access.Service
	bus     *event.Bus
	healthy func() bool
}

// msp is a provider with its Administrator With Billing.
type msp struct {
	provider *ent.Provider
	owner    *ent.Administrator
	orgs     [2]string
	roles    map[policy.Key]string
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.EachEngine(t, func(t *testing.T, engine string) { fn(t, newWorld(t, engine)) })
}

func newWorld(t *testing.T, engine string) *world {
	t.Helper()
	w := &world{t: t, url: testdb.URL(t, engine)}
	w.db = testdb.Open(t, w.config())
	w.settle()
	return w
}

// openWorld is a world for a fuzz test or a benchmark, on SQLite.
func openWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, url: filepath.Join(t.TempDir(), "fuzz.db")}
	var err error
	if w.db, err = database.Open(t.Context(), w.config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	migrator, err := w.db.Migrator()
	if err == nil {
		err = migrator.Up(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	return w
}

func (w *world) config() database.Config {
	return database.Config{
		URL: w.url, Logger: slog.New(slog.DiscardHandler),
		Observe: func(context.Context, string, time.Duration, error) { w.statements.Add(1) },
	}
}

// settle fills a fresh database.
func (w *world) settle() {
	w.t.Helper()
	var err error
	if w.master, err = secret.ParseMasterKey(secret.NewMasterKey()); err != nil {
		w.t.Fatal(err)
	}
	w.replica = w.start()
	w.acme, w.globex = w.msp("acme"), w.msp("globex")
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

func (w *world) pass(d time.Duration) { w.offset.Add(int64(d)) }

// start starts a replica and, on PostgreSQL, waits until it hears the others.
func (w *world) start() *replica {
	w.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	vault, err := secret.New(keystore.NewKeysets(w.db), secret.Masters{Current: w.master}, secret.Config{})
	check(err)
	keys, err := token.NewKeySet(keystore.NewSigningKeys(w.db, vault), token.DefaultSchedule(), w.now, quiet)
	check(err)
	check(keys.Rotate(w.t.Context()))
	tokens, err := token.NewAuthority(keys, "https://test.example", "https://test.example/graphql")
	check(err)
	hasher, err := credential.NewHasher(credential.HashConfig{Memory: 64, Passes: 1, Lanes: 1, Concurrent: 4, Wait: time.Minute})
	check(err)
	r := &replica{healthy: func() bool { return true }}
	var notify event.Notifier
	if w.db.Dialect() == dialect.Postgres {
		notify = func(ctx context.Context, channel string, payloads ...string) error {
			return w.db.Driver().Exec(ctx, "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", []any{channel, pq.Array(payloads)}, nil)
		}
	}
	r.bus, err = event.NewBus(database.AfterCommit, notify)
	check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	running := 1
	if notify != nil {
		listener, err := event.NewListener(r.bus, event.ListenerConfig{URL: w.url, Logger: quiet})
		check(err)
		r.healthy = listener.Healthy
		running++
		go func() { defer func() { done <- struct{}{} }(); _ = listener.Run(ctx) }()
	}
	r.service, err = access.New(access.Config{
		DB: w.db, Bus: r.bus, Tokens: tokens, Vault: vault, Hasher: hasher, Auditor: audit.New(w.db.Client()),
		Logger: quiet, Clock: w.now, Healthy: func() bool { return r.healthy() },
	})
	check(err)
	go func() { defer func() { done <- struct{}{} }(); _ = r.service.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		for range running {
			<-done
		}
		r.service.Close()
	})
	eventually(w.t, r.healthy)
	return r
}

func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen in time")
		case <-tick.C:
		}
	}
}

func (w *world) msp(name string) msp {
	w.t.Helper()
	p, owner, err := w.service.Bootstrap(w.t.Context(), name, "Owner@"+name+".example", password)
	if err != nil {
		w.t.Fatal(err)
	}
	m := msp{provider: p, owner: owner, roles: map[policy.Key]string{}}
	system := tenancy.System(w.t.Context(), "test")
	for i, customer := range []string{"one", "two"} {
		m.orgs[i] = w.db.Client().Organization.Create().SetProviderID(p.ID).SetName(customer).SaveX(system).ID
	}
	for _, r := range w.db.Client().Role.Query().Where(role.ProviderID(p.ID)).AllX(system) {
		m.roles[policy.Key(*r.Key)] = r.ID
	}
	return m
}

// signIn signs in on a replica and answers the tokens.
func (w *world) signIn(email string) access.Tokens {
	w.t.Helper()
	in, err := w.service.SignIn(w.t.Context(), email, password)
	if err != nil || in.Session == nil {
		w.t.Fatalf("sign in %s: %+v, %v", email, in, err)
	}
	return *in.Session
}

// as is a caller by an access token or an API key.
func (w *world) as(credential, organization string) (*access.Caller, error) {
	return w.replica.as(w.t.Context(), credential, organization)
}

func (r *replica) as(ctx context.Context, secret, organization string) (*access.Caller, error) {
	given := access.Credentials{Organization: organization}
	if len(secret) > 4 && secret[:4] == "bwk_" {
		given.APIKey = secret
	} else {
		given.Bearer = secret
	}
	return r.service.Authenticate(ctx, given)
}

func (w *world) mustAs(credential, organization string) *access.Caller {
	w.t.Helper()
	c, err := w.as(credential, organization)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// owner is a fresh caller for a provider's Administrator With Billing.
func (w *world) ownerOf(m msp) *access.Caller {
	w.t.Helper()
	return w.mustAs(w.signIn(m.owner.Email).Access, "")
}

// gate runs an operation the way the API does: authorized, in its scope.
func gate(ctx context.Context, c *access.Caller, p policy.Permission, run func(context.Context) error) error {
	scope, err := c.Authorize(ctx, p)
	if err != nil {
		return err
	}
	return run(access.With(tenancy.With(ctx, scope), c))
}

// hire creates and activates an administrator of a provider.
func (w *world) hire(m msp, email string, in access.NewAdministrator) *ent.Administrator {
	w.t.Helper()
	in.Email = email
	var a *ent.Administrator
	err := gate(w.t.Context(), w.ownerOf(m), "access.add_administrator", func(ctx context.Context) error {
		_, activation, err := w.service.CreateAdministrator(ctx, in)
		if err != nil {
			return err
		}
		a, err = w.service.Activate(w.t.Context(), activation, password)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) grant(m msp, a *ent.Administrator, organization, roleID string) {
	w.t.Helper()
	err := gate(w.t.Context(), w.ownerOf(m), "access.change_organizationlink", func(ctx context.Context) error {
		_, err := w.service.GrantAccess(ctx, a.ID, organization, &roleID)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code fault.Code, what string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: %q (%v), want %q", what, fault.CodeOf(err), err, code)
	}
}
