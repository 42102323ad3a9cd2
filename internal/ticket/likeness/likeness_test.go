package likeness_test

import (
	"testing"

	"github.com/bailiwick/bailiwick/internal/ticket/likeness"
)

func TestScore(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		least, most float64
	}{
		{"Contoso Ltd.", "CONTOSO", 1, 1},
		{"Müller & Söhne GmbH", "Muller Sohne", 1, 1},
		{"Fabrikam, S.A.", "Fabrikam SA", 1, 1},
		{"The Company", "Company", 0.4, 1},
		{"Adventure Works", "Works of Adventure", 0.6, 0.99},
		{"Fourth Coffee", "4th Coffee", 0.4, 0.9},
		{"Tailspin Toys", "Tailspintoys", 0.5, 0.99},
		{"Contoso", "Northwind", 0, 0.2},
		{"", "", 0, 0},
		{"!!!", "Contoso", 0, 0},
		{"X", "X", 1, 1},
	} {
		score := likeness.Of(c.a).Score(likeness.Of(c.b))
		if score < c.least || score > c.most {
			t.Errorf("%q and %q: %.2f, want %.2f to %.2f", c.a, c.b, score, c.least, c.most)
		}
	}
}

func FuzzScore(f *testing.F) {
	f.Add("Contoso Ltd.", "contoso")
	f.Add("\xff", "’")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := likeness.Of(a), likeness.Of(b)
		score := x.Score(y)
		if score < 0 || score > 1 || score != y.Score(x) {
			t.Errorf("%q and %q: %v and %v", a, b, score, y.Score(x))
		}
		if self := x.Score(x); self != 0 && self != 1 {
			t.Errorf("%q and itself: %v", a, self)
		}
	})
}
