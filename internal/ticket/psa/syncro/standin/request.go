package standin

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// readBody takes the body of a call, or says what is wrong with it.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	raw, status := desk.Body(w, r)
	if status == 0 {
		return raw, nil
	}
	text := map[int]string{
		http.StatusRequestEntityTooLarge: "Request too large",
		http.StatusUnsupportedMediaType:  "Content-Type must be application/json",
		http.StatusBadRequest:            "There was a problem in the JSON you submitted",
	}[status]
	return nil, &answer{status, object{"error": text}}
}

// decode fills a request's struct. The refusal has Syncro's third shape, errors
// by field.
func decode(raw []byte, into any) *answer {
	field, err := desk.Decode(raw, into)
	if err == nil {
		return nil
	}
	return &answer{http.StatusUnprocessableEntity, object{"errors": object{cmp.Or(field, "base"): []string{err.Error()}}}}
}

func unauthorized() answer {
	return answer{http.StatusUnauthorized, object{"error": "Unauthorized"}}
}

// refuse is Syncro's answer to values that a record cannot have.
func refuse(messages ...string) answer {
	return answer{http.StatusUnprocessableEntity, object{"success": false, "message": messages}}
}

// paged cuts a list to the page that the query asks for, and says where it is.
func paged[T any](all []T, query url.Values) ([]T, object) {
	page, err := strconv.Atoi(query.Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	pages := max((len(all)+perPage-1)/perPage, 1)
	start := min((page-1)*perPage, len(all))
	end := min(start+perPage, len(all))
	return all[start:end], object{"total_pages": pages, "total_entries": len(all), "per_page": perPage, "page": page}
}

// parseTime reads a date or a time.
func parseTime(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, text)
}

func idOf(r *http.Request) int64 {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
