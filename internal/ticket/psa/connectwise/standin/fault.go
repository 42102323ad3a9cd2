package standin

import (
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Action is what goes wrong with a request.
type Action = desk.Action

// The actions, as package desk explains them, and ConnectWise's own.
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

	Invalid500 Action = "INVALID_500" // a 500 that says what is invalid, and nothing was executed
	InUse      Action = "IN_USE"      // a 409: somebody else has the record open
	NotFound   Action = "NOT_FOUND"   // a 404 in JSON, which in the cloud may mean anything
)

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
}

// Inject sets a fault. Of several that match, the oldest strikes.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Set(desk.Fault{
		Method: f.Method, Path: f.Path, Account: f.PublicKey, Skip: f.Skip, Count: f.Count,
		Action: f.Action, RetryAfter: f.RetryAfter, Delay: f.Delay,
	}, s.lastID)
}

// Mend removes all faults.
func (s *Server) Mend() { s.faults.Clear() }

// Struck is how many requests faults have struck.
func (s *Server) Struck() int { return s.faults.Struck() }

const signInPage page = `<!DOCTYPE html><html><head><title>Sign in to ConnectWise PSA</title></head><body><form><input type="password"></form></body></html>`

// own is how ConnectWise words what a fault makes it say.
func own(f desk.Fault) desk.Reply {
	switch f.Action {
	case Invalid500:
		wrong := invalid("ticket", problem{"Undefined", "An undefined validation error occurred.", ""})
		wrong.status = http.StatusInternalServerError
		return wrong.reply()
	case CommitGarbage:
		return answer{status: http.StatusOK, body: object{"hello": "world"}}.reply()
	case CommitHTML, HTML:
		return answer{status: http.StatusOK, body: signInPage}.reply()
	case Throttle:
		return tooMany(f.RetryAfter).reply()
	case Unauthorized:
		return refused(http.StatusUnauthorized, "Unauthorized", "Authentication failed.").reply()
	case NotFound:
		return refused(http.StatusNotFound, "NotFound", "Resource not found.").reply()
	case InUse:
		return refused(http.StatusConflict, "RecordInUse", "The record is in use by another member.").reply()
	}
	return desk.Reply{}
}
