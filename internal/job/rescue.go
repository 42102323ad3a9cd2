package job

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/riverqueue/river/rivertype"
)

var errDied = errors.New("the process that worked it died")

// watch renews the lease and rescues the jobs of the dead until the context
// ends.
func (q *Queue) watch(ctx context.Context) {
	tick := time.NewTicker(q.config.Lease / 3)
	defer tick.Stop()
	rescuing := make(chan struct{}, 1)
	for {
		select {
		case <-ctx.Done():
			rescuing <- struct{}{} // waits for the one under way
			return
		case <-tick.C:
		}
		if err := q.lease.renew(ctx); err != nil {
			if ctx.Err() == nil {
				q.config.Logger.WarnContext(ctx, "job queue", "error", err)
			}
			continue
		}
		// Beside the renewal, which a long rescue must not delay.
		select {
		case rescuing <- struct{}{}:
			go func() {
				defer func() { <-rescuing }()
				q.rescue(ctx)
			}()
		default:
		}
	}
}

func (q *Queue) rescue(ctx context.Context) {
	reason, err := json.Marshal(rivertype.AttemptError{At: q.config.Clock().UTC(), Error: errDied.Error()})
	if err != nil {
		q.config.Logger.ErrorContext(ctx, "job queue", "error", err)
		return
	}
	orphans, err := q.lease.rescue(ctx, reason)
	if err != nil && ctx.Err() == nil {
		q.config.Logger.WarnContext(ctx, "job queue", "error", err)
	}
	for _, o := range orphans {
		outcome := Died
		if o.discarded {
			outcome = Discarded
		}
		q.config.Logger.WarnContext(ctx, "job found dead", "kind", o.kind, "job", o.id, "outcome", string(outcome))
		if q.config.Observe != nil {
			q.config.Observe(o.kind, outcome, 0)
		}
		if !o.discarded {
			continue
		}
		progress, err := q.progressOf(ctx, &rivertype.JobRow{Kind: o.kind, EncodedArgs: o.args})
		if err == nil && progress != nil {
			err = progress.conclude(ctx, errDied)
		}
		if err != nil {
			q.config.Logger.ErrorContext(ctx, "mark a dead job as failed", "kind", o.kind, "job", o.id, "error", err)
		}
	}
	if len(orphans) > 0 {
		q.Wake() //nolint:contextcheck // waking blocks on nothing
	}
}
