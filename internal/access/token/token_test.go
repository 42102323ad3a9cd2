package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bailiwick/bailiwick/internal/access/token"
	"github.com/bailiwick/bailiwick/internal/fault"
)

const (
	issuer   = "https://bailiwick.example"
	audience = "https://bailiwick.example/graphql"
)

var dana = token.Subject{Administrator: "adm_dana", Session: "ses_1", Provider: "prv_1"}

// memory is a store in memory, as strict as a database: serial, atomic.
type memory struct {
	mu    sync.Mutex
	keys  map[string]token.Key
	reads int
	err   error
}

func (m *memory) Keys(ctx context.Context) ([]token.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.err != nil || ctx.Err() != nil {
		return nil, errors.Join(m.err, ctx.Err())
	}
	return m.list(), nil
}

func (m *memory) list() []token.Key {
	var keys []token.Key
	for _, k := range m.keys {
		if k.State != token.Removed {
			keys = append(keys, k)
		}
	}
	return keys
}

func (m *memory) Update(_ context.Context, change func([]token.Key) ([]token.Key, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	changed, err := change(m.list())
	if err != nil {
		return err
	}
	if m.keys == nil {
		m.keys = map[string]token.Key{}
	}
	for _, k := range changed {
		m.keys[k.ID] = k
	}
	return nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) in(state token.State) []token.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []token.Key
	for _, k := range m.keys {
		if k.State == state {
			keys = append(keys, k)
		}
	}
	return keys
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

type replica struct {
	keys      *token.KeySet
	authority *token.Authority
}

func newReplica(t testing.TB, store token.Store, schedule token.Schedule, now func() time.Time) replica {
	t.Helper()
	keys, err := token.NewKeySet(store, schedule, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := token.NewAuthority(keys, issuer, audience)
	if err != nil {
		t.Fatal(err)
	}
	return replica{keys, authority}
}

type fixture struct {
	store *memory
	clock *clock
	replica
}

func setup(t testing.TB) fixture {
	t.Helper()
	f := fixture{store: &memory{}, clock: &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	f.replica = newReplica(t, f.store, token.DefaultSchedule(), f.clock.Now)
	if err := f.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f fixture) issue(t testing.TB) string {
	t.Helper()
	raw, _, err := f.authority.Issue(t.Context(), dana)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestIssueAndVerify(t *testing.T) {
	f := setup(t)
	raw, issued, err := f.authority.Issue(t.Context(), dana)
	if err != nil {
		t.Fatal(err)
	}
	if issued.Expires.Sub(f.clock.now) != 10*time.Minute {
		t.Errorf("expires %v", issued.Expires)
	}
	got, err := f.authority.Verify(t.Context(), raw)
	if err != nil || got != issued || got.Subject != dana {
		t.Fatalf("verified %+v, %v; issued %+v", got, err, issued)
	}
	if _, second, _ := f.authority.Issue(t.Context(), dana); second.ID == issued.ID {
		t.Error("two tokens share a jti")
	}
	f.clock.now = issued.Expires.Add(29 * time.Second)
	if _, err := f.authority.Verify(t.Context(), raw); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	f.clock.now = issued.Expires.Add(31 * time.Second)
	if _, err := f.authority.Verify(t.Context(), raw); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("past the leeway: %v", err)
	}
	f.clock.now = issued.Issued.Add(-31 * time.Second)
	if _, err := f.authority.Verify(t.Context(), raw); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("before it was issued: %v", err)
	}
}

// forge signs whatever it is told with the real key, or with none.
func forge(t *testing.T, f fixture, method jwt.SigningMethod, key any, change func(header, claims map[string]any)) string {
	t.Helper()
	active := f.store.in(token.Active)[0]
	now := f.clock.now.Unix()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "adm_dana", "sid": "ses_1", "prv": "prv_1", "jti": "1",
		"iat": now, "nbf": now, "exp": now + 600,
	}
	forged := jwt.NewWithClaims(method, claims)
	forged.Header["kid"], forged.Header["typ"] = active.ID, "at+jwt"
	if change != nil {
		change(forged.Header, claims)
	}
	if key == nil {
		key = active.Private
	}
	raw, err := forged.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerifyRefusesForgeries(t *testing.T) {
	f := setup(t)
	active := f.store.in(token.Active)[0]
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { claims[name] = value }
	}
	without := func(name string) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { delete(claims, name) }
	}
	ed := jwt.SigningMethodEdDSA
	if _, err := f.authority.Verify(t.Context(), forge(t, f, ed, nil, nil)); err != nil {
		t.Fatalf("the forger's own control is refused: %v", err)
	}
	past, soon := f.clock.now.Add(-time.Minute).Unix(), f.clock.now.Add(time.Minute).Unix()
	good := f.issue(t)
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"alg none":              forge(t, f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS256 with public key": forge(t, f, jwt.SigningMethodHS256, []byte(active.Public()), nil),
		"HS256, alg says EdDSA": forge(t, f, jwt.SigningMethodHS256, []byte(active.Public()), func(h, _ map[string]any) { h["alg"] = "EdDSA" }),
		"another key":           forge(t, f, ed, foreign, nil),
		"unknown kid":           forge(t, f, ed, foreign, func(h, _ map[string]any) { h["kid"] = "unknown" }),
		"no kid":                forge(t, f, ed, nil, func(h, _ map[string]any) { delete(h, "kid") }),
		"kid is no string":      forge(t, f, ed, nil, func(h, _ map[string]any) { h["kid"] = []string{active.ID} }),
		"key in the header":     forge(t, f, ed, foreign, func(h, _ map[string]any) { h["jwk"] = active.Public() }),
		"another type":          forge(t, f, ed, nil, func(h, _ map[string]any) { h["typ"] = "JWT" }),
		"wrong issuer":          forge(t, f, ed, nil, set("iss", "https://elsewhere.example")),
		"no issuer":             forge(t, f, ed, nil, without("iss")),
		"wrong audience":        forge(t, f, ed, nil, set("aud", "https://elsewhere.example")),
		"no audience":           forge(t, f, ed, nil, without("aud")),
		"expired":               forge(t, f, ed, nil, set("exp", past)),
		"no expiry":             forge(t, f, ed, nil, without("exp")),
		"expiry is no number":   forge(t, f, ed, nil, set("exp", "never")),
		"not yet valid":         forge(t, f, ed, nil, set("nbf", soon)),
		"no start":              forge(t, f, ed, nil, without("nbf")),
		"issued in the future":  forge(t, f, ed, nil, set("iat", soon)),
		"no time of issue":      forge(t, f, ed, nil, without("iat")),
		"no subject":            forge(t, f, ed, nil, without("sub")),
		"no session":            forge(t, f, ed, nil, without("sid")),
		"no provider":           forge(t, f, ed, nil, without("prv")),
		"no id":                 forge(t, f, ed, nil, without("jti")),
		"empty":                 "",
		"rubbish":               "a.b.c",
		"too long":              good + strings.Repeat("A", 5000),
		"padded":                good + "=",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"two parts":             parts[0] + "." + parts[1],
		"payload of another":    parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"adm_root"}`)) + "." + parts[2],
	} {
		claims, err := f.authority.Verify(t.Context(), raw)
		if fault.CodeOf(err) != fault.Unauthenticated || claims != (token.Claims{}) {
			t.Errorf("%s: %+v, %v", name, claims, err)
		}
	}
	for i := range good {
		if _, err := f.authority.Verify(t.Context(), good[:i]); fault.CodeOf(err) != fault.Unauthenticated {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := setup(f)
	good := s.issue(f)
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(parts[0] + ".e30." + parts[2])
	f.Fuzz(func(t *testing.T, raw string) {
		// What counts is header, payload and signature: there is one way to write them.
		if _, err := s.authority.Verify(t.Context(), raw); err == nil && raw != good {
			t.Errorf("accepted %q", raw)
		}
	})
}

func TestUnknownKeysAreLookedUpAtALimitedRate(t *testing.T) {
	f := setup(t)
	elsewhere := newReplica(t, f.store, token.DefaultSchedule(), f.clock.Now)
	if _, err := elsewhere.authority.Verify(t.Context(), f.issue(t)); err != nil {
		t.Fatalf("a replica that has read nothing yet: %v", err)
	}
	unknown := forge(t, f, jwt.SigningMethodEdDSA, nil, func(h, _ map[string]any) { h["kid"] = "invented" })
	before := f.store.reads
	for range 1000 {
		f.clock.now = f.clock.now.Add(10 * time.Millisecond)
		if _, err := f.authority.Verify(t.Context(), unknown); err == nil {
			t.Fatal("accepted")
		}
	}
	if reads := f.store.reads - before; reads > 2 {
		t.Errorf("%d reads in ten seconds", reads)
	}

	// Somebody who hangs up must not keep the keys from the others.
	f.clock.now = f.clock.now.Add(time.Minute)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	f.authority.Verify(gone, unknown)
	third := newReplica(t, f.store, token.DefaultSchedule(), f.clock.Now)
	raw := f.issue(t)
	third.authority.Verify(gone, unknown)
	if _, err := third.authority.Verify(t.Context(), raw); err != nil {
		t.Errorf("after somebody hung up: %v", err)
	}
}

func TestStoreFailure(t *testing.T) {
	f := setup(t)
	raw := f.issue(t)
	f.store.fail(errors.New("connection refused"))
	f.clock.now = f.clock.now.Add(8 * time.Minute) // the copy is due, the token is valid
	if _, err := f.authority.Verify(t.Context(), raw); err != nil {
		t.Errorf("signed out because the store is down: %v", err)
	}
	if _, _, err := f.authority.Issue(t.Context(), dana); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("issued from a copy that is due: %v", err)
	}
	if err := f.keys.Rotate(t.Context()); err == nil {
		t.Error("rotated without a store")
	}
	f.store.fail(nil)
	if _, _, err := f.authority.Issue(t.Context(), dana); err != nil {
		t.Errorf("the store is back: %v", err)
	}
	empty := newReplica(t, &memory{}, token.DefaultSchedule(), f.clock.Now)
	if _, _, err := empty.authority.Issue(t.Context(), dana); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("issued without a key: %v", err)
	}
}

func TestDamagedKeysAreRefused(t *testing.T) {
	f := setup(t)
	good := f.store.in(token.Active)[0]
	for name, damage := range map[string]func(*token.Key){
		"no private half": func(k *token.Key) { k.Private = nil },
		"another's":       func(k *token.Key) { _, k.Private, _ = ed25519.GenerateKey(nil) },
	} {
		k := good
		damage(&k)
		f.store.keys[k.ID] = k
		if err := f.keys.Refresh(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	f := setup(t)
	k := f.store.in(token.Active)[0]
	secret := base64.StdEncoding.EncodeToString(k.Private.Seed())
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k)
	bytes := strings.Trim(fmt.Sprintf("%d", k.Private.Seed()), "[]")
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", k, k, k, k), log.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, bytes) || !strings.Contains(text, k.ID) {
			t.Errorf("printed %s", text)
		}
	}
}

// Three replicas with clocks up to a quarter of a minute apart live through weeks of
// rotations, pauses and outages. No token is ever turned away before it expires.
func TestRotationNeverSignsAnyoneOut(t *testing.T) {
	schedule := token.Schedule{Lifetime: 10 * time.Minute, Active: 4 * time.Hour, Publish: time.Hour, Refresh: 5 * time.Minute}
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			store := &memory{}
			var replicas []replica
			for range 3 {
				skew := time.Duration(random.IntN(15)) * time.Second
				replicas = append(replicas, newReplica(t, store, schedule, func() time.Time { return now.Add(skew) }))
			}
			if err := replicas[0].keys.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			type issued struct {
				raw     string
				expires time.Time
			}
			var valid []issued
			verified := 0
			for range 1500 {
				switch p := random.IntN(100); {
				case p < 70:
					now = now.Add(time.Duration(random.IntN(60_000)) * time.Millisecond)
				case p < 97:
					now = now.Add(time.Duration(random.IntN(10)) * time.Minute)
				default:
					now = now.Add(time.Duration(random.IntN(12)) * time.Hour)
				}
				some := func() replica { return replicas[random.IntN(len(replicas))] }
				down := random.IntN(20) == 0
				if down {
					store.fail(errors.New("down"))
				}
				if random.IntN(3) == 0 {
					if err := some().keys.Rotate(t.Context()); err != nil && !down {
						t.Fatal(err)
					}
				}
				raw, claims, err := some().authority.Issue(t.Context(), dana)
				switch {
				case err == nil:
					valid = append(valid, issued{raw, claims.Expires})
				case !down:
					t.Fatal(err)
				}
				store.fail(nil)
				// Past this the fastest clock, less the leeway, may call it expired.
				valid = slices.DeleteFunc(valid, func(v issued) bool { return now.After(v.expires.Add(-15 * time.Second)) })
				if len(valid) == 0 {
					continue
				}
				for _, v := range []issued{valid[0], valid[random.IntN(len(valid))]} { // the oldest is in most danger
					if _, err := some().authority.Verify(t.Context(), v.raw); err != nil {
						t.Fatalf("at %v, a token that expires %v: %v", now, v.expires, err)
					}
					verified++
				}
				if n := len(store.in(token.Active)); n != 1 {
					t.Fatalf("%d active keys", n)
				}
			}
			removed := store.in(token.Removed)
			if len(removed) < 20 || verified < 1500 {
				t.Errorf("only %d rotations and %d verifications: the walk proves little", len(removed), verified)
			}
			for _, k := range removed {
				if k.Private != nil {
					t.Error("a removed key keeps its private half")
				}
			}
		})
	}
}

func TestJSONClaims(t *testing.T) {
	f := setup(t)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(f.issue(t), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iss", "aud", "sub", "sid", "prv", "jti", "iat", "nbf", "exp"} {
		if claims[name] == nil {
			t.Errorf("no %s in %v", name, claims)
		}
	}
	if len(claims) != 9 {
		t.Errorf("claims nobody asked for: %v", claims)
	}
}

func BenchmarkVerify(b *testing.B) {
	f := setup(b)
	raw := f.issue(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.authority.Verify(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}
