package syncro

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// explain reads Syncro's error answers. Their class is that of the status.
func explain(_ psa.Call, answer psa.Answer) (psa.Class, string) {
	return "", ErrorText(answer.Body)
}

// ErrorText returns what a Syncro error answer says, in one line. Syncro has
// three shapes: {"error": "…"}, {"success": false, "message": ["…"]} and
// {"errors": …} with a string, a list, or lists by field. It returns "" for
// anything else.
func ErrorText(body []byte) string {
	var shape failed
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	return shape.text()
}

// failed is the union of the three shapes. Answers of success embed it too,
// in case an error arrives with a 200.
type failed struct {
	Error   any `json:"error"`
	Message any `json:"message"`
	Errors  any `json:"errors"`
}

func (f failed) text() string {
	var parts []string
	for _, v := range []any{f.Error, f.Message, f.Errors} {
		parts = append(parts, texts("", v)...)
	}
	return strings.Join(parts, "; ")
}

// texts flattens a value to its strings, each preceded by the field it is for.
func texts(field string, v any) []string {
	switch v := v.(type) {
	case string:
		v = strings.Join(strings.Fields(v), " ")
		if v == "" {
			return nil
		}
		if field != "" && field != "base" {
			return []string{field + " " + v}
		}
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, texts(field, item)...)
		}
		return out
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		var out []string
		for _, name := range names {
			out = append(out, texts(name, v[name])...)
		}
		return out
	}
	return nil
}
