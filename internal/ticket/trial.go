package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Trial is a test ticket to be made.
type Trial struct {
	Integration  string
	Organization string
	AlertType    string // whose configuration it has, a key or UUID; empty for the first that is configured
	KeepOpen     bool   // leaves it open, to be looked at
}

// Tried is a test ticket that was made.
type Tried struct {
	Remote psa.Remote
	Status string // as people call it
	// Problem is why the ticket could not be closed or read again, in the
	// vendor's words; empty if all went well.
	Problem string
}

const trialOperation = "test"

// Try makes one test ticket for an organization's company, with the settings
// of an alert type, and closes it. The ticket carries a marker. An answer that
// leaves doubt is followed by looking the marker up, and never by another
// ticket: if it is not found, the error says what to look for. It calls the
// vendor, and so is not to be called in a transaction.
func (s *Service) Try(ctx context.Context, t Trial) (Tried, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, t.Integration)
	if err != nil {
		return Tried{}, err
	}
	draft, err := s.trial(ctx, i, t)
	if err != nil {
		return Tried{}, err
	}
	vendor, err := s.vendor(ctx, i)
	if err != nil {
		return Tried{}, err
	}
	since := s.now().Add(-searchMargin)
	made, err := bounded(ctx, s.config.CallTimeout, func(ctx context.Context) (psa.Remote, error) { return vendor.Create(ctx, draft) })
	if err != nil {
		s.mistake(ctx, mistake{integration: i, organization: t.Organization, operation: trialOperation, cause: err})
		if psa.ClassOf(err) != psa.Uncertain {
			return Tried{}, refused(err, "")
		}
		if made, err = s.find(ctx, vendor, draft, since); err != nil {
			return Tried{}, err
		}
	}
	return s.conclude(ctx, i, vendor, made, t), nil
}

// trial is the test ticket as the configuration has it.
func (s *Service) trial(ctx context.Context, i *ent.TicketingIntegration, t Trial) (psa.Draft, error) {
	configured, err := s.Configurations(ctx, i.ID, t.Organization)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return psa.Draft{}, within("input", err)
		}
		return psa.Draft{}, err
	}
	applies := firstApplying(configured)
	if t.AlertType != "" {
		key, err := s.alertType(t.AlertType)
		if err != nil {
			return psa.Draft{}, err
		}
		applies = configured[key].Applies()
	}
	if applies == nil {
		return psa.Draft{}, fault.New(fault.PreconditionFailed, "no alert type is configured for it: configure one with update%sAlertConfiguration", termsOf(psa.Kind(i.Kind)).product)
	}
	driver, err := s.drivers.For(psa.Kind(i.Kind))
	if err != nil {
		return psa.Draft{}, err
	}
	settings, err := driver.Settings(applies.Settings)
	if err != nil {
		return psa.Draft{}, err
	}
	company, _, err := s.companyOf(ctx, i, t.Organization)
	if err != nil {
		return psa.Draft{}, err
	}
	if company == "" {
		return psa.Draft{}, fault.New(fault.PreconditionFailed, "no company is mapped to the organization, and the integration has no catch-all company")
	}
	draft := psa.Draft{
		Marker: psa.Marker(t.Organization, i.ID, "test|"+uuid.NewString(), 1), CompanyID: company, Settings: settings,
		Title: "Test ticket from Bailiwick: please ignore",
		Body: "Somebody tries the connection of Bailiwick with this ticketing system, with the settings of alerts of the type " + applies.AlertType +
			". Nothing is wrong, and nothing needs to be done.",
	}
	if applies.DueDays != nil {
		draft.Due = s.now().AddDate(0, 0, *applies.DueDays)
	}
	return draft, nil
}

// find looks for a ticket in doubt, again after pauses since search indexes lag.
func (s *Service) find(ctx context.Context, vendor psa.Vendor, d psa.Draft, since time.Time) (psa.Remote, error) {
	for _, pause := range append([]time.Duration{0}, s.config.TrialPauses...) {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		found, err := bounded(ctx, s.config.CallTimeout, func(ctx context.Context) ([]psa.Remote, error) {
			return vendor.Find(ctx, d.Marker, d.CompanyID, since)
		})
		if err == nil && len(found) > 0 {
			return found[0], nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return psa.Remote{}, fault.New(fault.Unavailable,
		"the ticketing system did not say whether it made the ticket, and it is not found: look there for one with %s, and close it", d.Marker)
}

// conclude closes a test ticket unless it is to stay open, and reads what it
// is now. The ticket is there, whatever becomes of that.
func (s *Service) conclude(ctx context.Context, i *ent.TicketingIntegration, vendor psa.Vendor, made psa.Remote, t Trial) Tried {
	tried := Tried{Remote: made}
	failed := func(err error) {
		s.mistake(ctx, mistake{integration: i, organization: t.Organization, operation: trialOperation, cause: err})
		tried.Problem = words(err)
	}
	if !t.KeepOpen {
		closing := psa.Closing{Resolution: "The test is over."}
		for range 2 { // closing can be repeated
			_, err := bounded(ctx, s.config.CallTimeout, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, vendor.Close(ctx, made.ID, closing)
			})
			if tried.Problem = ""; err == nil {
				break
			}
			failed(err)
		}
	}
	now, err := bounded(ctx, s.config.CallTimeout, func(ctx context.Context) (psa.Remote, error) { return vendor.Get(ctx, made.ID) })
	if err == nil {
		tried.Remote = now
	} else {
		failed(err)
	}
	tried.Status = tried.Remote.Status
	if options, err := s.Options(ctx, i.ID, false); err == nil {
		tried.Status = label(options, "status", tried.Remote.Status)
	}
	return tried
}

// bounded gives a call a time.
func bounded[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}
