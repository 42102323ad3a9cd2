package message

import "github.com/bailiwick/bailiwick/internal/applemdm/plist"

// Lengths of what a message may carry. Apple publishes none: these are several
// times what devices send.
const (
	maxID         = 64       // characters; a UDID has 25, 36 or 40
	maxText       = 255      // characters of what only describes
	maxPushToken  = 256      // bytes; Apple's are 32 and may grow
	maxPushMagic  = 128      // characters; devices send a UUID
	maxTopic      = 255      // characters
	maxEscrow     = 16 << 10 // bytes of an unlock or bootstrap token; devices send at most a few hundred
	maxCommand    = 64       // characters of a CommandUUID or RequestType
	maxErrorChain = 16       // errors
	maxEndpoint   = 512      // characters
	topicPrefix   = "com.apple.mgmt."
)

// Enrollment says who speaks: a device, or one of its users. A device under
// user enrollment hides its UDID and sends an EnrollmentID instead.
type Enrollment struct {
	UDID             string
	EnrollmentID     string
	UserID           string // a user channel of a device enrollment
	EnrollmentUserID string // a user channel of a user enrollment
	UserShortName    string
	UserLongName     string
}

// Sender returns whose message it is. Every message implements it.
func (e Enrollment) Sender() Enrollment { return e }

func (e *Enrollment) sender() *Enrollment { return e }

// DeviceID identifies the enrolled device: its UDID, which need not be a UUID,
// or the EnrollmentID that stands for it under user enrollment.
func (e Enrollment) DeviceID() string {
	if e.UDID != "" {
		return e.UDID
	}
	return e.EnrollmentID
}

// UserEnrollment reports whether the device hides its UDID.
func (e Enrollment) UserEnrollment() bool { return e.UDID == "" }

// ChannelUserID identifies the user whose channel this is; it is empty on the
// device channel.
func (e Enrollment) ChannelUserID() string {
	if e.UDID != "" {
		return e.UserID
	}
	return e.EnrollmentUserID
}

func (e *Enrollment) check() error {
	if e.DeviceID() == "" {
		return invalid("UDID", "neither UDID nor EnrollmentID is given")
	}
	for key, id := range map[string]string{
		"UDID": e.UDID, "EnrollmentID": e.EnrollmentID, "UserID": e.UserID, "EnrollmentUserID": e.EnrollmentUserID,
	} {
		if !identifier(id) {
			return invalid(key, "not an identifier")
		}
	}
	clip(&e.UserShortName, &e.UserLongName)
	return nil
}

// identifier accepts letters, digits and hyphens: UUIDs, the UDIDs of newer
// devices such as 00008020-000915083C80012E, and the 40 hex digits of older ones.
// It accepts the empty text.
func identifier(id string) bool {
	if len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-') {
			return false
		}
	}
	return true
}

// printable accepts visible ASCII of at most limit characters, and not nothing.
func printable(text string, limit int) bool {
	if text == "" || len(text) > limit {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func clip(texts ...*string) {
	for _, text := range texts {
		*text = plist.Clip(*text, maxText)
	}
}
