package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

// queue keeps slow vendors out of the way of other work.
const queue = "billing"

// batchOf bounds how many records a round reads at a time.
const batchOf = 500

// rounds bounds one job; what is left, the next sweep goes on with.
const rounds = 10 * time.Minute

// maxReach bounds the organizations that a job names.
const maxReach = 1000

// Writing is the job that brings an integration's due records to the vendor.
type Writing struct {
	job.Tenant
	Integration string `json:"integration"`
}

// Kind implements job.Args.
func (Writing) Kind() string { return "billing.write" }

// WritingNow is the job that brings today's usage to the vendor because a
// technician wants it.
type WritingNow struct {
	job.Visible
	Integration   string   `json:"integration"`
	All           bool     `json:"all,omitempty"`           // every organization of the provider
	Organizations []string `json:"organizations,omitempty"` // else these
}

// Kind implements job.Args.
func (WritingNow) Kind() string { return "billing.write-now" }

// Register has the queue count users and write their numbers.
func (s *Service) Register(q *job.Queue) error {
	// What fails is due again by its row: the job need not be repeated.
	err := job.Register(q, func(ctx context.Context, t job.Task[Writing]) error {
		return s.Write(provided(ctx, t.Args.Provider), t.Args.Integration)
	}, job.Options{Queue: queue, MaxAttempts: 1, Timeout: rounds})
	if err != nil {
		return err
	}
	err = job.Register(q, s.writeNow, job.Options{Queue: queue, MaxAttempts: 3, Timeout: rounds})
	if err != nil {
		return err
	}
	if err := q.Every("billing.count", s.config.Sample, 0, s.Sample); err != nil {
		return err
	}
	return q.Every("billing.sweep", s.config.Sweep, 0, s.Sweep)
}

func provided(ctx context.Context, provider string) context.Context {
	return tenancy.With(ctx, tenancy.ForProvider(tenancy.ServicePrincipal("billing"), provider))
}

// Sweep has every integration written that has due records and is not paused.
// The context needs no scope.
func (s *Service) Sweep(ctx context.Context) error {
	var due []struct {
		ProviderID    string `json:"provider_id"`
		IntegrationID string `json:"integration_id"`
	}
	err := s.client.TicketingUsageRecord.Query().
		Where(ticketingusagerecord.NextAttemptAtLTE(s.now()),
			ticketingusagerecord.HasIntegrationWith(ticketingintegration.StatusEQ(ticketingintegration.StatusActive))).
		GroupBy(ticketingusagerecord.FieldProviderID, ticketingusagerecord.FieldIntegrationID).
		Scan(tenancy.System(ctx, "find the integrations of every provider with usage to write"), &due)
	if err != nil {
		return fmt.Errorf("find what is due: %w", err)
	}
	for _, d := range due {
		args := Writing{Tenant: job.Tenant{Provider: d.ProviderID}, Integration: d.IntegrationID}
		if err := s.jobs.Enqueue(ctx, args, job.EnqueueOptions{UniqueKey: d.IntegrationID}); err != nil {
			return err
		}
	}
	return nil
}

// Write brings an integration's due records to the vendor, until nothing is
// due or the vendor wants no more calls.
func (s *Service) Write(ctx context.Context, integration string) error {
	r, err := s.open(ctx, integration)
	if err != nil {
		return over(err)
	}
	for after := ""; ctx.Err() == nil; {
		due, err := s.client.TicketingUsageRecord.Query().
			Where(ticketingusagerecord.IntegrationID(integration), ticketingusagerecord.NextAttemptAtLTE(s.now()),
				ticketingusagerecord.OrganizationIDGT(after)).
			Order(ent.Asc(ticketingusagerecord.FieldOrganizationID, ticketingusagerecord.FieldDay)).Limit(batchOf).All(ctx)
		if err != nil {
			return fmt.Errorf("read what is due: %w", err)
		}
		if len(due) == 0 {
			return nil
		}
		for n := 0; n < len(due) && ctx.Err() == nil; {
			first := n
			for n < len(due) && due[n].OrganizationID == due[first].OrganizationID {
				n++
			}
			if _, err := r.write(ctx, due[first:n]); err != nil {
				return over(err)
			}
			after = due[first].OrganizationID
		}
	}
	return nil
}

// over is the error of a round for the queue: what the rows say already is none.
func over(err error) error {
	if errors.Is(err, errPaused) || errors.Is(err, errThrottled) || fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Trigger has today's usage of the organizations in reach, or of one, brought
// to the vendor now, also where the vendor is known to have it, and answers the
// job to follow. It joins the ambient transaction. An integration or
// organization out of reach is NOT_FOUND; a paused one PRECONDITION_FAILED.
func (s *Service) Trigger(ctx context.Context, integration, organization string) (*ent.Job, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	i, err := s.client.TicketingIntegration.Load(ctx, integration)
	if err != nil {
		return nil, err
	}
	if i.Status == ticketingintegration.StatusPaused {
		return nil, errPaused
	}
	args := WritingNow{Integration: i.ID, All: scope.All(), Organizations: scope.Organizations()}
	if organization != "" {
		if _, err := s.client.Organization.Load(ctx, organization); err != nil {
			return nil, err
		}
		args.All, args.Organizations = false, []string{organization}
	}
	if len(args.Organizations) > maxReach {
		return nil, fault.New(fault.PreconditionFailed, "more than %d organizations are in reach: name one", maxReach)
	}
	j, err := s.jobs.Track(ctx, args.Kind(), 0)
	if err != nil {
		return nil, err
	}
	if args.Tenant, err = job.TenantOf(ctx); err != nil {
		return nil, err
	}
	args.Job = j.ID
	return j, s.jobs.Enqueue(ctx, args, job.EnqueueOptions{})
}

// writeNow works a WritingNow.
func (s *Service) writeNow(ctx context.Context, t job.Task[WritingNow]) error {
	scope := tenancy.ForProvider(tenancy.ServicePrincipal("billing"), t.Args.Provider)
	if !t.Args.All {
		scope = tenancy.ForOrganizations(tenancy.ServicePrincipal("billing"), t.Args.Provider, t.Args.Organizations...)
	}
	err := s.today(tenancy.With(ctx, scope), t.Args.Integration, t.Progress)
	if errors.Is(err, errPaused) || errors.Is(err, errThrottled) || fault.CodeOf(err) == fault.NotFound {
		return job.Cancel(err)
	}
	return err
}

// today counts the organizations in reach, and brings their records of today to
// the vendor. Progress may be nil.
func (s *Service) today(ctx context.Context, integration string, progress *job.Progress) error {
	if err := s.sample(ctx); err != nil {
		return err
	}
	r, err := s.open(ctx, integration)
	if err != nil {
		return err
	}
	r.force = true
	records, err := s.client.TicketingUsageRecord.Query().
		Where(ticketingusagerecord.IntegrationID(integration), ticketingusagerecord.Day(dayOf(s.now()))).
		Order(ent.Asc(ticketingusagerecord.FieldOrganizationID)).All(ctx)
	if err != nil {
		return fmt.Errorf("read today's usage: %w", err)
	}
	if progress != nil {
		if err := progress.Total(ctx, len(records)); err != nil {
			return err
		}
	}
	failed := 0
	for n, record := range records {
		written, err := r.write(ctx, []*ent.TicketingUsageRecord{record})
		if err != nil {
			return err
		}
		if !written {
			failed++
		}
		if progress == nil {
			continue
		}
		if err := progress.Step(ctx, n+1, failed); err != nil {
			return err
		}
	}
	return nil
}
