package ticket

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketalert"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// Outcome is what would become of an alert.
type Outcome string

// The outcomes.
const (
	OutcomeNone   Outcome = "NONE"   // no ticket
	OutcomeCreate Outcome = "CREATE" // a ticket of its own, or the first of its group or storm
	OutcomeJoin   Outcome = "JOIN"   // a note in a ticket that is there
	OutcomeReopen Outcome = "REOPEN" // a closed ticket put back to work
)

// Sample is the alert of a dry run: one that exists, or one that might.
type Sample struct {
	Integration string
	Alert       string // one that exists; empty for what follows

	AlertType    string // its key or UUID
	Organization string // empty for that of the device or user
	Title        string // a sample if empty
	Description  string
	Severity     string // LOW, MEDIUM or HIGH; MEDIUM if empty
	Device       string
	User         string
}

// Preview is what would become of a sample. Where no ticket would be made, the
// reasons say why, and the rest is what it would look like.
type Preview struct {
	Outcome     Outcome
	Reasons     []string
	Ticket      *ent.Ticket // that is joined or reopened
	Storm       bool        // the ticket stands for a storm
	NotBefore   *time.Time  // when it is sent at the earliest; nil for at once
	CompanyID   string
	CompanyName string
	Text        schema.TicketContent // cut as the vendor would have it
	DueAt       *time.Time
	Rules       schema.TicketRules // every field is set
}

// Preview says what would become of an alert now. It writes nothing, and calls
// nobody.
func (s *Service) Preview(ctx context.Context, p Sample) (Preview, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, p.Integration)
	if err != nil {
		return Preview{}, err
	}
	a, err := s.sample(ctx, p)
	if err != nil {
		return Preview{}, err
	}
	w, configured, err := s.outbox.wantOf(ctx, i, a.OrganizationID, a.Type)
	if err != nil {
		return Preview{}, err
	}
	shown := Preview{Outcome: OutcomeNone, Rules: w.rules}
	switch {
	case !configured:
		shown.Reasons = append(shown.Reasons, "the alert type is not configured for the integration")
	case !w.configuration.ShouldCreateTickets:
		shown.Reasons = append(shown.Reasons, "the configuration of the alert type wants no tickets")
	}
	if !i.AutomaticTicketing {
		shown.Reasons = append(shown.Reasons, "automatic ticketing is off for the integration")
	}
	if shown.Text, err = s.text(ctx, a, w, false); err != nil {
		return Preview{}, err
	}
	if shown.CompanyID, shown.CompanyName, err = s.companyOf(ctx, i, a.OrganizationID); err != nil {
		return Preview{}, err
	}
	if configured && w.configuration.DueDays != nil {
		shown.DueAt = new(a.FirstOccurredAt.AddDate(0, 0, *w.configuration.DueDays))
	}
	if len(shown.Reasons) > 0 {
		return shown, nil
	}
	err = s.foresee(ctx, a, w, &shown)
	return shown, err
}

// foresee finds the ticket that an alert would go to, and what would hold it.
func (s *Service) foresee(ctx context.Context, a *ent.Alert, w want, shown *Preview) error {
	d, err := s.outbox.decide(ctx, a, w, false)
	if err != nil {
		return err
	}
	because := func(format string, args ...any) { shown.Reasons = append(shown.Reasons, fmt.Sprintf(format, args...)) }
	if shown.Storm = d.storm; d.storm {
		because("the organization's alerts come in a storm, and share one ticket")
	}
	switch {
	case d.fresh:
		shown.Outcome = OutcomeCreate
		if d.storm {
			if shown.Text, err = s.text(ctx, a, w, true); err != nil {
				return err
			}
		}
	case d.reopen:
		shown.Outcome, shown.Ticket = OutcomeReopen, d.ticket
		because("the ticket closed at %s is reopened", stamp(*d.ticket.ClosedAt))
	default:
		shown.Outcome, shown.Ticket = OutcomeJoin, d.ticket
		about, err := s.about(ctx, a, d.ticket)
		if err != nil {
			return err
		}
		if about {
			because("the ticket is about the alert already")
		} else {
			because("a ticket of its group is open, and is added to")
		}
		return nil
	}
	if w.integration.Status == ticketingintegration.StatusPaused {
		because("held: the ticketing system refuses the integration's credentials")
	}
	if shown.CompanyID == "" {
		because("held: no company is mapped to the organization")
	}
	at := s.now()
	if settled := s.outbox.settled(a, w.rules); settled != nil {
		at = *settled
		because("held: the alert is to last until %s", stamp(at))
	}
	until, window, err := s.outbox.maintained(ctx, a.OrganizationID, at)
	if err != nil {
		return err
	}
	if window != "" {
		because("held: the maintenance %q ends at %s", psa.FitLine(window, 100), stamp(until))
	}
	if until.After(s.now()) {
		shown.NotBefore = &until
	}
	return nil
}

