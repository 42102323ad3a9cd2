package desk

import (
	"net/http"
	"path"
	"sync"
	"time"
)

// Action is what goes wrong with a request. A stand-in may have more than these.
type Action string

// The actions that every stand-in knows. Those that begin with Commit execute
// the request first, as a vendor does whose answer gets lost.
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
	HTML           Action = "HTML"            // a 200 with a page in HTML and nothing was executed
	Unauthorized   Action = "UNAUTHORIZED"    // a 401
	Elsewhere      Action = "ELSEWHERE"       // a redirect to another host
	Stale          Action = "STALE"           // a search of tickets without those made since the fault was set
)

// Commits reports whether the request is executed all the same.
func (a Action) Commits() bool {
	switch a {
	case CommitDrop, Commit500, CommitSlow, CommitTruncate, CommitHTML, CommitGarbage, Stale:
		return true
	}
	return false
}

// Fault strikes requests that match it.
type Fault struct {
	Method     string // empty for any
	Path       string // as a Request has it, a pattern as in path.Match; empty for any
	Account    string // empty for any
	Skip       int    // matching requests let through first
	Count      int    // requests struck; 0 means one, negative means all
	Action     Action
	RetryAfter time.Duration
	Delay      time.Duration
}

func (f Fault) matches(r Request) bool {
	if (f.Method != "" && f.Method != r.Method) || (f.Account != "" && f.Account != r.Account) || (f.Action == Stale && !r.Search) {
		return false
	}
	if f.Path == "" {
		return true
	}
	ok, err := path.Match(f.Path, r.Path)
	return ok && err == nil
}

// Struck is a fault that has struck a request.
type Struck struct {
	Fault

	Newest int64 // the highest id when the fault was set: all that a stale search knows
}

// armed is a fault with what is left of it.
type armed struct {
	Struck

	skip, left int
}

// Faults are those that have been set. The zero value holds none; it is safe
// for concurrent use.
type Faults struct {
	mu     sync.Mutex
	armed  []*armed
	struck int
}

// Set adds a fault; newest is the highest id so far.
func (s *Faults) Set(f Fault, newest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := f.Count
	if left == 0 {
		left = 1
	}
	s.armed = append(s.armed, &armed{Struck: Struck{Fault: f, Newest: newest}, skip: f.Skip, left: left})
}

// Clear removes all faults.
func (s *Faults) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
}

// Struck is how many requests have been struck.
func (s *Faults) Struck() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.struck
}

// Strike returns what strikes a request, or nil. Of several faults that match,
// it is the oldest.
func (s *Faults) Strike(r Request) *Struck {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.armed {
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
		s.struck++
		struck := f.Struck
		return &struck
	}
	return nil
}

// Write answers a struck request. The reply is what a committed one would have
// had; own is the vendor's answer where an action leaves that to the vendor,
// and of status 0 if it knows no such action.
func (s *Struck) Write(w http.ResponseWriter, r *http.Request, reply Reply, own func(Fault) Reply) {
	switch s.Action {
	case CommitDrop, Drop:
		panic(http.ErrAbortHandler) // net/http's way to end a connection without an answer
	case Commit500, Fail500:
		w.WriteHeader(http.StatusInternalServerError)
	case CommitSlow:
		if s.late(r) {
			reply.Write(w)
		}
	case CommitTruncate:
		reply.truncate(w)
		panic(http.ErrAbortHandler)
	case Elsewhere:
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	case Stale:
		reply.Write(w)
	default:
		if reply = own(s.Fault); reply.Status == 0 {
			http.Error(w, "unknown fault", http.StatusInternalServerError)
			return
		}
		reply.Write(w)
	}
}

// late passes the delay and reports whether the client is still there.
func (s *Struck) late(r *http.Request) bool {
	var due <-chan time.Time
	if s.Delay > 0 {
		timer := time.NewTimer(s.Delay)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-r.Context().Done():
		return false
	case <-due:
		return true
	}
}
