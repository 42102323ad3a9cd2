package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/telemetry"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func TestClientAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		remote string
		chain  []string
		want   string
	}{
		"no proxy":                     {"192.0.2.1:5000", nil, "192.0.2.1"},
		"header of a stranger":         {"192.0.2.1:5000", []string{"198.51.100.7"}, "192.0.2.1"},
		"one proxy":                    {"10.0.0.1:5000", []string{"198.51.100.7"}, "198.51.100.7"},
		"forged entries to the left":   {"10.0.0.1:5000", []string{"1.1.1.1, 10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                  {"10.0.0.1:5000", []string{"1.1.1.1, 198.51.100.7 , 10.0.0.2"}, "198.51.100.7"},
		"several headers":              {"10.0.0.1:5000", []string{"1.1.1.1", "198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		"proxies only":                 {"10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"proxy that says nothing":      {"10.0.0.1:5000", nil, "10.0.0.1"},
		"empty header":                 {"10.0.0.1:5000", []string{""}, "10.0.0.1"},
		"junk right of the client":     {"10.0.0.1:5000", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"junk beyond the second proxy": {"10.0.0.1:5000", []string{"junk, 10.0.0.2"}, "10.0.0.2"},
		"ports":                        {"10.0.0.1:5000", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		"IPv6":                         {"[fd00::1]:5000", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":             {"[fd00::1]:5000", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 with port":               {"[fd00::1]:5000", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		"mapped IPv4 is the same":      {"[::ffff:10.0.0.1]:5000", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"endless chain":                {"10.0.0.1:5000", []string{"1.1.1.1" + strings.Repeat(",10.0.0.2", 100)}, "10.0.0.2"},
	} {
		require.Equal(t, tc.want, telemetry.ResolveClient(proxies, tc.remote, tc.chain).String(), name)
	}
	require.False(t, telemetry.ResolveClient(proxies, "@", []string{"1.1.1.1"}).IsValid(), "a Unix socket")
}

func FuzzClientAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "1.1.1.1, 10.0.0.2", "[::1]:4")
	f.Add("192.0.2.1:1", ",,,", " ")
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		got := telemetry.ResolveClient(proxies, remote, []string{first, second})
		direct := telemetry.ResolveClient(nil, remote, nil)
		if got.IsValid() != direct.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q gives %v, the peer is %v", []string{first, second}, got, direct)
		}
		trusted := direct.IsValid() && (proxies[0].Contains(direct) || proxies[1].Contains(direct))
		if !trusted && got != direct {
			t.Fatalf("a stranger at %v passed for %v", direct, got)
		}
		// What a client writes left of an address that a proxy saw is without effect.
		behind := telemetry.ResolveClient(proxies, "10.0.0.1:1", []string{first, second, "198.51.100.7"})
		if behind.String() != "198.51.100.7" {
			t.Fatalf("forged as %v", behind)
		}
	})
}

func FuzzRequestID(f *testing.F) {
	f.Add("req-1.a_B")
	f.Add("line\nbreak")
	f.Add(strings.Repeat("x", 65))
	pattern := regexp.MustCompile(`\A[A-Za-z0-9._-]{1,64}\z`)
	f.Fuzz(func(t *testing.T, id string) {
		if telemetry.ValidRequestID(id) != pattern.MatchString(id) {
			t.Fatalf("%q", id)
		}
	})
}

func TestRequests(t *testing.T) {
	var id, client string
	handler := telemetry.Requests(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, client = telemetry.RequestID(r.Context()), telemetry.ClientAddress(r.Context()).String()
	}))
	serve := func(header string) string {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.RemoteAddr = "10.0.0.1:1"
		request.Header.Set("X-Forwarded-For", "198.51.100.7")
		request.Header.Set("X-Request-Id", header)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response.Header().Get("X-Request-Id")
	}
	require.Equal(t, "caller-1", serve("caller-1"))
	require.Equal(t, "caller-1", id)
	require.Equal(t, "198.51.100.7", client)
	for _, bad := range []string{"", "a b", "<script>", strings.Repeat("x", 65)} {
		answered := serve(bad)
		require.True(t, telemetry.ValidRequestID(answered))
		require.NotEqual(t, bad, answered)
		require.Equal(t, answered, id)
	}
	require.Empty(t, telemetry.RequestID(context.Background()))
	require.False(t, telemetry.ClientAddress(context.Background()).IsValid())
	telemetry.SetOperation(context.Background(), "without a request: no effect")
}
