package billing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
)

func requireFault(t *testing.T, err error, code fault.Code, field string) {
	t.Helper()
	require.Equal(t, code, fault.CodeOf(err), "%v", err)
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, field, f.Field, "%v", err)
}

func TestMappingsAreChecked(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for n, one := range w.tenants {
			other := w.tenants[1-n]
			w.bill(one, 0)
			unknown, malformed := "424242", "../1"
			for name, c := range map[string]struct {
				change func(*billing.Mapping)
				code   fault.Code
				field  string
			}{
				"unknown agreement":     {func(m *billing.Mapping) { m.Agreement = &unknown }, fault.InvalidArgument, "agreementId"},
				"malformed agreement":   {func(m *billing.Mapping) { m.Agreement = &malformed }, fault.InvalidArgument, "agreementId"},
				"another's agreement":   {func(m *billing.Mapping) { m.Agreement, m.Line = &one.agreement[1], &one.line[1] }, fault.InvalidArgument, "agreementId"},
				"inactive agreement":    {func(m *billing.Mapping) { m.Agreement = &one.inactive }, fault.InvalidArgument, "agreementId"},
				"line of another":       {func(m *billing.Mapping) { m.Line = &one.line[1] }, fault.InvalidArgument, "lineId"},
				"unknown line":          {func(m *billing.Mapping) { m.Line = &unknown }, fault.InvalidArgument, "lineId"},
				"no line":               {func(m *billing.Mapping) { m.Line = nil }, fault.InvalidArgument, "lineId"},
				"no agreement":          {func(m *billing.Mapping) { m.Agreement = nil }, fault.InvalidArgument, "agreementId"},
				"less than none free":   {func(m *billing.Mapping) { m.NonBillableUsers = -1 }, fault.InvalidArgument, "nonBillableUsers"},
				"foreign organization":  {func(m *billing.Mapping) { m.Organization = other.organizations[0] }, fault.NotFound, "organizationId"},
				"unmapped organization": {func(m *billing.Mapping) { m.Organization = one.organizations[2] }, fault.InvalidArgument, "organizationId"},
			} {
				t.Log(one.kind, name)
				m := w.entry(one, 0, 7)
				c.change(&m)
				_, err := w.service.Map(one.all, one.integration, []billing.Mapping{m})
				requireFault(t, err, c.code, "input.mappings.0."+c.field)
			}
			twice := w.entry(one, 0, 0)
			_, err := w.service.Map(one.all, one.integration, []billing.Mapping{twice, twice})
			requireFault(t, err, fault.InvalidArgument, "input.mappings.1.organizationId")
			_, err = w.service.Map(one.all, one.integration, make([]billing.Mapping, 501))
			requireFault(t, err, fault.InvalidArgument, "input.mappings")
			_, err = w.service.Map(one.all, other.integration, []billing.Mapping{twice})
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Agreements(one.all, other.integration, one.organizations[0], "")
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Agreements(one.all, one.integration, other.organizations[0], "")
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Agreements(one.all, one.integration, one.organizations[2], "")
			requireFault(t, err, fault.PreconditionFailed, "")
			_, err = w.service.Lines(one.all, other.integration, one.agreement[0], "")
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Lines(one.all, one.integration, unknown, "")
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Preview(one.all, other.integration, 10, "")
			requireFault(t, err, fault.NotFound, "")
			_, err = w.service.Preview(one.all, one.integration, 0, "")
			requireFault(t, err, fault.InvalidArgument, "first")
			require.Equal(t, 2*(n+1), w.client.TicketingBillingMapping.Query().CountX(w.system()), "what was refused changed nothing")
		}
	})
}

// A line is one organization's, also when two companies are one.
func TestALineHasOneOrganization(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for _, one := range w.tenants {
			w.bill(one, 0)
			w.mapped(one, 2, one.company[0])
			m := w.entry(one, 0, 0)
			m.Organization = one.organizations[2]
			_, err := w.service.Map(one.all, one.integration, []billing.Mapping{m})
			requireFault(t, err, fault.InvalidArgument, "input.mappings.0.lineId")
			_, err = w.service.Map(one.all, one.integration, []billing.Mapping{w.entry(one, 0, 0), m})
			requireFault(t, err, fault.InvalidArgument, "input.mappings.1.lineId")

			// Lines may change places, and be taken away, in one call.
			lines, err := w.service.Lines(one.all, one.integration, one.agreement[0], "")
			require.NoError(t, err)
			first, third := w.entry(one, 0, 3), m
			first.Line = &lines.Lines[0].ID
			set, err := w.service.Map(one.all, one.integration, []billing.Mapping{third, first, {Organization: one.organizations[1]}})
			require.NoError(t, err)
			require.Len(t, set, 2)
			require.Equal(t, lines.Lines[1].ID, set[0].ExternalLineID)
			require.Equal(t, "Backup", set[1].ExternalLineName)
			require.Equal(t, 3, set[1].NonBillableUsers)
			require.Equal(t, 2, w.client.TicketingBillingMapping.Query().CountX(one.all))

			// What was written on a line is known as long as that line is mapped.
			w.client.TicketingBillingMapping.UpdateOneID(set[1].ID).SetWrittenQuantity(9).ExecX(one.all)
			first.Enabled = false
			set, err = w.service.Map(one.all, one.integration, []billing.Mapping{first})
			require.NoError(t, err)
			require.Equal(t, 9, *set[0].WrittenQuantity)
			require.False(t, set[0].Enabled)
			swapped := w.entry(one, 0, 0)
			_, err = w.service.Map(one.all, one.integration, []billing.Mapping{swapped, {Organization: one.organizations[2]}})
			require.NoError(t, err)
			now := w.client.TicketingBillingMapping.Query().OnlyX(one.all)
			require.Nil(t, now.WrittenQuantity)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	require.NoError(t, billing.DefaultConfig().Validate())
	for _, change := range []func(*billing.Config){
		func(c *billing.Config) { c.WriteAt = -1 },
		func(c *billing.Config) { c.WriteAt *= 24 },
		func(c *billing.Config) { c.Sample *= 25 },
		func(c *billing.Config) { c.Lease = c.CallTimeout },
		func(c *billing.Config) { c.MaxBackoff = 1 },
		func(c *billing.Config) { c.Batch = 0 },
		func(c *billing.Config) { c.MaxAttempts = 0 },
		func(c *billing.Config) { c.Sweep = 0 },
	} {
		c := billing.DefaultConfig()
		change(&c)
		require.Error(t, c.Validate())
	}
	_, err := billing.New(billing.Dependencies{}, billing.DefaultConfig())
	require.Error(t, err)
}
