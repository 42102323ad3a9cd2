package main

import (
	"strings"
	"unicode"

	"entgo.io/contrib/entgql"
	"entgo.io/ent/entc/gen"
)

// names gives columns their GraphQL names before entgql reads the graph:
// external_id is externalId, as in the SDL by hand, where ent would write
// externalID.
func names(next gen.Generator) gen.Generator {
	return gen.GenerateFunc(func(g *gen.Graph) error {
		for _, node := range g.Nodes {
			for _, field := range node.Fields {
				if err := name(field); err != nil {
					return err
				}
			}
		}
		return next.Generate(g)
	})
}

func name(field *gen.Field) error {
	mapped := entgql.MapsTo(lowerCamel(field.Name))
	if field.Annotations == nil {
		field.Annotations = map[string]any{}
	}
	given := entgql.Annotation{}
	if a, ok := field.Annotations[mapped.Name()]; ok {
		if err := given.Decode(a); err != nil {
			return err
		}
		if len(given.Mapping) > 0 {
			return nil
		}
	}
	field.Annotations[mapped.Name()] = given.Merge(mapped)
	return nil
}

// lowerCamel turns external_id into externalId.
func lowerCamel(column string) string {
	words := strings.Split(column, "_")
	for n, word := range words[1:] {
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		words[n+1] = string(runes)
	}
	return strings.Join(words, "")
}
