package token

import (
	"errors"
	"time"
)

// leeway is how far the clocks of two machines may differ.
const leeway = 30 * time.Second

// Schedule says when keys change state. Durations that belong together are kept
// in one place because the guarantee follows from their relation: a key is
// published long enough before it signs that every cache has seen it, and
// accepted long enough after it last signed that every token has expired.
type Schedule struct {
	Lifetime time.Duration // of an access token
	Active   time.Duration // how long a key signs
	Publish  time.Duration // how long a key is published before it signs
	Refresh  time.Duration // longest time that a replica, or a client of the JWK set, works from its copy
}

// DefaultSchedule is tokens of ten minutes, a new key every thirty days.
func DefaultSchedule() Schedule {
	return Schedule{Lifetime: 10 * time.Minute, Active: 30 * 24 * time.Hour, Publish: 24 * time.Hour, Refresh: 5 * time.Minute}
}

// Validate reports a schedule under which a rotation could turn a valid token away.
func (s Schedule) Validate() error {
	switch {
	case s.Lifetime < time.Second || s.Lifetime > time.Hour:
		return errors.New("token: an access token lives one second to one hour")
	case s.Refresh < time.Second:
		return errors.New("token: keys are refreshed every second at most")
	case s.Publish < 2*s.Refresh+2*leeway:
		return errors.New("token: a key must be published for twice the refresh interval and a minute before it signs")
	case s.Active < s.Publish:
		return errors.New("token: a key must sign for longer than it is published before")
	}
	return nil
}

// Action is a change of state that is due.
type Action string

// The actions.
const (
	Create   Action = "CREATE"   // a new NEXT key
	Activate Action = "ACTIVATE" // NEXT to ACTIVE
	Retire   Action = "RETIRE"   // ACTIVE to RETIRED
	Remove   Action = "REMOVE"   // RETIRED to REMOVED
)

// Step is one action. KeyID is empty for a key still to be made: CREATE, and an
// ACTIVATE that directly follows a CREATE when there is no key at all.
type Step struct {
	Action Action
	KeyID  string
}

// Plan decides what is due. It is a pure function: any replica may run it at
// any time, as often as it likes, and after any pause.
//
// Without an ACTIVE key nobody can sign in, so the oldest NEXT is activated at
// once, or a key is made for it; verifiers then learn of it by its unknown kid.
func (s Schedule) Plan(keys []Key, now time.Time) []Step {
	var steps []Step
	next := inState(keys, Next)
	active, signing := newestActive(keys)

	switch {
	case !signing && len(next) == 0:
		steps = append(steps, Step{Create, ""}, Step{Activate, ""})
	case !signing:
		steps = append(steps, Step{Activate, next[0].ID})
	case len(next) == 0 && age(active.Activated, now) >= s.Active-s.Publish:
		steps = append(steps, Step{Create, ""})
	case len(next) > 0 && age(active.Activated, now) >= s.Active && age(next[0].Created, now) >= s.Publish:
		steps = append(steps, Step{Activate, next[0].ID}, Step{Retire, active.ID})
	}
	for _, k := range inState(keys, Active) {
		if k.ID != active.ID {
			steps = append(steps, Step{Retire, k.ID})
		}
	}
	for _, k := range inState(keys, Retired) {
		if age(k.Retired, now) >= s.grace() {
			steps = append(steps, Step{Remove, k.ID})
		}
	}
	return steps
}

// grace is how long a retired key is accepted: a replica may sign with it until
// its copy is due, the token lives its lifetime, and three clocks may differ.
func (s Schedule) grace() time.Duration { return s.Refresh + s.Lifetime + 3*leeway }

func age(since, now time.Time) time.Duration { return now.Sub(since) }

// apply carries the steps out and returns the keys that are new or changed.
func apply(keys []Key, steps []Step, now time.Time) ([]Key, error) {
	byID := map[string]Key{}
	for _, k := range keys {
		byID[k.ID] = k
	}
	changed := map[string]Key{}
	var created string
	for _, step := range steps {
		id := step.KeyID
		if step.Action == Create {
			k, err := newKey(now)
			if err != nil {
				return nil, err
			}
			byID[k.ID], created = k, k.ID
		}
		if id == "" {
			id = created
		}
		k := byID[id]
		switch step.Action {
		case Create:
		case Activate:
			k.State, k.Activated = Active, now
		case Retire:
			k.State, k.Retired = Retired, now
		case Remove:
			k.State, k.Private = Removed, nil
		}
		byID[id], changed[id] = k, k
	}
	out := make([]Key, 0, len(changed))
	for _, k := range changed {
		out = append(out, k)
	}
	return out, nil
}
