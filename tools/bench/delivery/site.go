package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
	kit "github.com/bailiwick/bailiwick/internal/testkit/replica"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
	"github.com/bailiwick/bailiwick/tenancy"
)

const token = "token"

// site is a provider with organizations, replicas that serve it, and the vendor.
type site struct {
	vendor        *vendor
	web           *httptest.Server
	replicas      []*replica
	provider      string
	organizations []string
}

// replica is what one process has: the services and a queue.
type replica struct {
	*kit.Replica

	queue *job.Queue
}

// newSite sets everything up and starts no queue.
func newSite(ctx context.Context, c Config) (s *site, err error) {
	s = &site{}
	var customers []standin.Customer
	for n := range c.Organizations {
		customers = append(customers, standin.Customer{ID: int64(1000 + n), BusinessName: fmt.Sprint("Customer ", n)})
	}
	desk, err := standin.New(standin.Config{
		Accounts: []standin.Account{{Subdomain: "bench", Token: token, Customers: customers, Users: []standin.User{{ID: 1, Name: "Ada"}}}},
		Logger:   slog.New(slog.DiscardHandler), Clock: time.Now,
	})
	if err != nil {
		return nil, err
	}
	s.vendor = &vendor{desk: desk, answered: map[string]time.Time{}}
	s.web = httptest.NewServer(s.vendor)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	key, err := secret.ParseMasterKey(secret.NewMasterKey())
	if err != nil {
		return nil, err
	}
	for range c.Replicas {
		r, err := newReplica(ctx, c, key)
		if err != nil {
			return nil, err
		}
		s.replicas = append(s.replicas, r)
	}
	err = s.furnish(ctx, c)
	return s, err
}

func newReplica(ctx context.Context, c Config, key secret.Wrapper) (*replica, error) {
	quiet := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, database.Config{URL: c.URL, Logger: quiet})
	if err != nil {
		return nil, err
	}
	queue, err := job.New(db, job.Config{Logger: quiet, Workers: map[string]int{"ticket": c.Workers}})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	made, err := kit.New(kit.Config{
		DB: db, Key: key, Jobs: queue, LimitClock: db.Clock(time.Now).Read, Clock: time.Now, Ticket: ticket.DefaultConfig(),
		// Counted as always, and never reached.
		Policies: limit.Policies{psa.Syncro: {Calls: 1e9, Window: time.Minute, Pause: time.Minute, MaxPause: time.Minute}},
		Drivers: psa.Drivers{psa.Syncro: syncro.Driver(syncro.Config{
			AllowLoopback: true, Timeout: syncro.DefaultTimeout, MaxPages: syncro.DefaultMaxPages, Logger: quiet, Clock: time.Now,
		})},
	})
	if err == nil {
		err = made.Tickets.Register(queue)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &replica{made, queue}, nil
}

// furnish makes the provider, and maps its organizations.
func (s *site) furnish(ctx context.Context, c Config) error {
	first := s.replicas[0]
	client := first.DB.Client()
	p, err := client.Provider.Create().SetName("Measured").Save(tenancy.System(ctx, "make the provider of a measurement"))
	if err != nil {
		return err
	}
	s.provider = p.ID
	all := tenancy.With(ctx, tenancy.ForProvider(tenancy.ServicePrincipal("bench"), p.ID))
	var mappings []ticket.Mapping
	for n := range c.Organizations {
		o, err := client.Organization.Create().SetName(fmt.Sprint("Organization ", n)).Save(all)
		if err != nil {
			return err
		}
		s.organizations = append(s.organizations, o.ID)
		company := strconv.Itoa(1000 + n)
		mappings = append(mappings, ticket.Mapping{Organization: o.ID, Company: &company})
	}
	i, err := first.Tickets.Connect(all, ticket.Connection{Kind: psa.Syncro, AutomaticTicketing: true, Credentials: ticket.Credentials{
		"subdomain": secret.NewText("bench"), "apiToken": secret.NewText(token), "baseUrl": secret.NewText(s.web.URL),
	}})
	if err != nil {
		return err
	}
	if _, err := first.Tickets.Map(all, i.ID, mappings); err != nil {
		return err
	}
	_, _, err = first.Tickets.SetRules(all, ticket.RuleChange{Integration: i.ID, Storm: &ticket.Storm{Minutes: 10}}) // no storms: every alert is a ticket
	if err != nil {
		return err
	}
	_, err = first.Tickets.Configure(all, ticket.Configuration{
		Integration: i.ID, AlertType: alert.Custom, ShouldCreateTickets: true,
		Settings: syncro.Settings{ProblemType: "Other", Priority: "2 Normal", Status: "New"},
	})
	return err
}

// raise raises an alert in one of the organizations, at one of the replicas.
func (s *site) raise(ctx context.Context, n int, title string) error {
	organization := s.organizations[n%len(s.organizations)]
	ctx = tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal("bench"), s.provider, organization))
	_, _, err := s.replicas[n%len(s.replicas)].Alerts.Submit(ctx, alert.Report{Type: alert.Custom, Title: title, DedupeKey: title})
	return err
}

func (s *site) start(ctx context.Context) error {
	for _, r := range s.replicas {
		if err := r.queue.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var errs []error
	for _, r := range s.replicas {
		errs = append(errs, r.queue.Stop(ctx), r.DB.Close())
	}
	s.web.Close()
	return errors.Join(errs...)
}
