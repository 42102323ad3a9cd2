package standin

import (
	"net"
	"net/http"
)

// allow counts a call against its source address.
func (s *Server) allow(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	_, ok := s.limit.Allow(host, s.config.PerMinute, s.config.Clock())
	return ok
}

func tooMany() answer {
	return answer{http.StatusTooManyRequests, object{"error": "Rate limit exceeded"}}
}
