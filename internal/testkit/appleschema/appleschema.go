// Package appleschema judges property lists by Apple's own description of the
// MDM protocol: github.com/apple/device-management, which lies beside the
// project or where APPLE_DEVICE_MANAGEMENT says. It is not the project's to
// ship.
package appleschema

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// Schema is a checkout of Apple's description.
type Schema struct{ root string }

// Open finds the description, and skips the test where there is none.
func Open(t testing.TB) Schema {
	t.Helper()
	root := os.Getenv("APPLE_DEVICE_MANAGEMENT")
	if root == "" {
		root = filepath.Join(moduleRoot(t), "..", "device-management")
	}
	if _, err := os.Stat(filepath.Join(root, "mdm")); err != nil { //nolint:gosec // whoever runs the tests says where
		t.Skip("apple/device-management does not lie beside the project, nor where APPLE_DEVICE_MANAGEMENT says")
	}
	return Schema{root}
}

func moduleRoot(t testing.TB) string {
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

// Key describes one key of a dictionary, or the elements of an array.
type Key struct {
	Key         string
	Type        string
	Presence    string
	Format      string
	RangeList   []any `yaml:"rangelist"`
	Range       struct{ Min, Max *float64 }
	Repetition  struct{ Min, Max *int }
	SubKeys     []Key         `yaml:"subkeys"`
	SupportedOS map[string]OS `yaml:"supportedOS"`
}

// Load reads the keys that a file such as mdm/profiles/com.apple.mdm.yaml
// describes: of a payload, a command or a declaration.
func (s Schema) Load(t testing.TB, file string) []Key {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.root, file))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		PayloadKeys []Key `yaml:"payloadkeys"`
	}
	if err := yaml.Unmarshal(raw, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(document.PayloadKeys) == 0 {
		t.Fatalf("%s describes no keys", file)
	}
	return document.PayloadKeys
}

// Profile judges a decoded configuration profile and each payload in it, and
// returns what is wrong.
func (s Schema) Profile(t testing.TB, profile map[string]any) []string {
	t.Helper()
	findings := Judge(s.Load(t, "mdm/profiles/TopLevel.yaml"), profile)
	common := s.Load(t, "mdm/profiles/CommonPayloadKeys.yaml")
	content, ok := profile["PayloadContent"].([]any)
	if !ok {
		return append(findings, "PayloadContent is no array")
	}
	seen := map[any]bool{profile["PayloadUUID"]: true}
	for i, item := range content {
		payload, ok := item.(map[string]any)
		if !ok {
			findings = append(findings, fmt.Sprintf("payload %d is no dictionary", i))
			continue
		}
		kind := fmt.Sprint(payload["PayloadType"])
		for _, finding := range Judge(append(slices.Clone(common), s.Load(t, "mdm/profiles/"+kind+".yaml")...), payload) {
			findings = append(findings, kind+": "+finding)
		}
		for _, key := range []string{"PayloadUUID", "PayloadIdentifier"} {
			if seen[payload[key]] {
				findings = append(findings, fmt.Sprintf("%s: %s is used twice", kind, key))
			}
			seen[payload[key]] = true
		}
	}
	return findings
}

// Judge compares a decoded dictionary with its description, and returns what is
// wrong: unknown and missing keys, types, formats, ranges.
func Judge(keys []Key, dictionary map[string]any) []string {
	var findings []string
	for name, value := range dictionary {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Key == name })
		if i < 0 {
			i = slices.IndexFunc(keys, func(k Key) bool { return k.Key == "ANY" })
		}
		if i < 0 {
			findings = append(findings, name+" is not described")
			continue
		}
		for _, finding := range judge(keys[i], value) {
			findings = append(findings, name+" "+finding)
		}
	}
	for _, k := range keys {
		if _, there := dictionary[k.Key]; !there && k.Presence == "required" && k.Key != "ANY" {
			findings = append(findings, k.Key+" is required")
		}
	}
	slices.Sort(findings)
	return findings
}

func judge(k Key, value any) []string {
	if !fits(k.Type, value) {
		return []string{fmt.Sprintf("is %T, not %s", value, k.Type)}
	}
	var findings []string
	if len(k.RangeList) > 0 && !slices.ContainsFunc(k.RangeList, func(v any) bool { return fmt.Sprint(v) == fmt.Sprint(value) }) {
		findings = append(findings, fmt.Sprintf("is %v, not one of %v", value, k.RangeList))
	}
	switch v := value.(type) {
	case string:
		if k.Format != "" && !regexp.MustCompile(k.Format).MatchString(v) {
			findings = append(findings, fmt.Sprintf("is %q, against %s", v, k.Format))
		}
		if len(k.SubKeys) > 0 && !slices.ContainsFunc(k.SubKeys, func(said Key) bool { return said.Key == v }) {
			findings = append(findings, fmt.Sprintf("is %q, which is not described", v))
		}
	case int64, uint64, float64:
		n := number(v)
		if k.Range.Min != nil && n < *k.Range.Min || k.Range.Max != nil && n > *k.Range.Max {
			findings = append(findings, fmt.Sprintf("is %v, out of range", v))
		}
	case map[string]any:
		if len(k.SubKeys) > 0 {
			findings = append(findings, Judge(k.SubKeys, v)...)
		}
	case []any:
		findings = append(findings, judgeArray(k, v)...)
	}
	return findings
}

func judgeArray(k Key, array []any) []string {
	if len(k.SubKeys) == 0 {
		return nil
	}
	var findings []string
	item := k.SubKeys[0]
	if item.Repetition.Min != nil && len(array) < *item.Repetition.Min || item.Repetition.Max != nil && len(array) > *item.Repetition.Max {
		findings = append(findings, fmt.Sprintf("has %d elements", len(array)))
	}
	for i, element := range array {
		for _, finding := range judge(*k.kindOf(element), element) {
			findings = append(findings, fmt.Sprintf("[%d] %s", i, finding))
		}
	}
	return findings
}

func fits(kind string, value any) bool {
	switch value.(type) {
	case string:
		return kind == "<string>" || kind == "<any>"
	case int64, uint64:
		return kind == "<integer>" || kind == "<real>" || kind == "<any>"
	case float64:
		return kind == "<real>" || kind == "<any>"
	case bool:
		return kind == "<boolean>" || kind == "<any>"
	case []byte:
		return kind == "<data>" || kind == "<any>"
	case time.Time:
		return kind == "<date>" || kind == "<any>"
	case map[string]any:
		return kind == "<dictionary>" || kind == "<any>"
	case []any:
		return kind == "<array>" || kind == "<any>"
	}
	return false
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// ForbiddenInUserEnrollment returns the keys of a dictionary that a user
// enrolment may not hold.
func ForbiddenInUserEnrollment(keys []Key, dictionary map[string]any) []string {
	var names []string
	for _, k := range keys {
		if _, there := dictionary[k.Key]; !there {
			continue
		}
		for _, system := range k.SupportedOS {
			if system.UserEnrollment.Mode == "forbidden" {
				names = append(names, k.Key)
			}
		}
	}
	return names
}
