package appleschema

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

// Device is the device that a command is judged for.
type Device struct {
	OS             string // as in the description: iOS, which is also iPadOS; macOS, tvOS, visionOS, watchOS
	Version        string
	Supervised     bool
	UserEnrollment bool
}

// OS is how one operating system supports something.
type OS struct {
	Introduced     string // n/a if it does not
	Removed        string
	Supervised     bool
	UserEnrollment struct{ Mode string } `yaml:"userenrollment"` // allowed, required, forbidden, ignored
}

// Command is Apple's description of a command and its answer.
type Command struct {
	Payload struct {
		RequestType string        `yaml:"requesttype"`
		SupportedOS map[string]OS `yaml:"supportedOS"`
	}
	PayloadKeys  []Key `yaml:"payloadkeys"`
	ResponseKeys []Key `yaml:"responsekeys"`
}

// Commands reads the descriptions of all commands, by their RequestType.
func (s Schema) Commands(t testing.TB) map[string]Command {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.root, "mdm", "commands", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no commands in %s: %v", s.root, err)
	}
	commands := map[string]Command{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c Command
		if err := yaml.Unmarshal(raw, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		commands[c.Payload.RequestType] = c
	}
	return commands
}

// Examples lists Apple's example property lists of commands and their answers.
// Older releases have none.
func (s Schema) Examples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.root, "examples", "mdm", "commands", "*", "*.plist"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// JudgeCommand returns what is wrong with a command's property list, or with
// sending it to this device.
func JudgeCommand(commands map[string]Command, body []byte, on Device) []string {
	var document struct {
		Command     map[string]any
		CommandUUID string
	}
	if err := plist.Decode(body, &document); err != nil {
		return []string{err.Error()}
	}
	if document.CommandUUID == "" {
		return []string{"CommandUUID is required"}
	}
	requestType, _ := document.Command["RequestType"].(string)
	c, known := commands[requestType]
	if !known {
		return []string{fmt.Sprintf("RequestType %q is not described", requestType)}
	}
	delete(document.Command, "RequestType")
	support := c.Support(on.OS)
	findings := append(Judge(c.PayloadKeys, document.Command), unsupported(c.PayloadKeys, document.Command, support, on)...)
	if refusal := support.Refuses(on); refusal != "" {
		findings = append(findings, refusal)
	}
	return findings
}

// Support returns how an operating system supports the command.
func (c Command) Support(name string) OS {
	support, listed := c.Payload.SupportedOS[name]
	if !listed {
		support.Introduced = "n/a"
	}
	return support
}

// Under returns the support of a part of something: what the part does not say
// for itself holds for it too.
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
		return "is not supported on " + on.OS
	case compare(on.Version, o.Introduced) < 0:
		return fmt.Sprintf("needs %s %s", on.OS, o.Introduced)
	case o.Removed != "" && compare(on.Version, o.Removed) >= 0:
		return fmt.Sprintf("was removed in %s %s", on.OS, o.Removed)
	case o.Supervised && !on.Supervised:
		return "needs supervision"
	case o.UserEnrollment.Mode == "forbidden" && on.UserEnrollment:
		return "is forbidden under user enrollment"
	}
	return ""
}

// compare orders versions by their numbers; 14.0 is 14.
func compare(a, b string) int {
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

// unsupported finds keys of a dictionary that the device does not take.
func unsupported(keys []Key, dictionary map[string]any, whole OS, on Device) []string {
	var findings []string
	for _, k := range keys {
		value, there := dictionary[k.Key]
		if !there {
			continue
		}
		for _, finding := range k.unsupported(value, whole, on) {
			findings = append(findings, k.Key+" "+finding)
		}
	}
	return findings
}

func (k Key) unsupported(value any, whole OS, on Device) []string {
	support := k.Under(whole, on.OS)
	if refusal := support.Refuses(on); refusal != "" {
		return []string{refusal}
	}
	var findings []string
	switch v := value.(type) {
	case map[string]any:
		return unsupported(k.SubKeys, v, support, on)
	case []any:
		for _, item := range v {
			if kind := k.kindOf(item); kind != nil {
				findings = append(findings, kind.unsupported(item, support, on)...)
			}
		}
	case string: // the keys below a text are what it may say
		for _, said := range k.SubKeys {
			if refusal := said.Under(support, on.OS).Refuses(on); said.Key == v && refusal != "" {
				findings = append(findings, fmt.Sprintf("%q %s", v, refusal))
			}
		}
	}
	return findings
}

// kindOf returns which of an array's kinds of elements one is meant to be: the
// one that it fits best.
func (k Key) kindOf(element any) *Key {
	var best *Key
	least := 0
	for i := range k.SubKeys {
		if n := len(judge(k.SubKeys[i], element)); best == nil || n < least {
			best, least = &k.SubKeys[i], n
		}
	}
	return best
}
