package connectwise

import (
	"strconv"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Settings is ConnectWise's part of an alert's configuration. A choice that is
// not made is left to ConnectWise, which takes the board and status that the
// site is set up with.
type Settings struct {
	ShouldCreateTickets bool   `json:"shouldCreateTickets"` // false: such alerts make no tickets
	DueDays             int    `json:"dueDays,omitempty"`   // from the alert to Draft.Due, 0 for none: for whoever makes the draft
	Board               Choice `json:"board,omitzero"`
	Status              Choice `json:"status,omitzero"` // of a new ticket; it belongs to the board
	Priority            Choice `json:"priority,omitzero"`
	Source              Choice `json:"source,omitzero"`
}

// Choice names a record of ConnectWise's. The zero Choice is none.
type Choice struct {
	ID   int64  `json:"id"`
	Name string `json:"name,omitempty"` // as it was when the choice was made; the id alone counts
}

// The names of ConnectWise's options.
const (
	OptionBoard    = "board"
	OptionStatus   = "status"
	OptionPriority = "priority"
	OptionSource   = "source"
)

// MaxDueDays bounds when a ticket is due.
const MaxDueDays = 365

const (
	maxChoiceName = 255 // bytes
	maxChoiceID   = 1<<31 - 1
)

var _ psa.Settings = Settings{}

// Kind implements psa.Settings.
func (Settings) Kind() psa.Kind { return psa.ConnectWise }

// choices lists what can be chosen, a parent before its children.
func (s *Settings) choices() []struct {
	option string
	*Choice
} {
	return []struct {
		option string
		*Choice
	}{{OptionBoard, &s.Board}, {OptionStatus, &s.Status}, {OptionPriority, &s.Priority}, {OptionSource, &s.Source}}
}

// Validate implements psa.Settings.
func (s Settings) Validate() error {
	if s.DueDays < 0 || s.DueDays > MaxDueDays {
		return fault.Invalid("dueDays", "must be 0 to %d", MaxDueDays)
	}
	for _, c := range s.choices() {
		switch {
		case c.ID < 0 || c.ID > maxChoiceID:
			return fault.Invalid(c.option+".id", "an id of ConnectWise's is a positive number")
		case c.ID == 0 && c.Name != "":
			return fault.Invalid(c.option+".id", "is missing: a name alone chooses nothing")
		case len(c.Name) > maxChoiceName:
			return fault.Invalid(c.option+".name", "longer than %d bytes", maxChoiceName)
		}
	}
	if s.Status.ID != 0 && s.Board.ID == 0 {
		return fault.Invalid("board", "is missing: a status belongs to a board")
	}
	return nil
}

// Check implements psa.Settings.
func (s Settings) Check(options []psa.Option) error {
	if err := s.Validate(); err != nil {
		return err
	}
	board := strconv.FormatInt(s.Board.ID, 10)
	for _, c := range s.choices() {
		if c.ID == 0 {
			continue
		}
		parent := ""
		if c.option == OptionStatus {
			parent = board
		}
		value := strconv.FormatInt(c.ID, 10)
		err := psa.CheckOption(options, c.option, value, parent, c.option)
		if err == nil {
			continue
		}
		// A status of another board is there: say so, not that there is none.
		if parent != "" && psa.CheckOption(options, c.option, value, "", c.option) == nil {
			return fault.Invalid(c.option, "the status %s does not belong to the board %s", named(options, OptionStatus, value), named(options, OptionBoard, board))
		}
		return err
	}
	return nil
}

// Named returns the settings with every name as the options have it. A name
// that was given, and is another, is a *fault.Error on its field.
func (s Settings) Named(options []psa.Option) (psa.Settings, error) {
	for _, c := range s.choices() {
		if c.ID == 0 {
			continue
		}
		name, err := psa.NameOption(options, c.option, strconv.FormatInt(c.ID, 10), "", c.Name, c.option+".name")
		if err != nil {
			return nil, err
		}
		c.Name = name
	}
	return s, nil
}

// named is what people call a value, quoted, or else the value.
func named(options []psa.Option, option, value string) string {
	for _, o := range options {
		for _, v := range o.Values {
			if o.Name == option && v.Value == value {
				return strconv.Quote(v.Label)
			}
		}
	}
	return value
}
