package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/fault"
)

func TestDocumentationIsComplete(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		require.NoError(t, err)
		return string(text)
	}
	operations, guide := read("operations.md"), read("guide.md")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		value := field.Tag.Get("default")
		if value != "" {
			value = "`" + value + "`"
		}
		row := fmt.Sprintf("| `--%s` | `%s` | %s | %s |", field.Tag.Get("name"), field.Tag.Get("env"), value,
			strings.ReplaceAll(field.Tag.Get("help"), "|", `\|`))
		require.Contains(t, operations, row)
	}
	for _, code := range fault.Codes() {
		require.Contains(t, guide, "| `"+string(code)+"` |")
	}
}
