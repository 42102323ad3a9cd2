// Package delivery measures how fast alerts become tickets: on replicas of the
// services in this process, on PostgreSQL, with a vendor on loopback whose
// limits are lifted.
package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// patience is how long a measurement may take to come to rest.
const patience = 5 * time.Minute

// Config is what is measured.
type Config struct {
	URL           string // of an empty, migrated PostgreSQL database
	Replicas      int
	Workers       int // of each replica
	Organizations int
	Backlog       int           // tickets that wait when delivery starts
	Alerts        int           // raised one after another, for the time that they take
	Every         time.Duration // one alert in so much time
}

// Result is what was measured.
type Result struct {
	PerSecond float64 // deliveries, from the start to the last of the backlog
	P50, P99  time.Duration
}

// vendor is the stand-in, and notes when it answered which ticket.
type vendor struct {
	desk *standin.Server

	mu       sync.Mutex
	answered map[string]time.Time // by title
}

// ServeHTTP implements http.Handler.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/v1/tickets" {
		v.desk.ServeHTTP(w, r)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var sent struct{ Subject string }
	answer := httptest.NewRecorder()
	v.desk.ServeHTTP(answer, r)
	if json.Unmarshal(raw, &sent) == nil && answer.Code == http.StatusOK {
		v.mu.Lock()
		v.answered[sent.Subject] = time.Now()
		v.mu.Unlock()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// at is when a ticket was answered, and how many were.
func (v *vendor) at(title string) (time.Time, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.answered[title], len(v.answered)
}

// Run measures.
func Run(ctx context.Context, c Config) (result Result, err error) {
	s, err := newSite(ctx, c)
	if err != nil {
		return result, fmt.Errorf("set up: %w", err)
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	for n := range c.Backlog {
		if err := s.raise(ctx, n, fmt.Sprint("backlog ", n)); err != nil {
			return result, err
		}
	}
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return result, err
	}
	if err := s.await(ctx, c.Backlog); err != nil {
		return result, err
	}
	result.PerSecond = float64(c.Backlog) / time.Since(began).Seconds()

	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	raised := make([]time.Time, c.Alerts)
	for n := range raised {
		<-tick.C
		raised[n] = time.Now()
		if err := s.raise(ctx, n, fmt.Sprint("alert ", n)); err != nil {
			return result, err
		}
	}
	if err := s.await(ctx, c.Backlog+c.Alerts); err != nil {
		return result, err
	}
	took := make([]time.Duration, c.Alerts)
	for n := range took {
		at, _ := s.vendor.at(fmt.Sprint("alert ", n))
		took[n] = at.Sub(raised[n])
	}
	slices.Sort(took)
	result.P50, result.P99 = took[len(took)/2], took[len(took)*99/100]
	return result, nil
}

// await waits until the vendor has so many tickets.
func (s *site) await(ctx context.Context, tickets int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, n := s.vendor.at(""); n >= tickets {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_, n := s.vendor.at("")
			return fmt.Errorf("the vendor has %d of %d tickets: %w", n, tickets, ctx.Err())
		}
	}
}
