package alert_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	entalert "github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestRaiseEach(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		home := w.tenants[0]
		ids := []string{home.device}
		for _, serial := range []string{"S2", "S3"} {
			d, err := w.client.Device.Create().SetName(serial).SetSerialNumber(serial).SetPlatform(device.PlatformMacOS).Save(home.one)
			require.NoError(t, err)
			ids = append(ids, d.ID)
		}
		raise := func(ids ...string) error {
			return w.RaiseEach(home.one, home.organizations[0], alert.DeviceEnrolled, "A device was enrolled", ids)
		}
		require.NoError(t, raise())
		require.NoError(t, raise(ids[:2]...))
		_, err := w.Clear(home.one, home.organizations[0], alert.DeviceEnrolled, ids[0])
		require.NoError(t, err)
		require.NoError(t, raise(ids...))

		found := map[string][]any{}
		for _, a := range w.client.Alert.Query().Where(entalert.ResolvedAtIsNil()).AllX(home.one) {
			found[a.SourceName] = []any{a.DedupeKey, *a.DeviceID, a.Incident, a.OccurrenceCount, a.SourceType}
		}
		require.Equal(t, map[string][]any{
			"Laptop": {ids[0], ids[0], 2, 1, "DEVICE"}, // came back
			"S2":     {ids[1], ids[1], 1, 2, "DEVICE"}, // was open
			"S3":     {ids[2], ids[2], 1, 1, "DEVICE"},
		}, found)
		require.Equal(t, 5, w.client.AlertOccurrence.Query().CountX(home.one))
		require.Contains(t, w.told.events, "opened "+ids[0]+"/2")
		require.Len(t, w.told.events, 5)

		err = raise(ids[2], w.tenants[1].device)
		require.Equal(t, fault.NotFound, fault.CodeOf(err))
		require.Equal(t, 5, w.client.AlertOccurrence.Query().CountX(home.one), "all or none")
		require.Zero(t, w.client.Alert.Query().CountX(w.tenants[1].all))
	})
}
