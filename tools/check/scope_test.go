package check_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/tools/check"
)

var update = flag.Bool("update", false, "pin the places that leave every tenant as they are now")

// Work outside every tenant is rare, and each place is pinned: a new one shows
// in a review as a line of its own.
func TestSystemCalls(t *testing.T) {
	const pins = "testdata/system.txt"
	files, err := check.Files("../..")
	if err != nil {
		t.Fatal(err)
	}
	calls, err := check.SystemCalls(os.DirFS("../.."), files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range calls {
		got = append(got, c.String())
	}
	if *update {
		if err := os.WriteFile(pins, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(pins)
	if err != nil {
		t.Fatal(err)
	}
	pinned := strings.Split(strings.TrimSpace(string(content)), "\n")
	for _, c := range got {
		if !slices.Contains(pinned, c) {
			t.Errorf("%s\nleaves every tenant and is not pinned: find a tenant's scope for it, or pin it with -update", c)
		}
	}
	for _, c := range pinned {
		if !slices.Contains(got, c) {
			t.Errorf("%s\nis pinned, and is gone: take it out with -update", c)
		}
	}
}

func TestSystemCallsFixture(t *testing.T) {
	got, err := check.SystemCalls(os.DirFS("testdata/scope"), []string{"sweep.go", "other.go", "gone.go", "sweep_test.go"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"sweep.go Renamed: find what is due",
		"sweep.go Sweep: find what is due",
		"sweep.go Unnamed: ",
		"sweep.go: ",
	}
	for i, c := range got {
		if i >= len(want) || c.String() != want[i] {
			t.Errorf("call %d is %q", i, c)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls, want %d", len(got), len(want))
	}
}
