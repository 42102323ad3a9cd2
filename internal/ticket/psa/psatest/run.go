package psatest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Run tests a vendor's client.
func Run(t *testing.T, f Fixture) {
	for name, test := range map[string]func(*testing.T, Bench){
		"credentials are verified":             verify,
		"companies are listed page by page":    companies,
		"options are listed and checked":       options,
		"a ticket is made, found and read":     create,
		"what is refused is permanent":         refused,
		"text is cut on a character":           cutting,
		"notes keep their order":               notes,
		"a ticket closes and reopens":          moves,
		"an absent ticket is gone":             gone,
		"accounts are apart":                   apart,
		"a create is sent once, whatever":      createFaults,
		"a note is sent once, whatever":        noteFaults,
		"a read that fails is never absence":   readFaults,
		"a lagging search finds it later":      lag,
		"a slow answer ends with the caller":   slow,
		"nobody listening means nothing sent":  away,
		"errors show no credentials":           secrets,
		"a move is safe to repeat after fault": moveFaults,
		"what has changed is listed":           watch,
		"technicians' changes are called out":  hooks,
	} {
		t.Run(name, func(t *testing.T) { test(t, f.Open(t)) })
	}
}

// since is early enough for every ticket of a test.
func (b Bench) since() time.Time { return b.Clock().Add(-time.Minute) }

func (b Bench) draft(key string) psa.Draft {
	return psa.Draft{
		Marker:    psa.Marker("org_1", "int_1", key, 1),
		CompanyID: b.Company,
		Title:     "Disk is not encrypted",
		Body:      "The device reports that its disk is not encrypted.\nDevice: " + key,
		Due:       b.Clock().Add(72 * time.Hour),
		Settings:  b.Settings,
	}
}

// made creates a ticket that nothing goes wrong with.
func (b Bench) made(t *testing.T, key string) psa.Remote {
	t.Helper()
	r, err := b.Vendor.Create(context.Background(), b.draft(key))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return r
}

// found looks a draft's marker up.
func (b Bench) found(t *testing.T, d psa.Draft) []psa.Remote {
	t.Helper()
	r, err := b.Vendor.Find(context.Background(), d.Marker, d.CompanyID, b.since())
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return r
}

func wantClass(t *testing.T, err error, want psa.Class) {
	t.Helper()
	_ = failure(t, err, want)
}

// failure is wantClass for who looks closer.
func failure(t *testing.T, err error, want psa.Class) *psa.Error {
	t.Helper()
	if got := psa.ClassOf(err); got != want {
		t.Fatalf("class = %q (%v), want %q", got, err, want)
	}
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		t.Fatalf("error is a %T, want *psa.Error", err)
	}
	if e.Op == "" {
		t.Errorf("error %v does not say what was attempted", err)
	}
	return e
}

func verify(t *testing.T, b Bench) {
	ctx := context.Background()
	account, err := b.Vendor.Verify(ctx)
	if err != nil || account.Name != b.Account || account.User == "" {
		t.Fatalf("verify = %+v, %v; want account %q and its user", account, err, b.Account)
	}
	_, err = b.Denied.Verify(ctx)
	wantClass(t, err, psa.Auth)
	if b.Limited != nil {
		_, err = b.Limited.Verify(ctx)
		if e := failure(t, err, psa.Auth); e.Vendor == "" {
			t.Error("a missing permission is not named")
		}
		_, err = b.Limited.Create(ctx, b.draft("limited"))
		wantClass(t, err, psa.Auth)
	}
	for _, f := range []Fault{HTML, Elsewhere, Unauthorized} {
		b.Server.Inject(OnVerify, f, 1)
		_, err = b.Vendor.Verify(ctx)
		wantClass(t, err, psa.Auth)
	}
	if n := len(b.Server.Tickets()); n != 0 {
		t.Errorf("verifying made %d tickets", n)
	}
}

