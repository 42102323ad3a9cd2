package ticket

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// What becomes of a ticket whose alerts are over.
const (
	RecoveryClose              = "CLOSE"
	RecoveryCloseUnlessStarted = "CLOSE_UNLESS_STARTED" // a technician's work is left alone; a note is added
	RecoveryNote               = "NOTE"                 // a note is added, and nothing else
)

// What shares one ticket.
const (
	GroupByAlert        = "ALERT"        // one condition, however often it comes back
	GroupByDevice       = "DEVICE"       // all alerts of a device
	GroupByUser         = "USER"         // all alerts of a user
	GroupByOrganization = "ORGANIZATION" // all alerts of an organization
)

// Bounds of the rules.
const (
	maxReopenDays     = 365
	maxSettleMinutes  = 24 * 60
	maxFlapCount      = 100
	maxFlapMinutes    = 24 * 60
	maxTitleTemplate  = 500  // bytes
	maxBodyTemplate   = 8000 // bytes
	maxStormThreshold = 1000
	maxStormMinutes   = 24 * 60
)

// DefaultRules is how tickets live where nobody says otherwise: every field is
// set.
func DefaultRules() schema.TicketRules {
	return schema.TicketRules{
		Recovery: new(RecoveryCloseUnlessStarted), Grouping: new(GroupByAlert),
		ReopenDays: new(7), SettleMinutes: new(0), FlapCount: new(5), FlapMinutes: new(30),
		PublicNotes: new(false), TitleTemplate: new(defaultTitle), BodyTemplate: new(defaultBody),
	}
}

// Effective are the rules that hold: of several levels, from the most general
// to the most particular, the last that sets a field decides it.
func Effective(levels ...schema.TicketRules) schema.TicketRules {
	r := DefaultRules()
	for _, level := range levels {
		inherit(&r.Recovery, level.Recovery)
		inherit(&r.Grouping, level.Grouping)
		inherit(&r.ReopenDays, level.ReopenDays)
		inherit(&r.SettleMinutes, level.SettleMinutes)
		inherit(&r.FlapCount, level.FlapCount)
		inherit(&r.FlapMinutes, level.FlapMinutes)
		inherit(&r.PublicNotes, level.PublicNotes)
		inherit(&r.TitleTemplate, level.TitleTemplate)
		inherit(&r.BodyTemplate, level.BodyTemplate)
	}
	return r
}

