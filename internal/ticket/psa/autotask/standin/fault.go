package standin

import (
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Action is what goes wrong with a request.
type Action = desk.Action

// The actions, as package desk explains them, and Autotask's own.
const (
	CommitDrop     = desk.CommitDrop
	Commit500      = desk.Commit500
	CommitSlow     = desk.CommitSlow
	CommitTruncate = desk.CommitTruncate
	CommitHTML     = desk.CommitHTML
	CommitGarbage  = desk.CommitGarbage
	Drop           = desk.Drop
	Fail500        = desk.Fail500
	Throttle       = desk.Throttle
	HTML           = desk.HTML
	Unauthorized   = desk.Unauthorized
	Elsewhere      = desk.Elsewhere
	StaleQuery     = desk.Stale

	ThreadLimit Action = "THREAD_LIMIT" // Itgenatr005, with the configured status
	Forbid      Action = "FORBID"       // a 500 that speaks of permissions
)

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
}

// Inject sets a fault. Of several that match, the oldest strikes.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Set(desk.Fault{
		Method: f.Method, Path: f.Path, Account: f.Username, Skip: f.Skip, Count: f.Count,
		Action: f.Action, RetryAfter: f.RetryAfter, Delay: f.Delay,
	}, s.lastID)
}

// Mend removes all faults.
func (s *Server) Mend() { s.faults.Clear() }

// Struck is how many requests faults have struck.
func (s *Server) Struck() int { return s.faults.Struck() }

const errorPage = `<!DOCTYPE html><html><head><title>Autotask is unavailable</title></head><body><h1>We will be back</h1></body></html>`

// own is how Autotask words what a fault makes it say.
func (s *Server) own(f desk.Fault) desk.Reply {
	switch f.Action {
	case CommitGarbage:
		return desk.JSON(http.StatusOK, object{"hello": "world"})
	case CommitHTML, HTML:
		return desk.Text(errorPage)
	case Throttle:
		return desk.JSON(http.StatusTooManyRequests, object{"errors": []string{"Too many requests."}}).After(f.RetryAfter)
	case ThreadLimit:
		return s.limited(threadText(3)).reply()
	case Forbid:
		return refuse("The logged in Resource does not have the adequate permissions to perform this action.").reply()
	case Unauthorized:
		return desk.Reply{Status: http.StatusUnauthorized}
	}
	return desk.Reply{}
}
