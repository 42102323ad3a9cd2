package ticket_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

func requireFault(t *testing.T, err error, code fault.Code, field string) {
	t.Helper()
	require.Equal(t, code, fault.CodeOf(err), "%v", err)
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, field, f.Field, "%v", err)
}

// token is a change of Syncro's credentials.
func token(text string) map[psa.Kind]ticket.Credentials {
	return map[psa.Kind]ticket.Credentials{psa.Syncro: {"apiToken": secret.NewText(text)}}
}

// settings changes what is particular to Syncro.
func settings(c *ticket.Configuration, change func(*syncro.Settings)) {
	s := c.Settings.(syncro.Settings)
	change(&s)
	c.Settings = s
}

func TestConnect(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.tenants[0]
		stored := w.client.TicketingIntegration.GetX(one.all, one.integration)
		require.Equal(t, "Syncro", stored.Name)
		require.NotNil(t, stored.VerifiedAt)
		require.False(t, bytes.Contains(stored.Credentials, []byte(one.token)))

		_, err := w.tickets.Connect(one.all, w.connection(one))
		requireFault(t, err, fault.Conflict, "")
		for name, c := range map[string]struct {
			change func(*ticket.Connection)
			code   fault.Code
			field  string
		}{
			"refused":      {func(c *ticket.Connection) { c.Credentials["apiToken"] = secret.NewText("wrong") }, fault.InvalidArgument, "input.apiToken"},
			"malformed":    {func(c *ticket.Connection) { c.Credentials["apiToken"] = secret.NewText("a b") }, fault.InvalidArgument, "input.apiToken"},
			"subdomain":    {func(c *ticket.Connection) { c.Credentials["subdomain"] = secret.NewText("evil.example/") }, fault.InvalidArgument, "input.subdomain"},
			"address":      {func(c *ticket.Connection) { c.Credentials["baseUrl"] = secret.NewText("http://10.0.0.1") }, fault.InvalidArgument, "input.baseUrl"},
			"name":         {func(c *ticket.Connection) { c.Name = strings.Repeat("x", 256) }, fault.InvalidArgument, "input.name"},
			"kind":         {func(c *ticket.Connection) { c.Kind = "AUTOTASK" }, fault.PreconditionFailed, ""},
			"unreachable":  {func(c *ticket.Connection) { c.Credentials["baseUrl"] = secret.NewText("http://127.0.0.1:1") }, fault.Unavailable, ""},
			"not a Syncro": {func(c *ticket.Connection) { c.Credentials["baseUrl"] = secret.NewText(w.url + "/nothing/here") }, fault.InvalidArgument, "input.apiToken"},
		} {
			t.Log(name)
			connection := w.connection(one)
			connection.Credentials["subdomain"] = secret.NewText("another")
			c.change(&connection)
			_, err := w.tickets.Connect(one.all, connection)
			requireFault(t, err, c.code, c.field)
			require.NotContains(t, err.Error(), one.token)
		}
		require.Equal(t, 1, w.client.TicketingIntegration.Query().CountX(one.all))

		config := w.syncro()
		config.AllowLoopback = false
		closed := w.service(syncro.Driver(config))
		connection := w.connection(one)
		connection.Credentials["subdomain"] = secret.NewText("another")
		_, err = closed.Connect(one.all, connection)
		requireFault(t, err, fault.InvalidArgument, "input.baseUrl")
	})
}

