// Package standin stands in for Apple's software lookup service, for tests and
// demonstrations.
package standin

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/gdmf"
)

// Fault is what goes wrong instead of an answer.
type Fault struct {
	Status int    // HTTP status; 0 means 200
	Body   string // sent as it is
	Hang   bool   // no answer before the client gives up
}

// Server is the stand-in: an http.Handler for /v2/pmv. It is safe for
// concurrent use.
type Server struct {
	mu        sync.Mutex
	catalogue gdmf.Catalogue
	fault     *Fault
	requests  int
}

// New returns a stand-in that knows the given releases.
func New(catalogue gdmf.Catalogue) *Server { return &Server{catalogue: catalogue} }

// Set replaces the releases.
func (s *Server) Set(catalogue gdmf.Catalogue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalogue = catalogue
}

// Fail sets what goes wrong from now on; nil mends it.
func (s *Server) Fail(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests returns how often the service was asked.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != "/v2/pmv" {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.requests++
	fault := s.fault
	body, err := json.Marshal(s.catalogue)
	s.mu.Unlock()
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	case fault != nil && fault.Hang:
		<-r.Context().Done()
		return
	case fault != nil:
		if fault.Status != 0 {
			w.WriteHeader(fault.Status)
		}
		body = []byte(fault.Body)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(body) // the client may have gone
}

// Sample is a small catalogue around the given day: the current and the
// previous release of macOS and iOS, and one that has expired.
func Sample(today time.Time) gdmf.Catalogue {
	day := func(offset int) gdmf.Date {
		return gdmf.Date{Time: today.UTC().AddDate(0, 0, offset).Truncate(24 * time.Hour)}
	}
	macs := []string{"J413AP", "J314sAP", "J274AP", "Mac-1E7E29AD0135F9BC", "Mac14,2", "Mac15,6", "MacBookPro16,1"}
	phones := []string{"iPhone14,5", "iPhone15,2", "iPhone16,1", "iPad13,4", "iPad14,3"}
	sets := map[gdmf.Platform][]gdmf.Release{
		gdmf.MacOS: {
			{ProductVersion: "26.2", Build: "25C56", PostingDate: day(-10), ExpirationDate: day(90), SupportedDevices: macs},
			{ProductVersion: "26.1", Build: "25B78", PostingDate: day(-40), ExpirationDate: day(30), SupportedDevices: macs},
			{ProductVersion: "15.7.2", Build: "24G325", PostingDate: day(-300), ExpirationDate: day(-120), SupportedDevices: macs},
		},
		gdmf.IOS: {
			{ProductVersion: "26.2", Build: "23C55", PostingDate: day(-10), ExpirationDate: day(90), SupportedDevices: phones},
			{ProductVersion: "26.1", Build: "23B85", PostingDate: day(-40), ExpirationDate: day(30), SupportedDevices: phones},
		},
	}
	return gdmf.Catalogue{Managed: sets, Public: sets}
}
