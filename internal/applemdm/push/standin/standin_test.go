package standin_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/push/standin"
)

const topic = "com.apple.mgmt.External.a"

func setup(t *testing.T, config standin.Config) (*standin.Server, *http.Client) {
	t.Helper()
	config.Logger, config.Clock = slog.New(slog.DiscardHandler), time.Now
	s, err := standin.Start(t.Context(), "127.0.0.1:0", config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := s.Issue(key.Public(), topic, time.Now().AddDate(1, 0, 0))
	require.NoError(t, err)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: s.Roots(), Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

// TestJudge: whatever is not a notification for MDM is refused, with APNs's
// words.
func TestJudge(t *testing.T) {
	var delivered []standin.Push
	s, client := setup(t, standin.Config{OnPush: func(p standin.Push) { delivered = append(delivered, p) }})
	week := strconv.FormatInt(time.Now().Add(7*24*time.Hour).Unix(), 10)
	good := func() (*http.Request, string) {
		r, err := http.NewRequest(http.MethodPost, s.URL()+"/3/device/00ff", http.NoBody)
		require.NoError(t, err)
		r.Header = http.Header{"Apns-Topic": {topic}, "Apns-Push-Type": {"mdm"}, "Apns-Expiration": {week}, "Apns-Priority": {"10"}}
		return r, `{"mdm":"magic"}`
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Header.Del(name); value != "" {
				r.Header.Set(name, value)
			}
		}
	}
	path := func(p string) func(*http.Request) { return func(r *http.Request) { r.URL.Path = p } }
	nothing := func(*http.Request) {}
	for name, c := range map[string]struct {
		spoil  func(*http.Request)
		body   string
		status int
		reason string
	}{
		"good":             {nothing, "", 200, ""},
		"no priority":      {header("Apns-Priority", ""), "", 200, ""},
		"GET":              {func(r *http.Request) { r.Method = http.MethodGet }, "", 405, "MethodNotAllowed"},
		"path":             {path("/2/device/00ff"), "", 404, "BadPath"},
		"token not hex":    {path("/3/device/xyz"), "", 400, "BadDeviceToken"},
		"no token":         {path("/3/device/"), "", 400, "BadDeviceToken"},
		"no topic":         {header("Apns-Topic", ""), "", 400, "MissingTopic"},
		"foreign topic":    {header("Apns-Topic", topic+"b"), "", 400, "TopicDisallowed"},
		"alert":            {header("Apns-Push-Type", "alert"), "", 400, "InvalidPushType"},
		"no push type":     {header("Apns-Push-Type", ""), "", 400, "InvalidPushType"},
		"priority":         {header("Apns-Priority", "11"), "", 400, "BadPriority"},
		"no expiration":    {header("Apns-Expiration", ""), "", 400, "BadExpirationDate"},
		"expired":          {header("Apns-Expiration", "1000"), "", 400, "BadExpirationDate"},
		"empty":            {nothing, " ", 400, "PayloadEmpty"},
		"with aps":         {nothing, `{"aps":{},"mdm":"magic"}`, 400, standin.ReasonBadPayload},
		"spaces":           {nothing, `{"mdm": "magic"}`, 400, standin.ReasonBadPayload},
		"no magic":         {nothing, `{"mdm":""}`, 400, standin.ReasonBadPayload},
		"not JSON":         {nothing, `magic`, 400, standin.ReasonBadPayload},
		"payload too long": {nothing, `{"mdm":"` + strings.Repeat("m", 4096) + `"}`, 413, "PayloadTooLarge"},
	} {
		t.Run(name, func(t *testing.T) {
			r, body := good()
			if c.body != "" {
				body = strings.TrimSpace(c.body)
			}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			c.spoil(r)
			response, err := client.Do(r)
			require.NoError(t, err)
			defer response.Body.Close()
			var answer struct{ Reason string }
			var text bytes.Buffer
			_, err = text.ReadFrom(response.Body)
			require.NoError(t, err)
			if text.Len() > 0 {
				require.NoError(t, json.Unmarshal(text.Bytes(), &answer))
			}
			assert.Equal(t, c.status, response.StatusCode)
			assert.Equal(t, c.reason, answer.Reason)
			assert.NotEmpty(t, response.Header.Get("Apns-Id"))
			assert.Equal(t, 2, response.ProtoMajor)
		})
	}
	assert.Len(t, delivered, 2)
	assert.Equal(t, delivered, s.Pushes())
	assert.Equal(t, 4, s.Refused()[standin.ReasonBadPayload])
	s.Reset()
	assert.Empty(t, s.Pushes())
	opened, open := s.Connections()
	assert.Equal(t, []int{0, 1}, []int{opened, open})
}

// TestClientCertificate: none, and one of another authority, do not get in.
func TestClientCertificate(t *testing.T) {
	s, _ := setup(t, standin.Config{})
	_, foreign := setup(t, standin.Config{})
	transport := foreign.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs = s.Roots()
	bare := transport.Clone()
	bare.TLSClientConfig.Certificates = nil
	for _, tr := range []*http.Transport{transport, bare} {
		r, err := http.NewRequest(http.MethodPost, s.URL()+"/3/device/00ff", http.NoBody)
		require.NoError(t, err)
		response, err := (&http.Client{Transport: tr}).Do(r)
		if err == nil {
			response.Body.Close()
		}
		assert.Error(t, err)
	}
}
