package ticket

import (
	"context"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Connection is an integration to be made.
type Connection struct {
	Kind               psa.Kind
	Name               string // what the provider calls it; the kind's name if empty
	Account            Account
	AutomaticTicketing bool
}

// Connect stores an integration once the vendor has accepted its credentials.
// Refused credentials are INVALID_ARGUMENT with the vendor's words; a second
// integration with one account is CONFLICT. It calls the vendor, and so is not
// to be called in a transaction.
func (s *Service) Connect(ctx context.Context, c Connection) (*ent.TicketingIntegration, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = "Syncro"
	}
	if err := checkName(c.Name); err != nil {
		return nil, err
	}
	kind := ticketingintegration.Kind(c.Kind)
	taken, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.KindEQ(kind), ticketingintegration.Account(c.Account.Name)).Exist(ctx)
	if err != nil {
		return nil, err
	}
	conflict := fault.New(fault.Conflict, "the provider is connected with the account %q already", psa.FitLine(c.Account.Name, 64))
	if taken {
		return nil, conflict
	}
	c.Account.Gate = s.gate(&ent.TicketingIntegration{
		ProviderID: scope.Provider(), Kind: kind, Account: c.Account.Name, BaseURL: c.Account.BaseURL,
	})
	if err := s.try(ctx, c.Kind, c.Account); err != nil {
		return nil, err
	}
	id := schema.NewID("psa")()
	sealed, err := s.vault.Seal(ctx, placeOf(scope.Provider(), id), []byte(c.Account.Credentials.Reveal()))
	if err != nil {
		return nil, err
	}
	var made *ent.TicketingIntegration
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		made, err = s.client.TicketingIntegration.Create().SetID(id).
			SetKind(kind).SetName(c.Name).SetAccount(c.Account.Name).SetBaseURL(c.Account.BaseURL).
			SetCredentials(sealed).SetAutomaticTicketing(c.AutomaticTicketing).SetVerifiedAt(s.now()).
			Save(ctx)
		return err
	})
	if ent.IsConstraintError(err) {
		return nil, conflict.Wrap(err)
	}
	return made, err
}

// try asks the vendor whether it accepts an account.
func (s *Service) try(ctx context.Context, kind psa.Kind, a Account) error {
	driver, err := s.drivers.For(kind)
	if err != nil {
		return err
	}
	vendor, err := driver.Open(a)
	if err != nil {
		return within("input", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	_, err = vendor.Verify(ctx)
	return refused(err, "input.apiToken")
}

func checkName(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > 255 {
		return fault.Invalid("input.name", "must have 1 to 255 bytes")
	}
	return nil
}

// Change is what to change about an integration; nil stays.
type Change struct {
	ID                 string
	Name               *string
	Credentials        *secret.Text
	AutomaticTicketing *bool
}

// Update changes an integration. New credentials are tried first, and take a
// paused integration out of its pause. It calls the vendor, and so is not to
// be called in a transaction.
func (s *Service) Update(ctx context.Context, c Change) (*ent.TicketingIntegration, error) {
	i, err := s.client.TicketingIntegration.Fetch(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return nil, err
		}
	}
	var sealed []byte
	if c.Credentials != nil {
		if err := s.try(ctx, psa.Kind(i.Kind), Account{Name: i.Account, BaseURL: i.BaseURL, Credentials: *c.Credentials, Gate: s.gate(i)}); err != nil {
			return nil, err
		}
		if sealed, err = s.vault.Seal(ctx, placeOf(i.ProviderID, i.ID), []byte(c.Credentials.Reveal())); err != nil {
			return nil, err
		}
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.TicketingIntegration.UpdateOneID(i.ID).
			SetNillableName(c.Name).SetNillableAutomaticTicketing(c.AutomaticTicketing)
		if sealed != nil {
			update.SetCredentials(sealed)
		}
		if i, err = update.Save(ctx); ent.IsNotFound(err) {
			return fault.Missing(c.ID)
		}
		if err != nil || sealed == nil {
			return err
		}
		i, err = s.resume(ctx, i.ID)
		return err
	})
	return i, err
}

