package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const timeout = 30 * time.Second

// Run is what a number of connections did in a time.
type Run struct {
	Requests int
	Took     time.Duration
	Sorted   []time.Duration // each request's time, ascending
}

// PerSecond is the throughput.
func (r Run) PerSecond() float64 { return float64(r.Requests) / r.Took.Seconds() }

// Quantile is the time that a share of the requests, 0 to 1, kept within.
func (r Run) Quantile(share float64) time.Duration {
	if len(r.Sorted) == 0 {
		return 0
	}
	return r.Sorted[min(len(r.Sorted)-1, int(share*float64(len(r.Sorted))))]
}

// Pool is a number of open connections to a server.
type Pool struct {
	conns []*Conn
	turn  int // where in the requests the next run begins
}

// Open opens connections.
func Open(ctx context.Context, addr string, conns int) (*Pool, error) {
	p := &Pool{}
	for range conns {
		c, err := Dial(ctx, addr)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.conns = append(p.conns, c)
	}
	return p, nil
}

// wake readies the connections for a run.
func (p *Pool) wake(ctx context.Context) error {
	for _, c := range p.conns {
		if err := c.wake(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the connections.
func (p *Pool) Close() error {
	var errs []error
	for _, c := range p.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// For asks the requests in turn for a time, each on one connection only as long
// as there are as many requests as connections: a server may limit what it does
// for one device at a time. An answer that is not 200, or that holds errors,
// ends the run.
func (p *Pool) For(ctx context.Context, took time.Duration, requests [][]byte) (Run, error) {
	if err := p.wake(ctx); err != nil {
		return Run{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	times := make([][]time.Duration, len(p.conns))
	began := time.Now()
	end := began.Add(took)
	var wg sync.WaitGroup
	for i, c := range p.conns {
		wg.Go(func() {
			own := share(requests, i, len(p.conns))
			for at := p.turn / len(p.conns); ctx.Err() == nil; at++ {
				asked := time.Now()
				if asked.After(end) {
					return
				}
				if _, err := c.Ask(own[at%len(own)]); err != nil {
					cancel(err)
					return
				}
				times[i] = append(times[i], time.Since(asked))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Run{}, err
	}
	run := Run{Took: time.Since(began), Sorted: slices.Concat(times...)}
	run.Requests = len(run.Sorted)
	slices.Sort(run.Sorted)
	p.turn += run.Requests
	return run, nil
}

// share is what one of a number of connections asks.
func share(requests [][]byte, i, conns int) [][]byte {
	if len(requests) < conns {
		at := i % len(requests)
		return requests[at : at+1]
	}
	return requests[i*len(requests)/conns : (i+1)*len(requests)/conns]
}

// Each does a number of things, shared out among the connections; each is one
// request or several, and counts as one. An error ends the run.
func (p *Pool) Each(ctx context.Context, n int, do func(c *Conn, i int) error) (Run, error) {
	if err := p.wake(ctx); err != nil {
		return Run{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	times := make([][]time.Duration, len(p.conns))
	var next atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for at, c := range p.conns {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				asked := time.Now()
				if err := do(c, i); err != nil {
					cancel(err)
					return
				}
				times[at] = append(times[at], time.Since(asked))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Run{}, err
	}
	run := Run{Requests: n, Took: time.Since(began), Sorted: slices.Concat(times...)}
	slices.Sort(run.Sorted)
	return run, nil
}

// Once asks a single request and returns the answer.
func (p *Pool) Once(request []byte) ([]byte, error) {
	body, err := p.conns[0].Ask(request)
	return bytes.Clone(body), err
}

// Ask sends a request as it is and returns the answer's body, which is valid
// until the next call. An answer that is not 200, or that holds errors, is an
// error.
func (c *Conn) Ask(request []byte) ([]byte, error) {
	status, body, err := c.Do(request, timeout)
	if err != nil {
		return nil, err
	}
	return body, wrong(status, body)
}

func wrong(status int, body []byte) error {
	if status == http.StatusOK && !bytes.Contains(body, []byte(`"errors":`)) {
		return nil
	}
	return fmt.Errorf("wrong answer: status %d: %.500s", status, body)
}
