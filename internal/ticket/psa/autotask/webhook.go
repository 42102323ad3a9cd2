package autotask

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendor's choice; an HMAC does not need collision resistance
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// SignatureHeader is the header of a webhook call that holds its signature.
const SignatureHeader = "X-Hook-Signature"

// MaxWebhook bounds the body of a webhook call, in bytes. Autotask sends a
// ticket's subscribed fields, of which the longest hold 32,000 characters.
const MaxWebhook = 1 << 20

// Verify reports whether the signature of a webhook call was made with the
// secret over its body: "sha1=" and the base64 of an HMAC-SHA1. Autotask has
// been seen to sign the body as sent, and with everything beyond ASCII written
// as \uXXXX; both say the same, so both count. It takes the same time whatever
// the signature. Nothing verifies with an empty secret.
func Verify(secret, signature string, body []byte) bool {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(signature), "sha1=")
	if !ok || secret == "" || len(body) > MaxWebhook {
		return false
	}
	given, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(given) != sha1.Size {
		return false
	}
	good := false
	for _, form := range forms(body) {
		good = hmac.Equal(sign(secret, form), given) || good
	}
	return good
}

// Signature signs a body as Autotask does.
func Signature(secret string, body []byte) string {
	return "sha1=" + base64.StdEncoding.EncodeToString(sign(secret, body))
}

func sign(secret string, body []byte) []byte {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}

// forms are the bytes that may have been signed.
func forms(body []byte) [][]byte {
	all := [][]byte{body}
	if !utf8.Valid(body) {
		return all
	}
	for _, digit := range []string{`\u%04x`, `\u%04X`} {
		if escaped := escape(body, digit); len(escaped) != len(body) {
			all = append(all, escaped)
		}
	}
	return all
}

func escape(body []byte, form string) []byte {
	out := make([]byte, 0, len(body))
	for _, r := range string(body) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, form, unit)
		}
	}
	return out
}

// Action is what happened to a record.
type Action string

// The actions. A call about a deactivation is not signed: it is a reason to
// look at the webhook, and to believe nothing.
const (
	Created     Action = "Create"
	Updated     Action = "Update"
	Deleted     Action = "Delete"
	Deactivated Action = "Deactivated"
)

// TicketEntity is the entity of an event about a ticket.
const TicketEntity = "Ticket"

// Event is what a webhook call says. Of a ticket, it is a reason to read the
// ticket: its fields are not part of it, because by the time they arrive they
// may be out of date.
type Event struct {
	Action   Action
	Webhook  string // the GUID of the webhook that called
	Entity   string // "Ticket"
	ID       string // of the record; empty for a deactivation
	PersonID string // who did it: the API user's own resource id is our echo; empty if unknown
	Sequence int64  // ascends within a webhook
	At       time.Time
}

// ParseEvent reads the body of a webhook call, whose signature the caller has
// verified.
func ParseEvent(body []byte) (Event, error) {
	var raw struct {
		Action         Action
		GUID           string `json:"Guid"`
		EntityType     string
		ID             anyID `json:"Id"`
		PersonID       anyID
		SequenceNumber int64
		EventTime      moment
	}
	if len(body) > MaxWebhook {
		return Event{}, errors.New("autotask webhook: body is too long")
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return Event{}, fmt.Errorf("autotask webhook: %w", err)
	}
	e := Event{
		Action: raw.Action, Webhook: raw.GUID, Entity: raw.EntityType, ID: string(raw.ID), PersonID: string(raw.PersonID),
		Sequence: raw.SequenceNumber, At: time.Time(raw.EventTime),
	}
	if e.Webhook == "" || len(e.Webhook) > 100 || len(e.Entity) > 100 {
		return Event{}, errors.New("autotask webhook: no GUID, or one too long")
	}
	switch e.Action {
	case Created, Updated, Deleted:
		if e.Entity == "" || e.ID == "" {
			return Event{}, errors.New("autotask webhook: names no record")
		}
	case Deactivated:
		e.ID = ""
	default:
		return Event{}, errors.New("autotask webhook: unknown action")
	}
	return e, nil
}

// anyID is an id that arrives as a number or as text; empty if there is none.
type anyID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *anyID) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" || text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return errors.New("an id is not a number")
	}
	*id = anyID(strconv.FormatInt(n, 10))
	return nil
}
