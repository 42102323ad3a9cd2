package syncro

import (
	"strconv"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Settings is Syncro's part of an alert's configuration.
type Settings struct {
	ProblemType string `json:"problemType"`        // required
	Priority    string `json:"priority,omitempty"` // "2 Normal"; empty leaves it to Syncro
	Status      string `json:"status,omitempty"`   // empty means New
	UserID      int64  `json:"userId,omitempty"`   // the technician; 0 for nobody
	Username    string `json:"username,omitempty"` // as it was when the choice was made; the id alone counts
}

// The names of Syncro's options.
const (
	OptionProblemType = "problemType"
	OptionPriority    = "priority"
	OptionStatus      = "status"
	OptionUser        = "userId"
)

var _ psa.Settings = Settings{}

// Kind implements psa.Settings.
func (Settings) Kind() psa.Kind { return psa.Syncro }

// Validate implements psa.Settings.
func (s Settings) Validate() error {
	if s.ProblemType == "" {
		return fault.Invalid("problemType", "Syncro needs a problem type")
	}
	if s.UserID < 0 {
		return fault.Invalid("userId", "a user id is positive")
	}
	if s.UserID == 0 && s.Username != "" {
		return fault.Invalid("userId", "is missing: a user's name alone assigns nobody")
	}
	for field, value := range map[string]string{"username": s.Username, "problemType": s.ProblemType, "priority": s.Priority, "status": s.Status} {
		if len(value) > maxChoice {
			return fault.Invalid(field, "longer than %d bytes", maxChoice)
		}
	}
	return nil
}

const maxChoice = 255

// Check implements psa.Settings.
func (s Settings) Check(options []psa.Option) error {
	if err := s.Validate(); err != nil {
		return err
	}
	user := ""
	if s.UserID != 0 {
		user = strconv.FormatInt(s.UserID, 10)
	}
	for _, c := range []struct{ option, value string }{
		{OptionProblemType, s.ProblemType}, {OptionPriority, s.Priority}, {OptionStatus, s.Status}, {OptionUser, user},
	} {
		if c.value == "" {
			continue
		}
		if err := psa.CheckOption(options, c.option, c.value, "", c.option); err != nil {
			return err
		}
	}
	return nil
}

// Named returns the settings with the technician's name as the options have
// it. A name that was given, and is another, is a *fault.Error.
func (s Settings) Named(options []psa.Option) (psa.Settings, error) {
	if s.UserID == 0 {
		return s, nil
	}
	var err error
	s.Username, err = psa.NameOption(options, OptionUser, strconv.FormatInt(s.UserID, 10), "", s.Username, "username")
	return s, err
}
