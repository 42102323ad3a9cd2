package autotask_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
)

const hookSecret = "0123456789-hook"

// TestVerify: the vendor's two ways to sign, known from outside this package,
// and no other.
func TestVerify(t *testing.T) {
	// RFC 2202, test case 2.
	const key, text, mac = "Jefe", "what do ya want for nothing?", "sha1=7/zfauXrL6LSdBbV8YTfnCWafHk="
	if !autotask.Verify(key, mac, []byte(text)) || autotask.Signature(key, []byte(text)) != mac {
		t.Error("an HMAC-SHA1 of the RFC does not verify")
	}
	body := []byte(`{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":1,"Fields":{"Title":"Müller 😀"}}`)
	for name, signed := range map[string]string{
		"as sent":       string(body),
		"escaped":       strings.NewReplacer("ü", `\u00fc`, "😀", `\ud83d\ude00`).Replace(string(body)),
		"escaped, loud": strings.NewReplacer("ü", `\u00FC`, "😀", `\uD83D\uDE00`).Replace(string(body)),
	} {
		if !autotask.Verify(hookSecret, autotask.Signature(hookSecret, []byte(signed)), body) {
			t.Errorf("%s: does not verify", name)
		}
	}
	good := autotask.Signature(hookSecret, body)
	for name, c := range map[string]struct{ secret, signature, body string }{
		"another secret":    {"other", good, string(body)},
		"another body":      {hookSecret, good, strings.Replace(string(body), "Update", "Delete", 1)},
		"one byte more":     {hookSecret, good, string(body) + " "},
		"no signature":      {hookSecret, "", string(body)},
		"no prefix":         {hookSecret, strings.TrimPrefix(good, "sha1="), string(body)},
		"another algorithm": {hookSecret, strings.Replace(good, "sha1", "sha256", 1), string(body)},
		"cut short":         {hookSecret, "sha1=" + base64.StdEncoding.EncodeToString([]byte("short")), string(body)},
		"empty":             {hookSecret, "sha1=", string(body)},
		"no secret":         {"", autotask.Signature("", body), string(body)},
		"invalid text":      {hookSecret, good, "\xff" + string(body)},
		"far too long":      {hookSecret, good, strings.Repeat("x", autotask.MaxWebhook+1)},
	} {
		if autotask.Verify(c.secret, c.signature, []byte(c.body)) {
			t.Errorf("%s verifies", name)
		}
	}
}

func TestParseEvent(t *testing.T) {
	event, err := autotask.ParseEvent([]byte(`{"Action":"Update","Guid":"79ddb2e8","EntityType":"Ticket","Id":128926,
		"Fields":{"Status":"Complete"},"EventTime":"2026-11-22T10:11:12Z","SequenceNumber":7,"PersonID":29682885}`))
	want := autotask.Event{
		Action: autotask.Updated, Webhook: "79ddb2e8", Entity: autotask.TicketEntity, ID: "128926", PersonID: "29682885", Sequence: 7,
		At: time.Date(2026, 11, 22, 10, 11, 12, 0, time.UTC),
	}
	if err != nil || event != want {
		t.Errorf("%+v, %v", event, err)
	}
	event, err = autotask.ParseEvent([]byte(`{"Action":"Deactivated","Guid":"g","EntityType":"Ticket","Id":null,"EventTime":"2026-11-22T10:11:12.123"}`))
	if err != nil || event.Action != autotask.Deactivated || event.ID != "" || event.PersonID != "" {
		t.Errorf("%+v, %v", event, err)
	}
	for _, body := range []string{
		``, `null`, `{}`, `[]`, `{"Action":"Update","Guid":"g","EntityType":"Ticket"}`, `{"Action":"Update","EntityType":"Ticket","Id":1}`,
		`{"Action":"Explode","Guid":"g","EntityType":"Ticket","Id":1}`, `{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":"../1"}`,
		`{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":-1}`, `{"Action":"Update","Guid":"g","Id":1}`,
		`{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":1.5}`, `{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":1,"EventTime":"soon"}`,
		`{"Action":"Update","Guid":"` + strings.Repeat("g", 101) + `","EntityType":"Ticket","Id":1}`,
		`{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":1,"x":"` + strings.Repeat("x", autotask.MaxWebhook) + `"}`,
	} {
		if event, err := autotask.ParseEvent([]byte(body)); err == nil || event != (autotask.Event{}) {
			t.Errorf("%.100s: %+v, %v", body, event, err)
		}
	}
}

// FuzzWebhook: what verifies says what was signed; nothing else verifies; and
// what parses names a record by a plain number.
func FuzzWebhook(f *testing.F) {
	f.Add([]byte(`{"Action":"Create","Guid":"g","EntityType":"Ticket","Id":"12","PersonID":3}`), "sha1=AAAA", 3)
	f.Add([]byte("{\"Action\":\"Delete\",\"Guid\":\"é😀\",\"EntityType\":\"Ticket\",\"Id\":0}"), "", 20)
	f.Add([]byte("\xff\u2028"), "sha1=", 0)
	f.Fuzz(func(t *testing.T, body []byte, forged string, flip int) {
		good := autotask.Signature(hookSecret, body)
		if len(body) > autotask.MaxWebhook {
			return
		}
		if !autotask.Verify(hookSecret, good, body) {
			t.Fatal("a signed body does not verify")
		}
		if forged != good && autotask.Verify(hookSecret, forged, body) {
			t.Fatalf("%q verifies", forged)
		}
		if utf8.Valid(body) {
			escaped := strings.Builder{}
			for _, r := range string(body) {
				if r < utf8.RuneSelf {
					escaped.WriteRune(r)
				} else {
					ascii := strconv.QuoteToASCII(string(r))
					if len(ascii) != len(`"\u1234"`) || ascii[2] != 'u' {
						return // beyond what Go writes as \u1234
					}
					escaped.WriteString(ascii[1 : len(ascii)-1])
				}
			}
			if !autotask.Verify(hookSecret, autotask.Signature(hookSecret, []byte(escaped.String())), body) {
				t.Fatal("a body that was signed with escapes does not verify")
			}
		}
		if len(body) > 0 {
			at := max(flip, -flip) % len(body)
			if at >= 0 {
				changed := append([]byte(nil), body...)
				changed[at] ^= 1
				if autotask.Verify(hookSecret, good, changed) {
					t.Fatal("a changed body verifies")
				}
			}
		}
		event, err := autotask.ParseEvent(body)
		if err != nil {
			return
		}
		if !json.Valid(body) || event.Webhook == "" || strings.ContainsFunc(event.ID+event.PersonID, func(r rune) bool { return r < '0' || r > '9' }) {
			t.Fatalf("%q reads %+v", body, event)
		}
		if (event.ID == "") != (event.Action == autotask.Deactivated) {
			t.Fatalf("%q reads %+v", body, event)
		}
	})
}
