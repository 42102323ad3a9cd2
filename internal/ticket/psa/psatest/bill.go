package psatest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// BillBench is a server with two accounts whose companies have agreements, and
// clients for them.
type BillBench struct {
	Server    BillServer
	Vendor    psa.Vendor // the account that is tested
	Neighbour psa.Vendor // another MSP's account on the same server
	Denied    psa.Vendor // the account with a credential that is not valid
	Limited   psa.Vendor // valid credentials without the right to write

	Secret     string   // of Vendor; must be in no error
	Company    string   // id of a company with agreements
	Empty      string   // id of one without
	Agreements []string // names of Company's, in order: more than one page
	Inactive   string   // name of one of them that is not in use
	Agreement  string   // id of one in use
	Lines      []string // names of its lines, in order; each has a quantity of 3
	Other      string   // id of another agreement
	Unknown    string   // id that nothing has
	Clock      func() time.Time
}

// BillServer is what the suite sees of a vendor's server.
type BillServer interface {
	// Quantity is what a line of the tested account bills today.
	Quantity(line string) float64
	// Writes counts the requests to set a quantity that were sent.
	Writes() int
	// Inject makes the next count requests fail that write a quantity, or that
	// list agreements.
	Inject(target Target, fault Fault, count int)
}

// The targets of billing.
const (
	OnQuantity   Target = "set quantity"
	OnAgreements Target = "list agreements"
)

