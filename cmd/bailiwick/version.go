package main

import (
	"runtime/debug"
	"strings"
)

type versionCommand struct{}

// Run prints the version, the commit and the compiler.
func (versionCommand) Run(c console) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return c.printf("bailiwick %s\n", version())
	}
	return c.printf("bailiwick %s %s\n", version(), info.GoVersion)
}

// version names the build: the released version, else the commit it is of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	if revision == "" {
		return "development"
	}
	return revision + modified
}
