package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

// MaxDevices is how many devices can be told at a time.
const MaxDevices = 500

// Follow is the job by which what many devices were told is followed.
type Follow struct {
	job.Visible
	Total int `json:"total"` // commands
}

// Kind implements job.Args.
func (Follow) Kind() string { return "applemdm.follow" }

// TellMany tells every device what [Service.TellOne] tells one, in one
// transaction and as many statements for many devices as for one. A device that
// cannot be told is refused, and keeps no other from being told. The job, nil if
// no device was told, ends when every command has. It is INVALID_ARGUMENT for no
// devices, or too many; one that is named twice is told once.
func (s *Service) TellMany(ctx context.Context, deviceIDs []string, what Instruction) (followed *ent.Job, told []*Told, err error) {
	distinct := make([]string, 0, len(deviceIDs))
	seen := make(map[string]bool, len(deviceIDs))
	for _, id := range deviceIDs {
		if !seen[id] {
			seen[id] = true
			distinct = append(distinct, id)
		}
	}
	if len(distinct) == 0 || len(distinct) > MaxDevices {
		return nil, nil, fault.Invalid("input.deviceIds", "1 to %d devices", MaxDevices)
	}
	if err := what.validate(s.now()); err != nil {
		return nil, nil, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		told = make([]*Told, len(distinct))
		for i, id := range distinct {
			told[i] = &Told{DeviceID: id, what: what}
		}
		if err := s.consider(ctx, told); err != nil {
			return err
		}
		args := Follow{}
		for _, t := range told {
			if t.Refusal == nil {
				args.Total++
			}
		}
		if args.Total == 0 {
			return nil
		}
		if followed, err = s.Jobs.Track(ctx, args.Kind(), args.Total); err != nil {
			return err
		}
		args.Job = followed.ID
		if args.Tenant, err = job.TenantOf(ctx); err != nil {
			return err
		}
		if err := s.tell(ctx, told, followed.ID); err != nil {
			return err
		}
		s.wanted(ctx, channelsOf(told)...)
		return s.Jobs.Enqueue(ctx, args, job.EnqueueOptions{})
	})
	if err != nil {
		return nil, nil, err
	}
	return followed, told, nil
}

// follow counts the commands of a job that have ended, until all have.
func (s *Service) follow(ctx context.Context, t job.Task[Follow]) error {
	if t.Progress == nil {
		return nil // nobody waits for it any more
	}
	scope := tenancy.ForProvider(tenancy.ServicePrincipal(service), t.Args.Provider)
	if t.Args.Organization != "" {
		scope = tenancy.ForOrganizations(tenancy.ServicePrincipal(service), t.Args.Provider, t.Args.Organization)
	}
	var counts []struct {
		Status devicecommand.Status `json:"status"`
		Count  int                  `json:"count"`
	}
	err := s.client.DeviceCommand.Query().Where(devicecommand.JobID(t.Args.Job)).
		GroupBy(devicecommand.FieldStatus).Aggregate(ent.Count()).Scan(tenancy.With(ctx, scope), &counts)
	if err != nil {
		return fmt.Errorf("count the commands of %s: %w", t.Args.Job, err)
	}
	// What is no longer there has ended, and its history with it.
	_, failed := t.Progress.Done()
	waiting, now := 0, 0
	for _, c := range counts {
		switch c.Status {
		case devicecommand.StatusPending, devicecommand.StatusSent, devicecommand.StatusNotNow:
			waiting += c.Count
		case devicecommand.StatusAcknowledged:
		default:
			now += c.Count
		}
	}
	if err := t.Progress.Step(ctx, t.Args.Total-waiting, max(failed, now)); err != nil || waiting == 0 {
		return err
	}
	return job.Snooze(pace(s.now().Sub(t.EnqueuedAt)))
}

// pace is how long to wait before looking again at what began so long ago:
// devices answer within seconds, or when somebody opens them.
func pace(age time.Duration) time.Duration { return min(max(age/5, 2*time.Second), 10*time.Minute) }

// CancelMany withdraws the commands of a job that their devices do not have, as
// [Service.Cancel] does one, and answers how many those were. A job out of reach
// is NOT_FOUND.
func (s *Service) CancelMany(ctx context.Context, jobID string) (followed *ent.Job, cancelled int, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if followed, err = s.client.Job.Load(ctx, jobID); err != nil {
			return err
		}
		if followed.Kind != (Follow{}).Kind() {
			return fault.New(fault.PreconditionFailed, "the job follows no commands")
		}
		cancelled, err = s.client.DeviceCommand.Update().
			Where(devicecommand.JobID(jobID), devicecommand.StatusIn(withdrawable()...)).
			SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).Save(ctx)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return followed, cancelled, nil
}

// withdrawable are the statuses of commands that their devices do not have.
func withdrawable() []devicecommand.Status {
	return []devicecommand.Status{devicecommand.StatusPending, devicecommand.StatusNotNow}
}

// Refusals are those of the devices that were not told.
func Refusals(told []*Told) []*Told {
	return slices.DeleteFunc(slices.Clone(told), func(t *Told) bool { return t.Refusal == nil })
}
