package standin

import (
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Action is what goes wrong with a request.
type Action = desk.Action

// The actions, as package desk explains them.
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
	StaleList      = desk.Stale
)

// Fault strikes requests that match it.
type Fault struct {
	Method     string // empty for any
	Path       string // below /api/v1, as in path.Match: "/tickets/*/comment"; empty for any
	Token      string // of one account; empty for any
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
		Method: f.Method, Path: f.Path, Account: f.Token, Skip: f.Skip, Count: f.Count,
		Action: f.Action, RetryAfter: f.RetryAfter, Delay: f.Delay,
	}, s.lastID)
}

// Mend removes all faults.
func (s *Server) Mend() { s.faults.Clear() }

// Struck is how many requests faults have struck.
func (s *Server) Struck() int { return s.faults.Struck() }

const signInPage = `<!DOCTYPE html><html><head><title>Sign in to Syncro</title></head><body><form><input type="password"></form></body></html>`

// own is how Syncro words what a fault makes it say.
func own(f desk.Fault) desk.Reply {
	switch f.Action {
	case CommitGarbage:
		return desk.JSON(http.StatusOK, object{"hello": "world"})
	case CommitHTML, HTML:
		return desk.Text(signInPage)
	case Throttle:
		return tooMany().reply().After(f.RetryAfter)
	case Unauthorized:
		return unauthorized().reply()
	}
	return desk.Reply{}
}
