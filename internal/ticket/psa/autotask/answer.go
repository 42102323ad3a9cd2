package autotask

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Autotask says in words what others say with a status. Only the first is
// documented as a code.
var (
	// threshold is a limit that was hit, of threads or of requests: nothing was
	// executed.
	threshold = regexp.MustCompile(`(?i)itgenatr005|thread threshold|request threshold|threshold\b.{0,80}\bexceeded|exceeded\b.{0,80}\bthreshold`)
	// permission is a right that the API user lacks.
	permission = regexp.MustCompile(`(?i)adequate permission|you do not have (the )?permission|not have permission to (create|update|query|view|edit)`)
	// broken is a failure of the vendor's own that says nothing about what was
	// asked, or whether it was done.
	broken = regexp.MustCompile(`(?i)\btime(d)?[ -]?out\b|deadlock|unexpected error|unhandled|internal server error|try again`)
)

// explain reads Autotask's error answers.
func explain(_ psa.Call, answer psa.Answer) (psa.Class, string) {
	text := ErrorText(answer.Body)
	switch {
	case text == "" || answer.Status < 400:
		return "", text
	case threshold.MatchString(text):
		return psa.Throttled, text
	case answer.Status > http.StatusInternalServerError:
		return "", text
	case permission.MatchString(text):
		return psa.Auth, text
	case answer.Status < http.StatusInternalServerError:
		return "", text
	case broken.MatchString(text):
		return psa.Uncertain, text
	default:
		return psa.Permanent, text
	}
}

// explainDiscovery reads the error of a look-up of a zone, which is a 500 if
// there is no such user.
func explainDiscovery(call psa.Call, answer psa.Answer) (psa.Class, string) {
	class, text := explain(call, answer)
	if class == psa.Permanent {
		return psa.Auth, text
	}
	return class, text
}

// ErrorText returns what an Autotask error answer says, in one line:
// {"errors": ["…"]} of the API, or {"Message": "…"} of the server around it.
// It returns "" for anything else.
func ErrorText(body []byte) string {
	var shape failed
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	return shape.text()
}

// failed is an error answer. Answers of success embed it too, in case an error
// arrives with a 200.
type failed struct {
	Errors  any `json:"errors"`
	Message any `json:"message"` // in any case of letters
}

func (f failed) text() string {
	return strings.Join(slices.Concat(texts(f.Errors), texts(f.Message)), "; ")
}

// texts flattens a value to its strings.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		if v = strings.Join(strings.Fields(v), " "); v != "" {
			return []string{v}
		}
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, texts(item)...)
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
			out = append(out, texts(v[name])...)
		}
		return out
	}
	return nil
}

// sentence joins words, in order, for people to read.
func sentence(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}
