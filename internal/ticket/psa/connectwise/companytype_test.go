package connectwise_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
)

func TestCompanyTypes(t *testing.T) {
	b := newBench(t, nil)
	c := b.client(t)
	types, err := c.CompanyTypes(t.Context())
	require.NoError(t, err)
	require.Len(t, types, 3)
	require.Equal(t, "Client", types[0].Name)
	for n, want := range map[int]int{0: 100, 1: 0} {
		page, err := c.Companies(t.Context(), psa.CompanyQuery{TypeIDs: []int{types[n].ID}})
		require.NoError(t, err)
		require.Len(t, page.Companies, want)
	}
	page, err := c.Companies(t.Context(), psa.CompanyQuery{TypeIDs: []int{types[1].ID, types[0].ID}, Search: "Customer 00"})
	require.NoError(t, err)
	require.Len(t, page.Companies, 10)
}

func TestNamed(t *testing.T) {
	b := newBench(t, nil)
	options, err := b.client(t).Options(t.Context())
	require.NoError(t, err)
	settings := b.settings()
	named, err := settings.Named(options)
	require.NoError(t, err)
	require.Equal(t, "New", named.(connectwise.Settings).Status.Name)
	require.Equal(t, "Priority 3 - Medium", named.(connectwise.Settings).Priority.Name)
	settings.Board.Name = "Another"
	_, err = settings.Named(options)
	require.Equal(t, fault.InvalidArgument, fault.CodeOf(err))
	require.ErrorContains(t, err, `"Help Desk"`)
}
