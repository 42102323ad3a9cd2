// Package check holds the build's own checks: what may import what, and what a
// committed file may not contain. A rule that a program can hold is not left to
// a reviewer. The rules of this repository are in its tests, and each is shown
// to fail on a fixture under testdata.
package check

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Module is the import path that rules and findings are relative to.
const Module = "github.com/bailiwick/bailiwick"

// Finding is one breach of a rule.
type Finding struct {
	Where string // a file with its line, or a package, relative to the module
	What  string // the breach, and what to do instead
}

func (f Finding) String() string { return f.Where + ": " + f.What }

// Files lists what git tracks under dir and what it would track if added, as
// slash-separated paths relative to dir. Files that are deleted but not yet
// committed are listed too.
func Files(dir string) ([]string, error) {
	out, err := output(dir, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

func output(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}
