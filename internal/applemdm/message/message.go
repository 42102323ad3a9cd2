// Package message holds what a device says to an MDM server: check-in messages
// and reports on commands, and the documents that answer them. Every message is
// bounded and checked when it is decoded: what a caller holds is well formed,
// though not yet known to be true. Source: Apple's device-management schema.
package message

import (
	"errors"
	"strings"
	"unicode"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

// ErrUnknown is a check-in whose MessageType this server does not know.
var ErrUnknown = errors.New("message: unknown message type")

// InvalidError is a message with a value that no device sends.
type InvalidError struct {
	Key    string // of the property list
	Reason string
}

func (e *InvalidError) Error() string { return "message: " + e.Key + ": " + e.Reason }

func invalid(key, reason string) error { return &InvalidError{Key: key, Reason: reason} }

// Checkin is one of *Authenticate, *TokenUpdate, *CheckOut, *UserAuthenticate,
// *SetBootstrapToken, *GetBootstrapToken, *GetToken and *DeclarativeManagement.
type Checkin interface {
	Sender() Enrollment
	sender() *Enrollment
	check() error
}

// Authenticate begins an enrollment, anew if the device was enrolled before.
type Authenticate struct {
	Enrollment
	Topic        string // of the push certificate that the device was enrolled with
	DeviceName   string
	Model        string
	ModelName    string
	ProductName  string
	OSVersion    string
	BuildVersion string
	SerialNumber string // absent under user enrollment
	IMEI         string
	MEID         string
}

func (m *Authenticate) check() error {
	clip(&m.DeviceName, &m.Model, &m.ModelName, &m.ProductName)
	m.SerialNumber = strings.TrimSpace(m.SerialNumber)
	for key, text := range map[string]string{
		"OSVersion": m.OSVersion, "BuildVersion": m.BuildVersion, "SerialNumber": m.SerialNumber,
	} {
		if len(text) > maxID || strings.ContainsFunc(text, unicode.IsControl) { // virtual machines put spaces into their serial number
			return invalid(key, "not a short text")
		}
	}
	if len(m.IMEI) > maxID || len(m.MEID) > maxID { // devices put spaces into both
		return invalid("IMEI", "too long")
	}
	return topic(m.Topic)
}

// TokenUpdate gives what a push needs. What it leaves out is unchanged.
type TokenUpdate struct {
	Enrollment
	Topic                 string
	PushMagic             string
	Token                 []byte // for pushes; not unique among devices
	UnlockToken           []byte // for ClearPasscode; nil if this message does not renew it
	AwaitingConfiguration *bool  // the device waits for DeviceConfigured; nil if not told
	NotOnConsole          bool   // user channel: the user is signed in remotely
}

func (m *TokenUpdate) check() error {
	switch {
	case len(m.Token) == 0 || len(m.Token) > maxPushToken:
		return invalid("Token", "not of 1 to 256 bytes")
	case !printable(m.PushMagic, maxPushMagic):
		return invalid("PushMagic", "not a short printable text")
	case len(m.UnlockToken) > maxEscrow:
		return invalid("UnlockToken", "larger than 16 KiB")
	}
	return topic(m.Topic)
}

// CheckOut says that the MDM profile was removed.
type CheckOut struct {
	Enrollment
	Topic string
}

func (m *CheckOut) check() error { return topic(m.Topic) }

// UserAuthenticate asks for a user channel, first without and then with an
// answer to the server's challenge.
type UserAuthenticate struct {
	Enrollment
	DigestResponse string
}

func (m *UserAuthenticate) check() error {
	if m.ChannelUserID() == "" {
		return invalid("UserID", "missing")
	}
	if len(m.DigestResponse) > 4096 {
		return invalid("DigestResponse", "too long")
	}
	return nil
}

// SetBootstrapToken escrows a Mac's bootstrap token. An empty token withdraws it.
type SetBootstrapToken struct {
	Enrollment
	BootstrapToken        []byte
	AwaitingConfiguration bool
}

func (m *SetBootstrapToken) check() error {
	if len(m.BootstrapToken) > maxEscrow {
		return invalid("BootstrapToken", "larger than 16 KiB")
	}
	return nil
}

// GetBootstrapToken asks for the escrowed token; see [BootstrapToken].
type GetBootstrapToken struct {
	Enrollment
	AwaitingConfiguration bool
}

func (*GetBootstrapToken) check() error { return nil }

// GetToken asks for a token of another service; see [Token].
type GetToken struct {
	Enrollment
	TokenServiceType string // such as com.apple.maid
	TokenParameters  struct {
		SecurityToken string
		PhoneUDID     string
		WatchUDID     string
	}
}

func (m *GetToken) check() error {
	switch p := m.TokenParameters; {
	case !printable(m.TokenServiceType, maxText):
		return invalid("TokenServiceType", "not a short printable text")
	case !identifier(p.PhoneUDID) || !identifier(p.WatchUDID):
		return invalid("TokenParameters", "not an identifier")
	case len(p.SecurityToken) > maxEscrow:
		return invalid("TokenParameters", "larger than 16 KiB")
	}
	return nil
}

// DeclarativeManagement asks for declarations, or reports on them.
type DeclarativeManagement struct {
	Enrollment
	Endpoint string // tokens, declaration-items, status, or declaration/{type}/{identifier}
	Data     []byte // JSON, for status
}

func (m *DeclarativeManagement) check() error {
	if !printable(m.Endpoint, maxEndpoint) {
		return invalid("Endpoint", "not a short printable text")
	}
	return nil
}

func topic(topic string) error {
	if !strings.HasPrefix(topic, topicPrefix) || !printable(topic, maxTopic) {
		return invalid("Topic", "not a topic for device management")
	}
	return nil
}

// DecodeCheckin reads a check-in message. Its errors are those of package plist,
// [ErrUnknown] and *[InvalidError].
func DecodeCheckin(body []byte) (Checkin, error) {
	var e envelope
	if err := plist.Decode(body, &e); err != nil {
		return nil, err
	}
	if e.err != nil {
		return nil, e.err
	}
	sender := e.message.sender()
	if err := sender.check(); err != nil {
		return nil, err
	}
	if err := e.message.check(); err != nil {
		return nil, err
	}
	return e.message, nil
}

// envelope decodes a message of any type, parsing it once.
type envelope struct {
	message Checkin
	err     error
}

// UnmarshalPlist is called by the decoder.
func (e *envelope) UnmarshalPlist(decode func(any) error) error {
	var head struct{ MessageType string }
	if err := decode(&head); err != nil {
		return err
	}
	switch head.MessageType {
	case "Authenticate":
		e.message = new(Authenticate)
	case "TokenUpdate":
		e.message = new(TokenUpdate)
	case "CheckOut":
		e.message = new(CheckOut)
	case "UserAuthenticate":
		e.message = new(UserAuthenticate)
	case "SetBootstrapToken":
		e.message = new(SetBootstrapToken)
	case "GetBootstrapToken":
		e.message = new(GetBootstrapToken)
	case "GetToken":
		e.message = new(GetToken)
	case "DeclarativeManagement":
		e.message = new(DeclarativeManagement)
	default:
		e.err = ErrUnknown
		return nil
	}
	return decode(e.message)
}
