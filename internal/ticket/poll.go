package ticket

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// pollTick is how often integrations are looked for whose next poll is due, and
// over which the polls of a tick are spread.
const pollTick = 30 * time.Second

// Polling is the job that asks an integration's vendor what has changed.
type Polling struct {
	job.Tenant
	Integration string `json:"integration"`
}

// Kind implements job.Args.
func (Polling) Kind() string { return "ticket.poll" }

// PollDue has every active integration polled whose time has come. The context
// needs no scope.
func (s *Service) PollDue(ctx context.Context) error {
	now := s.now()
	due, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.StatusEQ(ticketingintegration.StatusActive), ticketingintegration.Or(
			ticketingintegration.PolledUntilIsNil(),
			ticketingintegration.PolledUntilLTE(now.Add(-s.config.TwoWay.PollHooked)),
			ticketingintegration.And(
				ticketingintegration.PolledUntilLTE(now.Add(-s.config.TwoWay.Poll)),
				ticketingintegration.Or(ticketingintegration.WebhookExternalIDIsNil(), ticketingintegration.WebhookExternalID("")),
			),
		)).
		Order(ticketingintegration.ByPolledUntil(sql.OrderNullsFirst()), ticketingintegration.ByID()).Limit(s.config.SweepBatch).
		All(tenancy.System(ctx, "find the integrations of every provider that are to be polled"))
	if err != nil {
		return err
	}
	for _, i := range due {
		at := now.Add(rand.N(pollTick / 2)) //nolint:gosec // spreads load, hides nothing
		if err := s.enqueuePoll(ctx, i, at); err != nil {
			return err
		}
	}
	return nil
}

// enqueuePoll has an integration polled, once for all who ask before that is
// over.
func (s *Service) enqueuePoll(ctx context.Context, i *ent.TicketingIntegration, at time.Time) error {
	args := Polling{Tenant: job.Tenant{Provider: i.ProviderID}, Integration: i.ID}
	return s.outbox.jobs.Enqueue(ctx, args, job.EnqueueOptions{UniqueKey: i.ID, At: at, Priority: 2})
}

// Poll works a [Polling]: it finds which of our tickets have changed at the
// vendor, and has each of them read. What is bad for trying again is an error.
func (s *Service) Poll(ctx context.Context, p Polling) error {
	ctx = s.asProvider(ctx, p.Provider)
	i, err := s.client.TicketingIntegration.Get(ctx, p.Integration)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil || i.Status == ticketingintegration.StatusPaused {
		return err
	}
	began := s.now()
	ours, err := s.client.Ticket.Query().Where(ticket.IntegrationID(i.ID), ticket.ExternalIDNEQ("")).
		Order(ticket.ByID(sql.OrderDesc())).First(ctx)
	if ent.IsNotFound(err) {
		return s.polled(ctx, i, began)
	}
	if err != nil {
		return err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return err
	}
	if err = s.checkWebhook(ctx, i, vendor); err == nil {
		err = s.follow(ctx, i, vendor, began)
	}
	if err != nil {
		s.mistake(ctx, mistake{integration: i, operation: "poll", cause: err})
		return s.unread(ctx, i, ours, err)
	}
	return nil
}

// asProvider is a context in which ticketing acts for all of a provider.
func (s *Service) asProvider(ctx context.Context, provider string) context.Context {
	return tenancy.With(ctx, tenancy.ForProvider(tenancy.ServicePrincipal("ticketing"), provider))
}

// follow reads page after page of what has changed. Only when the last is
// committed have the vendor's changes been read; until then the next poll
// begins where this one did.
func (s *Service) follow(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Watcher, began time.Time) error {
	since := i.CreatedAt
	if i.PolledUntil != nil {
		since = *i.PolledUntil
	}
	if since.Before(began.Add(-s.config.TwoWay.PollReach)) {
		since = began.Add(-s.config.TwoWay.PollReach)
		if err := s.readAll(ctx, i); err != nil {
			return err
		}
	}
	since = since.Add(-s.config.TwoWay.PollOverlap)
	cursor := ""
	for range s.config.TwoWay.PollPages {
		page, err := s.changed(ctx, vendor, since, cursor)
		if err != nil {
			return err
		}
		cursor = page.Next
		err = s.db.InTx(ctx, func(ctx context.Context) error {
			if err := s.compare(ctx, i, page.Tickets); err != nil || cursor != "" {
				return err
			}
			return s.polled(ctx, i, began)
		})
		if err != nil || cursor == "" {
			return err
		}
	}
	s.logger.WarnContext(ctx, "more has changed at the vendor than a poll reads", "integration", i.ID, "since", since)
	return errors.Join(s.readAll(ctx, i), s.polled(ctx, i, began))
}

func (s *Service) changed(ctx context.Context, vendor psa.Watcher, since time.Time, cursor string) (psa.ChangedPage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	return vendor.Changed(ctx, since, cursor)
}

// compare finds which of the vendor's tickets are ours, and has those read that
// are not as we know them. A page may be older than what we have written since,
// so it is a hint like any other.
func (s *Service) compare(ctx context.Context, i *ent.TicketingIntegration, remotes []psa.Remote) error {
	byID := make(map[string]psa.Remote, len(remotes))
	ids := make([]string, 0, len(remotes))
	for _, r := range remotes {
		byID[r.ID] = r
		ids = append(ids, r.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	ours, err := s.client.Ticket.Query().
		Where(ticket.IntegrationID(i.ID), ticket.ExternalIDIn(ids...), ticket.StatusNEQ(ticket.StatusCancelled)).
		Order(ticket.ByID()).All(ctx)
	if err != nil {
		return err
	}
	for _, t := range ours {
		r := byID[t.ExternalID]
		same := r.Closed == (t.Status == ticket.StatusClosed) && kept(r.Status) == t.ExternalStatus && kept(r.AssigneeID) == t.ExternalAssignee
		if same {
			continue
		}
		if err := s.enqueueRead(ctx, t, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// polled records up to when the vendor's changes have been read.
func (s *Service) polled(ctx context.Context, i *ent.TicketingIntegration, until time.Time) error {
	return s.client.TicketingIntegration.Update().Where(ticketingintegration.ID(i.ID)).SetPolledUntil(until).Exec(ctx)
}

// readAll has the reconciliation read every living ticket of an integration.
func (s *Service) readAll(ctx context.Context, i *ent.TicketingIntegration) error {
	return s.client.Ticket.Update().
		Where(ticket.IntegrationID(i.ID), ticket.ExternalIDNEQ(""), ticket.StatusNotIn(ticket.StatusClosed, ticket.StatusCancelled)).
		SetMirroredAt(time.Unix(0, 0).UTC()).Exec(ctx)
}
