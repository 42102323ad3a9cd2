package connectwise_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
)

// FuzzSearch: no text that is searched for becomes part of the question.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		"Customer 007", `"`, `\`, `x" or deletedFlag=True or name="`, `x\" or id>0 or name=\"`, "a\nb", "%", "[2026-01-01]", "x' or '1'='1", strings.Repeat("漢", 300), "\xff\"", "“quoted”", `\"\\"`,
	} {
		f.Add(seed)
	}
	asked := ""
	form := regexp.MustCompile(`^deletedFlag=False and status/name!="Inactive"( and name contains "[^"\\\x00-\x1f]+")*$`)
	b := newBench(f, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/company/companies") {
				asked = r.URL.Query().Get("conditions")
			}
			next.ServeHTTP(w, r)
		})
	})
	c := b.client(f)
	f.Fuzz(func(t *testing.T, search string) {
		asked = ""
		page, err := c.Companies(t.Context(), psa.CompanyQuery{Search: search})
		if err != nil {
			t.Fatalf("%q: %v", search, err)
		}
		if asked != "" && !form.MatchString(asked) { // a long one is sent as a search
			t.Fatalf("%q is asked as %s", search, asked)
		}
		line := strings.ToLower(psa.FitLine(search, 255))
		for _, found := range page.Companies {
			if !found.Active || !strings.Contains(strings.ToLower(found.Name), line) {
				t.Fatalf("%q finds %+v", search, found)
			}
		}
	})
}

// FuzzFind: no marker becomes part of the question.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{psa.Marker("o", "i", "k", 1), "", `bw:" or id>0 or externalXRef="`, `bw:\`, "bw:\n", "bw:é"} {
		f.Add(seed)
	}
	b := newBench(f, nil)
	c := b.client(f)
	d := b.draft("a")
	if _, err := c.Create(f.Context(), d); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, marker string) {
		found, err := c.Find(t.Context(), marker, d.CompanyID, time.Now())
		if err != nil && psa.ClassOf(err) != psa.Permanent {
			t.Fatalf("%q: %v", marker, err)
		}
		if (len(found) == 1) != strings.EqualFold(marker, d.Marker) {
			t.Fatalf("%q finds %+v", marker, found)
		}
	})
}

// TestSearch: what cannot be quoted is still searched for, and what is too
// long for a URL is sent as a body.
func TestSearch(t *testing.T) {
	long := strings.Repeat("漢", 40)
	server, err := standin.New(standin.Config{
		Accounts:  []standin.Account{{CompanyID: "acme", PublicKey: public, PrivateKey: private, Companies: []standin.Company{{Name: `Bob "The Builder" Ltd`}, {Name: "Bob The Builder Ltd"}, {Name: "Plain"}, {Name: long}}}},
		ClientIDs: []string{clientID}, Logger: config().Logger, Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	c := open(t, config(), bench{url: web.URL}.credentials())
	for search, want := range map[string]int{`Bob "the`: 1, `"`: 1, `\`: 0, `bob`: 2, "": 4, long: 1, strings.Repeat("漢", 300): 0} {
		page, err := c.Companies(t.Context(), psa.CompanyQuery{Search: search})
		if err != nil || len(page.Companies) != want {
			t.Errorf("%q finds %+v, %v; want %d", search, page.Companies, err, want)
		}
	}
	if n := len(server.Requests(http.MethodPost, "/company/companies/search")); n != 1 {
		t.Errorf("%d searches went as a body, want the one that is too long", n)
	}
}

// TestBoundedPages: a list that hits its bound is an error, not absence.
func TestBoundedPages(t *testing.T) {
	b := newBench(t, nil)
	bounded := config()
	bounded.MaxPages = 1
	c := open(t, bounded, b.credentials())
	made, err := c.Create(t.Context(), b.draft("a"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := c.AddNote(t.Context(), made.ID, psa.Note{Marker: psa.NoteMarker("m", strconv.Itoa(i)), Body: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if notes, err := c.ListNotes(t.Context(), made.ID); psa.ClassOf(err) != psa.Uncertain {
		t.Errorf("with one page of two read: %d notes, %v", len(notes), err)
	}
	if notes, err := b.client(t).ListNotes(t.Context(), made.ID); err != nil || len(notes) != 101 {
		t.Errorf("with both: %d notes, %v", len(notes), err)
	}
}

// TestIgnoredConditions: a site that answers with other tickets than those
// asked for does not make us adopt them.
func TestIgnoredConditions(t *testing.T) {
	b := newBench(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			query.Del("conditions")
			r.URL.RawQuery = query.Encode()
			next.ServeHTTP(w, r)
		})
	})
	c := b.client(t)
	for _, key := range []string{"a", "b"} {
		if _, err := c.Create(t.Context(), b.draft(key)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.Find(t.Context(), b.draft("b").Marker, b.company(0), time.Now())
	if err != nil || len(found) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	if company, err := c.Company(t.Context(), b.company(3)); err != nil && psa.ClassOf(err) != psa.Gone || err == nil && company.ID != b.company(3) {
		t.Errorf("company %+v, %v", company, err)
	}
}
