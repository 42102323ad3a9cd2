package desk

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Reply is a whole answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON is an answer whose body is encoded; a body of nil is null.
func JSON(status int, body any) Reply {
	raw, err := json.Marshal(body)
	if err != nil {
		return Reply{Status: http.StatusInternalServerError, Header: kind("text/plain; charset=utf-8"), Body: []byte("encode answer")}
	}
	return Reply{Status: status, Header: kind("application/json; charset=utf-8"), Body: raw}
}

// Text is an answer of 200 that is a page in HTML.
func Text(page string) Reply {
	return Reply{Status: http.StatusOK, Header: kind("text/html; charset=utf-8"), Body: []byte(page)}
}

func kind(media string) http.Header { return http.Header{"Content-Type": {media}} }

// After adds a Retry-After of whole seconds, rounded up, unless the wait is 0.
func (r Reply) After(wait time.Duration) Reply {
	if wait > 0 {
		r.Header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return r
}

// Write sends the answer.
func (r Reply) Write(w http.ResponseWriter) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the client may have gone; there is nobody left to tell
}

// truncate sends half of the body and promises all of it.
func (r Reply) truncate(w http.ResponseWriter) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("Content-Length", strconv.Itoa(len(r.Body)))
	_, _ = w.Write(r.Body[:len(r.Body)/2])
	_ = http.NewResponseController(w).Flush()
}
