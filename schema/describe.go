package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent/schema"
)

// Doc is the annotation that describes an entity in the API, and says who may
// read it.
type Doc struct {
	Text string `json:"text"`
	View string `json:"view"` // the permission that reading one takes
}

// Name implements ent's schema.Annotation.
func (Doc) Name() string { return "Doc" }

// Values is the annotation that describes an enum field's values.
type Values map[string]string

// Name implements ent's schema.Annotation.
func (Values) Name() string { return "EnumValues" }

// listed describes an entity that the API lists, page by page.
// View is the permission that reading one takes, wherever it turns up.
func listed(view, description string) []schema.Annotation {
	return []schema.Annotation{entgql.RelayConnection(), Doc{Text: description, View: view}}
}

// Sealed is the annotation of a column that holds secrets sealed by
// internal/secret, so that the rotation of keys finds every one. The tenant
// that a secret is bound to is the row's provider; without one it is the
// deployment.
type Sealed struct{}

// Name implements ent's schema.Annotation.
func (Sealed) Name() string { return "Sealed" }
