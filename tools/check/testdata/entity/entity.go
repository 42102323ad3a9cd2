// Package entity holds entities that the checks refuse.
package entity

import (
	"entgo.io/ent"
	entschema "entgo.io/ent/schema"
	"entgo.io/ent/schema/field"

	"github.com/bailiwick/bailiwick/schema"
)

func provided() []ent.Field {
	return []ent.Field{field.String("id"), field.String("provider_id")}
}

func prefix(p string) []entschema.Annotation {
	return []entschema.Annotation{schema.TypeID{Prefix: p}}
}

type First struct{ ent.Schema }

func (First) Fields() []ent.Field                 { return provided() }
func (First) Annotations() []entschema.Annotation { return prefix("same") }

type Second struct{ ent.Schema }

func (Second) Fields() []ent.Field                 { return provided() }
func (Second) Annotations() []entschema.Annotation { return prefix("same") }

type Odd struct{ ent.Schema }

func (Odd) Fields() []ent.Field                 { return provided() }
func (Odd) Annotations() []entschema.Annotation { return prefix("Odd-") }

type Listed struct{ ent.Schema }

func (Listed) Fields() []ent.Field                 { return []ent.Field{field.String("id")} }
func (Listed) Annotations() []entschema.Annotation { return prefix("list") }

type Stray struct{ ent.Schema }

func (Stray) Fields() []ent.Field { return []ent.Field{field.String("id")} }