func companies(t *testing.T, b Bench) {
	ctx := context.Background()
	var names []string
	pages := 0
	for cursor := ""; ; pages++ {
		page, err := b.Vendor.Companies(ctx, psa.CompanyQuery{Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != -1 && page.Total != len(b.Companies) {
			t.Errorf("total = %d, want %d", page.Total, len(b.Companies))
		}
		for _, c := range page.Companies {
			names = append(names, c.Name)
		}
		if cursor = page.Next; cursor == "" || pages > len(b.Companies) {
			break
		}
	}
	if strings.Join(names, "|") != strings.Join(b.Companies, "|") || pages == 0 {
		t.Errorf("companies over %d pages = %q, want %q over several", pages+1, names, b.Companies)
	}
	last := b.Companies[len(b.Companies)-1]
	page, err := b.Vendor.Companies(ctx, psa.CompanyQuery{Search: strings.ToUpper(last)})
	if err != nil || len(page.Companies) != 1 || page.Companies[0].Name != last {
		t.Errorf("search for %q = %+v, %v", last, page, err)
	}
	one, err := b.Vendor.Company(ctx, b.Company)
	if err != nil || one.ID != b.Company || one.Name == "" || !one.Active {
		t.Errorf("company = %+v, %v", one, err)
	}
	_, err = b.Vendor.Company(ctx, b.UnknownCompany)
	wantClass(t, err, psa.Gone)
	_, err = b.Vendor.Companies(ctx, psa.CompanyQuery{Cursor: "no cursor"})
	wantClass(t, err, psa.Permanent)
}

func options(t *testing.T, b Bench) {
	all, err := b.Vendor.Options(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range b.Choices {
		if err := psa.CheckOption(all, name, value, "", "input"); err != nil {
			t.Errorf("option %s: %v", name, err)
		}
	}
	for _, o := range all {
		for _, v := range o.Values {
			if v.Value == "" || v.Label == "" {
				t.Errorf("option %s has a choice without value or label: %+v", o.Name, v)
			}
		}
	}
	if err := b.Settings.Check(all); err != nil {
		t.Errorf("valid settings: %v", err)
	}
	if err := b.Refused.Check(all); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("settings that the vendor refuses pass: %v", err)
	}
}

func create(t *testing.T, b Bench) {
	ctx := context.Background()
	d := b.draft("a")
	if got := b.found(t, d); len(got) != 0 {
		t.Fatalf("found %+v before it was made", got)
	}
	r, err := b.Vendor.Create(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID == "" || r.Number == "" || r.URL == "" || r.CompanyID != d.CompanyID || r.Title != d.Title || r.Closed {
		t.Errorf("created = %+v", r)
	}
	held := b.Server.Tickets()
	if len(held) != 1 {
		t.Fatalf("the server holds %d tickets", len(held))
	}
	h := held[0]
	if h.Title != d.Title || !strings.HasPrefix(h.Body, d.Body) || h.Public || h.Mailed || h.Due.UTC().Format(time.DateOnly) != d.Due.UTC().Format(time.DateOnly) {
		t.Errorf("the server holds %+v", h)
	}
	other := b.draft("b")
	other.Public = true
	if _, err := b.Vendor.Create(ctx, other); err != nil {
		t.Fatal(err)
	}
	if !b.Server.Tickets()[1].Public {
		t.Error("a public draft is hidden")
	}
	got := b.found(t, d)
	if len(got) != 1 || got[0].ID != r.ID {
		t.Errorf("found %+v, want %s", got, r.ID)
	}
	elsewhere, err := b.Vendor.Find(ctx, d.Marker, b.OtherCompany, b.since())
	if err != nil || len(elsewhere) != 0 {
		t.Errorf("found in another company: %+v, %v", elsewhere, err)
	}
	if _, err := b.Vendor.Create(ctx, d); err != nil {
		t.Fatal(err)
	}
	if got = b.found(t, d); len(got) != 2 || got[0].ID != r.ID {
		t.Errorf("of two tickets with one marker, found %+v; want the lowest id %s first", got, r.ID)
	}
	read, err := b.Vendor.Get(ctx, r.ID)
	if err != nil || read.ID != r.ID || read.Title != d.Title || read.Status == "" || read.CreatedAt.IsZero() {
		t.Errorf("get = %+v, %v", read, err)
	}
}

func refused(t *testing.T, b Bench) {
	ctx := context.Background()
	asked := map[string]func(*psa.Draft){
		"settings that the vendor refuses": func(d *psa.Draft) { d.Settings = b.Refused },
		"a company that is not there":      func(d *psa.Draft) { d.CompanyID = b.UnknownCompany },
	}
	for name, change := range asked {
		d := b.draft(name)
		change(&d)
		_, err := b.Vendor.Create(ctx, d)
		if e := failure(t, err, psa.Permanent); e.Vendor == "" {
			t.Errorf("%s: the vendor's words are missing from %v", name, err)
		}
	}
	sent := b.Server.Creates()
	unsent := map[string]func(*psa.Draft){
		"another vendor's settings": func(d *psa.Draft) { d.Settings = b.Foreign },
		"no settings":               func(d *psa.Draft) { d.Settings = nil },
		"no company":                func(d *psa.Draft) { d.CompanyID = "" },
		"a company that is a path":  func(d *psa.Draft) { d.CompanyID = "../1" },
		"no title":                  func(d *psa.Draft) { d.Title = " \n" },
		"no marker":                 func(d *psa.Draft) { d.Marker = "" },
	}
	for name, change := range unsent {
		d := b.draft(name)
		change(&d)
		if _, err := b.Vendor.Create(ctx, d); psa.ClassOf(err) != psa.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.Server.Creates() != sent || len(b.Server.Tickets()) != 0 {
		t.Errorf("%d more requests were sent and %d tickets made", b.Server.Creates()-sent, len(b.Server.Tickets()))
	}
}

func apart(t *testing.T, b Bench) {
	ctx := context.Background()
	r := b.made(t, "a")
	_, err := b.Neighbour.Get(ctx, r.ID)
	wantClass(t, err, psa.Gone)
	wantClass(t, b.Neighbour.Close(ctx, r.ID, psa.Closing{}), psa.Gone)
	_, err = b.Neighbour.Create(ctx, b.draft("b"))
	wantClass(t, err, psa.Permanent)
	found, err := b.Neighbour.Find(ctx, b.draft("a").Marker, b.Company, b.since())
	if len(found) != 0 {
		t.Errorf("the neighbour finds %+v, %v", found, err)
	}
	if h := b.Server.Tickets(); len(h) != 1 || h[0].Closed {
		t.Errorf("the server holds %+v", h)
	}
}
