package connectwise_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
)

// TestSigned: a signature that was computed elsewhere.
func TestSigned(t *testing.T) {
	body := []byte(`{"ID":1}`)
	// printf '{"ID":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf jfa9 | sha256sum | cut -c-64) -binary | base64
	const signature = "EzfRywHneJnrNDlxqbFtFhcoUDHmnrC4c8Vkg/8CvtQ="
	if !connectwise.Signed(body, signature, "jfa9") {
		t.Error("a good signature is refused")
	}
	for name, c := range map[string]struct {
		body           []byte
		signature, key string
	}{
		"another body":  {[]byte(`{"ID":2}`), signature, "jfa9"},
		"another key":   {body, signature, "jfa8"},
		"no key":        {body, signature, ""},
		"no signature":  {body, "", "jfa9"},
		"cut":           {body, signature[:20], "jfa9"},
		"no base64":     {body, strings.Repeat("!", 44), "jfa9"},
		"zeros":         {body, base64.StdEncoding.EncodeToString(make([]byte, 32)), "jfa9"},
		"a line behind": {body, signature + "x", "jfa9"},
	} {
		if connectwise.Signed(c.body, c.signature, c.key) {
			t.Errorf("%s passes", name)
		}
	}
}

// called is a bench with a ticket, and a client whose clock is the test's.
type called struct {
	bench
	client *connectwise.Client
	id     int64
	now    time.Time
}

