package endpoint_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
	"github.com/bailiwick/bailiwick/tenancy"
)

// A device's history costs its connections nothing: what is waiting is found
// through the index that holds nothing else.
func TestHistoryIsNotRead(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		var query atomic.Pointer[string]
		db := testdb.Open(t, database.Config{
			URL:     testdb.URL(t, "postgres"),
			Observe: func(_ context.Context, q string, _ time.Duration, _ error) { query.Store(&q) },
		})
		w := newWorld(t, db)
		m := w.enrolled(w.one, 1)
		c := w.client.DeviceChannel.Query().OnlyX(w.one.ctx)
		for page := range 4 {
			var rows []*ent.DeviceCommandCreate
			for i := range 500 {
				rows = append(rows, w.client.DeviceCommand.Create().SetDeviceID(c.DeviceID).SetChannelID(c.ID).
					SetCommandUUID(fmt.Sprint(page, "-", i)).SetRequestType("RestartDevice").SetStatus(devicecommand.StatusAcknowledged))
			}
			require.NoError(t, w.client.DeviceCommand.CreateBulk(rows...).Exec(w.one.ctx))
		}
		_, err := db.System().ExecContext(tenancy.System(t.Context(), "a test's statistics"), "ANALYZE device_commands")
		require.NoError(t, err)
		require.Nil(t, m.idle())
		statement := *query.Load()
		for i, arg := range []string{"2026-01-01", c.ProviderID, "{" + c.OrganizationID + "}", "{" + c.Key + "}", "{" + c.Fingerprint + "}", `{""}`} {
			statement = strings.ReplaceAll(statement, fmt.Sprintf("$%d", i+1), "'"+arg+"'")
		}
		rows, err := db.App().QueryContext(w.one.ctx, "EXPLAIN "+statement)
		require.NoError(t, err)
		defer func() { require.NoError(t, rows.Close()) }()
		var plan strings.Builder
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			fmt.Fprintln(&plan, line)
		}
		require.NoError(t, rows.Err())
		require.Contains(t, plan.String(), "using device_command_waiting on device_commands")
	})
}
