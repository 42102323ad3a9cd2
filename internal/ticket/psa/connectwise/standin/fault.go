package standin

import (
	"net/http"
	"path"
	"strconv"
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
	Invalid500     Action = "INVALID_500"     // a 500 that says what is invalid, and nothing was executed
	InUse          Action = "IN_USE"          // a 409: somebody else has the record open
	Throttle       Action = "THROTTLE"        // a 429, with Retry-After unless that is 0
	HTML           Action = "HTML"            // a 200 with a page in HTML and nothing was executed
	Unauthorized   Action = "UNAUTHORIZED"    // a 401
	NotFound       Action = "NOT_FOUND"       // a 404 in JSON, which in the cloud may mean anything
	Elsewhere      Action = "ELSEWHERE"       // a redirect to another host
	StaleList      Action = "STALE_LIST"      // a list of tickets without those made since the fault was set
)

func (a Action) commits() bool {
	switch a {
	case CommitDrop, Commit500, CommitSlow, CommitTruncate, CommitHTML, CommitGarbage, StaleList:
		return true
	}
	return false
}

// Fault strikes requests that match it.
type Fault struct {
	Method     string // empty for any
	Path       string // below /{codebase}/apis/3.0, or whole beside it, as in path.Match: "/service/tickets/*/notes"; empty for any
	PublicKey  string // of one account; empty for any
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
	if (f.Method != "" && f.Method != r.Method) || (f.PublicKey != "" && f.PublicKey != r.PublicKey) {
		return false
	}
	if f.Action == StaleList && r.Path != "/service/tickets/search" && (r.Method != http.MethodGet || r.Path != "/service/tickets") {
		return false
	}
	if f.Path == "" {
		return true
	}
	ok, err := path.Match(f.Path, r.Path)
	return ok && err == nil
}

const signInPage page = `<!DOCTYPE html><html><head><title>Sign in to ConnectWise PSA</title></head><body><form><input type="password"></form></body></html>`

// write answers a struck request; reply is the answer that a committed one
// would have had.
func (f *Fault) write(w http.ResponseWriter, r *http.Request, reply answer) {
	switch f.Action {
	case CommitDrop, Drop:
		panic(http.ErrAbortHandler) // net/http's way to end a connection without an answer
	case Commit500, Fail500:
		w.WriteHeader(http.StatusInternalServerError)
	case Invalid500:
		reply = invalid("ticket", problem{"Undefined", "An undefined validation error occurred.", ""})
		reply.status = http.StatusInternalServerError
		reply.write(w)
	case CommitSlow:
		var late <-chan time.Time
		if f.Delay > 0 {
			timer := time.NewTimer(f.Delay)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-r.Context().Done():
		case <-late:
			reply.write(w)
		}
	case CommitTruncate:
		raw, _ := reply.bytes()
		w.Header().Set("Content-Type", vendorMedia+"; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
		_, _ = w.Write(raw[:len(raw)/2]) //nolint:gosec // JSON, and not a page
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case CommitGarbage:
		answer{status: http.StatusOK, body: object{"hello": "world"}}.write(w)
	case CommitHTML, HTML:
		answer{status: http.StatusOK, body: signInPage}.write(w)
	case Throttle:
		tooMany(f.RetryAfter).write(w)
	case Unauthorized:
		refused(http.StatusUnauthorized, "Unauthorized", "Authentication failed.").write(w)
	case NotFound:
		refused(http.StatusNotFound, "NotFound", "Resource not found.").write(w)
	case InUse:
		refused(http.StatusConflict, "RecordInUse", "The record is in use by another member.").write(w)
	case Elsewhere:
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	case StaleList:
		reply.write(w)
	default:
		http.Error(w, "unknown fault", http.StatusInternalServerError)
	}
}
