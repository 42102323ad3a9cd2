package simulator

import (
	"context"
	"errors"
	"fmt"
)

// maxCommands bounds a session: a server that offers more than this is stuck.
const maxCommands = 1000

// Connect is a session, as after a push: Idle, and then a report for each
// command, until the server has none left. It returns the number of commands
// received. A device that was told to synchronize its declarations does so at
// the end.
func (d *Device) Connect(ctx context.Context) (int, error) {
	d.session.Lock()
	defer d.session.Unlock()
	if err := d.reachable(); err != nil {
		return 0, err
	}
	received, err := d.talk(ctx)
	if err != nil {
		return received, err
	}
	return received, d.synchronizeIfAsked(ctx)
}

func (d *Device) reachable() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.state.PoweredOff, d.state.Locked && d.config.Hardware.Kind.Mac():
		return ErrUnreachable
	case d.enrolment == nil:
		return ErrNotEnrolled
	}
	return nil
}

func (d *Device) talk(ctx context.Context) (received int, err error) {
	answer, err := d.open(ctx)
	for err == nil && len(answer) > 0 {
		if received == maxCommands {
			return received, fmt.Errorf("simulator: more than %d commands in one session", maxCommands)
		}
		received++
		answer, err = d.take(ctx, answer)
	}
	return received, err
}

// open begins a session: with the reports that are late, or with Idle.
func (d *Device) open(ctx context.Context) ([]byte, error) {
	d.mu.Lock()
	late := d.late
	d.late = nil
	d.mu.Unlock()
	var answer []byte
	for _, report := range late {
		var err error
		if answer, err = d.exchange(ctx, false, report); err != nil {
			return nil, err
		}
	}
	if len(late) > 0 {
		return answer, nil
	}
	idle, err := d.report(dict{"Status": "Idle"})
	if err != nil {
		return nil, err
	}
	return d.exchange(ctx, false, idle)
}

// report makes a message to the server's command URL.
func (d *Device) report(content dict) ([]byte, error) {
	e := d.current()
	if e == nil {
		return nil, ErrNotEnrolled
	}
	return encodePlist(d.identified(e, content))
}

// take obeys a command, or does what the script says, and returns the answer to
// its report: the next command, or nothing.
func (d *Device) take(ctx context.Context, answer []byte) ([]byte, error) {
	message, err := decodePlist(answer)
	if err != nil {
		return nil, err
	}
	command := get[dict](message, "Command")
	o := Obeyed{
		At: d.config.Clock(), CommandUUID: get[string](message, "CommandUUID"),
		RequestType: get[string](command, "RequestType"), Command: command,
	}
	if o.CommandUUID == "" || o.RequestType == "" {
		return nil, errors.New("simulator: a command has no CommandUUID or RequestType")
	}
	script := d.scripted(o.RequestType)
	r := d.respond(ctx, script, o)
	o.Status, o.Report = r.status, r.content
	content := merge(r.content, dict{"Status": r.status, "CommandUUID": o.CommandUUID})
	body, err := d.report(content)
	if err != nil {
		return nil, err
	}
	d.remember(o)
	return d.deliver(ctx, script.Behaviour, body, r)
}

// deliver sends a report as the script says, and does what comes after it.
func (d *Device) deliver(ctx context.Context, behaviour Behaviour, body []byte, r response) ([]byte, error) {
	if r.instead != nil {
		return nil, r.instead(ctx)
	}
	var next []byte
	var err error
	switch behaviour {
	case Late:
		d.mu.Lock()
		d.late = append(d.late, body)
		d.mu.Unlock()
	case Never:
	case Twice:
		if _, err = d.exchange(ctx, false, body); err == nil {
			next, err = d.exchange(ctx, false, body)
		}
	case Fail, NotNow, FormatError, "":
		next, err = d.exchange(ctx, false, body)
	default:
		return nil, fmt.Errorf("simulator: unknown behaviour %q", behaviour)
	}
	if err == nil && r.after != nil {
		r.after()
		return nil, nil // what it did has ended the session
	}
	return next, err
}

// respond decides on a report.
func (d *Device) respond(ctx context.Context, s Script, o Obeyed) response {
	switch s.Behaviour {
	case Fail:
		if len(s.Errors) == 0 {
			return refuse(codeNotAuthorized, "The device was told to refuse.")
		}
		return response{status: "Error", content: dict{"ErrorChain": chain(s.Errors)}}
	case NotNow:
		return response{status: "NotNow"}
	case FormatError:
		r := refuse(codeMalformed, "The device was told to find the command malformed.")
		r.status = "CommandFormatError"
		return r
	case Twice, Late, Never, "":
	}
	return d.obey(ctx, o)
}

// response is what a command led to.
type response struct {
	status  string
	content dict
	after   func()                      // done once the report is out, and ends the session
	instead func(context.Context) error // done instead of a report, and ends the session
}

func acknowledge(content dict) response { return response{status: "Acknowledged", content: content} }

func refuse(code int, description string) response {
	return response{status: "Error", content: dict{"ErrorChain": chain([]Error{mdmError(code, description)})}}
}