func TestUpdateVerifyDelete(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		name, off := "Desk", false
		i, err := w.tickets.Update(one.all, ticket.Change{ID: one.integration, Name: &name, AutomaticTicketing: &off})
		require.NoError(t, err)
		require.Equal(t, name, i.Name)
		w.raise(one.in[0], "nobody asks")
		require.Zero(t, w.client.Ticket.Query().CountX(one.all))
		_, err = w.tickets.Update(one.all, ticket.Change{ID: one.integration, Credentials: token("wrong")})
		requireFault(t, err, fault.InvalidArgument, "input.syncro.apiToken")
		_, accepted, err := w.tickets.Verify(one.all, one.integration)
		require.NoError(t, err)
		require.True(t, accepted)

		w.server.Revoke(one.token, true)
		i, accepted, err = w.tickets.Verify(one.all, one.integration)
		require.NoError(t, err)
		require.False(t, accepted)
		require.Equal(t, ticketingintegration.StatusPaused, i.Status)
		require.Contains(t, i.LastError, "Unauthorized")
		w.server.Revoke(one.token, false)
		i, err = w.tickets.Update(one.all, ticket.Change{ID: one.integration, Credentials: token(one.token)})
		require.NoError(t, err)
		require.Equal(t, ticketingintegration.StatusActive, i.Status)
		require.Empty(t, i.LastError)
		w.server.Inject(standin.Fault{Path: "/me", Action: standin.Fail500})
		i, accepted, err = w.tickets.Verify(one.all, one.integration)
		require.NoError(t, err)
		require.False(t, accepted)
		require.Equal(t, ticketingintegration.StatusActive, i.Status, "no answer is no refusal")

		_, err = w.tickets.Update(other.all, ticket.Change{ID: one.integration, Name: &name})
		requireFault(t, err, fault.NotFound, "")
		_, _, err = w.tickets.Verify(other.all, one.integration)
		requireFault(t, err, fault.NotFound, "")
		requireFault(t, w.tickets.Delete(other.all, one.integration), fault.NotFound, "")
		require.NoError(t, w.tickets.Delete(one.all, one.integration))
		requireFault(t, w.tickets.Delete(one.all, one.integration), fault.NotFound, "")
		require.Zero(t, w.client.TicketingCompanyMapping.Query().CountX(one.all))
		require.Equal(t, 2, w.client.TicketingCompanyMapping.Query().CountX(other.all))
	})
}

func TestMappingsAreChecked(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		unknown, malformed := "424242", "x"
		var inactive string
		for _, c := range w.server.Customers(one.token) {
			if c.Disabled {
				inactive = itoa(c.ID)
			}
		}
		for name, c := range map[string]struct {
			mapping ticket.Mapping
			code    fault.Code
			field   string
		}{
			"unknown company":      {ticket.Mapping{Organization: one.organizations[0], Company: &unknown}, fault.InvalidArgument, "input.mappings.0.externalCompanyId"},
			"malformed company":    {ticket.Mapping{Organization: one.organizations[0], Company: &malformed}, fault.InvalidArgument, "input.mappings.0.externalCompanyId"},
			"inactive company":     {ticket.Mapping{Organization: one.organizations[0], Company: &inactive}, fault.InvalidArgument, "input.mappings.0.externalCompanyId"},
			"foreign organization": {ticket.Mapping{Organization: other.organizations[0], Company: &one.companies[0]}, fault.NotFound, "input.mappings.0.organizationId"},
		} {
			t.Log(name)
			_, err := w.tickets.Map(one.all, one.integration, []ticket.Mapping{c.mapping})
			requireFault(t, err, c.code, c.field)
		}
		twice := ticket.Mapping{Organization: one.organizations[0], Company: &one.companies[0]}
		_, err := w.tickets.Map(one.all, one.integration, []ticket.Mapping{twice, twice})
		requireFault(t, err, fault.InvalidArgument, "input.mappings.1.organizationId")
		_, err = w.tickets.Map(one.all, other.integration, []ticket.Mapping{twice})
		requireFault(t, err, fault.NotFound, "")
		_, err = w.tickets.Map(one.all, one.integration, make([]ticket.Mapping, 501))
		requireFault(t, err, fault.InvalidArgument, "input.mappings")

		found, next, err := w.tickets.Companies(one.all, ticket.Search{Integration: one.integration, Name: "righ", Page: 1})
		require.NoError(t, err)
		require.Zero(t, next)
		require.Len(t, found.Companies, 1)
		require.Equal(t, one.companies[1], found.Companies[0].ID)
		_, _, err = w.tickets.Companies(other.all, ticket.Search{Integration: one.integration, Page: 1})
		requireFault(t, err, fault.NotFound, "")
		_, _, err = w.tickets.Companies(one.all, ticket.Search{Integration: one.integration})
		requireFault(t, err, fault.InvalidArgument, "page")
	})
}

