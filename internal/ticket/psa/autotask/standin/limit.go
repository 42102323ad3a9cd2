package standin

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// objectOf is the kind of object that a path is about, of which threads are
// counted: "Tickets" of "/Tickets/1/Notes".
func objectOf(path string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return kind
}

// admit counts a request against both limits, or says which one refuses it.
func (s *Server) admit(a *account, kind string) *answer {
	a.base.turn(s.config.Clock())
	a.base.used++
	if limit := s.config.PerHour; limit > 0 && a.base.used > limit {
		return s.limited(fmt.Sprintf("The external request threshold of %d requests per 60 minutes has been exceeded for this database.", limit))
	}
	if limit := s.config.Threads; limit > 0 && a.running[kind] >= limit {
		return s.limited(threadText(limit))
	}
	a.running[kind]++
	return nil
}

func (s *Server) release(a *account, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.running[kind]--
}

func (s *Server) limited(text string) *answer {
	return &answer{s.config.LimitStatus, object{"errors": []string{text}}}
}

func threadText(limit int) string {
	return fmt.Sprintf("Itgenatr005: The Autotask API thread threshold of %d threads has been exceeded.", limit)
}

// latency is what the database's use adds to a call.
func (s *Server) latency(a *account) time.Duration {
	switch used, limit := a.base.used, s.config.PerHour; {
	case limit == 0 || 2*used < limit:
		return 0
	case 4*used < 3*limit:
		return s.config.Latency
	default:
		return 2 * s.config.Latency
	}
}

// wait passes the time, or ends with the client.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// turn starts a new hour.
func (b *database) turn(now time.Time) {
	if now.Sub(b.hour) >= time.Hour {
		b.hour, b.used = now, 0
	}
}

// Burn counts requests that other vendors make to the database of an account:
// the noisy neighbour.
func (s *Server) Burn(username string, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.named(username); a != nil {
		a.base.turn(s.config.Clock())
		a.base.used += requests
	}
}

func readThreshold(c *call) answer {
	limit := c.config.PerHour
	if limit == 0 {
		limit = 10_000
	}
	return answer{http.StatusOK, object{
		"externalRequestThreshold": limit, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": c.base.used,
	}}
}
