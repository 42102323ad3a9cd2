package autotask_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
)

const (
	toQueue    = `{"destination":"queue","dueDays":0,"priority":{"id":2,"name":"Medium"},"status":{"id":1},"shouldCreateTickets":false,"queue":{"id":8,"name":"Monitoring Alert"}}`
	toResource = `{"destination":"resource","dueDays":3,"priority":{"id":2},"status":{"id":1},"shouldCreateTickets":true,"source":{"id":-1},"resource":{"id":7,"name":"Ada","role":{"id":9,"name":"Technician"}}}`
)

// TestDriver: what is stored comes back, and what is malformed is refused by
// the name of its field.
func TestDriver(t *testing.T) {
	b := newBench(t, nil, nil)
	driver, err := psa.Drivers{psa.Autotask: autotask.Driver(b.config())}.For(psa.Autotask)
	if err != nil {
		t.Fatal(err)
	}
	vendor, err := driver.Open([]byte(`{"username":"`+user+`","secret":"`+secret+`"}`), psa.Open{})
	if err != nil {
		t.Fatal(err)
	}
	if account, err := vendor.Verify(t.Context()); err != nil || account != (psa.Account{Name: "Acme MSP", User: user}) {
		t.Errorf("%+v, %v", account, err)
	}
	for _, raw := range []string{`{}`, `{"username":"a","secret":"b","integrationCode":"c"}`, `{"username":1}`, `null`, ``, `{"username":"a","secret":"b"} {}`} {
		if v, err := driver.Open([]byte(raw), psa.Open{}); fault.CodeOf(err) != fault.InvalidArgument || v != nil {
			t.Errorf("credentials %s: %v", raw, err)
		}
	}
	settings, err := driver.Settings([]byte(toResource))
	want := autotask.Settings{
		Destination: autotask.ToResource, DueDays: 3, Priority: autotask.Choice{ID: 2}, Status: autotask.Choice{ID: 1}, ShouldCreateTickets: true,
		Source: autotask.Choice{ID: -1}, Resource: autotask.Assignee{ID: 7, Name: "Ada", Role: autotask.Choice{ID: 9, Name: "Technician"}},
	}
	if err != nil || settings != want || settings.Kind() != psa.Autotask {
		t.Errorf("%+v, %v", settings, err)
	}
	if _, err := driver.Settings([]byte(toQueue)); err != nil {
		t.Error(err)
	}
	replace := func(in, old, by string) string { return strings.Replace(in, old, by, 1) }
	for raw, field := range map[string]string{
		``: "settings", `{}`: "dueDays", `null`: "dueDays",
		replace(toQueue, `"dueDays":0,`, ``):                                     "dueDays",
		replace(toQueue, `"dueDays":0`, `"dueDays":null`):                        "dueDays",
		replace(toQueue, `"dueDays":0`, `"dueDays":-1`):                          "dueDays",
		replace(toQueue, `"dueDays":0`, `"dueDays":366`):                         "dueDays",
		replace(toQueue, `"dueDays":0`, `"dueDays":"3"`):                         "settings",
		replace(toQueue, `"shouldCreateTickets":false,`, ``):                     "shouldCreateTickets",
		replace(toQueue, `"destination":"queue",`, ``):                           "destination",
		replace(toQueue, `"queue"`, `"Queue"`):                                   "destination",
		replace(toQueue, `"queue"`, `"resource"`):                                "resource.id",
		replace(toQueue, `{"id":2,"name":"Medium"}`, `{}`):                       "priority.id",
		replace(toQueue, `"status":{"id":1},`, ``):                               "status.id",
		replace(toQueue, `{"id":8,`, `{`):                                        "queue.id",
		replace(toQueue, `"Monitoring`, `"`+strings.Repeat("x", 300)):            "queue.name",
		replace(toQueue, `"dueDays"`, `"board":1,"dueDays"`):                     "settings",
		replace(toResource, `"resource":{"id":7,`, `"resource":{`):               "resource.id",
		replace(toResource, `,"role":{"id":9,"name":"Technician"}`, ``):          "resource.role.id",
		replace(toResource, `"destination":"resource"`, `"destination":"queue"`): "queue.id",
	} {
		s, err := driver.Settings([]byte(raw))
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != fault.InvalidArgument || e.Field != field || s != nil {
			t.Errorf("%s: %v, want a fault of %q", raw, err, field)
		}
	}
}

// TestSettingsCheck: every value is compared with the vendor's, and one that
// is inactive is refused by its name.
func TestSettingsCheck(t *testing.T) {
	b := newBench(t, nil, nil)
	options, err := b.acme(t).Options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bob, cy := b.server.Resources(user)[1].ID, b.server.Resources(user)[2].ID
	person := func(resource, role int64) func(*autotask.Settings) {
		return func(s *autotask.Settings) {
			s.Destination, s.Resource = autotask.ToResource, autotask.Assignee{ID: resource, Role: autotask.Choice{ID: role}}
		}
	}
	for name, c := range map[string]struct {
		change      func(*autotask.Settings)
		field, says string
	}{
		"as it is":             {func(*autotask.Settings) {}, "", ""},
		"inactive queue":       {func(s *autotask.Settings) { s.Queue.ID = 29682900 }, "queue.id", "Abandoned"},
		"unknown queue":        {func(s *autotask.Settings) { s.Queue.ID = 4711 }, "queue.id", "4711"},
		"inactive status":      {func(s *autotask.Settings) { s.Status.ID = 10 }, "status.id", "Dispatched"},
		"unknown priority":     {func(s *autotask.Settings) { s.Priority.ID = 9 }, "priority.id", ""},
		"unknown source":       {func(s *autotask.Settings) { s.Source.ID = 99 }, "source.id", ""},
		"no source":            {func(s *autotask.Settings) { s.Source.ID = 0 }, "", ""},
		"unused, out of date":  {func(s *autotask.Settings) { s.Resource.ID = 99 }, "", ""},
		"a person":             {person(b.ada(), technician), "", ""},
		"an abolished role":    {person(b.ada(), technician+1), "resource.role.id", "Abolished"},
		"who left":             {person(bob, technician), "resource.id", "Bob"},
		"not in that role":     {person(cy, technician), "resource.role.id", ""},
		"unknown person":       {person(4711, technician), "resource.id", ""},
		"not valid to start":   {func(s *autotask.Settings) { s.Destination = "" }, "destination", ""},
		"queue not asked for":  {func(s *autotask.Settings) { person(b.ada(), technician)(s); s.Queue.ID = 4711 }, "", ""},
		"no queue, for person": {func(s *autotask.Settings) { person(b.ada(), technician)(s); s.Queue.ID = 0 }, "", ""},
	} {
		s := b.settings()
		c.change(&s)
		err := s.Check(options)
		e, _ := errors.AsType[*fault.Error](err)
		if (c.field == "") != (err == nil) || (e != nil && (e.Field != c.field || !strings.Contains(e.Error(), c.says))) {
			t.Errorf("%s: %v, want %q in a fault of %q", name, err, c.says, c.field)
		}
	}
}
