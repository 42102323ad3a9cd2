package ticket

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/ticket"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Connection is an integration to be made.
type Connection struct {
	Kind               psa.Kind
	Name               string // what the provider calls it; the product's name if empty
	Credentials        Credentials
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
	names := termsOf(c.Kind)
	if c.Name == "" {
		c.Name = names.product
	}
	if err := checkName(c.Name); err != nil {
		return nil, err
	}
	i := &ent.TicketingIntegration{
		ID: schema.NewID("psa")(), ProviderID: scope.Provider(), Kind: ticketingintegration.Kind(c.Kind),
		Account: c.Credentials[names.account].Reveal(), BaseURL: c.Credentials[names.address].Reveal(),
	}
	taken, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.KindEQ(i.Kind), ticketingintegration.Account(i.Account)).Exist(ctx)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, connected(i.Account)
	}
	if _, err := s.try(ctx, i, c.Credentials, "input"); err != nil {
		return nil, err
	}
	sealed, err := s.seal(ctx, i, c.Credentials)
	if err != nil {
		return nil, err
	}
	var made *ent.TicketingIntegration
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		made, err = s.client.TicketingIntegration.Create().SetID(i.ID).
			SetKind(i.Kind).SetName(c.Name).SetAccount(i.Account).SetBaseURL(i.BaseURL).
			SetCredentials(sealed).SetAutomaticTicketing(c.AutomaticTicketing).SetVerifiedAt(s.now()).
			Save(ctx)
		return err
	})
	if ent.IsConstraintError(err) {
		return nil, connected(i.Account).Wrap(err)
	}
	return made, err
}

func connected(account string) *fault.Error {
	return fault.New(fault.Conflict, "the provider is connected with the account %q already", psa.FitLine(account, 64))
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
	AutomaticTicketing *bool
	CompanyTypeIDs     *[]int  // only companies of these are offered; none for all
	CatchAllCompany    *string // for the tickets of unmapped organizations; empty holds them
	// Credentials by the kind that they are for, which must be the
	// integration's. Each replaces the stored one of its name.
	Credentials map[psa.Kind]Credentials
}

// Update changes an integration. New credentials are tried first, and take a
// paused integration out of its pause; types and company are checked with the
// vendor. A new catch-all company wakes the tickets that waited for one. It
// calls the vendor, and so is not to be called in a transaction.
func (s *Service) Update(ctx context.Context, c Change) (*ent.TicketingIntegration, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return nil, err
		}
	}
	a, err := s.amend(ctx, i, c)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		update := s.client.TicketingIntegration.UpdateOneID(i.ID).
			SetNillableName(c.Name).SetNillableAutomaticTicketing(c.AutomaticTicketing)
		a.apply(update)
		changed, err := update.Save(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing(c.ID)
		}
		if err != nil {
			return err
		}
		if i = changed; a.sealed != nil {
			if i, err = s.resume(ctx, i.ID); err != nil {
				return err
			}
		}
		if a.catchAll == nil || a.catchAll.ID == "" {
			return nil
		}
		return s.release(ctx, ticket.IntegrationID(i.ID), ticket.Or(ticket.ExternalIDIsNil(), ticket.ExternalID("")))
	})
	if ent.IsConstraintError(err) {
		return nil, connected(a.account).Wrap(err)
	}
	if err == nil {
		s.offered.forget(i.ID)
		s.catalogues.forget(i.ID)
	}
	return i, err
}

// amendment is a change that the vendor has agreed to.
type amendment struct {
	sealed           []byte // nil: the credentials stay
	account, address string
	types            *[]int
	catchAll         *psa.Company // nil stays; without an id there is to be none
}

func (a amendment) apply(update *ent.TicketingIntegrationUpdateOne) {
	if a.sealed != nil {
		update.SetCredentials(a.sealed).SetAccount(a.account).SetBaseURL(a.address)
	}
	if a.types != nil {
		update.SetCompanyTypeIds(*a.types)
	}
	if a.catchAll != nil {
		update.SetCatchAllCompanyID(a.catchAll.ID).SetCatchAllCompanyName(psa.FitLine(a.catchAll.Name, maxCompanyName))
	}
}

// amend asks the vendor about everything in a change that the vendor knows.
func (s *Service) amend(ctx context.Context, i *ent.TicketingIntegration, c Change) (a amendment, err error) {
	credentials, err := s.merge(ctx, i, c.Credentials)
	if err != nil {
		return amendment{}, err
	}
	var vendor psa.Vendor
	if credentials != nil {
		names := termsOf(psa.Kind(i.Kind))
		if vendor, err = s.try(ctx, i, credentials, "input."+names.input); err != nil {
			s.mistake(ctx, mistake{integration: i, operation: "verify", cause: err})
			return amendment{}, err
		}
		if a.sealed, err = s.seal(ctx, i, credentials); err != nil {
			return amendment{}, err
		}
		a.account, a.address = credentials[names.account].Reveal(), credentials[names.address].Reveal()
	} else if c.CompanyTypeIDs != nil || c.CatchAllCompany != nil {
		if vendor, err = s.vendor(ctx, i); err != nil {
			return amendment{}, err
		}
	}
	if c.CompanyTypeIDs != nil {
		if err := s.checkTypes(ctx, i, vendor, *c.CompanyTypeIDs); err != nil {
			return amendment{}, err
		}
		types := slices.Compact(slices.Sorted(slices.Values(*c.CompanyTypeIDs)))
		a.types = &types
	}
	if c.CatchAllCompany != nil {
		a.catchAll = &psa.Company{}
		if *c.CatchAllCompany != "" {
			company, err := s.known(ctx, i, vendor, *c.CatchAllCompany, "input.catchAllCompanyId")
			if err != nil {
				return amendment{}, err
			}
			a.catchAll = &company
		}
	}
	return a, nil
}

// merge puts new credentials over the stored ones; nil if there are none.
func (s *Service) merge(ctx context.Context, i *ent.TicketingIntegration, given map[psa.Kind]Credentials) (Credentials, error) {
	for _, kind := range slices.Sorted(maps.Keys(given)) {
		if err := requireKind(i, kind, "input."+termsOf(kind).input); err != nil {
			return nil, err
		}
	}
	changed := given[psa.Kind(i.Kind)]
	if len(changed) == 0 {
		return nil, nil
	}
	merged, err := s.credentials(ctx, i)
	if err != nil {
		return nil, err
	}
	maps.Copy(merged, changed)
	return merged, nil
}

// Verify tries an integration's credentials, without a ticket. Where they are
// accepted, a pause ends; where they are refused, it begins. Why is in the
// integration's last error. It calls the vendor, and so is not to be called in
// a transaction.
func (s *Service) Verify(ctx context.Context, id string) (i *ent.TicketingIntegration, accepted bool, err error) {
	if i, err = s.client.TicketingIntegration.Load(ctx, id); err != nil {
		return nil, false, err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return nil, false, err
	}
	calling, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	_, verdict := vendor.Verify(calling)
	if verdict != nil {
		s.mistake(ctx, mistake{integration: i, operation: "verify", cause: verdict})
	}
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