func (s *Service) about(ctx context.Context, a *ent.Alert, t *ent.Ticket) (bool, error) {
	if a.ID == "" {
		return false, nil
	}
	return s.client.TicketAlert.Query().Where(ticketalert.TicketID(t.ID), ticketalert.AlertID(a.ID)).Exist(ctx)
}

// sample reads the alert of a dry run, or makes one up.
func (s *Service) sample(ctx context.Context, p Sample) (*ent.Alert, error) {
	if p.Alert != "" {
		a, err := s.client.Alert.Query().Where(alert.ID(p.Alert)).Only(ctx)
		return a, outOfReach(err, "input.alertId", p.Alert)
	}
	if p.AlertType == "" {
		return nil, fault.Invalid("input.alertType", "is missing: name an alert, or an alert type and an organization")
	}
	key, known := s.types(p.AlertType)
	if !known {
		return nil, fault.Invalid("input.alertType", "there is no alert type %q that can become a ticket", psa.FitLine(p.AlertType, 64))
	}
	severity := alert.SeverityMedium
	if p.Severity != "" {
		if severity = alert.Severity(p.Severity); alert.SeverityValidator(severity) != nil {
			return nil, fault.Invalid("input.severity", "there is no severity %q", psa.FitLine(p.Severity, 64))
		}
	}
	now := s.now()
	a := &ent.Alert{
		OrganizationID: p.Organization, Type: key, Severity: severity, Status: alert.StatusOpen,
		Title: cmpText(p.Title, "Sample alert"), Description: p.Description, DedupeKey: "preview", Incident: 1,
		OccurrenceCount: 1, FirstOccurredAt: now, LastOccurredAt: now,
	}
	return a, s.placeSample(ctx, p, a)
}

// placeSample finds the device, user and organization of a sample.
func (s *Service) placeSample(ctx context.Context, p Sample, a *ent.Alert) error {
	if p.Device != "" {
		d, err := s.client.Device.Query().Where(device.ID(p.Device)).Only(ctx)
		if err != nil {
			return outOfReach(err, "input.deviceId", p.Device)
		}
		if a.OrganizationID != "" && a.OrganizationID != d.OrganizationID {
			return outOfReach(&ent.NotFoundError{}, "input.deviceId", p.Device)
		}
		a.OrganizationID, a.DeviceID = d.OrganizationID, &d.ID
	}
	if p.User != "" {
		u, err := s.client.User.Query().Where(user.ID(p.User)).Only(ctx)
		if err != nil {
			return outOfReach(err, "input.userId", p.User)
		}
		if a.OrganizationID != "" && a.OrganizationID != u.OrganizationID {
			return outOfReach(&ent.NotFoundError{}, "input.userId", p.User)
		}
		a.OrganizationID, a.UserID = u.OrganizationID, &u.ID
	}
	if strings.TrimSpace(a.OrganizationID) == "" {
		return fault.Invalid("input.organizationId", "is missing: name the organization that the alert would be in")
	}
	there, err := s.client.Organization.Query().Where(organization.ID(a.OrganizationID)).Exist(ctx)
	if err == nil && !there {
		err = &ent.NotFoundError{}
	}
	return outOfReach(err, "input.organizationId", a.OrganizationID)
}

// outOfReach names the input field whose object was not found.
func outOfReach(err error, field, id string) error {
	if !ent.IsNotFound(err) {
		return err
	}
	e := fault.Missing(id)
	e.Field = field
	return e
}