func newCalled(t *testing.T) *called {
	t.Helper()
	c := &called{bench: newBench(t, nil), now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	own := config()
	own.Clock = func() time.Time { return c.now }
	c.client = open(t, own, c.credentials())
	made, err := c.client.Create(t.Context(), c.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	c.id, _ = strconv.ParseInt(made.ID, 10, 64)
	return c
}

func (c *called) signed(t *testing.T) ([]byte, string) {
	t.Helper()
	body, signature, ok := c.server.Callback(public, c.url, "updated", c.id)
	if !ok {
		t.Fatal("no such ticket")
	}
	return body, signature
}

func (c *called) fetches() int { return len(c.server.Requests(http.MethodGet, "/login/keys/*")) }

func TestCallback(t *testing.T) {
	c := newCalled(t)
	for range 3 {
		body, signature := c.signed(t)
		got, err := c.client.Callback(t.Context(), body, signature)
		if err != nil || got.ID != strconv.FormatInt(c.id, 10) || got.Action != "updated" || got.Type != "ticket" || got.MessageID == "" || got.CompanyID != "acme" {
			t.Fatalf("%+v, %v", got, err)
		}
		var entity struct{ Summary string }
		if err := json.Unmarshal(got.Entity, &entity); err != nil || entity.Summary != "Disk is not encrypted" {
			t.Errorf("entity %s, %v", got.Entity, err)
		}
	}
	if c.fetches() != 1 {
		t.Errorf("the key was fetched %d times for three callbacks", c.fetches())
	}
	c.server.RotateKey()
	c.now = c.now.Add(time.Minute)
	body, signature := c.signed(t)
	if _, err := c.client.Callback(t.Context(), body, signature); err != nil {
		t.Errorf("after the key was changed: %v", err)
	}
}

// TestForgedCallback: nothing forged passes, is fetched from elsewhere, or
// makes us flood the site.
func TestForgedCallback(t *testing.T) {
	c := newCalled(t)
	body, signature := c.signed(t)
	key := func(u string) []byte {
		return bytes.ReplaceAll(body, []byte(c.url+"/login/keys/"), []byte(u))
	}
	for name, forged := range map[string]struct {
		body      []byte
		signature string
		code      fault.Code
	}{
		"no signature":       {body, "", fault.Unauthenticated},
		"a short one":        {body, "AAAA", fault.Unauthenticated},
		"another body":       {bytes.Replace(body, []byte("updated"), []byte("deleted"), 1), signature, fault.Unauthenticated},
		"key elsewhere":      {key("https://evil.example/"), signature, fault.Unauthenticated},
		"key of a user":      {key(strings.Replace(c.url, "http://", "http://x@", 1) + "/login/keys/"), signature, fault.Unauthenticated},
		"key at another":     {key(c.url + "0/login/keys/"), signature, fault.Unauthenticated},
		"key in metadata":    {key("http://169.254.169.254/"), signature, fault.Unauthenticated},
		"key of a file":      {key("file:///etc/passwd?"), signature, fault.Unauthenticated},
		"no key address":     {[]byte(`{"ID":1,"Type":"ticket","Action":"updated"}`), signature, fault.Unauthenticated},
		"another company":    {bytes.Replace(body, []byte(`"acme"`), []byte(`"evil"`), 1), signature, fault.Unauthenticated},
		"no JSON":            {[]byte("x"), signature, fault.InvalidArgument},
		"no record":          {[]byte(`{"Type":"ticket"}`), signature, fault.InvalidArgument},
		"no JSON as entity":  {[]byte(`{"ID":1,"Type":"ticket","Entity":"{"}`), signature, fault.InvalidArgument},
		"an object as such":  {[]byte(`{"ID":1,"Type":"ticket","Entity":{}}`), signature, fault.InvalidArgument},
		"beyond every bound": {bytes.Repeat([]byte(" "), connectwise.MaxCallback+1), signature, fault.InvalidArgument},
	} {
		c.now = c.now.Add(time.Minute)
		got, err := c.client.Callback(t.Context(), forged.body, forged.signature)
		if fault.CodeOf(err) != forged.code || got.ID != "" {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, forged.code)
		}
	}
	before := c.fetches()
	other := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for i := range 100 {
		flood := key(c.url + "/login/keys/" + strconv.Itoa(i))
		if _, err := c.client.Callback(t.Context(), flood, other); err == nil {
			t.Fatal("a flood passes")
		}
	}
	if n := c.fetches() - before; n > 1 {
		t.Errorf("100 forged callbacks in a moment made us ask the site %d times", n)
	}
	if _, err := c.client.Callback(t.Context(), body, signature); err != nil {
		t.Errorf("a genuine callback during the flood: %v", err)
	}
}

// TestNeighboursCallback: another customer of the same cloud signs with a key
// that is as valid, about a ticket of its own.
func TestNeighboursCallback(t *testing.T) {
	c := newCalled(t)
	neighbour := c.credentials()
	neighbour.CompanyID, neighbour.PublicKey = "globex", otherPub
	a := c.server.Account(otherPub)
	made, err := open(t, config(), neighbour).Create(t.Context(), psa.Draft{
		Marker: psa.Marker("o", "i", "n", 1), CompanyID: strconv.FormatInt(a.Companies[0].ID, 10), Title: "x", Body: "y", Settings: connectwise.Settings{},
	})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := strconv.ParseInt(made.ID, 10, 64)
	body, signature, ok := c.server.Callback(otherPub, c.url, "updated", id)
	if !ok {
		t.Fatal("no such ticket")
	}
	if got, err := c.client.Callback(t.Context(), body, signature); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := open(t, config(), neighbour).Callback(t.Context(), body, signature); err != nil || got.ID != made.ID {
		t.Errorf("to the neighbour itself: %+v, %v", got, err)
	}
}

// FuzzCallback: whatever arrives, nothing panics, nothing unsigned passes, and
// what is parsed names a record.
func FuzzCallback(f *testing.F) {
	f.Add([]byte(`{"MessageId":"m","Action":"updated","Type":"ticket","ID":5,"CompanyId":"acme","Entity":"{\"id\":5}","Metadata":{"key_url":"https://na.myconnectwise.net/login/keys/1"}}`), "AAAA")
	f.Add([]byte(`{"ID":5,"Type":"ticket","Metadata":{"key_url":"http://[::1"}}`), base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Add([]byte(`{"ID":5,"Type":"ticket","Entity":null,"Metadata":null}`), "")
	f.Add([]byte(`null`), "")
	b := newBench(f, nil)
	c := b.client(f)
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if got, err := connectwise.ParseCallback(body); err == nil {
			if id, bad := strconv.ParseInt(got.ID, 10, 32); bad != nil || id < 1 || (got.Entity != nil && !json.Valid(got.Entity)) {
				t.Fatalf("%q reads %+v", body, got)
			}
		} else if fault.CodeOf(err) != fault.InvalidArgument {
			t.Fatalf("%q: %v", body, err)
		}
		if connectwise.Signed(body, signature, "unknown key") {
			t.Fatalf("%q is signed by %q", body, signature)
		}
		if got, err := c.Callback(t.Context(), body, signature); err == nil {
			t.Fatalf("%q passes as %+v", body, got)
		}
	})
}
