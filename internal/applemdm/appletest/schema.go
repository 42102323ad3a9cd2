// Package appletest judges what the server sends to Apple devices by Apple's
// own published schema: the repository apple/device-management. It reads a
// checkout that lies beside the project, or where APPLE_DEVICE_MANAGEMENT says.
package appletest

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Schema is Apple's description of one command.
type Schema struct {
	Payload struct {
		RequestType string        `yaml:"requesttype"`
		SupportedOS map[string]OS `yaml:"supportedOS"`
	} `yaml:"payload"`
	PayloadKeys  []Key `yaml:"payloadkeys"`
	ResponseKeys []Key `yaml:"responsekeys"` // of a command's answer
}

// OS is how one operating system supports something.
type OS struct {
	Introduced     string `yaml:"introduced"` // n/a if it does not
	Removed        string `yaml:"removed"`
	Supervised     bool   `yaml:"supervised"`
	UserEnrollment struct {
		Mode string `yaml:"mode"` // allowed, required, forbidden, ignored
	} `yaml:"userenrollment"`
}

// Key is one key of a dictionary, or one kind of item of an array.
type Key struct {
	Key         string        `yaml:"key"`
	Type        string        `yaml:"type"`
	Presence    string        `yaml:"presence"`
	SupportedOS map[string]OS `yaml:"supportedOS"`
	RangeList   []any         `yaml:"rangelist"`
	Range       *struct {
		Min *float64 `yaml:"min"`
		Max *float64 `yaml:"max"`
	} `yaml:"range"`
	Format  string `yaml:"format"`
	SubKeys []Key  `yaml:"subkeys"`
}

// Dir returns where Apple's schema lies. Without it the test is skipped, since
// it is not the project's to ship.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("APPLE_DEVICE_MANAGEMENT")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "device-management")
	}
	if _, err := os.Stat(filepath.Join(dir, "mdm", "commands")); err != nil { //nolint:gosec // whoever runs the tests names the directory
		t.Skipf("apple/device-management is not beside the project: no %s", filepath.Join(dir, "mdm", "commands"))
	}
	return dir
}

// Commands reads the schemas of all commands, by their RequestType.
func Commands(t testing.TB) map[string]Schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Dir(t), "mdm", "commands", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]Schema{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s Schema
		if err := yaml.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		schemas[s.Payload.RequestType] = s
	}
	if len(schemas) == 0 {
		t.Fatalf("no schemas in %s", Dir(t))
	}
	return schemas
}

// Responses returns the keys of every command's answer, by its RequestType.
func Responses(t testing.TB) map[string][]Key {
	t.Helper()
	keys := map[string][]Key{}
	for requestType, s := range Commands(t) {
		keys[requestType] = s.ResponseKeys
	}
	return keys
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above this package")
		}
		dir = filepath.Dir(dir)
	}
}
