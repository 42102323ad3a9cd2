package autotask

import (
	"encoding/json"
	"strconv"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Destination is whom a ticket is given to.
type Destination string

// The destinations.
const (
	ToQueue    Destination = "queue"
	ToResource Destination = "resource"
)

// Choice is a value that was chosen from one of Autotask's lists. The id
// decides; the name is kept for people to read. An id of 0 means no choice.
type Choice struct {
	ID   int64  `json:"id"`
	Name string `json:"name,omitempty"`
}

// Assignee is a technician in one of his or her roles.
type Assignee struct {
	ID   int64  `json:"id"`
	Name string `json:"name,omitempty"`
	Role Choice `json:"role"`
}

// Settings is Autotask's part of an alert's configuration.
type Settings struct {
	Destination         Destination `json:"destination"`         // required
	DueDays             int         `json:"dueDays"`             // required; after the ticket is made, unless the draft says when
	Priority            Choice      `json:"priority"`            // required
	Status              Choice      `json:"status"`              // required; of a new ticket
	ShouldCreateTickets bool        `json:"shouldCreateTickets"` // required; heeded by whoever would make the ticket
	Queue               Choice      `json:"queue,omitzero"`      // required if it is the destination
	Source              Choice      `json:"source,omitzero"`
	Resource            Assignee    `json:"resource,omitzero"` // required, with the role, if it is the destination
}

var _ psa.Settings = Settings{}

const (
	maxDueDays = 365
	maxChoice  = 255 // bytes of a name
)

// ReadSettings decodes and validates settings, and refuses unknown fields. The
// *fault.Error names the field.
func ReadSettings(raw []byte) (Settings, error) {
	var s Settings
	if err := psa.Decode(raw, &s); err != nil {
		return Settings{}, fault.Invalid("settings", "settings are not those of Autotask").Wrap(err)
	}
	// Neither has a value that stands for "not given".
	var given struct {
		DueDays             *int  `json:"dueDays"`
		ShouldCreateTickets *bool `json:"shouldCreateTickets"`
	}
	if err := json.Unmarshal(raw, &given); err != nil {
		return Settings{}, fault.Invalid("settings", "settings are not those of Autotask").Wrap(err)
	}
	if given.DueDays == nil {
		return Settings{}, fault.Invalid("dueDays", "required")
	}
	if given.ShouldCreateTickets == nil {
		return Settings{}, fault.Invalid("shouldCreateTickets", "required")
	}
	if err := s.Validate(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// Kind implements psa.Settings.
func (Settings) Kind() psa.Kind { return psa.Autotask }

// Validate implements psa.Settings.
func (s Settings) Validate() error {
	switch {
	case s.Destination != ToQueue && s.Destination != ToResource:
		return fault.Invalid("destination", "must be %s or %s", ToQueue, ToResource)
	case s.DueDays < 0 || s.DueDays > maxDueDays:
		return fault.Invalid("dueDays", "must be 0 to %d", maxDueDays)
	case s.Priority.ID == 0:
		return fault.Invalid("priority.id", "Autotask needs a priority")
	case s.Status.ID == 0:
		return fault.Invalid("status.id", "Autotask needs a status")
	case s.Destination == ToQueue && s.Queue.ID == 0:
		return fault.Invalid("queue.id", "required when the destination is a queue")
	case s.Destination == ToResource && s.Resource.ID == 0:
		return fault.Invalid("resource.id", "required when the destination is a resource")
	case s.Destination == ToResource && s.Resource.Role.ID == 0:
		return fault.Invalid("resource.role.id", "required when the destination is a resource: Autotask assigns a person in a role")
	}
	for field, name := range map[string]string{
		"priority.name": s.Priority.Name, "status.name": s.Status.Name, "queue.name": s.Queue.Name, "source.name": s.Source.Name,
		"resource.name": s.Resource.Name, "resource.role.name": s.Resource.Role.Name,
	} {
		if len(name) > maxChoice {
			return fault.Invalid(field, "longer than %d bytes", maxChoice)
		}
	}
	return nil
}

// Check implements psa.Settings. What the destination does not use may be out
// of date.
func (s Settings) Check(options []psa.Option) error {
	if err := s.Validate(); err != nil {
		return err
	}
	for _, c := range s.choices() {
		if err := psa.CheckOption(options, c.option, strconv.FormatInt(*c.id, 10), c.parent, c.field+".id"); err != nil {
			return err
		}
	}
	return nil
}

// Named returns the settings with every name as the options have it. A name
// that was given, and is another, is a *fault.Error on its field.
func (s Settings) Named(options []psa.Option) (psa.Settings, error) {
	for _, c := range s.choices() {
		name, err := psa.NameOption(options, c.option, strconv.FormatInt(*c.id, 10), c.parent, *c.name, c.field+".name")
		if err != nil {
			return nil, err
		}
		*c.name = name
	}
	return s, nil
}

// chosenOption is a choice that counts, and where it is in the settings.
type chosenOption struct {
	option, parent, field string
	id                    *int64
	name                  *string
}

// choices lists what is chosen and counts for the destination.
func (s *Settings) choices() []chosenOption {
	list := []chosenOption{
		{OptionPriority, "", "priority", &s.Priority.ID, &s.Priority.Name},
		{OptionStatus, "", "status", &s.Status.ID, &s.Status.Name},
	}
	if s.Source.ID != 0 {
		list = append(list, chosenOption{OptionSource, "", "source", &s.Source.ID, &s.Source.Name})
	}
	if s.Destination == ToQueue {
		return append(list, chosenOption{OptionQueue, "", "queue", &s.Queue.ID, &s.Queue.Name})
	}
	return append(list,
		chosenOption{OptionResource, "", "resource", &s.Resource.ID, &s.Resource.Name},
		chosenOption{OptionRole, strconv.FormatInt(s.Resource.ID, 10), "resource.role", &s.Resource.Role.ID, &s.Resource.Role.Name})
}