// Verify tries an integration's credentials, without a ticket. Where they are
// accepted, a pause ends; where they are refused, it begins. Why is in the
// integration's last error. It calls the vendor, and so is not to be called in
// a transaction.
func (s *Service) Verify(ctx context.Context, id string) (i *ent.TicketingIntegration, accepted bool, err error) {
	if i, err = s.client.TicketingIntegration.Fetch(ctx, id); err != nil {
		return nil, false, err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, false, err
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	_, verdict := vendor.Verify(calling)
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if verdict == nil {
			i, err = s.resume(ctx, id)
			return err
		}
		update := s.client.TicketingIntegration.UpdateOneID(id).SetLastError(words(verdict)).SetLastErrorAt(s.now())
		if psa.ClassOf(verdict) == psa.Auth {
			update.SetStatus(ticketingintegration.StatusPaused)
		}
		i, err = update.Save(ctx)
		return err
	})
	if ent.IsNotFound(err) {
		return nil, false, fault.Missing(id)
	}
	return i, verdict == nil, err
}

// resume takes an integration into use whose credentials have been accepted:
// what waited for them is due.
func (s *Service) resume(ctx context.Context, id string) (*ent.TicketingIntegration, error) {
	before, err := s.client.TicketingIntegration.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	i, err := before.Update().
		SetStatus(ticketingintegration.StatusActive).SetVerifiedAt(s.now()).ClearLastError().ClearLastErrorAt().Save(ctx)
	if err != nil || before.Status != ticketingintegration.StatusPaused {
		return i, err
	}
	err = s.client.Ticket.Update().
		Where(ticket.IntegrationID(id), ticket.NextAttemptAtNotNil(), ticket.StatusIn(ticket.StatusPending, ticket.StatusCreated)).
		SetNextAttemptAt(s.now()).Exec(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.alarms.Clear(ctx, "", alertIntegrationFailing, id); err != nil {
		return nil, err
	}
	return i, nil
}

// Delete deletes an integration with all that hangs on it. The tickets at the
// vendor stay.
func (s *Service) Delete(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.sayFarewell(ctx, id); err != nil {
			return err
		}
		deleted, err := s.client.TicketingIntegration.Delete().Where(ticketingintegration.ID(id)).Exec(ctx)
		if err != nil {
			return err
		}
		if deleted == 0 {
			return fault.Missing(id)
		}
		_, err = s.alarms.Clear(ctx, "", alertIntegrationFailing, id)
		return err
	})
}

// pause stops an integration whose credentials are refused, and tells the
// technicians in the organization where it was noticed.
func (s *Service) pause(ctx context.Context, i *ent.TicketingIntegration, organization string, cause error) error {
	err := s.client.TicketingIntegration.UpdateOneID(i.ID).
		SetStatus(ticketingintegration.StatusPaused).SetLastError(words(cause)).SetLastErrorAt(s.now()).Exec(ctx)
	if err != nil {
		return err
	}
	return s.alarms.Alarm(ctx, organization, alertIntegrationFailing, i.ID,
		"The integration "+psa.FitLine(i.Name, 100)+" does not work",
		"No tickets are delivered until its credentials are accepted again. The ticketing system says: "+words(cause))
}

// VerifyPaused tries every paused integration, so that one whose credentials
// work again resumes by itself. The context needs no scope.
func (s *Service) VerifyPaused(ctx context.Context) error {
	paused, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.StatusEQ(ticketingintegration.StatusPaused)).
		Order(ticketingintegration.ByID()).Limit(s.config.SweepBatch).
		All(tenancy.System(ctx, "find paused integrations of every provider"))
	if err != nil {
		return err
	}
	for _, i := range paused {
		scope := tenancy.ForProvider(tenancy.ServicePrincipal("ticketing"), i.ProviderID)
		_, accepted, err := s.Verify(tenancy.With(ctx, scope), i.ID)
		if err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "verify a paused integration", "integration", i.ID, "error", err)
		}
		if accepted {
			s.logger.InfoContext(ctx, "integration works again", "integration", i.ID, "after", s.now().Sub(since(i)))
		}
	}
	return ctx.Err()
}

func since(i *ent.TicketingIntegration) time.Time {
	if i.LastErrorAt != nil {
		return *i.LastErrorAt
	}
	return i.UpdatedAt
}
