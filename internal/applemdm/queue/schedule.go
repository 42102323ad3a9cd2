package queue

import (
	"time"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// Options concern one command. The zero value is useful.
type Options struct {
	Priority  int        // higher goes first
	NotBefore *time.Time // nil is at once
	ExpiresAt *time.Time // from then on it is not given out any more; nil is never
}

// The priorities.
const (
	Routine = -10 // inventory and renewal, which nobody waits for
	Normal  = 0
	Urgent  = 10 // a device that is to be locked or erased may not be on for long
)

const (
	mostPriority = 100                  // and as much below zero
	farthest     = 366 * 24 * time.Hour // that a command is put off
)

// Schedule is what a caller says of when a command is given out. What is nil is as
// the kind of command has it.
type Schedule struct {
	Priority  *int
	NotBefore *time.Time
	ExpiresAt *time.Time
}

// On is an instruction by a caller's schedule, which may be nil.
func (i Instruction) On(s *Schedule) Instruction {
	if s == nil {
		return i
	}
	if s.Priority != nil {
		i.Priority = *s.Priority
	}
	if s.NotBefore != nil {
		i.NotBefore = stored(*s.NotBefore)
	}
	if s.ExpiresAt != nil {
		i.ExpiresAt = stored(*s.ExpiresAt)
	}
	return i
}

// stored is a time as databases keep it.
func stored(t time.Time) *time.Time { return new(t.UTC().Truncate(time.Microsecond)) }

// validate reports what is wrong with a caller's schedule.
func (o Options) validate(now time.Time) error {
	switch {
	case o.Priority < -mostPriority || o.Priority > mostPriority:
		return fault.Invalid("input.schedule.priority", "%d to %d", -mostPriority, mostPriority)
	case o.NotBefore != nil && o.NotBefore.After(now.Add(farthest)):
		return fault.Invalid("input.schedule.notBefore", "at most a year ahead")
	case o.ExpiresAt != nil && !o.ExpiresAt.After(now):
		return fault.Invalid("input.schedule.expiresAt", "a time that has not passed")
	case o.ExpiresAt != nil && o.NotBefore != nil && !o.ExpiresAt.After(*o.NotBefore):
		return fault.Invalid("input.schedule.expiresAt", "a time after notBefore")
	}
	return nil
}
