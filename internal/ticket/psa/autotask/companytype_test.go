package autotask_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
)

func TestCompanyTypes(t *testing.T) {
	b := newBench(t, func(c *standin.Config) {
		c.Accounts[0].Companies = []standin.Company{{Name: "Buyer"}, {Name: "Seller", Type: 7}, {Name: "Perhaps", Type: 3}}
	}, nil)
	c := b.acme(t)
	types, err := c.CompanyTypes(t.Context())
	require.NoError(t, err)
	require.Equal(t, []psa.CompanyType{{ID: 1, Name: "Customer"}, {ID: 2, Name: "Lead"}, {ID: 3, Name: "Prospect"}, {ID: 7, Name: "Vendor"}}, types)
	page, err := c.Companies(t.Context(), psa.CompanyQuery{TypeIDs: []int{3, 7}})
	require.NoError(t, err)
	var names []string
	for _, one := range page.Companies {
		names = append(names, one.Name)
	}
	require.Equal(t, []string{"Seller", "Perhaps"}, names)
}

func TestNamed(t *testing.T) {
	b := newBench(t, nil, nil)
	options, err := b.acme(t).Options(t.Context())
	require.NoError(t, err)
	settings := b.settings()
	settings.Destination, settings.Resource = autotask.ToResource, autotask.Assignee{ID: b.ada(), Role: autotask.Choice{ID: technician}}
	named, err := settings.Named(options)
	require.NoError(t, err)
	require.Equal(t, "Ada A", named.(autotask.Settings).Resource.Name)
	require.Equal(t, "Technician", named.(autotask.Settings).Resource.Role.Name)
	require.Equal(t, "Medium", named.(autotask.Settings).Priority.Name)
	require.Empty(t, settings.Priority.Name, "the settings themselves stay as they are")
	settings.Priority.Name = "High"
	_, err = settings.Named(options)
	require.Equal(t, fault.InvalidArgument, fault.CodeOf(err))
	require.ErrorContains(t, err, `"Medium"`)
}
