package ordeal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// workerVariable makes a process a worker of what it describes.
const workerVariable = "BAILIWICK_ORDEAL_WORKER"

// employment is where a worker process works.
type employment struct {
	URL    string // of the database
	Vendor psa.Kind
	Desk   string // the vendor's address
}

// Worker delivers until it is killed or its parent has gone, if this process was
// started as a worker by an ordeal; otherwise it reports false at once. Whatever
// binary runs ordeals calls it first.
func Worker(ctx context.Context) (bool, error) {
	raw := os.Getenv(workerVariable)
	if raw == "" {
		return false, nil
	}
	var e employment
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		return true, err
	}
	return true, e.work(ctx)
}

// hasty is a configuration for the clock on the wall.
func hasty() ticket.Config {
	c := ticket.DefaultConfig()
	c.CallTimeout, c.Lease = 1400*time.Millisecond, 1500*time.Millisecond
	c.LookupPauses = []time.Duration{20 * time.Millisecond, 50 * time.Millisecond}
	c.Backoff, c.MaxBackoff = 10*time.Millisecond, 200*time.Millisecond
	c.RecheckHeld, c.ThrottlePause = 100*time.Millisecond, 50*time.Millisecond
	return c
}

// lifted are vendors that take any number of calls; what a dead process held is
// soon free.
func lifted() limit.Policies {
	p := limit.Policy{Calls: 1e9, Window: time.Minute, Pause: 50 * time.Millisecond, MaxPause: time.Minute}
	threads := p
	threads.Threads, threads.Lease, threads.Patience = 3, 1500*time.Millisecond, time.Second
	return limit.Policies{psa.Autotask: threads, psa.ConnectWise: p, psa.Syncro: p}
}

func (e employment) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	db, err := database.Open(ctx, database.Config{URL: e.URL, Logger: slog.New(slog.DiscardHandler), MaxConns: maxConns})
	if err != nil {
		return err
	}
	driver, err := driverOf(e.Vendor, e.Desk, callTimeout, time.Now)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	q := &queue{clock: &clock{real: true}}
	r, err := assemble(db, e.Vendor, driver, q, lifted(), db.Clock(time.Now).Read, time.Now, hasty())
	if err != nil {
		return errors.Join(err, db.Close())
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := r.Tickets.Sweep(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "worker: sweep:", err)
		}
		var group sync.WaitGroup
		for {
			lane, due := q.next()
			if !due {
				break
			}
			group.Go(func() {
				if err := r.Tickets.Turn(job.TenantContext(ctx, lane.Tenant, "ticketing"), lane); err != nil && ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, "worker: turn:", err)
				}
			})
		}
		group.Wait()
		<-tick.C
	}
	return db.Close()
}

// start runs a worker in a process of its own.
func (s *site) start(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(employment{s.URL, s.Vendor, s.web.URL})
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, self) //nolint:gosec // this very program
	child.Env = append(os.Environ(), workerVariable+"="+string(raw))
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil { // closed by our death
		return nil, err
	}
	err = child.Start()
	return child, err
}

// kill is kill -9.
func kill(child *exec.Cmd) {
	if child.Process == nil {
		return
	}
	_ = child.Process.Kill() // it may have ended
	_ = child.Wait()
}

// patience is how long tickets may take to come to rest by the clock on the wall.
const patience = 2 * time.Minute

// killed has two processes deliver that are killed in the middle of calls.
func killed(ctx context.Context, s *site) error {
	for len(s.children) < 2 {
		child, err := s.start(ctx)
		if err != nil {
			return err
		}
		s.children = append(s.children, child)
	}
	return s.tell(ctx, nil, func(int) error {
		if s.random.IntN(2) == 0 {
			if err := s.slay(ctx); err != nil {
				return err
			}
		}
		_, err := s.await(ctx, nil)
		return err
	})
}

// slay kills a worker during one of the next calls, before or after the vendor
// has executed it, and starts another.
func (s *site) slay(ctx context.Context) error {
	n, dead := s.random.IntN(len(s.children)), make(chan struct{})
	s.after(1+s.random.IntN(10), s.random.IntN(2) == 0, func() {
		kill(s.children[n])
		close(dead)
	})
	died, err := s.await(ctx, dead)
	if err != nil {
		return err
	}
	if !died {
		if s.after(0, false, nil) { // nothing was left to call for
			return nil
		}
		<-dead
	}
	s.result.Struck++
	s.children[n], err = s.start(ctx)
	return err
}

// await polls until all tickets are at rest, or something is done, which it
// reports.
func (s *site) await(ctx context.Context, done <-chan struct{}) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return true, nil
		case <-ctx.Done():
			return false, fmt.Errorf("the tickets do not come to rest: %w", ctx.Err())
		case <-tick.C:
		}
		_, rested, err := s.next()
		if err != nil || rested {
			return false, err
		}
	}
}
