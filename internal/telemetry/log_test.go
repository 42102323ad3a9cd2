package telemetry_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/telemetry"
)

func TestLogNamesTheRequest(t *testing.T) {
	var out bytes.Buffer
	logger, err := telemetry.NewLogger(&out, "info", "json")
	require.NoError(t, err)
	outer := telemetry.WithRequest(t.Context(), "req-1", netip.Addr{})
	logger.DebugContext(outer, "below the level")
	require.Empty(t, out.String())

	var group sync.WaitGroup
	for range 8 { // set further in, possibly in parallel
		group.Go(func() {
			telemetry.SetOrganization(outer, "org_a")
			telemetry.SetOperation(outer, "Alerts"+strings.Repeat("x", 1000))
			logger.DebugContext(outer, "read meanwhile")
		})
	}
	group.Wait()
	logger.With("component", "http").InfoContext(outer, "answered", "status", 200)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "req-1", line["request_id"])
	require.Equal(t, "org_a", line["organization"])
	require.Len(t, line["operation"], 100)
	require.Equal(t, "http", line["component"])
	require.InDelta(t, 200, line["status"], 0)

	out.Reset()
	other := telemetry.WithRequest(outer, "req-1", netip.Addr{}) // an operation of its own
	telemetry.SetOrganization(other, "org_b")
	logger.InfoContext(outer, "outer")
	require.NotContains(t, out.String(), "org_b")

	out.Reset()
	logger.InfoContext(t.Context(), "no request")
	require.NotContains(t, out.String(), "request_id")
}

func TestLogFormats(t *testing.T) {
	var out bytes.Buffer
	logger, err := telemetry.NewLogger(&out, "warn", "text")
	require.NoError(t, err)
	ctx := telemetry.WithRequest(t.Context(), "req-1", netip.Addr{})
	telemetry.SetOperation(ctx, "forged\nlevel=ERROR")
	logger.WarnContext(ctx, "m")
	require.Contains(t, out.String(), "request_id=req-1")
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "one line: %q", out.String())

	_, err = telemetry.NewLogger(&out, "loud", "text")
	require.Error(t, err)
	_, err = telemetry.NewLogger(&out, "info", "xml")
	require.Error(t, err)
}
