package standin

import (
	"net"
	"time"
)

// window counts the calls of one source address in the minute from start.
type window struct {
	start time.Time
	calls int
}

// allow counts a call against its source address.
func (s *Server) allow(remote string) bool {
	if s.config.PerMinute <= 0 {
		return true
	}
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	now := s.config.Clock()
	w, known := s.windows[host]
	if !known || now.Sub(w.start) >= time.Minute {
		for address, old := range s.windows {
			if now.Sub(old.start) >= time.Minute {
				delete(s.windows, address)
			}
		}
		w = window{start: now}
	}
	w.calls++
	s.windows[host] = w
	return w.calls <= s.config.PerMinute
}
