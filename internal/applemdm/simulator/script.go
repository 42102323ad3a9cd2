package simulator

import (
	"slices"
	"time"
)

// Behaviour is what a device does with a command instead of obeying it well.
type Behaviour string

// The behaviours.
const (
	Fail        Behaviour = "ERROR"                // reports Error, and does nothing
	NotNow      Behaviour = "NOT_NOW"              // reports NotNow, and does nothing
	FormatError Behaviour = "COMMAND_FORMAT_ERROR" // reports CommandFormatError, and does nothing
	Twice       Behaviour = "TWICE"                // obeys, and sends the same report twice
	Late        Behaviour = "LATE"                 // obeys, ends the session, and reports in the next one
	Never       Behaviour = "NEVER"                // obeys, ends the session, and never reports
)

// Script tells a device how to treat commands.
type Script struct {
	RequestType string // empty for any
	Behaviour   Behaviour
	Times       int // how many commands; 0 means one, negative means all
	// Errors is the ErrorChain of Fail; empty means one error of the device's
	// own.
	Errors []Error
}

// Error is an entry of an ErrorChain.
type Error struct {
	Code        int
	Domain      string
	Description string // LocalizedDescription and USEnglishDescription
}

// Codes of MCMDMErrorDomain that a device reports by itself.
const (
	codeNotAuthorized  = 12007 // the device or its owner does not allow it
	codeMalformed      = 12008 // a key is missing or has no sense
	codeReplacement    = 12009 // the profile cannot take the place of the enrolment profile
	codeNotManaged     = 12013 // no such managed profile
	codeUnknownCommand = 12021
)

func mdmError(code int, description string) Error {
	return Error{Code: code, Domain: "MCMDMErrorDomain", Description: description}
}

func chain(errs []Error) []any {
	var entries []any
	for _, e := range errs {
		entries = append(entries, dict{
			"ErrorCode": e.Code, "ErrorDomain": e.Domain,
			"LocalizedDescription": e.Description, "USEnglishDescription": e.Description,
		})
	}
	return entries
}

// script is a Script with what is left of it.
type script struct {
	Script

	left int
}

// Script adds to what the device has been told. Of several that fit a command,
// the oldest counts.
func (d *Device) Script(s Script) {
	left := s.Times
	if left == 0 {
		left = 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scripts = append(d.scripts, &script{Script: s, left: left})
}

// scripted takes what the device has been told about a command.
func (d *Device) scripted(requestType string) Script {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, s := range d.scripts {
		if s.RequestType != "" && s.RequestType != requestType {
			continue
		}
		if s.left > 0 {
			if s.left--; s.left == 0 {
				d.scripts = slices.Delete(d.scripts, i, i+1)
			}
		}
		return s.Script
	}
	return Script{}
}

// Obeyed is a command that a device received, and what it reported.
type Obeyed struct {
	At          time.Time
	CommandUUID string
	RequestType string
	Status      string         // Acknowledged, Error, NotNow or CommandFormatError
	Command     map[string]any // as it was received
	Report      map[string]any // as it was meant, sent or not
}

// maxLog is how many commands a device remembers.
const maxLog = 200

func (d *Device) remember(o Obeyed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.log) == maxLog {
		d.log = slices.Delete(d.log, 0, maxLog/2)
	}
	d.log = append(d.log, o)
}

// Log returns the commands received, oldest first; of very many, the newest.
func (d *Device) Log() []Obeyed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// Obeyed returns the commands of a type that were acknowledged, oldest first.
func (d *Device) Obeyed(requestType string) []Obeyed {
	var found []Obeyed
	for _, o := range d.Log() {
		if o.RequestType == requestType && o.Status == "Acknowledged" {
			found = append(found, o)
		}
	}
	return found
}