func TestConfigurationIsChecked(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one, other := w.tenants[0], w.tenants[1]
		for name, c := range map[string]struct {
			change func(*ticket.Configuration)
			field  string
		}{
			"no problem type":   {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.ProblemType = "" }) }, "input.problemType"},
			"problem type":      {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.ProblemType = "other" }) }, "input.problemType"},
			"priority":          {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.Priority = "Normal" }) }, "input.priority"},
			"status":            {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.Status = "Newish" }) }, "input.status"},
			"user":              {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.UserID = 424242 }) }, "input.userId"},
			"another's name":    {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.Username = "Ada" }) }, "input.username"},
			"name without user": {func(c *ticket.Configuration) { settings(c, func(s *syncro.Settings) { s.UserID = 0 }) }, "input.userId"},
			"due before":        {func(c *ticket.Configuration) { *c.DueDays = -1 }, "input.dueDays"},
			"due too late":      {func(c *ticket.Configuration) { *c.DueDays = 366 }, "input.dueDays"},
			"alert type":        {func(c *ticket.Configuration) { c.AlertType = "NOPE" }, "input.alertType"},
			"loop":              {func(c *ticket.Configuration) { c.AlertType = alert.TicketDeliveryFailed }, "input.alertType"},
		} {
			t.Log(name)
			configuration := w.configuration(one)
			c.change(&configuration)
			_, err := w.tickets.Configure(one.all, configuration)
			requireFault(t, err, fault.InvalidArgument, c.field)
		}
		_, err := w.tickets.Configure(other.all, w.configuration(one))
		requireFault(t, err, fault.NotFound, "")
		w.server.Inject(standin.Fault{Path: "/settings", Action: standin.Fail500})
		_, err = w.tickets.Options(one.all, one.integration, true)
		requireFault(t, err, fault.Unavailable, "")

		missing, _ := alert.Find(alert.DeviceMissing)
		configuration := w.configuration(one)
		configuration.AlertType, configuration.DueDays = missing.UUID, nil
		settings(&configuration, func(s *syncro.Settings) { s.Username = "" })
		set, err := w.tickets.Configure(one.all, configuration)
		require.NoError(t, err)
		require.Equal(t, alert.DeviceMissing, set.AlertType)
		require.Nil(t, set.DueDays)
		read, err := syncro.ReadSettings(set.Settings)
		require.NoError(t, err)
		require.Equal(t, "Bob", read.Username)
		all, err := w.tickets.Configurations(one.all, one.integration, "")
		require.NoError(t, err)
		require.Len(t, all, 2)
		_, err = w.tickets.Configurations(other.all, one.integration, "")
		requireFault(t, err, fault.NotFound, "")

		configuration = w.configuration(one)
		configuration.ShouldCreateTickets = false
		_, err = w.tickets.Configure(one.all, configuration)
		require.NoError(t, err)
		w.raise(one.in[0], "not wanted")
		require.Zero(t, w.client.Ticket.Query().CountX(one.all))
		options, err := w.tickets.Options(one.all, one.integration, false)
		require.NoError(t, err)
		require.Len(t, options, 4)
		_, err = w.tickets.Options(other.all, one.integration, false)
		requireFault(t, err, fault.NotFound, "")
	})
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, ticket.DefaultConfig().Validate())
	for _, change := range []func(*ticket.Config){
		func(c *ticket.Config) { c.Lease = c.CallTimeout },
		func(c *ticket.Config) { c.LookupPauses = nil },
		func(c *ticket.Config) { c.LookupPauses[0] = 0 },
		func(c *ticket.Config) { c.MaxAttempts = 0 },
		func(c *ticket.Config) { c.MaxBackoff = 1 },
		func(c *ticket.Config) { c.Sweep = 0 },
	} {
		c := ticket.DefaultConfig()
		change(&c)
		require.Error(t, c.Validate())
	}
}
