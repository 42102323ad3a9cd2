package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Package is what go list says of one package of the module.
type Package struct {
	ImportPath string
	Name       string
	Doc        string // first sentence of the package comment
	GoFiles    []string
	Imports    []string // without those of tests
}

// List describes the packages of the module in dir. Packages that do not
// compile are listed as far as they parse.
func List(dir string) ([]Package, error) {
	out, err := output(dir, "go", "list", "-e", "-json=ImportPath,Name,Doc,GoFiles,Imports", "./...")
	if err != nil {
		return nil, err
	}
	var packages []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// ImportRule says what some packages may import beside the standard library.
//
// Patterns are relative to the module: "ent" is one package, "ent/..." also
// those below it. A leading "!" takes away what an earlier pattern allowed. In May, "self" is the importing package's domain:
// internal/ticket and all below it, for any of them.
type ImportRule struct {
	Who     []string
	May     []string
	Leaves  bool     // and any package that imports the standard library alone
	Outside []string // module path prefixes of others; nil is none, "*" is any
	Why     string   // for whoever breaks it
}

// Imports reports every import that the first rule for its package does not
// allow, and every package that no rule is for.
func Imports(packages []Package, rules []ImportRule) []Finding {
	leaf := map[string]bool{}
	for _, p := range packages {
		leaf[relative(p.ImportPath)] = !slices.ContainsFunc(p.Imports, func(i string) bool { return !standard(i) })
	}
	var findings []Finding
	for _, p := range packages {
		who := relative(p.ImportPath)
		at := slices.IndexFunc(rules, func(r ImportRule) bool { return matches(r.Who, who, who) })
		if at < 0 {
			findings = append(findings, Finding{who, "no rule says what it may import"})
			continue
		}
		for _, imported := range p.Imports {
			if standard(imported) || rules[at].allows(who, imported, leaf) {
				continue
			}
			findings = append(findings, Finding{who, "imports " + relative(imported) + ": " + rules[at].Why})
		}
	}
	return findings
}

func (r ImportRule) allows(who, imported string, leaf map[string]bool) bool {
	if name := relative(imported); name != imported {
		return matches(r.May, name, who) || r.Leaves && leaf[name]
	}
	return slices.ContainsFunc(r.Outside, func(prefix string) bool {
		return prefix == "*" || imported == prefix || strings.HasPrefix(imported, prefix+"/")
	})
}

// Comments reports every package whose comment does not introduce it by name.
// Packages of tests alone, and those that match generated, need none.
func Comments(packages []Package, generated ...string) []Finding {
	var findings []Finding
	for _, p := range packages {
		who := relative(p.ImportPath)
		if len(p.GoFiles) == 0 || matches(generated, who, who) {
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.ImportPath) + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			findings = append(findings, Finding{who, fmt.Sprintf("its comment should begin with %q", want)})
		}
	}
	return findings
}

// matches applies the patterns in turn; the last that fits decides.
func matches(patterns []string, name, who string) bool {
	matched := false
	for _, pattern := range patterns {
		pattern, not := strings.CutPrefix(pattern, "!")
		if matchesOne(pattern, name, who) {
			matched = !not
		}
	}
	return matched
}

func matchesOne(pattern, name, who string) bool {
	if pattern == "self" {
		pattern = domain(who) + "/..."
	}
	if parent, below := strings.CutSuffix(pattern, "/..."); below {
		return name == parent || strings.HasPrefix(name, parent+"/")
	}
	return name == pattern
}

// domain is the directory that a package's own packages share: internal/ticket
// for internal/ticket/psa/syncro, graph for graph/exec.
func domain(who string) string {
	parts := strings.SplitN(who, "/", 3)
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// relative is an import path without the module's; others are left as they are.
func relative(importPath string) string {
	if importPath == Module {
		return "."
	}
	return strings.TrimPrefix(importPath, Module+"/")
}

// standard tells the standard library's paths by their first element, which
// has no dot.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
