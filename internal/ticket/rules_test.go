package ticket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	entconfiguration "github.com/bailiwick/bailiwick/ent/ticketingalertconfiguration"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/schema"
)

// override gives an organization a configuration of its own.
func (w *world) override(one *tenant, organization string, create bool) {
	w.t.Helper()
	d := w.client.TicketingAlertConfiguration.Query().
		Where(entconfiguration.IntegrationID(one.integration), entconfiguration.AlertType(alert.Custom), entconfiguration.OrganizationIDIsNil()).
		OnlyX(one.all)
	w.client.TicketingAlertConfiguration.Create().SetOrganizationID(organization).SetIntegrationID(one.integration).
		SetAlertType(alert.Custom).SetShouldCreateTickets(create).SetSettings(d.Settings).SetDueDays(1).ExecX(one.all)
}

func TestRules(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		for field, c := range map[string]ticket.RuleChange{
			"input.rules.recovery":       {Rules: schema.TicketRules{Recovery: new("BURN")}},
			"input.rules.grouping":       {Rules: schema.TicketRules{Grouping: new("ALL")}},
			"input.rules.reopenDays":     {Rules: schema.TicketRules{ReopenDays: new(366)}},
			"input.rules.settleMinutes":  {Rules: schema.TicketRules{SettleMinutes: new(-1)}},
			"input.rules.flapCount":      {Rules: schema.TicketRules{FlapCount: new(1)}},
			"input.rules.flapMinutes":    {Rules: schema.TicketRules{FlapMinutes: new(0)}},
			"input.rules.titleTemplate":  {Rules: schema.TicketRules{TitleTemplate: new("{{alert.secret}}")}},
			"input.rules.bodyTemplate":   {Rules: schema.TicketRules{BodyTemplate: new(strings.Repeat("x", 8001))}},
			"input.rules.bodyTemplate ":  {Rules: schema.TicketRules{BodyTemplate: new(" ")}},
			"input.storm.threshold":      {Storm: &ticket.Storm{Threshold: 1001, Minutes: 1}},
			"input.storm.minutes":        {Storm: &ticket.Storm{Threshold: 1}},
			"input.storm":                {AlertType: alert.Custom, Storm: &ticket.Storm{Threshold: 1, Minutes: 1}},
			"input.alertType":            {Organization: one.organizations[0]},
			"input.alertType ":           {AlertType: alert.IntegrationFailing},
			"input.rules.titleTemplate ": {AlertType: alert.Custom, Rules: schema.TicketRules{TitleTemplate: new("{{ alert.title }} {{user.password}}")}},
		} {
			c.Integration = one.integration
			_, _, err := w.tickets.SetRules(one.all, c)
			requireFault(t, err, fault.InvalidArgument, strings.TrimSpace(field))
		}
		_, _, err := w.tickets.SetRules(other.all, ticket.RuleChange{Integration: one.integration})
		requireFault(t, err, fault.NotFound, "")
		_, _, err = w.tickets.SetRules(one.all, ticket.RuleChange{Integration: one.integration, AlertType: alert.Custom, Organization: other.organizations[0]})
		requireFault(t, err, fault.NotFound, "input.organizationId")
		for _, c := range []ticket.RuleChange{{AlertType: alert.DeviceMissing}, {AlertType: alert.Custom, Organization: one.organizations[0]}} {
			c.Integration = one.integration
			_, _, err = w.tickets.SetRules(one.all, c)
			requireFault(t, err, fault.PreconditionFailed, "")
		}
	})
}

func TestRulesAreInherited(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.override(one, one.organizations[0], true)
		w.rule(one, schema.TicketRules{TitleTemplate: new("I {{alert.title}}"), SettleMinutes: new(1), ReopenDays: new(1)})
		for organization, rules := range map[string]schema.TicketRules{
			"":                   {TitleTemplate: new("D {{alert.title}}"), SettleMinutes: new(2)},
			one.organizations[0]: {TitleTemplate: new("O {{alert.title}}")},
		} {
			_, set, err := w.tickets.SetRules(one.all, ticket.RuleChange{
				Integration: one.integration, AlertType: alert.Custom, Organization: organization, Rules: rules,
			})
			require.NoError(t, err)
			require.Equal(t, rules, set.Rules)
		}
		for n, title := range []string{"O Sample alert", "D Sample alert"} {
			p, err := w.tickets.Preview(one.all, ticket.Sample{Integration: one.integration, AlertType: alert.Custom, Organization: one.organizations[n]})
			require.NoError(t, err)
			require.Equal(t, title, p.Text.Title)
			require.Equal(t, 2, *p.Rules.SettleMinutes)
			require.Equal(t, 1, *p.Rules.ReopenDays)
			require.Equal(t, ticket.GroupByAlert, *p.Rules.Grouping)
		}
		w.client.TicketingAlertConfiguration.Update().Where(entconfiguration.OrganizationIDNotNil()).SetShouldCreateTickets(false).ExecX(one.all)
		w.raise(one.in[0], "not here")
		require.Empty(t, w.waiting())
		w.raise(one.in[1], "but here")
		require.Len(t, w.waiting(), 1)
	})
}

