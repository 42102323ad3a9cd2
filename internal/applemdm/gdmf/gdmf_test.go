package gdmf_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/gdmf"
	"github.com/bailiwick/bailiwick/internal/applemdm/gdmf/standin"
)

type bundle struct {
	apple  *standin.Server
	client *gdmf.Client
	now    time.Time
}

func setup(t *testing.T, config gdmf.Config) *bundle {
	t.Helper()
	b := &bundle{now: time.Date(2026, 1, 20, 9, 30, 0, 0, time.UTC)}
	b.apple = standin.New(standin.Sample(b.now))
	server := httptest.NewTLSServer(b.apple)
	t.Cleanup(server.Close)
	config.URL, config.Client = server.URL+"/v2/pmv", server.Client()
	config.Clock = func() time.Time { return b.now }
	client, err := gdmf.New(config)
	require.NoError(t, err)
	b.client = client
	return b
}

func TestFor(t *testing.T) {
	b := setup(t, gdmf.Config{})
	known, err := b.client.Catalogue(t.Context())
	require.NoError(t, err)
	versions := func(platform gdmf.Platform, device string, now time.Time) string {
		var found []string
		for _, r := range known.For(platform, device, now) {
			found = append(found, r.ProductVersion)
		}
		return strings.Join(found, " ")
	}
	assert.Equal(t, "26.2 26.1", versions(gdmf.MacOS, "J413AP", b.now), "the expired one is left out")
	assert.Equal(t, "26.2 26.1", versions(gdmf.MacOS, "J413AP", b.now.AddDate(0, 0, 30)), "the last day counts")
	assert.Equal(t, "26.2", versions(gdmf.MacOS, "J413AP", b.now.AddDate(0, 0, 31)))
	assert.Equal(t, "26.2 26.1", versions(gdmf.IOS, "iPad14,3", b.now))
	assert.Empty(t, versions(gdmf.IOS, "J413AP", b.now))
	assert.Empty(t, versions(gdmf.VisionOS, "J413AP", b.now))
	assert.Equal(t, time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC), known.Managed[gdmf.IOS][0].PostingDate.Time)
}

// TestAge: asked once an hour, and after a failure once a minute; the last
// answer serves for a week.
func TestAge(t *testing.T) {
	b := setup(t, gdmf.Config{})
	ask := func(after time.Duration, requests int, ok bool) {
		t.Helper()
		b.now = b.now.Add(after)
		known, err := b.client.Catalogue(t.Context())
		assert.Equal(t, ok, err == nil, "%v", err)
		assert.Equal(t, ok, known != nil)
		assert.Equal(t, requests, b.apple.Requests())
	}
	b.apple.Fail(&standin.Fault{Status: 503})
	ask(0, 1, false)
	ask(59*time.Second, 1, false)
	ask(time.Second, 2, false)
	b.apple.Fail(nil)
	ask(time.Minute, 3, true)
	ask(59*time.Minute, 3, true)
	ask(time.Minute, 4, true)
	b.apple.Fail(&standin.Fault{Status: 500})
	ask(time.Hour, 5, true)
	ask(time.Second, 5, true)
	ask(6*24*time.Hour, 6, true)
	ask(23*time.Hour, 7, false)
	b.apple.Fail(nil)
	ask(time.Minute, 8, true)
}

// TestNonsense: what must not pass for an answer.
func TestNonsense(t *testing.T) {
	for name, fault := range map[string]*standin.Fault{
		"status":      {Status: 404, Body: "{}"},
		"empty":       {},
		"no releases": {Body: "{}"},
		"HTML":        {Body: "<html>"},
		"truncated":   {Body: `{"PublicAssetSets":{"iOS":[{"ProductVersion"`},
		"no version":  {Body: `{"AssetSets":{"iOS":[{"Build":"1"}]}}`},
		"no date":     {Body: `{"AssetSets":{"iOS":[{"ProductVersion":"1","PostingDate":"soon"}]}}`},
		"too long":    {Body: `{"AssetSets":{"iOS":[{"ProductVersion":"` + strings.Repeat("1", 9<<20) + `"}]}}`},
		"too many":    {Body: `{"AssetSets":{"iOS":[` + strings.Repeat(`{"ProductVersion":"1"},`, 5000) + `{"ProductVersion":"1"}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, gdmf.Config{})
			b.apple.Fail(fault)
			known, err := b.client.Catalogue(t.Context())
			assert.Error(t, err)
			assert.Nil(t, known)
		})
	}
}

func TestTimeout(t *testing.T) {
	b := setup(t, gdmf.Config{Timeout: 50 * time.Millisecond})
	b.apple.Fail(&standin.Fault{Hang: true})
	_, err := b.client.Catalogue(t.Context())
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestGivenUp: a caller that goes away leaves no failure behind for the next.
func TestGivenUp(t *testing.T) {
	b := setup(t, gdmf.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.client.Catalogue(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.client.Catalogue(t.Context())
	assert.NoError(t, err)
}

func TestOneAsks(t *testing.T) {
	b := setup(t, gdmf.Config{})
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			_, err := b.client.Catalogue(t.Context())
			assert.NoError(t, err)
		})
	}
	callers.Wait()
	assert.Equal(t, 1, b.apple.Requests())
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"18.2", "18.10", -1}, {"18.2", "18.2.0", 0}, {"18.2.1", "18.2", 1}, {"26", "18.7.2", 1}, {"", "", 0}, {"1.a", "1.b", -1},
	} {
		assert.Equal(t, c.want, gdmf.CompareVersions(c.a, c.b), "%s, %s", c.a, c.b)
		assert.Equal(t, -c.want, gdmf.CompareVersions(c.b, c.a), "%s, %s", c.b, c.a)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []gdmf.Config{
		{},
		{Clock: time.Now, Client: &http.Client{}, URL: "http://gdmf.apple.com/v2/pmv"},
		{Clock: time.Now, Client: &http.Client{}, Timeout: -1},
	} {
		_, err := gdmf.New(c)
		assert.Error(t, err)
	}
}
