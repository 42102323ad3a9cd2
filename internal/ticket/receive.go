package ticket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingwebhookreceipt"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	receiveTimeout = 4 * time.Second // ConnectWise gives up after 5
	readTimeout    = 10 * time.Second
	// callsPerMinute bounds what one integration's address takes. A vendor that
	// calls more often is behind, and the poll finds what was turned away.
	callsPerMinute = 600
	maxIntegration = 90 // bytes of an id
)

// errRefused reports a call that is not to be believed, whatever the reason.
var errRefused = errors.New("ticket: the call is refused")

// Webhooks answers vendors' calls below [WebhookPath]. A call proves nothing
// and is believed nothing: one that is signed has its ticket read. What is
// wrong with another is not told; a replayed one is accepted and changes
// nothing.
func (s *Service) Webhooks() (http.Handler, error) {
	meter, err := newMeter(callsPerMinute, s.clock)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+WebhookPath+"{integration}", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // where the server has none, its own limit holds
		id := r.PathValue("integration")
		if !meter.admit(id) {
			http.Error(w, "too many calls", http.StatusTooManyRequests)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, psa.MaxEvent))
		if err != nil {
			http.Error(w, "the body cannot be read, or is too long", http.StatusRequestEntityTooLarge)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), receiveTimeout)
		defer cancel()
		switch err := s.Receive(ctx, id, r.Header, body); {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, errRefused):
			http.Error(w, "unauthorized", http.StatusUnauthorized)
		default:
			s.logger.ErrorContext(r.Context(), "receive a vendor's call", "error", err)
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST "+WebhookPath+"{integration}"+deactivated, func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("integration"); meter.admit(id) {
			if err := s.Check(r.Context(), id); err != nil {
				s.logger.ErrorContext(r.Context(), "receive a vendor's farewell", "error", err)
			}
		}
		w.WriteHeader(http.StatusOK) // whoever it is, and whatever came of it
	})
	return mux, nil
}

// Receive takes a vendor's call: verified, it has the ticket read that it is
// about. The context needs no scope: the tenant follows from the integration.
func (s *Service) Receive(ctx context.Context, integration string, header http.Header, body []byte) error {
	i, err := s.called(ctx, integration)
	if err != nil {
		return err
	}
	ctx = s.asProvider(ctx, i.ProviderID)
	event, err := s.verify(ctx, i, header, body)
	if err != nil {
		// Whoever calls may write the log full: it is for debugging.
		s.logger.DebugContext(ctx, "refuse a vendor's call", "integration", i.ID, "error", err)
		return errRefused
	}
	if event.TicketID == "" {
		return nil
	}
	receipt := event.ID
	if len(receipt) > 128 {
		sum := sha256.Sum256([]byte(receipt))
		receipt = hex.EncodeToString(sum[:])
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		t, err := s.client.Ticket.Query().Where(ticket.IntegrationID(i.ID), ticket.ExternalID(event.TicketID)).
			Order(ticket.ByID()).First(ctx)
		if ent.IsNotFound(err) {
			return nil // not ours, or not known to be yet: the poll tells
		}
		if err != nil {
			return err
		}
		known, err := s.client.TicketingWebhookReceipt.Query().
			Where(ticketingwebhookreceipt.IntegrationID(i.ID), ticketingwebhookreceipt.Event(receipt)).Exist(ctx)
		if err != nil || known {
			return err
		}
		err = s.client.TicketingWebhookReceipt.Create().SetIntegrationID(i.ID).SetEvent(receipt).Exec(ctx)
		if err != nil {
			return err
		}
		return s.outbox.jobs.Enqueue(ctx, Reading{Tenant: tenantOf(t), Ticket: t.ID}, job.EnqueueOptions{})
	})
	if ent.IsConstraintError(err) {
		return nil // the same call arrived twice at once
	}
	return err
}

// called is the integration that a vendor calls, if it may.
func (s *Service) called(ctx context.Context, id string) (*ent.TicketingIntegration, error) {
	if len(id) > maxIntegration {
		return nil, errRefused
	}
	i, err := s.client.TicketingIntegration.Query().Where(ticketingintegration.ID(id)).
		Only(tenancy.System(ctx, "find the integration that a vendor calls, before its provider is known"))
	if ent.IsNotFound(err) || (err == nil && len(i.WebhookSecret) == 0) {
		return nil, errRefused
	}
	return i, err
}

func (s *Service) verify(ctx context.Context, i *ent.TicketingIntegration, header http.Header, body []byte) (psa.Event, error) {
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return psa.Event{}, err
	}
	hooker, ok := vendor.(psa.Hooker)
	if !ok {
		return psa.Event{}, errRefused
	}
	key, err := s.vault.Open(ctx, webhookPlaceOf(i), i.WebhookSecret)
	if err != nil {
		return psa.Event{}, err
	}
	event, err := hooker.Event(ctx, string(key), header, body)
	if err != nil {
		return psa.Event{}, err
	}
	if !event.At.IsZero() && event.At.Before(s.now().Add(-s.config.TwoWay.EventAge)) {
		return psa.Event{}, errors.New("the event is older than what is remembered")
	}
	return event, nil
}

// Check has an integration polled soon because somebody says, unsigned, that
// the vendor has given up calling. It does nothing where there is no webhook,
// and seldom. The context needs no scope.
func (s *Service) Check(ctx context.Context, integration string) error {
	i, err := s.called(ctx, integration)
	if errors.Is(err, errRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	if i.PolledUntil != nil && i.PolledUntil.After(s.now().Add(-time.Minute)) {
		return nil // the next poll is soon enough
	}
	return s.enqueuePoll(s.asProvider(ctx, i.ProviderID), i, time.Time{})
}

// ForgetReceipts deletes what is remembered of calls that would be refused by
// now for their age. The context needs no scope.
func (s *Service) ForgetReceipts(ctx context.Context) error {
	_, err := s.client.TicketingWebhookReceipt.Delete().
		Where(ticketingwebhookreceipt.CreatedAtLTE(s.now().Add(-s.config.TwoWay.ReceiptAge))).
		Exec(tenancy.System(ctx, "forget the old webhook calls of every provider"))
	return err
}

// meter counts calls by address, in this process.
type meter struct {
	perMinute int
	clock     func() time.Time
	mu        sync.Mutex
	counts    *lru.Cache[string, count]
}

type count struct {
	minute time.Time
	calls  int
}

// metered is how many addresses are counted at a time.
const metered = 10_000

func newMeter(perMinute int, clock func() time.Time) (*meter, error) {
	counts, err := lru.New[string, count](metered)
	if err != nil {
		return nil, err
	}
	return &meter{perMinute: perMinute, clock: clock, counts: counts}, nil
}

func (m *meter) admit(id string) bool {
	if len(id) > maxIntegration {
		return true // refused at no cost
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := m.clock().Truncate(time.Minute)
	c, _ := m.counts.Get(id)
	if !c.minute.Equal(minute) {
		c = count{minute: minute}
	}
	c.calls++
	m.counts.Add(id, c)
	return c.calls <= m.perMinute
}
