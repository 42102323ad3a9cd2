package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/riverqueue/river/rivertype"

	"github.com/bailiwick/bailiwick/ent"
	entjob "github.com/bailiwick/bailiwick/ent/job"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	progressInterval = 500 * time.Millisecond // between writes
	concludeTimeout  = 10 * time.Second
	maxError         = 2000 // bytes, as the schema has it
)

// ErrCancelled reports that a user cancelled the job. A worker returns it.
var ErrCancelled = Cancel(errors.New("cancelled by a user")) //nolint:gochecknoglobals // a sentinel

// Track creates the Job that lets a user follow work of a kind in total steps,
// or 0 while that is unknown. It belongs to the context's transaction, like the
// job itself, whose args carry its id in [Visible].
func (q *Queue) Track(ctx context.Context, kind string, total int) (*ent.Job, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return nil, err
	}
	create := q.db.Client().Job.Create().SetKind(kind).SetTotal(total)
	if organization, one := scope.Organization(); one {
		create.SetOrganizationID(organization)
	}
	if id := scope.Principal().AdministratorID; id != "" {
		create.SetRequestedBy(id)
	}
	j, err := create.Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("job: track %q: %w", kind, err)
	}
	return j, nil
}

// Progress tells users how far a visible job is. It is safe for concurrent use.
type Progress struct {
	client *ent.Client
	clock  func() time.Time
	tenant Tenant
	job    string

	mu           sync.Mutex
	done, failed int
	written      time.Time
	finished     bool
}

// progressOf marks the Job of visible args as running. It returns nil if the
// args are not, or the Job is gone.
func (q *Queue) progressOf(ctx context.Context, row *rivertype.JobRow) (*Progress, error) {
	var v Visible
	if err := json.Unmarshal(row.EncodedArgs, &v); err != nil || v.Job == "" || !q.kinds[row.Kind].visible {
		return nil, nil //nolint:nilerr,nilnil // args of another shape are the worker's business
	}
	p := &Progress{client: q.db.Client(), clock: q.config.Clock, tenant: v.Tenant, job: v.Job}
	ctx = p.context(ctx)
	j, err := p.client.Job.Query().Where(entjob.ID(v.Job)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil, nil //nolint:nilnil // nobody waits for it any more
	case err != nil:
		return nil, fmt.Errorf("read job %s: %w", v.Job, err)
	case j.Status == entjob.StatusCancelled:
		return nil, ErrCancelled
	}
	p.done, p.failed = j.Done, j.Failed
	if j.Status == entjob.StatusQueued {
		err := p.client.Job.Update().Where(entjob.ID(v.Job), entjob.StatusEQ(entjob.StatusQueued)).
			SetStatus(entjob.StatusRunning).SetStartedAt(p.clock().UTC()).Exec(ctx)
		if err != nil {
			return nil, fmt.Errorf("start job %s: %w", v.Job, err)
		}
	}
	return p, nil
}

// context is the tenant's, and none of a caller's audit record.
func (p *Progress) context(ctx context.Context) context.Context {
	return guard.WithoutTrail(TenantContext(ctx, p.tenant, "job"))
}

// Total sets the number of steps, once it is known.
func (p *Progress) Total(ctx context.Context, total int) error {
	if err := p.client.Job.Update().Where(entjob.ID(p.job)).SetTotal(total).Exec(p.context(ctx)); err != nil {
		return fmt.Errorf("job %s: %w", p.job, err)
	}
	return nil
}

// Done is how many steps have ended, and how many of them failed, by the last
// call of [Progress.Step] in this attempt or what an earlier one has written.
func (p *Progress) Done() (done, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done, p.failed
}

// Step says how many steps have ended so far, in all, and how many of them
// failed. Few calls are written, at most two a second; the last one always is.
// It returns [ErrCancelled] once a user has cancelled the job.
func (p *Progress) Step(ctx context.Context, done, failed int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.failed = done, failed
	now := p.clock()
	if now.Sub(p.written) < progressInterval {
		return nil
	}
	n, err := p.client.Job.Update().Where(entjob.ID(p.job), entjob.StatusEQ(entjob.StatusRunning)).
		SetDone(done).SetFailed(failed).Save(p.context(ctx))
	if err != nil {
		return fmt.Errorf("job %s: %w", p.job, err)
	}
	if n == 0 {
		return ErrCancelled
	}
	p.written = now
	return nil
}

// Finish marks the Job as ended: failed with an error, else by its steps. The
// queue does so when the worker returns nil or fails for good, so it is needed
// only to end a Job early or within a transaction. Later calls do nothing.
func (p *Progress) Finish(ctx context.Context, failure error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return nil
	}
	update := p.client.Job.Update().
		Where(entjob.ID(p.job), entjob.StatusIn(entjob.StatusQueued, entjob.StatusRunning)).
		SetDone(p.done).SetFailed(p.failed).SetFinishedAt(p.clock().UTC())
	switch {
	case failure != nil:
		update.SetStatus(entjob.StatusFailed).SetError(reason(failure))
	case p.failed == 0:
		update.SetStatus(entjob.StatusSucceeded)
	case p.failed < p.done:
		update.SetStatus(entjob.StatusPartial)
	default:
		update.SetStatus(entjob.StatusFailed)
	}
	if err := update.Exec(p.context(ctx)); err != nil {
		return fmt.Errorf("finish job %s: %w", p.job, err)
	}
	p.finished = true
	return nil
}

func (p *Progress) conclude(ctx context.Context, failure error) error {
	ctx, cancel := context.WithTimeout(ctx, concludeTimeout)
	defer cancel()
	return p.Finish(ctx, failure)
}

// reason is what a user is told: the message of a fault, never a driver's words.
func reason(err error) string {
	message := "an internal error; the log has the details"
	if f, ok := errors.AsType[*fault.Error](err); ok {
		message = f.Message
	} else if errors.Is(err, errDied) {
		message = errDied.Error()
	}
	for len(message) > maxError {
		_, size := utf8.DecodeLastRuneInString(message)
		message = message[:len(message)-size]
	}
	return message
}
