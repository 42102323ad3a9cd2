// Package desk is the frame that stand-ins of ticketing systems share: faults
// that strike on purpose, a log of what was asked, limits, and the page that
// shows a person what has arrived. What a vendor's API says is the stand-in's
// own.
package desk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"sync"
)

// Request is one call that arrived.
type Request struct {
	Method  string
	Path    string // below the root of the API
	Account string // what selects the account in credentials; empty if the call was not authenticated
	Search  bool   // it lists tickets
}

// maxLog bounds the log of requests, which a long demonstration fills.
const maxLog = 100_000

// Log is what has arrived. The zero value is empty; it is safe for concurrent
// use.
type Log struct {
	mu       sync.Mutex
	requests []Request
}

// Add appends a call.
func (l *Log) Add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) >= maxLog {
		l.requests = slices.Delete(l.requests, 0, maxLog/2)
	}
	l.requests = append(l.requests, r)
}

// Requests lists the calls of a method to a path, oldest first, whether they
// were answered or not. Empty means any; the path is a pattern as in
// path.Match.
func (l *Log) Requests(method, pattern string) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var matching []Request
	for _, r := range l.requests {
		ok := pattern == ""
		if !ok {
			ok, _ = path.Match(pattern, r.Path) // a malformed pattern matches nothing
		}
		if ok && (method == "" || method == r.Method) {
			matching = append(matching, r)
		}
	}
	return matching
}

// maxBody bounds the body of a call, in bytes.
const maxBody = 1 << 20

// Body takes the body of a call that writes, which must be JSON. If there is
// anything wrong with it, the status says what: 413, 415 or 400; otherwise it
// is 0.
func Body(w http.ResponseWriter, r *http.Request) (raw []byte, status int) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, http.StatusRequestEntityTooLarge
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodPatch {
		return nil, 0
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, http.StatusUnsupportedMediaType
	}
	if !json.Valid(raw) {
		return nil, http.StatusBadRequest
	}
	return raw, 0
}

// Decode fills a request's struct, whose fields are all that the API knows. Of
// a value of the wrong type it names the field.
func Decode(raw []byte, into any) (field string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err = decoder.Decode(into); err == nil {
		return "", nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field = wrong.Field
	}
	return field, err
}
