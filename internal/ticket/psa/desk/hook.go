package desk

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// hookTimeout is how long a call may take, as ConnectWise has it.
const hookTimeout = 5 * time.Second

// Hook is a call to somebody who subscribed to changes.
type Hook struct {
	URL    string
	Header http.Header
	Body   []byte
	Status int // of the answer; 0 until there is one, or if there is none
}

// Hooks calls those who subscribed, at loopback addresses only. The zero value
// has called nobody; it is safe for concurrent use.
type Hooks struct {
	mu    sync.Mutex
	sent  []*Hook
	group sync.WaitGroup
}

// Send calls an address, in the background and once.
func (h *Hooks) Send(url string, header http.Header, body []byte) {
	call := &Hook{URL: url, Header: header, Body: body}
	h.mu.Lock()
	if len(h.sent) >= maxLog {
		h.sent = slices.Delete(h.sent, 0, maxLog/2)
	}
	h.sent = append(h.sent, call)
	h.mu.Unlock()
	h.group.Go(func() {
		status := post(call)
		h.mu.Lock()
		call.Status = status
		h.mu.Unlock()
	})
}

// Sent waits for the calls under way, and lists all of them, oldest first.
func (h *Hooks) Sent() []Hook {
	h.group.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Hook, 0, len(h.sent))
	for _, s := range h.sent {
		all = append(all, *s)
	}
	return all
}

func post(call *Hook) int {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		return 0
	}
	ip := net.ParseIP(r.URL.Hostname())
	if r.URL.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0
	}
	r.Header = call.Header.Clone()
	r.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Timeout: hookTimeout}).Do(r)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)) // only the status counts
	_ = response.Body.Close()
	return response.StatusCode
}
