package check

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// MaxLines is the length past which a file written by hand needs a reason.
const MaxLines = 500

// TextRules says which files the text checks are lenient with.
type TextRules struct {
	Generated []string          // patterns of files that only generators write
	Skip      []string          // patterns of files that others wrote: captures, licences, fixtures
	Long      map[string]string // files that may pass MaxLines, each with its reason
}

var (
	unfinished = regexp.MustCompile(`\b(TO[D]O|FIX[M]E|X[X]X)\b`)
	machine    = regexp.MustCompile("(^|[\\s\"'`=(,:])/(work|tmp|root|home|Users)(/|\\b)")
	generated  = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
)

// Text checks files, paths relative to the root of tree: none is unfinished,
// names a path of somebody's machine, or is long without a reason; Go files
// are formatted. Files that are gone from the tree are passed over.
func Text(tree fs.FS, files []string, rules TextRules) ([]Finding, error) {
	var findings []Finding
	long := map[string]bool{}
	for _, file := range files {
		if matches(rules.Generated, file, file) || matches(rules.Skip, file, file) || strings.Contains("/"+file, "/testdata/") {
			continue
		}
		content, err := fs.ReadFile(tree, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(content, 0) >= 0 || generated.Match(content) {
			continue
		}
		findings = append(findings, lines(file, content)...)
		findings = append(findings, formatted(file, content)...)
		if n := bytes.Count(content, []byte("\n")); n > MaxLines && slices.Contains([]string{".go", ".graphql"}, path.Ext(file)) {
			long[file] = true
			if rules.Long[file] == "" {
				findings = append(findings, Finding{file, fmt.Sprintf("%d lines: split it by concept, or list the reason", n)})
			}
		}
	}
	for file := range rules.Long {
		if !long[file] {
			findings = append(findings, Finding{file, "listed as long, and is not"})
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Where, b.Where) })
	return findings, nil
}

func lines(file string, content []byte) []Finding {
	var findings []Finding
	n := 0
	for line := range bytes.Lines(content) {
		n++
		where := fmt.Sprintf("%s:%d", file, n)
		if m := unfinished.Find(line); m != nil {
			findings = append(findings, Finding{where, fmt.Sprintf("%s: finish it, or open an issue", m)})
		}
		if m := machine.FindSubmatch(line); m != nil {
			findings = append(findings, Finding{where, fmt.Sprintf("/%s is a path of one machine", m[2])})
		}
	}
	return findings
}

func formatted(file string, content []byte) []Finding {
	if path.Ext(file) != ".go" {
		return nil
	}
	want, err := format.Source(content)
	switch {
	case err != nil:
		return []Finding{{file, "does not parse: " + err.Error()}}
	case !bytes.Equal(content, want):
		return []Finding{{file, "is not formatted: make fmt"}}
	}
	return nil
}