func inherit[T any](field **T, set *T) {
	if set != nil {
		*field = set
	}
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// checkRules finds the first field that cannot be, named below the prefix.
func checkRules(prefix string, r schema.TicketRules) error {
	oneOf := func(field string, value *string, known ...string) error {
		if value == nil {
			return nil
		}
		for _, k := range known {
			if *value == k {
				return nil
			}
		}
		return fault.Invalid(prefix+field, "there is no %q", psa.FitLine(*value, 64))
	}
	between := func(field string, value *int, least, most int) error {
		if value != nil && (*value < least || *value > most) {
			return fault.Invalid(prefix+field, "must be %d to %d", least, most)
		}
		return nil
	}
	for _, err := range []error{
		oneOf("recovery", r.Recovery, RecoveryClose, RecoveryCloseUnlessStarted, RecoveryNote),
		oneOf("grouping", r.Grouping, GroupByAlert, GroupByDevice, GroupByUser, GroupByOrganization),
		between("reopenDays", r.ReopenDays, 0, maxReopenDays),
		between("settleMinutes", r.SettleMinutes, 0, maxSettleMinutes),
		between("flapCount", r.FlapCount, 0, maxFlapCount),
		between("flapMinutes", r.FlapMinutes, 1, maxFlapMinutes),
		checkTemplate(prefix+"titleTemplate", r.TitleTemplate, maxTitleTemplate),
		checkTemplate(prefix+"bodyTemplate", r.BodyTemplate, maxBodyTemplate),
	} {
		if err != nil {
			return err
		}
	}
	if r.FlapCount != nil && *r.FlapCount == 1 {
		return fault.Invalid(prefix+"flapCount", "must be 0 for never, or at least 2: one incident alone does not flap")
	}
	return nil
}

// Storm says when an organization's alerts share one ticket: once so many
// tickets were opened within so many minutes. A threshold of 0 is never.
type Storm struct {
	Threshold int // 0 to 1000
	Minutes   int // 1 to 1440
}

// RuleChange sets the rules of one level: of the integration; of an alert type
// in it; or of that in one organization. The rules replace those that the level
// had.
type RuleChange struct {
	Integration  string
	AlertType    string // its key or UUID; empty for the integration's own rules
	Organization string // empty for every organization
	Rules        schema.TicketRules
	Storm        *Storm // only with the integration's own rules; nil stays
}

// SetRules sets the rules of one level, and answers the integration and, for an
// alert type, its configuration. An alert type or organization that has no
// configuration yet is PRECONDITION_FAILED.
func (s *Service) SetRules(ctx context.Context, c RuleChange) (i *ent.TicketingIntegration, set *ent.TicketingAlertConfiguration, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if i, err = s.client.TicketingIntegration.Load(ctx, c.Integration); err != nil {
			return err
		}
		if err := s.checkRuleChange(ctx, c); err != nil {
			return err
		}
		if c.AlertType == "" {
			update := i.Update().SetRules(c.Rules)
			if c.Storm != nil {
				update.SetStormThreshold(c.Storm.Threshold).SetStormMinutes(c.Storm.Minutes)
			}
			i, err = update.Save(ctx)
			return err
		}
		set, err = s.setConfiguredRules(ctx, c)
		return err
	})
	return i, set, err
}

func (s *Service) checkRuleChange(ctx context.Context, c RuleChange) error {
	if c.Organization != "" {
		if c.AlertType == "" {
			return fault.Invalid("input.alertType", "is missing: an organization's rules are those of an alert type")
		}
		if _, err := s.client.Organization.Query().Where(organization.ID(c.Organization)).OnlyID(ctx); err != nil {
			return outOfReach(err, "input.organizationId", c.Organization)
		}
	}
	if c.Storm != nil {
		switch {
		case c.AlertType != "":
			return fault.Invalid("input.storm", "belongs to the integration, not to an alert type")
		case c.Storm.Threshold < 0 || c.Storm.Threshold > maxStormThreshold:
			return fault.Invalid("input.storm.threshold", "must be 0 to %d", maxStormThreshold)
		case c.Storm.Minutes < 1 || c.Storm.Minutes > maxStormMinutes:
			return fault.Invalid("input.storm.minutes", "must be 1 to %d", maxStormMinutes)
		}
	}
	return checkRules("input.rules.", c.Rules)
}

func (s *Service) setConfiguredRules(ctx context.Context, c RuleChange) (*ent.TicketingAlertConfiguration, error) {
	key, known := s.types(c.AlertType)
	if !known {
		return nil, fault.Invalid("input.alertType", "there is no alert type %q that can become a ticket", psa.FitLine(c.AlertType, 64))
	}
	which := s.client.TicketingAlertConfiguration.Query().
		Where(ticketingalertconfiguration.IntegrationID(c.Integration), ticketingalertconfiguration.AlertType(key))
	if c.Organization == "" {
		which.Where(ticketingalertconfiguration.OrganizationIDIsNil())
	} else {
		which.Where(ticketingalertconfiguration.OrganizationID(c.Organization))
	}
	configured, err := which.Only(ctx)
	if ent.IsNotFound(err) {
		if c.Organization == "" {
			return nil, fault.New(fault.PreconditionFailed, "the integration has no configuration of %s yet: configure the alert type first", key)
		}
		return nil, fault.New(fault.PreconditionFailed, "the organization has no configuration of %s of its own: configure the alert type for it first", key)
	}
	if err != nil {
		return nil, err
	}
	return configured.Update().SetRules(c.Rules).Save(ctx)
}
