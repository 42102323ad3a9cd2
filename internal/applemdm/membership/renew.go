package membership

import (
	"context"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

const (
	renewBefore = 30 * 24 * time.Hour // the end of an identity
	renewAgain  = 24 * time.Hour      // after a renewal was asked for in vain
	renewWaits  = 7 * 24 * time.Hour  // for a device that is off, before it is asked anew
	renewBatch  = 500
)

// Renewal is the job that has the devices of an organization renew their
// identities, where these end soon.
type Renewal struct{ job.Tenant }

// Kind implements job.Args.
func (Renewal) Kind() string { return "applemdm.renew" }

// Register has the queue do what arrivals ask for, and renew identities.
func (s *Service) Register(q *job.Queue) error {
	if err := job.Register(q, s.arrive, job.Options{Timeout: 5 * time.Minute}); err != nil {
		return err
	}
	renew := func(ctx context.Context, t job.Task[Renewal]) error {
		return s.Renew(job.TenantContext(ctx, t.Args.Tenant, "device management"))
	}
	if err := job.Register(q, renew, job.Options{Timeout: 10 * time.Minute, MaxAttempts: 3}); err != nil {
		return err
	}
	if err := q.Every("applemdm.arrival-sweep", time.Minute, 6*time.Second, s.FindArrivals); err != nil {
		return err
	}
	return q.Every("applemdm.renew", 6*time.Hour, time.Hour, s.FindRenewals)
}

// FindRenewals has every organization look for identities that end soon. The
// context needs no scope.
func (s *Service) FindRenewals(ctx context.Context) error {
	system := tenancy.System(ctx, "find the organizations of every provider whose devices renew their identities")
	for after := ""; ; {
		page, err := s.client.AppleMdm.Query().Where(applemdm.IDGT(after)).Order(applemdm.ByID()).Limit(renewBatch).All(system)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, mdm := range page {
			args := Renewal{job.Tenant{Provider: mdm.ProviderID, Organization: mdm.OrganizationID}}
			if err := s.Jobs.Enqueue(ctx, args, job.EnqueueOptions{UniqueKey: "renew"}); err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}

// Renew queues new enrollment profiles for the enrolled devices in scope whose
// identity ends soon.
func (s *Service) Renew(ctx context.Context) error {
	for after := ""; ; {
		ending, err := s.client.Device.Query().Where(
			device.Enrolled(true), device.CertificateNotAfterLT(s.now().Add(renewBefore)), device.IDGT(after),
		).Order(device.ByID()).Limit(renewBatch).All(ctx)
		if err != nil || len(ending) == 0 {
			return err
		}
		for _, d := range ending {
			if err := s.renew(ctx, d); err != nil {
				return err
			}
		}
		after = ending[len(ending)-1].ID
	}
}

func (s *Service) renew(ctx context.Context, d *ent.Device) error {
	asked, err := s.client.DeviceCommand.Query().Where(
		devicecommand.DeviceID(d.ID), devicecommand.RequestType("InstallProfile"),
		devicecommand.Or(queue.Waiting, devicecommand.CreatedAtGT(s.now().Add(-renewAgain))),
	).Exist(ctx)
	if err != nil || asked {
		return err
	}
	end := s.now().Add(renewWaits)
	profile, err := s.Identities.RenewalProfile(ctx, d, end)
	if err == nil {
		_, err = s.Queue.Enqueue(ctx, d.ID, command.InstallProfile{Payload: profile}, queue.Options{Priority: queue.Routine, ExpiresAt: &end})
	}
	if fault.CodeOf(err) == fault.PreconditionFailed {
		return nil // it has left meanwhile
	}
	return err
}
