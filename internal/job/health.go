package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

const (
	// healthTolerance is for how long a queue may fail to look for jobs.
	healthTolerance = 10 * time.Second
	// leaderTolerance is how long there may be no leader: a dead one's term of
	// 15 s, and the next election within 6 s.
	leaderTolerance = 30 * time.Second
)

// Healthy reports why jobs are not worked as they should be, or nil: this
// process has lost touch with the database, does not look for jobs, or no
// replica keeps the time for scheduled and periodic ones.
func (q *Queue) Healthy(ctx context.Context) error {
	q.mu.Lock()
	running, pilot, since := q.running, q.pilot, q.since
	q.mu.Unlock()
	if !running {
		return errors.New("job: the queue does not run")
	}
	if q.lease.held().Err() != nil {
		return errLeaseLost
	}
	for queue, fetcher := range pilot.fetchers {
		if idle := fetcher.idle(since); idle > healthTolerance+q.config.PollInterval {
			return fmt.Errorf("job: queue %q has not been looked into for %s", queue, idle.Round(time.Second))
		}
	}
	if q.config.Clock().Sub(since) < leaderTolerance {
		return nil // an election may be under way
	}
	leader, err := executor(q.db).GetExecutor().LeaderGetElectedLeader(ctx, &riverdriver.LeaderGetElectedLeaderParams{})
	if errors.Is(err, rivertype.ErrNotFound) {
		return errors.New("job: no replica keeps the time")
	}
	if err != nil {
		return fmt.Errorf("job: read the leader: %w", err)
	}
	if late := time.Since(leader.ExpiresAt); late > leaderTolerance {
		return fmt.Errorf("job: no replica has kept the time for %s", late.Round(time.Second))
	}
	return nil
}

// Depth is how many jobs of a queue are not finished.
type Depth struct {
	Queue     string
	Available int // due, or within seconds
	Running   int
	Scheduled int // later
	Retryable int // failed, to be tried again later
}

// Depths counts the unfinished jobs of each queue that has some.
func (q *Queue) Depths(ctx context.Context) (depths []Depth, err error) {
	rows, err := q.db.System().QueryContext(ctx, `SELECT queue,
  sum(CASE state WHEN 'available' THEN 1 ELSE 0 END),
  sum(CASE state WHEN 'running' THEN 1 ELSE 0 END),
  sum(CASE state WHEN 'scheduled' THEN 1 ELSE 0 END),
  sum(CASE state WHEN 'retryable' THEN 1 ELSE 0 END)
FROM river_job WHERE state IN ('available', 'running', 'scheduled', 'retryable')
GROUP BY queue ORDER BY queue`)
	if err != nil {
		return nil, fmt.Errorf("job: count: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d Depth
		if err := rows.Scan(&d.Queue, &d.Available, &d.Running, &d.Scheduled, &d.Retryable); err != nil {
			return nil, fmt.Errorf("job: count: %w", err)
		}
		depths = append(depths, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("job: count: %w", err)
	}
	return depths, nil
}
