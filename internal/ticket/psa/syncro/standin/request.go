package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// readBody takes the body of a call, or says what is wrong with it.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &answer{http.StatusRequestEntityTooLarge, object{"error": "Request too large"}}
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &answer{http.StatusUnsupportedMediaType, object{"error": "Content-Type must be application/json"}}
	}
	if !json.Valid(raw) {
		return nil, &answer{http.StatusBadRequest, object{"error": "There was a problem in the JSON you submitted"}}
	}
	return raw, nil
}

// decode fills a request's struct, whose fields are all that the API knows.
// The refusal has Syncro's third shape, errors by field.
func decode(raw []byte, into any) *answer {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		return nil
	}
	field := "base"
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field = wrong.Field
	}
	return &answer{http.StatusUnprocessableEntity, object{"errors": object{field: []string{err.Error()}}}}
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
