package standin

import "time"

// window counts the calls of one company in the minute from start.
type window struct {
	start time.Time
	calls int
}

// allow counts a call against its company, and says how long to wait if that
// has none left.
func (s *Server) allow(company string) (time.Duration, bool) {
	if s.config.PerMinute <= 0 {
		return 0, true
	}
	now := s.config.Clock()
	w, known := s.windows[company]
	if !known || now.Sub(w.start) >= time.Minute {
		w = window{start: now}
	}
	w.calls++
	s.windows[company] = w
	return w.start.Add(time.Minute).Sub(now), w.calls <= s.config.PerMinute
}
