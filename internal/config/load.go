package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// maxFileSize bounds a configuration file, in bytes.
const maxFileSize = 1 << 20

// Options are what kong needs to load a [Config]: pass them to kong.New, for a
// command that embeds the struct.
func Options() []kong.Option {
	return []kong.Option{kong.Configuration(readFile)}
}

// file is a configuration file. Kong's own JSON loader would let it take
// precedence over the environment, and would pass over misspelt names.
type file map[string]any

func readFile(r io.Reader) (kong.Resolver, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(content) > maxFileSize {
		return nil, errors.New("configuration file: larger than 1 MiB")
	}
	values := file{}
	if err := json.Unmarshal(content, &values); err != nil {
		return nil, fmt.Errorf("configuration file: not a JSON object: %w", err)
	}
	return values, nil
}

// Resolve implements [kong.Resolver].
func (f file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return f[flag.Name], nil
}

// Validate implements [kong.Resolver]: every name must be a flag of some command.
func (f file) Validate(app *kong.Application) error {
	unknown := maps.Clone(f)
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			delete(unknown, flag.Name)
		}
		return next(nil)
	})
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("configuration file: unknown settings %q", slices.Sorted(maps.Keys(unknown)))
	}
	return nil
}
