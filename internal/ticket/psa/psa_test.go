package psa_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

func TestMarker(t *testing.T) {
	m := psa.Marker("org_1", "int_1", "disk:dev_1", 1)
	if !regexp.MustCompile(`^bw:[A-Z2-7]{26}$`).MatchString(m) {
		t.Errorf("marker = %q", m)
	}
	if m != psa.Marker("org_1", "int_1", "disk:dev_1", 1) {
		t.Error("a marker is not stable")
	}
	for _, other := range []string{
		psa.Marker("org_2", "int_1", "disk:dev_1", 1), psa.Marker("org_1", "int_2", "disk:dev_1", 1),
		psa.Marker("org_1", "int_1", "disk:dev_2", 1), psa.Marker("org_1", "int_1", "disk:dev_1", 2),
		psa.Marker("org_1", "int_1", "disk:dev_1|1", 1),
	} {
		if other == m {
			t.Errorf("two incidents share %q", m)
		}
	}
	n := psa.NoteMarker(m, "occurrence 2")
	if !regexp.MustCompile(`^bwn:[A-Z2-7]{16}$`).MatchString(n) || psa.Marked(n, m) || psa.Marked(n, psa.MarkerPrefix) {
		t.Errorf("note marker = %q", n)
	}
	if !psa.Marked("text\n"+strings.ToLower(m), m) || psa.Marked("text", "") {
		t.Error("Marked")
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"two words", 5, "two…"},
		{"😀😀😀", 6, "😀😀😀"},
		{"😀😀😀", 5, "😀😀…"},
		{"😀😀😀", 4, "😀…"},
		{"e\u0301e\u0301e\u0301", 4, "e\u0301…"},
		{"🇩🇪🇫🇷🇮🇹", 8, "🇩🇪…"},
		{"x", 0, ""},
		{"xy", 1, "…"},
		{"", 3, ""},
	} {
		if got := psa.Fit(c.text, c.limit); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
	if got := psa.Fit("e"+strings.Repeat("\u0301", 50), 10); len(utf16.Encode([]rune(got))) > 10 || got == "…" {
		t.Errorf("one letter under many accents: %q", got)
	}
	if got := psa.FitWithTail("text", "bw:1", 100); got != "text\n\nbw:1" {
		t.Errorf("with tail: %q", got)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("text", "bw:ABC", 20)
	f.Add("👩‍👩‍👧‍👦\xff\x00é", "bwn:1", 7)
	f.Fuzz(func(t *testing.T, text, tail string, limit int) {
		limit %= 400
		for name, got := range map[string]string{
			"Fit": psa.Fit(text, limit), "FitLine": psa.FitLine(text, limit), "FitWithTail": psa.FitWithTail(text, psa.Fit(tail, 40), limit),
		} {
			if !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
				t.Errorf("%s gives text that databases refuse: %q", name, got)
			}
			if n := len(utf16.Encode([]rune(got))); n > max(limit, 0) {
				t.Errorf("%s gives %d units, limit %d", name, n, limit)
			}
			if name == "FitLine" && strings.Contains(got, "\n") {
				t.Errorf("FitLine gives lines: %q", got)
			}
		}
		if marker := "bw:ABCDEFGH"; limit >= len(marker) && !psa.Marked(psa.FitWithTail(text, marker, limit), marker) {
			t.Error("the tail was cut although it fits")
		}
	})
}

func TestClassOf(t *testing.T) {
	for want, err := range map[psa.Class]error{
		"":            nil,
		psa.Gone:      fmt.Errorf("deliver: %w", &psa.Error{Class: psa.Gone}),
		psa.Uncertain: errors.New("anything"),
	} {
		if got := psa.ClassOf(err); got != want {
			t.Errorf("ClassOf(%v) = %q, want %q", err, got, want)
		}
	}
	for status, want := range map[int]psa.Class{
		301: psa.Uncertain, 400: psa.Permanent, 401: psa.Auth, 403: psa.Auth, 404: psa.Permanent, 408: psa.Uncertain,
		415: psa.Permanent, 422: psa.Permanent, 429: psa.Throttled, 500: psa.Uncertain, 502: psa.Uncertain, 504: psa.Uncertain,
	} {
		if got := psa.ClassOfStatus(status); got != want {
			t.Errorf("%d = %q, want %q", status, got, want)
		}
	}
}

func TestCheckOption(t *testing.T) {
	options := []psa.Option{{Name: "status", Values: []psa.OptionValue{
		{Value: "1", Label: "New", Active: true, Parent: "board 1"}, {Value: "2", Label: "Old", Parent: "board 1"},
	}}}
	if err := psa.CheckOption(options, "status", "1", "board 1", "statusId"); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"inactive":       psa.CheckOption(options, "status", "2", "", "statusId"),
		"unknown":        psa.CheckOption(options, "status", "3", "", "statusId"),
		"other parent":   psa.CheckOption(options, "status", "1", "board 2", "statusId"),
		"unknown option": psa.CheckOption(options, "queue", "1", "", "statusId"),
	} {
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Code != fault.InvalidArgument || e.Field != "statusId" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := psa.CheckOption(options, "status", "2", "", "statusId"); !strings.Contains(err.Error(), "Old") {
		t.Errorf("the inactive value is not named: %v", err)
	}
}

func TestDrivers(t *testing.T) {
	if _, err := (psa.Drivers{}).For(psa.Autotask); fault.CodeOf(err) != fault.PreconditionFailed {
		t.Error(err)
	}
	if _, err := (psa.Drivers{psa.Syncro: {}}).For(psa.Syncro); err != nil {
		t.Error(err)
	}
}
