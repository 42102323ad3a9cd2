package main

import (
	"fmt"
	"regexp"
	"strings"

	"entgo.io/ent/entc/gen"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/bailiwick/bailiwick/schema"
)

// shared are the descriptions of fields that connections, edges and orders
// have in common.
var shared = map[string]string{
	"edges":      "The page's entries, in order.",
	"pageInfo":   "Where the page stands in the whole list.",
	"totalCount": "How many there are on all pages; counted only when asked for.",
	"node":       "The object.",
	"cursor":     "Where the entry stands: pass it as after or before.",
	"direction":  "Ascending or descending.",
	"field":      "What to order by.",
}

var words = regexp.MustCompile(`([a-z])([A-Z])`)

func phrase(name string) string { return strings.ToLower(words.ReplaceAllString(name, "$1 $2")) }

// describe gives every generated type, field and value a description, and
// leaves the root fields to the hand-written SDL, which says who may use them.
func describe(graph *gen.Graph, s *ast.Schema) error {
	delete(s.Types, "Query")
	s.Query = nil
	values := enumValues(graph)
	comments := make(map[string]string, len(graph.Nodes))
	views := make(map[string]string, len(graph.Nodes))
	for _, n := range graph.Nodes {
		doc, _ := n.Annotations[schema.Doc{}.Name()].(map[string]any)
		comments[n.Name], _ = doc["text"].(string)
		views[n.Name], _ = doc["view"].(string)
	}
	for name, def := range s.Types {
		switch {
		case strings.HasSuffix(name, "Connection"):
			def.Description = fmt.Sprintf("A page of a list of %ss.", phrase(strings.TrimSuffix(name, "Connection")))
		case strings.HasSuffix(name, "Edge"):
			def.Description = fmt.Sprintf("One entry on a page of %ss.", phrase(strings.TrimSuffix(name, "Edge")))
		case strings.HasSuffix(name, "OrderField"):
			def.Description = fmt.Sprintf("What a list of %ss can be ordered by.", phrase(strings.TrimSuffix(name, "OrderField")))
			for _, v := range def.EnumValues {
				v.Description = "By " + strings.ReplaceAll(strings.ToLower(v.Name), "_", " ") + "."
			}
		case strings.HasSuffix(name, "Order") && def.Kind == ast.InputObject:
			def.Description = fmt.Sprintf("How to order a list of %ss.", phrase(strings.TrimSuffix(name, "Order")))
		case def.Kind == ast.Object && comments[name] != "":
			def.Description = comments[name]
		}
		for _, f := range def.Fields {
			if view := views[f.Type.Name()]; view != "" && comments[name] != "" {
				f.Directives = append(f.Directives, requires(view))
			}
			if f.Description == "" || def.Kind == ast.InputObject || comments[name] == "" {
				if text, ok := shared[f.Name]; ok {
					f.Description = text
				}
			}
		}
		for _, v := range def.EnumValues {
			if text := values[name][v.Name]; text != "" {
				v.Description = text
			}
		}
	}
	return nil
}

func enumValues(graph *gen.Graph) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, n := range graph.Nodes {
		for _, f := range n.Fields {
			raw, ok := f.Annotations[schema.Values{}.Name()].(map[string]any)
			if !ok {
				continue
			}
			texts := make(map[string]string, len(raw))
			for k, v := range raw {
				texts[k], _ = v.(string)
			}
			all[n.Name+f.StructField()] = texts
		}
	}
	return all
}

// requires is the directive that holds an edge to the permission of the
// entity that it leads to.
func requires(permission string) *ast.Directive {
	return &ast.Directive{Name: "requires", Arguments: ast.ArgumentList{{
		Name: "permission", Value: &ast.Value{Raw: permission, Kind: ast.StringValue},
	}}}
}
