package queue

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

// tendBatch bounds how many rows are looked at in one go.
const tendBatch = 500

// repushAfter is how long a device with something to do is left alone before
// it is notified again: a notification can be lost, and a device that has put
// a command off may have forgotten it.
const repushAfter = 4 * time.Hour

// beginning is for how long a sweep looks for commands whose time has come.
const beginning = time.Hour

// failedEvery is how long it takes at most until people are told of a command
// that has failed.
const failedEvery = 10 * time.Second

// Tend is the job that looks after the devices of an organization: who is
// missing, and what history is too old.
type Tend struct{ job.Tenant }

// Kind implements job.Args.
func (Tend) Kind() string { return "applemdm.tend" }

// service is the name under which the queue acts for tenants.
const service = "device management"

// Register has the queue notify and ask devices, and do what is done
// periodically.
func (s *Service) Register(q *job.Queue) error {
	push := func(ctx context.Context, t job.Task[Push]) error {
		return s.Notify(job.TenantContext(ctx, t.Args.Tenant, service), t.Args.Organization)
	}
	// What is wanted while a job runs, or is being put down as done, is not left to the sweep.
	options := job.Options{
		Queue: pushQueue, Timeout: 5 * time.Minute, MaxAttempts: 8, Backoff: job.Doubling(pushBackoff), UniqueWhileWaiting: true,
	}
	if err := job.Register(q, push, options); err != nil {
		return err
	}
	ask := func(ctx context.Context, t job.Task[Ask]) error {
		return s.AskDue(job.TenantContext(ctx, t.Args.Tenant, service))
	}
	if err := job.Register(q, ask, job.Options{Timeout: 10 * time.Minute, MaxAttempts: 3}); err != nil {
		return err
	}
	if err := job.Register(q, s.follow, job.Options{MaxAttempts: 8}); err != nil {
		return err
	}
	tend := func(ctx context.Context, t job.Task[Tend]) error {
		return s.Tend(job.TenantContext(ctx, t.Args.Tenant, service), t.Args.Organization)
	}
	if err := job.Register(q, tend, job.Options{Timeout: 10 * time.Minute, MaxAttempts: 3}); err != nil {
		return err
	}
	for _, periodic := range []struct {
		name  string
		every time.Duration
		run   func(context.Context) error
	}{
		{"applemdm.failed", failedEvery, s.TellFailed},
		{"applemdm.push-sweep", time.Minute, s.Sweep},
		{"applemdm.expire", 5 * time.Minute, s.Expire},
		{"applemdm.ask-due", 5 * time.Minute, s.FindDue},
		{"applemdm.push-again", time.Hour, s.Repush},
		{"applemdm.tend", time.Hour, s.FindTended},
	} {
		if err := q.Every(periodic.name, periodic.every, periodic.every/10, periodic.run); err != nil {
			return err
		}
	}
	return nil
}

// Sweep finds the organizations with channels to be notified whose job was
// lost, or of what was put off until now. The context needs no scope.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.each(ctx, tenancy.System(ctx, "find the devices of every provider that are to be notified"),
		s.client.DeviceChannel.Query().Where(devicechannel.PushWantedAtLTE(s.now())),
		func(t job.Tenant) job.Args { return Push{t} })
}

// begin has the devices notified that have not been since the time came before
// which they were not to have a command. What is older than the last sweeps is left
// to Repush, like everything that a device has not come for.
func (s *Service) begin(ctx context.Context) error {
	now := s.now()
	return s.client.DeviceChannel.Update().
		Where(devicechannel.StatusEQ(devicechannel.StatusEnrolled), devicechannel.PushDead(false), devicechannel.PushWantedAtIsNil(),
			func(q *sql.Selector) {
				build := sql.Dialect(q.Dialect())
				commands, own := build.Table(devicecommand.Table), build.Table(devicechannel.Table).As("own")
				begun := build.Select(commands.C(devicecommand.FieldChannelID)).From(commands)
				Waiting(begun)
				begun.Join(own).On(own.C(devicechannel.FieldID), commands.C(devicecommand.FieldChannelID)).Where(sql.And(
					sql.GT(commands.C(devicecommand.FieldNotBefore), now.Add(-beginning)), sql.LTE(commands.C(devicecommand.FieldNotBefore), now),
					sql.EQ(commands.C(devicecommand.FieldStatus), string(devicecommand.StatusPending)),
					sql.Or(sql.IsNull(own.C(devicechannel.FieldPushedAt)), sql.ColumnsLT(own.C(devicechannel.FieldPushedAt), commands.C(devicecommand.FieldNotBefore))),
				))
				q.Where(sql.In(q.C(devicechannel.FieldID), begun))
			}).
		SetPushWantedAt(now).
		Exec(tenancy.System(ctx, "notify the devices of every provider that are to get now what was put off"))
}

