package main

import (
	"errors"
	"fmt"
	"go/format"
	"os"
	"regexp"
)

// inputMap is where gqlgen's executor begins an operation: it lists every input
// type anew, which costs as much as reading the request.
var inputMap = regexp.MustCompile(`(?s)\tinputUnmarshalMap := (graphql\.BuildUnmarshalerMap\(.*?\n\t\)\n)`)

// hoist has the executor list the input types once.
func hoist(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := inputMap.FindSubmatch(source)
	if found == nil {
		return errors.New("hoist: gqlgen no longer lists the input types as it did: is this still needed?")
	}
	hoisted := inputMap.ReplaceAll(source, nil)
	hoisted = append(hoisted, "\n// inputUnmarshalMap is how each input type is read.\nvar inputUnmarshalMap = "...)
	if hoisted, err = format.Source(append(hoisted, found[1]...)); err != nil {
		return fmt.Errorf("hoist: %w", err)
	}
	return os.WriteFile(path, hoisted, 0o600)
}
