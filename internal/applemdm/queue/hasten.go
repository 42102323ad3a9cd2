package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
)

// hastenTimeout bounds leaving the job once a transaction has committed.
const hastenTimeout = 10 * time.Second

// pauses spares jobs: an organization's wants are one at once, and after that
// one for all that come before the next is due.
type pauses struct {
	every time.Duration // zero: one for each

	mu     sync.Mutex
	paused map[job.Tenant]bool // true: more was wanted meanwhile
}

// enter reports whether a tenant's job is to be left now. If not, the one that
// has its turn next is told.
func (p *pauses) enter(tenant job.Tenant) bool {
	if p.every == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, paused := p.paused[tenant]; paused {
		p.paused[tenant] = true
		return false
	}
	p.paused[tenant] = false
	return true
}

// leave ends a tenant's pause, and reports whether more was wanted meanwhile.
func (p *pauses) leave(tenant job.Tenant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := p.paused[tenant]
	delete(p.paused, tenant)
	return wanted
}

// wanted lists the tenants of which more was wanted, and forgets that.
func (p *pauses) wanted() []job.Tenant {
	p.mu.Lock()
	defer p.mu.Unlock()
	var tenants []job.Tenant
	for tenant, wanted := range p.paused {
		if wanted {
			p.paused[tenant] = false
			tenants = append(tenants, tenant)
		}
	}
	return tenants
}

// hasten has a tenant's channels notified once the context's transaction has
// committed: the job is shared by many transactions, which would wait for each
// other if it were in them, and a job for each would be most of what queueing a
// command costs. The rows say what is to be notified and the sweep finds them, so
// an error is of no lasting consequence.
func (s *Service) hasten(ctx context.Context, tenant job.Tenant) {
	database.AfterCommit(ctx, func() {
		if s.pauses.enter(tenant) {
			s.leaveJob(context.WithoutCancel(database.Detached(ctx)), tenant)
		}
	})
}

func (s *Service) leaveJob(ctx context.Context, tenant job.Tenant) {
	bounded, cancel := context.WithTimeout(ctx, hastenTimeout)
	defer cancel()
	if err := s.enqueuePush(bounded, tenant); err != nil {
		s.Logger.WarnContext(ctx, "have devices notified", "organization", tenant.Organization, "error", err)
	}
	if s.pauses.every > 0 {
		time.AfterFunc(s.pauses.every, func() {
			if s.pauses.leave(tenant) && s.pauses.enter(tenant) {
				s.leaveJob(ctx, tenant)
			}
		})
	}
}

// Flush leaves the jobs at once that [Config.PushEvery] has held back, for a
// process that stops.
func (s *Service) Flush(ctx context.Context) error {
	var errs []error
	for _, tenant := range s.pauses.wanted() {
		errs = append(errs, s.enqueuePush(ctx, tenant))
	}
	return errors.Join(errs...)
}
