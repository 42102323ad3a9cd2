package token_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/access/token"
)

func TestPlan(t *testing.T) {
	s := token.Schedule{Lifetime: 10 * time.Minute, Active: 30 * 24 * time.Hour, Publish: 24 * time.Hour, Refresh: 5 * time.Minute}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	next := func(id string, created time.Duration) token.Key {
		return token.Key{ID: id, State: token.Next, Created: now.Add(-created)}
	}
	active := func(id string, activated time.Duration) token.Key {
		return token.Key{ID: id, State: token.Active, Created: now.Add(-activated - day), Activated: now.Add(-activated)}
	}
	retired := func(id string, since time.Duration) token.Key {
		return token.Key{ID: id, State: token.Retired, Retired: now.Add(-since)}
	}
	for name, c := range map[string]struct {
		keys []token.Key
		want []token.Step
	}{
		"no keys":                 {nil, []token.Step{{token.Create, ""}, {token.Activate, ""}}},
		"young":                   {[]token.Key{active("a", day)}, nil},
		"time to publish":         {[]token.Key{active("a", 29*day)}, []token.Step{{token.Create, ""}}},
		"published":               {[]token.Key{active("a", 29*day), next("n", time.Hour)}, nil},
		"time to change":          {[]token.Key{active("a", 30*day), next("n", day)}, []token.Step{{token.Activate, "n"}, {token.Retire, "a"}}},
		"published too late":      {[]token.Key{active("a", 90*day), next("n", time.Hour)}, nil},
		"long pause":              {[]token.Key{active("a", 90*day)}, []token.Step{{token.Create, ""}}},
		"no active, one next":     {[]token.Key{next("n", time.Minute)}, []token.Step{{token.Activate, "n"}}},
		"no active, retired":      {[]token.Key{retired("r", time.Minute)}, []token.Step{{token.Create, ""}, {token.Activate, ""}}},
		"two active":              {[]token.Key{active("a", 2*day), active("b", day)}, []token.Step{{token.Retire, "a"}}},
		"retired, still counts":   {[]token.Key{active("a", day), retired("r", 15*time.Minute)}, nil},
		"retired, counts no more": {[]token.Key{active("a", day), retired("r", 17*time.Minute)}, []token.Step{{token.Remove, "r"}}},
		"clock set back":          {[]token.Key{active("a", -day), retired("r", -day)}, nil},
	} {
		if got := s.Plan(c.keys, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestScheduleValidate(t *testing.T) {
	if err := token.DefaultSchedule().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*token.Schedule){
		"no lifetime":             func(s *token.Schedule) { s.Lifetime = 0 },
		"a day's lifetime":        func(s *token.Schedule) { s.Lifetime = 24 * time.Hour },
		"no refresh":              func(s *token.Schedule) { s.Refresh = 0 },
		"used before it is known": func(s *token.Schedule) { s.Publish = s.Refresh },
		"two next at once":        func(s *token.Schedule) { s.Active = s.Publish / 2 },
	} {
		s := token.DefaultSchedule()
		change(&s)
		if s.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
