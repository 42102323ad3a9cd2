package appletest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

// Device is the device that something is judged for.
type Device struct {
	OS             string // as in the schema: iOS, which is also iPadOS; macOS, tvOS, visionOS, watchOS
	Version        string
	Supervised     bool
	UserEnrollment bool
}

// JudgeCommand reports what is wrong with a command's property list.
func JudgeCommand(schemas map[string]Schema, body []byte, on Device) []string {
	var document struct {
		Command     map[string]any
		CommandUUID string
	}
	if err := plist.Decode(body, &document); err != nil {
		return []string{err.Error()}
	}
	var findings []string
	if document.CommandUUID == "" {
		findings = append(findings, "CommandUUID: missing")
	}
	requestType, _ := document.Command["RequestType"].(string)
	schema, known := schemas[requestType]
	if !known {
		return append(findings, fmt.Sprintf("RequestType: %q is unknown", requestType))
	}
	delete(document.Command, "RequestType")
	return append(findings, schema.Judge(document.Command, on)...)
}

// Judge reports what is wrong with a dictionary: support on the device, keys,
// their types, presence and values.
func (s Schema) Judge(value map[string]any, on Device) []string {
	var findings []string
	if refusal := s.Support(on.OS).Refuses(on); refusal != "" {
		findings = append(findings, refusal)
	}
	return append(findings, dictionary("", s.PayloadKeys, value, s.Support(on.OS), on)...)
}

// Support returns how an operating system supports the whole.
func (s Schema) Support(name string) OS {
	os, listed := s.Payload.SupportedOS[name]
	if !listed {
		os.Introduced = "n/a"
	}
	return os
}

// Under returns the support of a part of something: what it does not say for
// itself holds for it too.
func (k Key) Under(whole OS, name string) OS {
	part, listed := k.SupportedOS[name]
	if !listed {
		return whole
	}
	if part.Introduced == "" {
		part.Introduced = whole.Introduced
	}
	if part.Removed == "" {
		part.Removed = whole.Removed
	}
	if part.UserEnrollment.Mode == "" {
		part.UserEnrollment = whole.UserEnrollment
	}
	part.Supervised = part.Supervised || whole.Supervised
	return part
}

// Refuses says why a device would not take it, or "".
func (o OS) Refuses(on Device) string {
	switch {
	case o.Introduced == "n/a":
		return "not supported on " + on.OS
	case Compare(on.Version, o.Introduced) < 0:
		return fmt.Sprintf("needs %s %s", on.OS, o.Introduced)
	case o.Removed != "" && Compare(on.Version, o.Removed) >= 0:
		return fmt.Sprintf("removed in %s %s", on.OS, o.Removed)
	case o.Supervised && !on.Supervised:
		return "needs supervision"
	case o.UserEnrollment.Mode == "forbidden" && on.UserEnrollment:
		return "forbidden under user enrollment"
	}
	return ""
}

// Compare orders versions by their numbers.
func Compare(a, b string) int {
	numbers := func(version string) []int {
		var ns []int
		for part := range strings.SplitSeq(version, ".") {
			n, _ := strconv.Atoi(part)
			ns = append(ns, n)
		}
		for len(ns) > 1 && ns[len(ns)-1] == 0 {
			ns = ns[:len(ns)-1]
		}
		return ns
	}
	return slices.Compare(numbers(a), numbers(b))
}

func dictionary(path string, keys []Key, value map[string]any, whole OS, on Device) []string {
	var findings []string
	open := len(keys) == 0
	for _, key := range keys {
		if key.Key == "ANY" {
			open = true
			continue
		}
		item, given := value[key.Key]
		switch {
		case given:
			findings = append(findings, key.judge(path+key.Key, item, whole, on)...)
		case key.Presence == "required":
			findings = append(findings, path+key.Key+": missing")
		}
	}
	for name := range value {
		if !open && !slices.ContainsFunc(keys, func(k Key) bool { return k.Key == name }) {
			findings = append(findings, path+name+": unknown")
		}
	}
	return findings
}

func (k Key) judge(path string, value any, whole OS, on Device) []string {
	support := k.Under(whole, on.OS)
	if refusal := support.Refuses(on); refusal != "" {
		return []string{path + ": " + refusal}
	}
	if !k.typed(value) {
		return []string{fmt.Sprintf("%s: %T is not %s", path, value, k.Type)}
	}
	switch v := value.(type) {
	case map[string]any:
		return dictionary(path+".", k.SubKeys, v, support, on)
	case []any:
		var findings []string
		for i, item := range v {
			findings = append(findings, k.item(fmt.Sprintf("%s[%d]", path, i), item, support, on)...)
		}
		return findings
	case string:
		if len(k.SubKeys) > 0 { // the keys are the values it may have
			at := slices.IndexFunc(k.SubKeys, func(s Key) bool { return s.Key == v })
			if at < 0 {
				return []string{fmt.Sprintf("%s: %q is unknown", path, v)}
			}
			if refusal := k.SubKeys[at].Under(support, on.OS).Refuses(on); refusal != "" {
				return []string{fmt.Sprintf("%s: %q: %s", path, v, refusal)}
			}
		}
		if format, err := regexp.Compile(k.Format); err == nil && !format.MatchString(v) {
			return []string{fmt.Sprintf("%s: %q does not match %s", path, v, k.Format)}
		}
	}
	if len(k.RangeList) > 0 && !slices.ContainsFunc(k.RangeList, func(allowed any) bool { return fmt.Sprint(allowed) == fmt.Sprint(value) }) {
		return []string{fmt.Sprintf("%s: %v is none of %v", path, value, k.RangeList)}
	}
	if n, err := strconv.ParseFloat(fmt.Sprint(value), 64); err == nil && k.Range != nil &&
		(k.Range.Min != nil && n < *k.Range.Min || k.Range.Max != nil && n > *k.Range.Max) {
		return []string{fmt.Sprintf("%s: %v is out of range", path, value)}
	}
	return nil
}

// item judges one item of an array, which may be of any of the kinds listed.
func (k Key) item(path string, value any, whole OS, on Device) []string {
	var best []string
	for i, kind := range k.SubKeys {
		findings := kind.judge(path, value, whole, on)
		if len(findings) == 0 {
			return nil
		}
		if i == 0 || len(findings) < len(best) {
			best = findings
		}
	}
	return best
}

func (k Key) typed(value any) bool {
	switch value.(type) {
	case string:
		return k.Type == "<string>" || k.Type == "<any>"
	case uint64, int64:
		return k.Type == "<integer>" || k.Type == "<real>" || k.Type == "<any>"
	case float64:
		return k.Type == "<real>" || k.Type == "<any>"
	case bool:
		return k.Type == "<boolean>" || k.Type == "<any>"
	case []byte:
		return k.Type == "<data>" || k.Type == "<any>"
	case time.Time:
		return k.Type == "<date>" || k.Type == "<any>"
	case []any:
		return k.Type == "<array>" || k.Type == "<any>"
	case map[string]any:
		return k.Type == "<dictionary>" || k.Type == "<any>"
	}
	return false
}
