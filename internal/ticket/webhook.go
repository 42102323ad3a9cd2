package ticket

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// WebhookPath is where vendors call, followed by the integration's id.
const WebhookPath = "/webhook/ticketing/"

// deactivated follows the integration's id where a vendor says that it has
// given up calling.
const deactivated = "/deactivated"

// EnableWebhook has the vendor call when a ticket changes. It can be repeated.
// Where the vendor has no webhooks, or cannot reach this deployment, it is
// PRECONDITION_FAILED. It calls the vendor, and so is not to be called in a
// transaction.
func (s *Service) EnableWebhook(ctx context.Context, id string) (*ent.TicketingIntegration, error) {
	i, hooker, err := s.hooker(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.config.TwoWay.PublicURL == "" {
		return nil, fault.New(fault.PreconditionFailed, "this deployment has no public address that a vendor could call: changes are polled")
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	if i.WebhookExternalID != "" {
		active, err := hooker.Subscribed(calling, i.WebhookExternalID)
		if err != nil {
			return nil, refused(err, "")
		}
		if active {
			return i, nil
		}
	}
	key := rand.Text() + rand.Text()
	sealed, err := s.vault.Seal(ctx, webhookPlaceOf(i), []byte(key))
	if err != nil {
		return nil, err
	}
	// Before the vendor has it, so that its first call can be verified.
	if i, err = s.setWebhook(ctx, i.ID, sealed, ""); err != nil {
		return nil, err
	}
	address := strings.TrimRight(s.config.TwoWay.PublicURL, "/") + WebhookPath + i.ID
	made, err := hooker.Subscribe(calling, psa.HookRequest{
		Name: "Bailiwick " + i.ID, URL: address, DeactivationURL: address + deactivated, Secret: key,
	})
	if err != nil {
		return nil, refused(err, "")
	}
	return s.setWebhook(ctx, i.ID, sealed, made)
}

// DisableWebhook ends the vendor's calls. It can be repeated. A vendor that
// does not answer is UNAVAILABLE; one that refuses the credentials is left with
// a webhook that we do not heed. It calls the vendor, and so is not to be called
// in a transaction.
func (s *Service) DisableWebhook(ctx context.Context, id string) (*ent.TicketingIntegration, error) {
	i, hooker, err := s.hooker(ctx, id)
	if err != nil {
		return nil, err
	}
	if i.WebhookExternalID != "" {
		calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
		defer cancel()
		switch err := hooker.Unsubscribe(calling, i.WebhookExternalID); psa.ClassOf(err) {
		case psa.Uncertain, psa.NotSent, psa.Throttled:
			return nil, refused(err, "")
		}
	}
	return s.setWebhook(ctx, i.ID, nil, "")
}

// hooker opens an integration whose vendor can call.
func (s *Service) hooker(ctx context.Context, id string) (*ent.TicketingIntegration, psa.Hooker, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	hooker, ok := vendor.(psa.Hooker)
	if !ok {
		return nil, nil, fault.New(fault.PreconditionFailed, "%s has no webhooks: its changes are polled every %s", productOf(i.Kind), s.config.TwoWay.Poll)
	}
	return i, hooker, nil
}

// setWebhook stores what is known of an integration's webhook; a nil secret
// forgets it.
func (s *Service) setWebhook(ctx context.Context, id string, sealed []byte, external string) (i *ent.TicketingIntegration, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.TicketingIntegration.UpdateOneID(id).SetWebhookExternalID(external)
		if sealed == nil {
			update.ClearWebhookSecret()
		} else {
			update.SetWebhookSecret(sealed)
		}
		i, err = update.Save(ctx)
		return err
	})
	if ent.IsNotFound(err) {
		return nil, fault.Missing(id)
	}
	return i, err
}

func webhookPlaceOf(i *ent.TicketingIntegration) secret.Place {
	return secret.Place{Tenant: i.ProviderID, Table: ticketingintegration.Table, Column: ticketingintegration.FieldWebhookSecret, Row: i.ID}
}

// checkWebhook asks whether the vendor still calls. If it has given up, changes
// are polled more often, until somebody enables the webhook again.
func (s *Service) checkWebhook(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Vendor) error {
	hooker, ok := vendor.(psa.Hooker)
	if !ok || i.WebhookExternalID == "" {
		return nil
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	active, err := hooker.Subscribed(calling, i.WebhookExternalID)
	if err != nil || active {
		return err
	}
	s.logger.WarnContext(ctx, "the vendor has given up calling", "integration", i.ID)
	_, err = s.setWebhook(ctx, i.ID, nil, "")
	return err
}

// Farewell is the job that ends the webhook of an integration that was deleted.
// It carries the sealed credentials, which are nowhere else by then.
type Farewell struct {
	job.Tenant
	Integration string                    `json:"integration"`
	Vendor      ticketingintegration.Kind `json:"vendor"`
	Account     string                    `json:"account"`
	BaseURL     string                    `json:"baseUrl,omitempty"`
	Credentials []byte                    `json:"credentials"`
	Webhook     string                    `json:"webhook"`
}

// Kind implements job.Args.
func (Farewell) Kind() string { return "ticket.end-webhook" }

// farewellAttempts bounds how long the end of a webhook is tried: about a
// quarter of an hour. The vendor gives up by itself later.
const farewellAttempts = 9

// sayFarewell has the webhook of an integration ended that is being deleted, if
// it has one, within the deletion's transaction.
func (s *Service) sayFarewell(ctx context.Context, id string) error {
	i, err := s.client.TicketingIntegration.Get(ctx, id)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil || i.WebhookExternalID == "" {
		return err
	}
	return s.outbox.jobs.Enqueue(ctx, Farewell{
		Tenant: job.Tenant{Provider: i.ProviderID}, Integration: i.ID, Vendor: i.Kind, Account: i.Account, BaseURL: i.BaseURL,
		Credentials: i.Credentials, Webhook: i.WebhookExternalID,
	}, job.EnqueueOptions{})
}

// EndWebhook works a [Farewell]. What is bad for trying again is an error.
func (s *Service) EndWebhook(ctx context.Context, f Farewell) error {
	ctx = s.asProvider(ctx, f.Provider)
	i := &ent.TicketingIntegration{
		ID: f.Integration, ProviderID: f.Provider, Kind: f.Vendor, Account: f.Account, BaseURL: f.BaseURL, Credentials: f.Credentials,
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return err
	}
	hooker, ok := vendor.(psa.Hooker)
	if !ok {
		return nil
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	err = hooker.Unsubscribe(calling, f.Webhook)
	if class := psa.ClassOf(err); class == psa.Auth || class == psa.Permanent {
		return job.Cancel(err)
	}
	if e, ok := errors.AsType[*psa.Error](err); ok && e.Class == psa.Throttled {
		return job.Snooze(max(e.RetryAfter, s.config.ThrottlePause))
	}
	return err
}