// FindDue finds the organizations with devices whose inventory is due. The
// context needs no scope.
func (s *Service) FindDue(ctx context.Context) error {
	return s.each(ctx, tenancy.System(ctx, "find the devices of every provider whose inventory is due"),
		s.client.DeviceChannel.Query().Where(devicechannel.NextInventoryAtLTE(s.now())),
		func(t job.Tenant) job.Args { return Ask{t} })
}

// each enqueues a job for every organization that has channels of a kind.
func (s *Service) each(ctx, system context.Context, channels *ent.DeviceChannelQuery, args func(job.Tenant) job.Args) error {
	var tenants []job.Tenant
	err := channels.GroupBy(devicechannel.FieldProviderID, devicechannel.FieldOrganizationID).Scan(system, &tenants)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if err := s.Jobs.Enqueue(ctx, args(t), job.EnqueueOptions{UniqueKey: "push"}); err != nil {
			return err
		}
	}
	return nil
}

// FindTended has every organization's devices looked after. The context needs
// no scope.
func (s *Service) FindTended(ctx context.Context) error {
	system := tenancy.System(ctx, "find the organizations of every provider that manage devices")
	for after := ""; ; {
		page, err := s.client.AppleMdm.Query().Where(applemdm.IDGT(after)).Order(applemdm.ByID()).Limit(tendBatch).All(system)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, mdm := range page {
			args := Tend{job.Tenant{Provider: mdm.ProviderID, Organization: mdm.OrganizationID}}
			if err := s.Jobs.Enqueue(ctx, args, job.EnqueueOptions{UniqueKey: "tend"}); err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}

// Tend looks after the devices of the organization in scope.
func (s *Service) Tend(ctx context.Context, organization string) error {
	mdm, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organization)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.markMissing(ctx, mdm.MissingAfterDays); err != nil {
		return err
	}
	return s.prune(ctx, s.now().Add(-time.Duration(mdm.HistoryDays)*day))
}

// prune deletes the commands of the organization in scope that ended before.
func (s *Service) prune(ctx context.Context, before time.Time) error {
	for {
		old, err := s.client.DeviceCommand.Query().Where(devicecommand.ResultAtLT(before)).Limit(tendBatch).IDs(ctx)
		if err != nil || len(old) == 0 {
			return err
		}
		if _, err := s.client.DeviceCommand.Delete().Where(devicecommand.IDIn(old...)).Exec(ctx); err != nil {
			return err
		}
	}
}

// Expire ends the commands whose time is over. The context needs no scope.
func (s *Service) Expire(ctx context.Context) error {
	now := s.now()
	return s.client.DeviceCommand.Update().Where(devicecommand.ExpiresAtLTE(now), Waiting).
		SetStatus(devicecommand.StatusExpired).SetResultAt(now).
		Exec(tenancy.System(ctx, "end the commands of every provider whose time is over"))
}

// Repush has the devices notified again that have had something to do for
// hours. The context needs no scope.
func (s *Service) Repush(ctx context.Context) error {
	now := s.now()
	return s.client.DeviceChannel.Update().
		Where(devicechannel.StatusEQ(devicechannel.StatusEnrolled), devicechannel.PushDead(false), devicechannel.PushWantedAtIsNil(),
			devicechannel.Or(devicechannel.PushedAtIsNil(), devicechannel.PushedAtLTE(now.Add(-jitter(repushAfter)))),
			func(q *sql.Selector) {
				commands := sql.Dialect(q.Dialect()).Table(devicecommand.Table)
				waiting := sql.Dialect(q.Dialect()).Select(commands.C(devicecommand.FieldChannelID)).From(commands)
				Waiting(waiting)
				waiting.Where(sql.Or(sql.IsNull(commands.C(devicecommand.FieldNotBefore)), sql.LTE(commands.C(devicecommand.FieldNotBefore), now)))
				q.Where(sql.In(q.C(devicechannel.FieldID), waiting))
			}).
		SetPushWantedAt(now).
		Exec(tenancy.System(ctx, "notify the devices of every provider again that have something to do"))
}
