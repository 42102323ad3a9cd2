package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"entgo.io/ent/dialect/sql/sqlgraph"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// minBackoff keeps a retry in the future until the database has it: River
// takes a time that has passed for a mistake.
const minBackoff = 50 * time.Millisecond

// interruption is how long a job waits that came too late to begin.
const interruption = time.Second

// payload is River's view of the args of every kind.
type payload struct {
	kind    string
	encoded json.RawMessage
	unique  []byte // nil unless the caller named a key
	err     error  // of the attempt under way, for its back-off
}

// Kind implements river.JobArgs.
func (p payload) Kind() string { return p.kind }

// MarshalJSON implements json.Marshaler.
func (p payload) MarshalJSON() ([]byte, error) { return p.encoded, nil }

// UnmarshalJSON implements json.Unmarshaler. The args are decoded by the
// worker, from the job's row.
func (p *payload) UnmarshalJSON([]byte) error { return nil }

// byUniqueKey replaces the key that River computed by the caller's.
func byUniqueKey(_ context.Context, params *rivertype.JobInsertParams) error {
	if p, ok := params.Args.(payload); ok && p.unique != nil {
		params.UniqueKey = p.unique
	}
	return nil
}

// attempt is what a worker of any type is given.
type attempt struct {
	row      *rivertype.JobRow
	progress *Progress
}

// worker works the jobs of one kind for River.
type worker struct {
	river.WorkerDefaults[payload]
	queue *Queue
	kind  kind
}

// Timeout implements river.Worker.
func (w *worker) Timeout(*river.Job[payload]) time.Duration { return w.kind.Timeout }

// NextRetry implements river.Worker.
func (w *worker) NextRetry(j *river.Job[payload]) time.Time {
	if j.Args.err == nil {
		return time.Now().Add(minBackoff) // River found it dead
	}
	return time.Now().Add(max(w.kind.Backoff(max(j.Attempt, 1), j.Args.err), minBackoff))
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, j *river.Job[payload]) error {
	held := w.queue.lease.held()
	if held.Err() != nil {
		return river.JobSnooze(interruption)
	}
	ctx, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	defer context.AfterFunc(held, func() { interrupt(errLeaseLost) })() //nolint:contextcheck // the lease is the process's

	start := time.Now()
	outcome, err := w.attempt(ctx, j)
	j.Args.err = err
	if w.queue.config.Observe != nil {
		w.queue.config.Observe(j.Kind, outcome, time.Since(start))
	}
	return err
}

func (w *worker) attempt(ctx context.Context, j *river.Job[payload]) (Outcome, error) {
	if err := w.release(ctx, j.JobRow); err != nil {
		return outcomeOf(ctx, j.JobRow, err), err
	}
	progress, err := w.queue.progressOf(ctx, j.JobRow)
	if err == nil {
		err = w.call(ctx, attempt{row: j.JobRow, progress: progress})
	}
	outcome := outcomeOf(ctx, j.JobRow, err)
	if outcome == HandedBack {
		return outcome, river.JobSnooze(0)
	}
	if outcome == Failed {
		if err := w.reclaim(context.WithoutCancel(ctx), j.JobRow); err != nil {
			return Cancelled, err
		}
	}
	if progress == nil {
		return outcome, err
	}
	switch outcome {
	case Succeeded, Discarded, Cancelled:
		// Not under the job's context, whose time may be up.
		if late := progress.conclude(context.WithoutCancel(ctx), err); late != nil {
			return outcomeOf(ctx, j.JobRow, late), errors.Join(err, late)
		}
	default:
	}
	return outcome, err
}

// release lets the job's equals be enqueued, where it is unique only while it
// waits. River knows no such uniqueness, and drops what comes while it runs.
func (w *worker) release(ctx context.Context, row *rivertype.JobRow) error {
	if !w.kind.UniqueWhileWaiting || row.UniqueKey == nil {
		return nil
	}
	_, err := w.queue.db.System().ExecContext(ctx, w.queue.lease.sql(
		"UPDATE river_job SET unique_key = NULL WHERE id = $1", "UPDATE river_job SET unique_key = NULL WHERE id = ?"), row.ID)
	if err != nil {
		return fmt.Errorf("job: release its key: %w", err)
	}
	return nil
}

// reclaim has a job that waits to be tried again be unique again. If its equal
// has come meanwhile, that does its work, and the job is cancelled: otherwise
// there would be ever more of them for as long as they fail.
func (w *worker) reclaim(ctx context.Context, row *rivertype.JobRow) error {
	if !w.kind.UniqueWhileWaiting || row.UniqueKey == nil {
		return nil
	}
	_, err := w.queue.db.System().ExecContext(ctx, w.queue.lease.sql(
		"UPDATE river_job SET unique_key = $2 WHERE id = $1", "UPDATE river_job SET unique_key = ?2 WHERE id = ?1"), row.ID, row.UniqueKey)
	switch {
	case sqlgraph.IsUniqueConstraintError(err):
		return river.JobCancel(errSuperseded)
	case err != nil: // it is tried again nevertheless
		w.queue.config.Logger.WarnContext(ctx, "job cannot be made unique again", "kind", row.Kind, "job", row.ID, "error", err)
	}
	return nil
}

// errSuperseded ends a job that failed when its equal waits.
var errSuperseded = errors.New("job: its equal was enqueued meanwhile")

// call runs the worker, and makes a panic an error.
func (w *worker) call(ctx context.Context, a attempt) (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.queue.config.Logger.ErrorContext(ctx, "job panicked", "kind", a.row.Kind, "job", a.row.ID,
				"panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.kind.work(ctx, a)
}

func outcomeOf(ctx context.Context, row *rivertype.JobRow, err error) Outcome {
	if err == nil {
		return Succeeded
	}
	if _, snoozed := errors.AsType[*river.JobSnoozeError](err); snoozed {
		return Snoozed
	}
	if _, cancelled := errors.AsType[*river.JobCancelError](err); cancelled {
		return Cancelled
	}
	// Interrupted by this process, and not by the job's own timeout.
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return HandedBack
	}
	if row.Attempt >= row.MaxAttempts {
		return Discarded
	}
	return Failed
}
