package standin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// readBody takes the body of a call, or says what is wrong with it.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	raw, status := desk.Body(w, r)
	switch status {
	case 0:
		return raw, nil
	case http.StatusRequestEntityTooLarge:
		return nil, &answer{status, object{"Message": "The request entity is too large."}}
	case http.StatusUnsupportedMediaType:
		return nil, &answer{status, object{"Message": "The request contains an entity body but no supported Content-Type header."}}
	default:
		return nil, refused("Unable to parse the request body as JSON.")
	}
}

// decode fills a request's struct, whose fields are all that the API knows, to
// the letter; further names in ignored are accepted and of no consequence.
func decode(raw []byte, into any, ignored ...string) *answer {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(raw, &sent); err != nil {
		return refused("The request body is not an object.")
	}
	for _, name := range ignored {
		delete(sent, name)
	}
	known := map[string]bool{}
	for i, t := 0, reflect.TypeOf(into).Elem(); i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	for name := range sent {
		if !known[name] {
			return refused("Could not find member '" + name + "' on the object.")
		}
	}
	rest, err := json.Marshal(sent)
	if err != nil {
		return refused("The request body cannot be read.")
	}
	if _, err := desk.Decode(rest, into); err != nil {
		return refused("Could not convert a value: " + err.Error())
	}
	return nil
}

func refused(message string) *answer {
	wrong := refuse(message)
	return &wrong
}

// set copies a field that was sent.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// units is a length as Autotask's database counts it.
func units(s string) int { return len(utf16.Encode([]rune(s))) }

func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return -1
	}
	return id
}

// orNull shows an empty value as Autotask does.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
