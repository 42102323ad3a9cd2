package check_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/tools/check"
)

// texts is how the text checks see this repository.
var texts = check.TextRules{
	Generated: []string{"ent/...", "graph/exec/...", "graph/model/...", "graph/ent.graphql", "docs/schema.graphql", "migrations/...", "go.sum", "tools/lint/go.sum"},
	Skip:      []string{"LICENSE", "graph/serve/graphiql/graphiql.min.js", "graph/serve/graphiql/graphiql.min.css"},
	Long: map[string]string{
		"internal/ticket/psa/autotask/autotask_test.go": "what the vendor answers, call by call, against one client",
		"internal/job/job_test.go":                      "one set-up, and what a queue promises in the order in which it is read",
	},
}

func TestText(t *testing.T) {
	files, err := check.Files("../..")
	if err != nil {
		t.Fatal(err)
	}
	findings, err := check.Text(os.DirFS("../.."), files, texts)
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

func TestTextFixture(t *testing.T) {
	files := []string{"unfinished.go", "machine.md", "untidy.go", "broken.go", "long.go", "listed.go", "generated.go", "gone.go"}
	got, err := check.Text(os.DirFS("testdata/text"), files, check.TextRules{
		Long: map[string]string{"listed.go": "a table of every model", "short.go": "was long once"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, []string{
		"broken.go: does not parse",
		"long.go: 501 lines: split it",
		"machine.md:3: /" + "work is a path of one machine",
		"machine.md:4: /" + "tmp is a path of one machine",
		"short.go: listed as long, and is not",
		"unfinished.go:4: FIX" + "ME: finish it",
		"unfinished.go:5: TO" + "DO: finish it",
		"untidy.go: is not formatted",
	})
}

// report fails the test with every finding.
func report(t *testing.T, findings []check.Finding) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}

// expect wants exactly the findings that begin with the given words, in order.
func expect(t *testing.T, got []check.Finding, want []string) {
	t.Helper()
	for i, f := range got {
		if i >= len(want) || !strings.HasPrefix(f.String(), want[i]) {
			t.Errorf("finding %d: got %q, want one that begins with %q", i, f, strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""))
		}
	}
	if len(got) < len(want) {
		t.Errorf("got %d findings, want %d", len(got), len(want))
	}
}
