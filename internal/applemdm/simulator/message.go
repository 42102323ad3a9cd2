package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// Content types of the MDM protocol.
const (
	checkInType = "application/x-apple-aspen-mdm-checkin"
	connectType = "application/x-apple-aspen-mdm"
)

// maxRefusal is how much of a refusal is kept, in bytes.
const maxRefusal = 4 << 10

// RefusedError is an answer other than 200.
type RefusedError struct {
	Status int
	Body   []byte // its beginning
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("simulator: the server answered %d", e.Status)
}

// unenrolls reports whether the answer tells the device to forget the server.
func (e *RefusedError) unenrolls() bool {
	if e.Status == http.StatusUnauthorized {
		return true
	}
	if e.Status != http.StatusForbidden {
		return false
	}
	var answer struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(e.Body, &answer) == nil {
		return answer.Code == "com.apple.unrecognized.device"
	}
	d, err := decodePlist(e.Body)
	return err == nil && get[string](d, "code") == "com.apple.unrecognized.device"
}

// sent is a request as it went out.
type sent struct {
	url    string
	header http.Header
	body   []byte
}

// identified begins a message with what the server knows the device by.
func (d *Device) identified(e *enrolment, rest dict) dict {
	m := dict{"UDID": d.config.Hardware.UDID}
	if e.id != "" {
		m = dict{"EnrollmentID": e.id}
	}
	maps.Copy(m, rest)
	return m
}

// prepare makes the request for a body.
func (d *Device) prepare(e *enrolment, checkIn bool, body []byte) (*sent, error) {
	s := &sent{url: e.profile.MDM.ServerURL, header: http.Header{"Content-Type": {connectType}}, body: body}
	if checkIn {
		s.url = e.profile.MDM.CheckInURL
		s.header.Set("Content-Type", checkInType)
	}
	if d.config.Header != nil {
		maps.Copy(s.header, d.config.Header(e.identity.Certificate))
	}
	if e.profile.MDM.SignMessage {
		signature, err := e.identity.Sign(body, d.config.Clock())
		if err != nil {
			return nil, err
		}
		s.header.Set("Mdm-Signature", signature)
	}
	return s, nil
}

// put sends a request and returns its answer, whatever its status.
func (d *Device) put(ctx context.Context, client *http.Client, s *sent) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url, bytes.NewReader(s.body))
	if err != nil {
		return 0, nil, fmt.Errorf("simulator: %w", err)
	}
	request.Header = s.header.Clone()
	request.Header.Set("User-Agent", d.agent())
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("simulator: %w", err)
	}
	defer response.Body.Close()
	limit := int64(maxAnswer + 1)
	if response.StatusCode != http.StatusOK {
		limit = maxRefusal
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	if err != nil {
		return 0, nil, fmt.Errorf("simulator: read answer: %w", err)
	}
	return response.StatusCode, body, nil
}

// agent is the User-Agent of a device's MDM client.
func (d *Device) agent() string {
	if d.config.Hardware.Kind.Mac() {
		return "mdmclient/1000"
	}
	return "MDM/1.0"
}

// exchange sends a message of the current enrolment and returns the answer. One
// that unenrols is obeyed.
func (d *Device) exchange(ctx context.Context, checkIn bool, body []byte) ([]byte, error) {
	e := d.current()
	if e == nil {
		return nil, ErrNotEnrolled
	}
	s, err := d.prepare(e, checkIn, body)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.last = s
	d.mu.Unlock()
	status, answer, err := d.put(ctx, e.client, s)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		return answer, nil
	}
	refused := &RefusedError{Status: status, Body: answer}
	if refused.unenrolls() {
		d.unenroll()
	}
	return nil, refused
}

// checkIn sends a check-in message.
func (d *Device) checkIn(ctx context.Context, messageType string, rest dict) ([]byte, error) {
	e := d.current()
	if e == nil {
		return nil, ErrNotEnrolled
	}
	message := d.identified(e, rest)
	message["MessageType"] = messageType
	body, err := encodePlist(message)
	if err != nil {
		return nil, err
	}
	return d.exchange(ctx, true, body)
}
