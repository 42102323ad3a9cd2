package message

import "github.com/bailiwick/bailiwick/internal/applemdm/plist"

// Status is what a device says of the command it was given last.
type Status string

// The statuses of Apple's protocol.
const (
	Idle               Status = "Idle"               // none was given: it asks for one
	Acknowledged       Status = "Acknowledged"       // done, or accepted where it takes time
	Failed             Status = "Error"              // see the error chain
	CommandFormatError Status = "CommandFormatError" // the device does not understand the command
	NotNow             Status = "NotNow"             // cannot be done now; the device asks again by itself
)

// Report is what a device sends to the server's command endpoint.
type Report struct {
	Enrollment
	Status      Status
	CommandUUID string // of the command reported on; empty with Idle
	RequestType string // of that command; most systems leave it out
	ErrorChain  []ErrorChainItem
}

// ErrorChainItem is one error of a failed command, the first being the outermost.
type ErrorChainItem struct {
	ErrorCode            int64
	ErrorDomain          string
	LocalizedDescription string
	USEnglishDescription string
}

// DecodeReport reads a report; package result reads what the command answered.
// Its errors are those of package plist and *[InvalidError]. Errors of a chain
// past the sixteenth are dropped.
func DecodeReport(body []byte) (*Report, error) {
	var r Report
	if !r.fill(body) {
		if err := plist.Decode(body, &r); err != nil {
			return nil, err
		}
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	switch r.Status {
	case Idle:
		r.CommandUUID = "" // it reports on none, whatever else it says
	case Acknowledged, Failed, CommandFormatError, NotNow:
		if !printable(r.CommandUUID, maxCommand) {
			return nil, invalid("CommandUUID", "not a short printable text")
		}
	default:
		return nil, invalid("Status", "unknown")
	}
	if r.RequestType != "" && !printable(r.RequestType, maxCommand) {
		return nil, invalid("RequestType", "not a short printable text")
	}
	r.ErrorChain = r.ErrorChain[:min(len(r.ErrorChain), maxErrorChain)]
	for i := range r.ErrorChain {
		item := &r.ErrorChain[i]
		clip(&item.ErrorDomain, &item.LocalizedDescription, &item.USEnglishDescription)
	}
	return &r, nil
}

// fill reads what most reports are: a few texts, and nothing that takes a
// decoder. It reports false, and changes nothing, for any other.
func (r *Report) fill(body []byte) bool {
	texts, ok := plist.Flat(body)
	if !ok {
		return false
	}
	var read Report
	for _, text := range texts {
		switch text.Key {
		case "UDID":
			read.UDID = text.Value
		case "EnrollmentID":
			read.EnrollmentID = text.Value
		case "UserID":
			read.UserID = text.Value
		case "EnrollmentUserID":
			read.EnrollmentUserID = text.Value
		case "UserShortName":
			read.UserShortName = text.Value
		case "UserLongName":
			read.UserLongName = text.Value
		case "Status":
			read.Status = Status(text.Value)
		case "CommandUUID":
			read.CommandUUID = text.Value
		case "RequestType":
			read.RequestType = text.Value
		case "ErrorChain": // a list: the decoder says what is wrong
			return false
		}
	}
	*r = read
	return true
}