func TestPreview(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		device := w.device(one.in[0], "C02A")
		user := w.client.User.Create().SetLogin("ada").SetEmail("ada@one.example").SetFirstName("Ada").SaveX(one.in[0])
		sample := ticket.Sample{Integration: one.integration, AlertType: alert.Custom, Device: device.ID, User: user.ID, Title: "Disk\nfull"}
		p, err := w.tickets.Preview(one.all, sample)
		require.NoError(t, err)
		require.Equal(t, ticket.OutcomeCreate, p.Outcome)
		require.Empty(t, p.Reasons)
		require.Nil(t, p.NotBefore)
		require.Equal(t, "Left", p.CompanyName)
		require.Equal(t, "Disk full", p.Text.Title)
		for _, line := range []string{"Device: Mac C02A", "Serial number: C02A", "User: Ada", "E-mail: ada@one.example", "Organization: Organization 0 of 0"} {
			require.Contains(t, p.Text.Body, line)
		}
		require.NotContains(t, p.Text.Body, "Reference:")
		require.NotNil(t, p.DueAt)

		reasons := func(a *ent.Alert) (ticket.Outcome, string) {
			p, err := w.tickets.Preview(one.all, ticket.Sample{Integration: one.integration, Alert: a.ID})
			require.NoError(t, err)
			return p.Outcome, strings.Join(p.Reasons, "; ")
		}
		a := w.raise(one.in[0], "disk")
		w.drive()
		outcome, why := reasons(a)
		require.Equal(t, ticket.OutcomeJoin, outcome)
		require.Contains(t, why, "already")
		w.resolve(one.in[0], a)
		w.drive()
		outcome, why = reasons(a)
		require.Equal(t, ticket.OutcomeReopen, outcome)
		require.Contains(t, why, "reopened")

		// What would hold it, all at once.
		w.rule(one, schema.TicketRules{SettleMinutes: new(10)})
		w.storm(one, 1, 60)
		_, err = w.tickets.Map(one.all, one.integration, []ticket.Mapping{{Organization: one.organizations[0]}})
		require.NoError(t, err)
		_, err = w.tickets.PlanMaintenance(one.in[0], ticket.Maintenance{Name: "works", StartsAt: w.clock.Now(), EndsAt: w.clock.Now().Add(time.Hour)})
		require.NoError(t, err)
		w.rule(one, schema.TicketRules{SettleMinutes: new(10)})
		before := w.client.Ticket.Query().CountX(one.all)
		p, err = w.tickets.Preview(one.all, sample)
		require.NoError(t, err)
		require.True(t, p.Storm)
		require.Equal(t, ticket.OutcomeCreate, p.Outcome)
		require.NotNil(t, p.NotBefore)
		why = strings.Join(p.Reasons, "; ")
		for _, hold := range []string{"storm", "no company", "is to last", `maintenance "works"`} {
			require.Contains(t, why, hold)
		}
		require.Equal(t, before, w.client.Ticket.Query().CountX(one.all))

		_, err = w.tickets.Update(one.all, ticket.Change{ID: one.integration, AutomaticTicketing: new(false)})
		require.NoError(t, err)
		p, err = w.tickets.Preview(one.all, ticket.Sample{Integration: one.integration, AlertType: alert.DeviceMissing, Organization: one.organizations[0]})
		require.NoError(t, err)
		require.Equal(t, ticket.OutcomeNone, p.Outcome)
		require.Len(t, p.Reasons, 2)

		for field, s := range map[string]ticket.Sample{
			"":                     {Integration: other.integration, Alert: a.ID},
			"input.alertId":        {Integration: one.integration, Alert: "alert_unknown"},
			"input.deviceId":       {Integration: one.integration, AlertType: alert.Custom, Device: "dev_unknown"},
			"input.organizationId": {Integration: one.integration, AlertType: alert.Custom, Organization: other.organizations[0]},
			"input.userId":         {Integration: one.integration, AlertType: alert.Custom, Organization: one.organizations[1], User: user.ID},
		} {
			_, err := w.tickets.Preview(one.all, s)
			requireFault(t, err, fault.NotFound, field)
		}
		_, err = w.tickets.Preview(one.all, ticket.Sample{Integration: one.integration})
		requireFault(t, err, fault.InvalidArgument, "input.alertType")
	})
}

// TestTemplates: values are written as they are, and cut to the vendor's
// length.
func TestTemplates(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		w.config.ConsoleURL = "https://console.example"
		tickets := w.service(w.driver())
		for _, c := range []struct{ title, body, alert, wantTitle, wantBody string }{
			{"{{alert.title}}", "{{ alert.title }}!", "{{user.login}} {{", "{{user.login}} {{", "{{user.login}} {{!"},
			{"{{alert.severity}} {{organization.name}}", "a\n\nDevice: {{device.name}}\n\nb {{", "x", "MEDIUM Organization 0 of 0", "a\n\nb {{"},
			{"{{device.name}}", "{{url}}", "x", "x", ""},
			{"{{alert.title}}", "plain", strings.Repeat("👩‍👩‍👧", 60), strings.Repeat("👩‍👩‍👧", 31) + "…", "plain"},
		} {
			w.rule(one, schema.TicketRules{TitleTemplate: &c.title, BodyTemplate: &c.body})
			p, err := tickets.Preview(one.all, ticket.Sample{
				Integration: one.integration, AlertType: alert.Custom, Organization: one.organizations[0], Title: c.alert,
			})
			require.NoError(t, err)
			require.Equal(t, c.wantTitle, p.Text.Title)
			require.Equal(t, c.wantBody, p.Text.Body)
		}
		a := w.raise(one.in[0], "linked")
		p, err := tickets.Preview(one.all, ticket.Sample{Integration: one.integration, Alert: a.ID})
		require.NoError(t, err)
		require.Equal(t, "plain", p.Text.Body)
		w.rule(one, schema.TicketRules{})
		w.drive(tickets)
		require.Contains(t, w.requireOnce(one, a, "Initial Issue").Comments[0].Body, "https://console.example/alerts/"+a.ID)
	})
}
