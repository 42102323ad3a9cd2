package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"entgo.io/ent/entc"
	"entgo.io/ent/entc/gen"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
)

// prefixes is what a TypeID may begin with.
var prefixes = regexp.MustCompile(`^[a-z]([a-z_]{0,61}[a-z])?$`)

// Entities loads the schema in a directory, which runs the compiler, and
// reports every entity without a TypeID prefix of its own, whose table belongs
// to no tenant without being on the list of global ones, or which the policies
// that keep tenants apart leave out.
func Entities(dir string, rules database.Rules) ([]Finding, error) {
	graph, err := entc.LoadGraph(dir, &gen.Config{})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	var findings []Finding
	owner := map[string]string{}
	for _, n := range graph.Nodes {
		annotation, _ := n.Annotations[schema.TypeID{}.Name()].(map[string]any)
		prefix, _ := annotation["prefix"].(string)
		switch {
		case prefix == "":
			findings = append(findings, Finding{n.Name, "its ids have no prefix: give it the mixin Base"})
		case !prefixes.MatchString(prefix):
			findings = append(findings, Finding{n.Name, fmt.Sprintf("%q is no prefix of a TypeID", prefix)})
		case owner[prefix] != "":
			findings = append(findings, Finding{n.Name, fmt.Sprintf("%s has the prefix %q already", owner[prefix], prefix)})
		default:
			owner[prefix] = n.Name
		}
	}
	tables, err := graph.Tables()
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if _, err := database.Classify(t, rules.Global); err != nil {
			findings = append(findings, Finding{t.Name, "belongs to no tenant: " + err.Error()})
		}
	}
	if findings == nil {
		if findings, err = policies(graph, rules); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return findings, nil
}

// policies reports the tables that no policy is generated for.
func policies(graph *gen.Graph, rules database.Rules) ([]Finding, error) {
	tables, err := graph.Tables()
	if err != nil {
		return nil, err
	}
	statements, err := database.Policies(tables, rules)
	if err != nil {
		return nil, err
	}
	all := strings.Join(statements, ";\n")
	var findings []Finding
	for _, t := range tables {
		for _, want := range []string{" ENABLE ROW LEVEL SECURITY", " FORCE ROW LEVEL SECURITY"} {
			if !strings.Contains(all, `ALTER TABLE "`+t.Name+`"`+want) {
				findings = append(findings, Finding{t.Name, "no policy says" + strings.ToLower(want)})
			}
		}
	}
	return findings, nil
}