// Bill tests what a vendor's client does for billing.
func Bill(t *testing.T, open func(*testing.T) BillBench) {
	for name, test := range map[string]func(*testing.T, BillBench){
		"agreements are listed page by page": agreements,
		"lines are listed and read":          lines,
		"a quantity is set, once or again":   quantity,
		"a quantity is safe to repeat":       quantityFaults,
		"what cannot be set is refused":      quantityRefused,
		"a list that fails is never empty":   agreementFaults,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func (b BillBench) allLines(t *testing.T) (all []psa.Line) {
	t.Helper()
	for cursor := ""; ; {
		page, err := b.Vendor.Lines(context.Background(), b.Agreement, cursor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Lines...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// month is the beginning of the server's month.
func (b BillBench) month() time.Time {
	y, m, _ := b.Clock().UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

func agreements(t *testing.T, b BillBench) {
	ctx := context.Background()
	var names []string
	pages := 0
	for cursor := ""; ; {
		page, err := b.Vendor.Agreements(ctx, b.Company, cursor)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, a := range page.Agreements {
			names = append(names, a.Name)
			if a.CompanyID != b.Company || a.ID == "" || a.Active != !strings.HasPrefix(a.Name, b.Inactive) {
				t.Errorf("listed %+v", a)
			}
			one, err := b.Vendor.Agreement(ctx, a.ID)
			if err != nil || one != a {
				t.Errorf("read %+v, %v; listed %+v", one, err, a)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if pages < 2 || !slices.EqualFunc(names, b.Agreements, strings.HasPrefix) {
		t.Errorf("agreements over %d pages = %q, want %q", pages, names, b.Agreements)
	}
	if page, err := b.Vendor.Agreements(ctx, b.Empty, ""); err != nil || len(page.Agreements) != 0 || page.Next != "" {
		t.Errorf("of a company without agreements: %+v, %v", page, err)
	}
	_, err := b.Vendor.Agreements(ctx, b.Company, "no cursor")
	wantClass(t, err, psa.Permanent)
	_, err = b.Vendor.Agreements(ctx, "../1", "")
	wantClass(t, err, psa.Permanent)
	_, err = b.Vendor.Agreement(ctx, b.Unknown)
	wantClass(t, err, psa.Gone)
	_, err = b.Neighbour.Agreement(ctx, b.Agreement)
	wantClass(t, err, psa.Gone)
}

func lines(t *testing.T, b BillBench) {
	ctx := context.Background()
	all := b.allLines(t)
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
		if l.Quantity != 3 || !l.Active {
			t.Errorf("listed %+v", l)
		}
		if one, err := b.Vendor.Line(ctx, b.Agreement, l.ID); err != nil || one != l {
			t.Errorf("read %+v, %v; listed %+v", one, err, l)
		}
	}
	if !slices.Equal(names, b.Lines) {
		t.Errorf("lines = %q, want %q", names, b.Lines)
	}
	_, err := b.Vendor.Line(ctx, b.Other, all[0].ID)
	wantClass(t, err, psa.Gone)
	_, err = b.Vendor.Line(ctx, b.Agreement, b.Unknown)
	wantClass(t, err, psa.Gone)
	_, err = b.Vendor.Lines(ctx, b.Unknown, "")
	wantClass(t, err, psa.Gone)
	_, err = b.Vendor.Line(ctx, b.Agreement, "../1")
	wantClass(t, err, psa.Permanent)
}

func quantity(t *testing.T, b BillBench) {
	ctx := context.Background()
	line := b.allLines(t)[0].ID
	for _, n := range []int{7, 7, 12, 5, 0, 1} {
		if err := b.Vendor.SetQuantity(ctx, b.Agreement, line, n, b.month()); err != nil {
			t.Fatal(err)
		}
		if got := b.Server.Quantity(line); got != float64(n) {
			t.Errorf("quantity = %g, want %d", got, n)
		}
		if one, err := b.Vendor.Line(ctx, b.Agreement, line); err != nil || one.Quantity != float64(n) {
			t.Errorf("read %+v, %v; want %d", one, err, n)
		}
	}
	for _, l := range b.allLines(t)[1:] {
		if l.Quantity != 3 {
			t.Errorf("another line changed: %+v", l)
		}
	}
}

func quantityFaults(t *testing.T, b BillBench) {
	ctx := context.Background()
	line := b.allLines(t)[0].ID
	for i, w := range writes {
		n := 10 + i
		sent, before := b.Server.Writes(), b.Server.Quantity(line)
		b.Server.Inject(OnQuantity, w.fault, 1)
		err := b.Vendor.SetQuantity(ctx, b.Agreement, line, n, b.month())
		e := failure(t, err, w.class)
		if k := b.Server.Writes() - sent; k != 1 {
			t.Errorf("%s: %d requests were sent, want 1", w.fault, k)
		}
		if strings.Contains(err.Error(), b.Secret) || e.RetryAfter != retryAfterOf(w.fault) {
			t.Errorf("%s: %v, retry after %s", w.fault, err, e.RetryAfter)
		}
		if got := b.Server.Quantity(line); (got == float64(n)) != w.committed || (!w.committed && got != before) {
			t.Errorf("%s: quantity = %g, committed %t", w.fault, got, w.committed)
		}
		for range 2 {
			if err := b.Vendor.SetQuantity(ctx, b.Agreement, line, n, b.month()); err != nil {
				t.Fatalf("%s: again: %v", w.fault, err)
			}
		}
		if got := b.Server.Quantity(line); got != float64(n) {
			t.Errorf("%s: quantity = %g after the repetition, want %d", w.fault, got, n)
		}
	}
}

func quantityRefused(t *testing.T, b BillBench) {
	ctx := context.Background()
	line := b.allLines(t)[0].ID
	wantClass(t, b.Vendor.SetQuantity(ctx, b.Agreement, b.Unknown, 9, b.month()), psa.Gone)
	wantClass(t, b.Vendor.SetQuantity(ctx, b.Other, line, 9, b.month()), psa.Gone)
	wantClass(t, b.Vendor.SetQuantity(ctx, "../1", line, 9, b.month()), psa.Permanent)
	wantClass(t, b.Neighbour.SetQuantity(ctx, b.Agreement, line, 9, b.month()), psa.Gone)
	wantClass(t, b.Denied.SetQuantity(ctx, b.Agreement, line, 9, b.month()), psa.Auth)
	wantClass(t, b.Limited.SetQuantity(ctx, b.Agreement, line, 9, b.month()), psa.Auth)
	if got := b.Server.Quantity(line); got != 3 {
		t.Errorf("quantity = %g, want 3", got)
	}
}

func agreementFaults(t *testing.T, b BillBench) {
	for f, want := range map[Fault]psa.Class{
		Drop: psa.Uncertain, Fail500: psa.Uncertain, CommitTruncate: psa.Uncertain, CommitGarbage: psa.Uncertain,
		Throttle: psa.Throttled, Unauthorized: psa.Auth, HTML: psa.Auth, Elsewhere: psa.Auth,
	} {
		b.Server.Inject(OnAgreements, f, 1)
		_, err := b.Vendor.Agreements(context.Background(), b.Company, "")
		if got := psa.ClassOf(err); got != want {
			t.Errorf("%s: class %q (%v), want %q", f, got, err, want)
		}
	}
}
