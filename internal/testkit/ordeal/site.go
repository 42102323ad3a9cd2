package ordeal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/mortal"
	"github.com/bailiwick/bailiwick/internal/testkit/replica"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// masterKey is fixed, so that a child process can open what its parent sealed.
const masterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

const maxConns = 4

// tenant is a provider with its organizations and its account at the vendor.
type tenant struct {
	all           context.Context
	in            [organizations]context.Context
	organizations [organizations]string
	integration   string
}

// site is two tenants on one database, replicas that serve them, and a vendor
// that both have accounts at.
type site struct {
	Config

	fault   fault
	side    side
	web     *httptest.Server
	clock   *clock
	queue   *queue
	fate    *mortal.Fate
	front   *replica.Replica // takes alerts, and is never struck dead
	workers []*replica.Replica
	dbs     []*database.DB
	tenants [tenants]*tenant

	swept    time.Time // when what a lost job left behind was last looked for
	verified time.Time // when paused integrations were last tried
	random   *rand.Rand
	seed     int
	told     [tenants]map[string]*incident // by title
	later    []*incident                   // of this run, beside the story
	result   Result
	moves    int
	children []*exec.Cmd

	mu       sync.Mutex
	until    int    // requests until then
	executed bool   // the request, when it happens
	then     func() // what happens
}

func newSite(ctx context.Context, c Config, f fault) (s *site, err error) {
	s = &site{Config: c, fault: f, clock: &clock{now: time.Now(), real: f.real}, fate: &mortal.Fate{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.queue = &queue{clock: s.clock}
	if s.side, err = newSide(c.Vendor, !f.real, s.clock.Now); err != nil {
		return s, err
	}
	s.web = httptest.NewServer(http.HandlerFunc(s.serve))
	if s.front, err = s.replica(ctx, 0, nil, nil); err != nil {
		return s, err
	}
	for n := range s.tenants {
		if s.tenants[n], err = s.found(ctx, n); err != nil {
			return s, err
		}
		s.told[n] = map[string]*incident{}
	}
	if f.real {
		return s, nil
	}
	for n := range 2 {
		var w *replica.Replica
		switch {
		case f.mortal:
			w, err = s.replica(ctx, 0, s.fate.Observe, s.fate.Vendor)
		case f.skew > 0:
			w, err = s.replica(ctx, time.Duration(2*n-1)*f.skew, nil, f.wrap)
		default:
			w, err = s.replica(ctx, 0, nil, f.wrap)
		}
		if err != nil {
			return s, err
		}
		s.workers = append(s.workers, w)
	}
	return s, nil
}

// serve is the vendor, at which something may happen with one of the requests.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	then, executed := s.happens()
	switch {
	case then == nil:
		s.side.ServeHTTP(w, r)
	case executed:
		answer := httptest.NewRecorder()
		s.side.ServeHTTP(answer, r)
		then()
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // whoever asked may be dead
	default:
		then()
		s.side.ServeHTTP(w, r)
	}
}

// happens counts a request, and takes what happens with it, if anything.
func (s *site) happens() (then func(), executed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until--; s.until != 0 || s.then == nil {
		return nil, false
	}
	then, s.then = s.then, nil
	return then, s.executed
}

// after has something happen with a request, so many from now, before or after
// it is executed. It reports whether what was to happen before did not.
func (s *site) after(requests int, executed bool, then func()) (idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle = s.then != nil
	s.until, s.executed, s.then = requests, executed, then
	return idle
}

// replica makes another replica on a pool of its own.
func (s *site) replica(
	ctx context.Context, skew time.Duration, observe func(context.Context, string, time.Duration, error), wrap func(psa.Vendor) psa.Vendor,
) (*replica.Replica, error) {
	db, err := database.Open(ctx, database.Config{URL: s.URL, Logger: slog.New(slog.DiscardHandler), MaxConns: maxConns, Observe: observe})
	if err != nil {
		return nil, err
	}
	s.dbs = append(s.dbs, db)
	timeout := cmp.Or(s.fault.timeout, callTimeout)
	config, policies := ticket.DefaultConfig(), patient()
	if s.fault.real {
		config, policies = hasty(), lifted()
	}
	driver, err := driverOf(s.Vendor, s.web.URL, timeout, s.clock.by(skew))
	if err != nil {
		return nil, err
	}
	return assemble(db, s.Vendor, wrapped(driver, wrap), s.queue, policies, s.clock.agreed, s.clock.by(skew), config)
}

func assemble(
	db *database.DB, kind psa.Kind, driver psa.Driver, jobs ticket.Enqueuer, policies limit.Policies, agreed limit.Clock,
	now func() time.Time, config ticket.Config,
) (*replica.Replica, error) {
	key, err := secret.ParseMasterKey(secret.NewText(masterKey))
	if err != nil {
		return nil, err
	}
	return replica.New(replica.Config{
		DB: db, Key: key, Jobs: jobs, Drivers: psa.Drivers{kind: driver}, Policies: policies, LimitClock: agreed, Clock: now, Ticket: config,
	})
}

// patient are the vendors' limits, where a dead worker's place is not waited
// for by the clock on the wall.
func patient() limit.Policies {
	all := limit.DefaultPolicies()
	p := all[psa.Autotask]
	p.Patience = 100 * time.Millisecond
	all[psa.Autotask] = p
	return all
}

// found makes a tenant, whose tickets go to the vendor.
func (s *site) found(ctx context.Context, n int) (*tenant, error) {
	t, client, who := &tenant{}, s.front.DB.Client(), tenancy.ServicePrincipal("ordeal")
	p, err := client.Provider.Create().SetName(fmt.Sprint("Provider ", n)).Save(tenancy.System(ctx, "make the providers of an ordeal"))
	if err != nil {
		return nil, err
	}
	t.all = tenancy.With(ctx, tenancy.ForProvider(who, p.ID))
	var mappings []ticket.Mapping
	for i := range t.organizations {
		o, err := client.Organization.Create().SetName(fmt.Sprintf("Organization %d of %d", i, n)).Save(t.all)
		if err != nil {
			return nil, err
		}
		t.organizations[i] = o.ID
		t.in[i] = tenancy.With(ctx, tenancy.ForOrganizations(who, p.ID, o.ID))
		company := s.side.company(n, i)
		mappings = append(mappings, ticket.Mapping{Organization: o.ID, Company: &company})
	}
	made, err := s.front.Tickets.Connect(t.all, ticket.Connection{
		Kind: s.Vendor, AutomaticTicketing: true, Credentials: s.side.credentials(n, s.web.URL),
	})
	if err != nil {
		return nil, err
	}
	t.integration = made.ID
	if _, err := s.front.Tickets.Map(t.all, made.ID, mappings); err != nil {
		return nil, err
	}
	if !s.fault.storms {
		_, _, err = s.front.Tickets.SetRules(t.all, ticket.RuleChange{Integration: made.ID, Storm: &ticket.Storm{Minutes: 10}})
		if err != nil {
			return nil, err
		}
	}
	_, err = s.front.Tickets.Configure(t.all, ticket.Configuration{
		Integration: made.ID, AlertType: alert.Custom, ShouldCreateTickets: true, Settings: s.side.settings(n),
	})
	return t, err
}

func (s *site) close() error {
	for _, c := range s.children {
		kill(c)
	}
	if s.web != nil {
		s.web.Close()
	}
	var errs []error
	for _, db := range s.dbs {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}
