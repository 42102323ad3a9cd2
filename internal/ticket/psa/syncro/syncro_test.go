package syncro_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"Customer required field"}`:                                          "Customer required field",
		`{"success":false,"message":["Body can't be blank","Subject can't be blank"]}`: "Body can't be blank; Subject can't be blank",
		`{"message":"Not found"}`:                                                      "Not found",
		`{"errors":"one"}`:                                                             "one",
		`{"errors":["one","two"]}`:                                                     "one; two",
		`{"errors":{"subject":["is too long"],"base":["nothing works"],"customer_id":"is not a number"}}`: "nothing works; customer_id is not a number; subject is too long",
		`{"errors":null}`: "",
		`{"ticket":{}}`:   "",
		`[]`:              "",
		``:                "",
	} {
		if got := syncro.ErrorText([]byte(body)); got != want {
			t.Errorf("%s reads %q, want %q", body, got, want)
		}
	}
}

// FuzzErrorAnswer: whatever a server answers to a ticket, the client says that
// it failed, in bounded, valid text without the token.
func FuzzErrorAnswer(f *testing.F) {
	f.Add(422, `{"errors":{"a":[{"b":["c"]},1,null,true]}}`, "application/json")
	f.Add(200, `{"ticket":{"id":0},"error":"no"}`, "application/json")
	f.Add(500, "<title>"+token+"</title>", "text/html")
	f.Add(429, `{"error":"`+token+`"}`, "application/json; charset=utf-8")
	var status int
	var body, kind string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a status without a body refuses it
	}))
	f.Cleanup(server.Close)
	client, err := syncro.New(bench{url: server.URL}.config(), syncro.Credentials{Subdomain: "acme", APIToken: token})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s int, b, k string) {
		status, body, kind = 200+max(s, -s)%400, b, k
		remote, err := client.Create(context.Background(), psa.Draft{
			Marker: psa.Marker("o", "i", "k", 1), CompanyID: "1", Title: "t", Settings: syncro.Settings{ProblemType: "Other"},
		})
		if err == nil {
			if remote.ID == "" || status >= 300 {
				t.Fatalf("status %d, body %q: made %+v", status, body, remote)
			}
			return
		}
		e, ok := errors.AsType[*psa.Error](err)
		if !ok || e.Class == "" || e.Class == psa.NotSent {
			t.Fatalf("status %d, body %q: %v", status, body, err)
		}
		if status < 400 && e.Class != psa.Uncertain {
			t.Fatalf("status %d may have made a ticket, but reads %s", status, e.Class)
		}
		if !utf8.ValidString(e.Vendor) || len(e.Vendor) > 2000 || strings.Contains(e.Error(), token) {
			t.Fatalf("text %q", e.Error())
		}
	})
}

func TestCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		credentials syncro.Credentials
		field       string
	}{
		"whole":            {syncro.Credentials{Subdomain: "acme-1", APIToken: "T1"}, ""},
		"no subdomain":     {syncro.Credentials{APIToken: "T1"}, "subdomain"},
		"another host":     {syncro.Credentials{Subdomain: "evil.example/", APIToken: "T1"}, "subdomain"},
		"with user":        {syncro.Credentials{Subdomain: "a@evil", APIToken: "T1"}, "subdomain"},
		"capital letters":  {syncro.Credentials{Subdomain: "Acme", APIToken: "T1"}, "subdomain"},
		"too long":         {syncro.Credentials{Subdomain: strings.Repeat("a", 64), APIToken: "T1"}, "subdomain"},
		"no token":         {syncro.Credentials{Subdomain: "acme"}, "apiToken"},
		"a line in it":     {syncro.Credentials{Subdomain: "acme", APIToken: "T1\r\nX: y"}, "apiToken"},
		"more than latin1": {syncro.Credentials{Subdomain: "acme", APIToken: "T1é"}, "apiToken"},
	} {
		config := syncro.Config{Timeout: time.Second, MaxPages: 1, Logger: quiet(), Clock: time.Now}
		_, err := syncro.New(config, c.credentials)
		e, _ := errors.AsType[*fault.Error](err)
		if (c.field == "") != (err == nil) || (e != nil && e.Field != c.field) {
			t.Errorf("%s: %v, want a fault of %q", name, err, c.field)
		}
	}
}

func TestDriver(t *testing.T) {
	b := newBench(t, nil)
	driver, err := psa.Drivers{psa.Syncro: syncro.Driver(b.config())}.For(psa.Syncro)
	if err != nil {
		t.Fatal(err)
	}
	vendor, err := driver.Open([]byte(`{"subdomain":"acme","apiToken":"`+token+`"}`), psa.Open{})
	if err != nil {
		t.Fatal(err)
	}
	if account, err := vendor.Verify(t.Context()); err != nil || account.Name != "acme" {
		t.Errorf("%+v, %v", account, err)
	}
	for _, raw := range []string{`{}`, `{"subdomain":"acme","apiToken":"x","extra":1}`, `{"subdomain":1}`, `null`, ``, `{"subdomain":"acme","apiToken":"x"} {}`} {
		if v, err := driver.Open([]byte(raw), psa.Open{}); fault.CodeOf(err) != fault.InvalidArgument || v != nil {
			t.Errorf("credentials %s: %v", raw, err)
		}
	}
	settings, err := driver.Settings([]byte(`{"problemType":"Other","priority":"2 Normal","userId":7}`))
	if err != nil || settings != (syncro.Settings{ProblemType: "Other", Priority: "2 Normal", UserID: 7}) || settings.Kind() != psa.Syncro {
		t.Errorf("%+v, %v", settings, err)
	}
	for _, raw := range []string{`{}`, `{"problemType":"Other","queue":1}`, `{"problemType":"Other","userId":-1}`, `{"problemType":"Other","userId":"x"}`, `{"problemType":"` + strings.Repeat("x", 300) + `"}`} {
		if s, err := driver.Settings([]byte(raw)); fault.CodeOf(err) != fault.InvalidArgument || s != nil {
			t.Errorf("settings %s: %v", raw, err)
		}
	}
}
