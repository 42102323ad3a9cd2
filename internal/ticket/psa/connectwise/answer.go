package connectwise

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// explain reads ConnectWise's error answers. Their class is that of the status
// but for a record that somebody else has open, which frees itself.
func explain(_ psa.Call, answer psa.Answer) (psa.Class, string) {
	if answer.Status == http.StatusConflict {
		return psa.Uncertain, ErrorText(answer.Body)
	}
	return "", ErrorText(answer.Body)
}

// ErrorText returns what a ConnectWise error answer says, in one line: its
// message, then what is wrong with each field. It returns "" for anything else.
func ErrorText(body []byte) string {
	var shape struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Errors  []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Field   string `json:"field"`
		} `json:"errors"`
	}
	// A part of another type leaves the rest readable.
	if err := json.Unmarshal(body, &shape); err != nil {
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); !other {
			return ""
		}
	}
	var parts []string
	add := func(field, message, code string) {
		text := line(message)
		if text == "" {
			text = line(code)
		}
		if field = line(field); field != "" && text != "" {
			text = field + ": " + text
		}
		if text != "" && len(parts) < maxParts && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	add("", shape.Message, shape.Code)
	for _, e := range shape.Errors {
		add(e.Field, e.Message, e.Code)
	}
	return strings.Join(parts, "; ")
}

// maxParts bounds how many errors of one answer are told.
const maxParts = 50

func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// ref is how ConnectWise names one record in another.
type ref struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// stamp is a time that may be absent or in a form that is not known. A ticket
// that exists must not read as one that does not because of its date.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(raw []byte) error {
	text, err := strconv.Unquote(string(raw))
	if err != nil {
		return nil //nolint:nilerr // a date of another type is an unknown one
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			s.Time = t.UTC()
			return nil
		}
	}
	return nil
}
