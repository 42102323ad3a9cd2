package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"
)

// snapshot is the whole SDL, as clients see it.
const snapshot = "docs/schema.graphql"

// generatorOnly is what the SDL says to the generator, and nothing to clients.
var generatorOnly = regexp.MustCompile(` @go(Field|Tag|Model)\([^)]*\)|("""\n[^"]*"""\n)?directive @go\w+ ?\((?s:.*?)\) on [A-Z_ |]+\n`)

// expand writes out what the SDL by hand leaves to convention: the arguments
// of a @page field, and the descriptions of inputs and payloads.
func expand(sources []*ast.Source) error {
	docs := make([]*ast.SchemaDocument, len(sources))
	declared := map[string]bool{}
	for i, src := range sources {
		doc, err := parser.ParseSchema(src)
		if err != nil {
			return err
		}
		docs[i] = doc
		for _, def := range doc.Definitions {
			declared[def.Name] = true
		}
	}
	var whole bytes.Buffer
	for i, doc := range docs {
		for _, defs := range []ast.DefinitionList{doc.Definitions, doc.Extensions} {
			for _, def := range defs {
				describeDefinition(def)
				for _, f := range def.Fields {
					expandField(def, f, declared)
				}
			}
		}
		for j, d := range doc.Directives {
			if d.Name == "page" {
				doc.Directives = append(doc.Directives[:j], doc.Directives[j+1:]...)
				break
			}
		}
		var text bytes.Buffer
		formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
		sources[i].Input = text.String()
		whole.Write(text.Bytes())
	}
	public := generatorOnly.ReplaceAll(whole.Bytes(), nil)
	if err := os.MkdirAll(filepath.Dir(snapshot), 0o755); err != nil {
		return err
	}
	return os.WriteFile(snapshot, public, 0o644)
}

func describeDefinition(def *ast.Definition) {
	if def.Description != "" {
		return
	}
	if op, ok := strings.CutSuffix(def.Name, "Input"); ok && def.Kind == ast.InputObject {
		def.Description = fmt.Sprintf("What %s takes.", lowerFirst(op))
	}
	if op, ok := strings.CutSuffix(def.Name, "Payload"); ok && def.Kind == ast.Object {
		def.Description = fmt.Sprintf("What %s answers.", lowerFirst(op))
	}
}

func expandField(def *ast.Definition, f *ast.FieldDefinition, declared map[string]bool) {
	if f.Description == "" && strings.HasSuffix(def.Name, "Payload") {
		f.Description = fmt.Sprintf("The %s, as it is now.", phrase(f.Name))
	}
	for _, a := range f.Arguments {
		if a.Name == "input" && a.Description == "" {
			a.Description = "What to do, and with what."
		}
	}
	for i, d := range f.Directives {
		if d.Name != "page" {
			continue
		}
		f.Directives = append(f.Directives[:i], f.Directives[i+1:]...)
		entity := strings.TrimSuffix(f.Type.Name(), "Connection")
		add := func(name, typ, description string) {
			f.Arguments = append(f.Arguments, &ast.ArgumentDefinition{
				Name: name, Type: ast.NamedType(typ, nil), Description: description,
			})
		}
		if declared[entity+"Filter"] {
			add("filter", entity+"Filter", "Keeps what matches every field given.")
		}
		if declared[entity+"Order"] {
			add("orderBy", entity+"Order", "How to order them; by id, and so by creation, if not given.")
		}
		add("after", "Cursor", "Return what comes after this cursor.")
		add("first", "Int", "How many to return, from the first on: 50 if not given, at most 500.")
		add("before", "Cursor", "Return what comes before this cursor.")
		add("last", "Int", "How many to return, up to the last; at most 500.")
		return
	}
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
