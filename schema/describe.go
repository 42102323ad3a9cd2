package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent/schema"
)

// Doc is the annotation that describes an entity in the API.
type Doc struct {
	Text string `json:"text"`
}

// Name implements ent's schema.Annotation.
func (Doc) Name() string { return "Doc" }

// Values is the annotation that describes an enum field's values.
type Values map[string]string

// Name implements ent's schema.Annotation.
func (Values) Name() string { return "EnumValues" }

// listed describes an entity that the API lists, page by page.
func listed(description string) []schema.Annotation {
	return []schema.Annotation{entgql.RelayConnection(), Doc{description}}
}
