package standin

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Action is what goes wrong with a request.
type Action string

// The actions. Those that begin with Commit execute the request first, as a
// vendor does whose answer gets lost.
const (
	CommitDrop     Action = "COMMIT_DROP"     // the connection ends without an answer
	Commit500      Action = "COMMIT_500"      // an answer of 500 without a body
	CommitSlow     Action = "COMMIT_SLOW"     // the answer comes after Delay; 0 waits until the client has gone
	CommitTruncate Action = "COMMIT_TRUNCATE" // a 200 that ends in the middle
	CommitHTML     Action = "COMMIT_HTML"     // a 200 with a page in HTML
	CommitGarbage  Action = "COMMIT_GARBAGE"  // a 200 with JSON that means nothing
	Drop           Action = "DROP"            // the connection ends and nothing was executed
	Fail500        Action = "FAIL_500"        // a 500 and nothing was executed
	Throttle       Action = "THROTTLE"        // a 429, with Retry-After unless that is 0
	ThreadLimit    Action = "THREAD_LIMIT"    // Itgenatr005, with the configured status
	Forbid         Action = "FORBID"          // a 500 that speaks of permissions
	HTML           Action = "HTML"            // a 200 with a page in HTML and nothing was executed
	Unauthorized   Action = "UNAUTHORIZED"    // a 401
	Elsewhere      Action = "ELSEWHERE"       // a redirect to another host
	StaleQuery     Action = "STALE_QUERY"     // a query of tickets without those made since the fault was set
)

func (a Action) commits() bool {
	switch a {
	case CommitDrop, Commit500, CommitSlow, CommitTruncate, CommitHTML, CommitGarbage, StaleQuery:
		return true
	}
	return false
}

// Fault strikes requests that match it.
type Fault struct {
	Method     string // empty for any
	Path       string // below /v1.0, as in path.Match: "/Tickets/*/Notes"; empty for any
	Username   string // of one account; empty for any
	Skip       int    // matching requests let through first
	Count      int    // requests struck; 0 means one, negative means all
	Action     Action
	RetryAfter time.Duration
	Delay      time.Duration

	newest int64 // the highest id when the fault was set
}

// armed is a fault with what is left of it.
type armed struct {
	Fault
	skip, left int
}

// Inject sets a fault. Of several that match, the oldest strikes.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.newest = s.lastID
	left := f.Count
	if left == 0 {
		left = 1
	}
	s.faults = append(s.faults, &armed{Fault: f, skip: f.Skip, left: left})
}

// Mend removes all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) strike(r Request) *Fault {
	for _, f := range s.faults {
		if f.left == 0 || !f.matches(r) {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.left > 0 {
			f.left--
		}
		struck := f.Fault
		return &struck
	}
	return nil
}

func (f Fault) matches(r Request) bool {
	if (f.Method != "" && f.Method != r.Method) || (f.Username != "" && f.Username != r.Username) {
		return false
	}
	if f.Action == StaleQuery && !strings.HasPrefix(r.Path, "/Tickets/query") {
		return false
	}
	if f.Path == "" {
		return true
	}
	matched, err := path.Match(f.Path, r.Path)
	return matched && err == nil
}

const errorPage = `<!DOCTYPE html><html><head><title>Autotask is unavailable</title></head><body><h1>We will be back</h1></body></html>`

// write answers a struck request; status and raw are the answer that a
// committed one would have had.
func (f *Fault) write(w http.ResponseWriter, r *http.Request, limitStatus, status int, raw []byte) {
	switch f.Action {
	case CommitDrop, Drop:
		panic(http.ErrAbortHandler) // net/http's way to end a connection without an answer
	case Commit500, Fail500:
		w.WriteHeader(http.StatusInternalServerError)
	case CommitSlow:
		if f.Delay > 0 {
			wait(r, f.Delay)
			writeJSON(w, status, raw)
			return
		}
		<-r.Context().Done()
	case CommitTruncate:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
		_, _ = w.Write(raw[:len(raw)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case CommitGarbage:
		writeJSON(w, http.StatusOK, []byte(`{"hello":"world"}`))
	case CommitHTML, HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(errorPage))
	case Throttle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		}
		writeJSON(w, http.StatusTooManyRequests, []byte(`{"errors":["Too many requests."]}`))
	case ThreadLimit:
		writeJSON(w, limitStatus, []byte(`{"errors":["`+threadText(3)+`"]}`))
	case Forbid:
		writeJSON(w, http.StatusInternalServerError, []byte(`{"errors":["The logged in Resource does not have the adequate permissions to perform this action."]}`))
	case Unauthorized:
		w.WriteHeader(http.StatusUnauthorized)
	case Elsewhere:
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	case StaleQuery:
		writeJSON(w, status, raw)
	default:
		http.Error(w, "unknown fault", http.StatusInternalServerError)
	}
}
