package main

import (
	"errors"

	"github.com/bailiwick/bailiwick/internal/app"
)

// The exit codes. They are part of the interface: scripts and supervisors
// depend on them.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotReady = 3
)

const exitCodes = `Exit codes: 0 done; 1 failed; 2 the command line or a setting is wrong; 3 not ready: the database cannot be reached, or migrations are pending.`

// usageError is a mistake of whoever typed the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// notReadyError is a dependency that has to be put right first.
type notReadyError struct{ error }

func (e notReadyError) Unwrap() error { return e.error }

func exitCode(err error) int {
	_, usage := errors.AsType[usageError](err)
	_, notReady := errors.AsType[notReadyError](err)
	switch {
	case usage:
		return exitUsage
	case notReady, errors.Is(err, app.ErrMigrations):
		return exitNotReady
	default:
		return exitFailed
	}
}
