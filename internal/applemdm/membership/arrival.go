package membership

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/internal/applemdm/arrival"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Arrival is the job that does what new enrolments in an organization ask for,
// and that their devices need not wait for. Which devices these are, their channels
// say; the job is a hint.
type Arrival struct{ job.Tenant }

// Kind implements job.Args.
func (Arrival) Kind() string { return "applemdm.arrival" }

// announceTimeout bounds leaving the job.
const announceTimeout = 10 * time.Second

// bells are the organizations whose arrivals this process is to announce. It is
// safe for concurrent use.
type bells struct {
	mu   sync.Mutex
	rung map[job.Tenant]bool
}

// ring reports whether a tenant's arrivals were not to be announced yet.
func (b *bells) ring(tenant job.Tenant) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung[tenant] {
		return false
	}
	b.rung[tenant] = true
	return true
}

// answer reports whether a tenant's arrivals are to be announced, once.
func (b *bells) answer(tenant job.Tenant) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	rung := b.rung[tenant]
	delete(b.rung, tenant)
	return rung
}

// tenants are those whose arrivals are to be announced.
func (b *bells) tenants() []job.Tenant {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.rung))
}

// arrived has a device seen to whose enrolment has been committed, with those that
// come within [Config.Lull]. It is seen to later if that fails, or the process
// ends, by what [Service.FindArrivals] finds.
func (s *Service) arrived(ctx context.Context, channel *ent.DeviceChannel) {
	tenant := job.Tenant{Provider: channel.ProviderID, Organization: channel.OrganizationID}
	if !s.bells.ring(tenant) {
		return
	}
	announce := func(ctx context.Context) {
		if err := s.announceArrivals(ctx, tenant); err != nil {
			s.Logger.WarnContext(ctx, "announce an enrolment", "organization", tenant.Organization, "error", err)
		}
	}
	if s.Lull == 0 {
		announce(ctx)
		return
	}
	later := context.WithoutCancel(ctx)
	time.AfterFunc(s.Lull, func() {
		bounded, cancel := context.WithTimeout(later, announceTimeout)
		defer cancel()
		announce(bounded)
	})
}

// announceArrivals leaves the job, unless somebody else has.
func (s *Service) announceArrivals(ctx context.Context, tenant job.Tenant) error {
	if !s.bells.answer(tenant) {
		return nil
	}
	return s.Jobs.Enqueue(ctx, Arrival{tenant}, job.EnqueueOptions{})
}

// Flush leaves the jobs at once that [Config.Lull] has held back, for a process
// that stops.
func (s *Service) Flush(ctx context.Context) error {
	var errs []error
	for _, tenant := range s.bells.tenants() {
		errs = append(errs, s.announceArrivals(ctx, tenant))
	}
	return errors.Join(errs...)
}

// arrive works an [Arrival].
func (s *Service) arrive(ctx context.Context, t job.Task[Arrival]) error {
	return s.Arrive(job.TenantContext(ctx, t.Args.Tenant, "device management"), t.Args.Organization)
}

// overdue is after what time nobody else is on the way to see to a device.
const overdue = 5 * time.Second

// FindArrivals finds the organizations with devices that were not seen to,
// because the job was lost. The context needs no scope.
func (s *Service) FindArrivals(ctx context.Context) error {
	var tenants []job.Tenant
	err := s.client.DeviceChannel.Query().Where(devicechannel.ArrivedAtLTE(s.now().Add(-overdue-s.Lull))).
		GroupBy(devicechannel.FieldProviderID, devicechannel.FieldOrganizationID).
		Scan(tenancy.System(ctx, "find the devices of every provider that have enrolled and were not seen to"), &tenants)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if err := s.Jobs.Enqueue(ctx, Arrival{t}, job.EnqueueOptions{UniqueKey: "arrival"}); err != nil {
			return err
		}
	}
	return nil
}

// Arrive takes the devices that have enrolled in an organization out of the
// provider's other ones, tells people, and asks for their first inventory. A
// device that cannot be seen to does not keep others waiting.
func (s *Service) Arrive(ctx context.Context, organization string) error {
	var errs []error
	for after := ""; ; {
		page, err := s.client.DeviceChannel.Query().
			Where(devicechannel.OrganizationID(organization), devicechannel.ArrivedAtNotNil(), devicechannel.IDGT(after)).
			Order(devicechannel.ByID()).Limit(queue.MaxAsked).WithDevice().All(ctx)
		if err != nil || len(page) == 0 {
			return errors.Join(append(errs, err)...)
		}
		after = page[len(page)-1].ID
		ready, err := s.leaveOthers(ctx, page)
		errs = append(errs, err)
		if err := s.welcome(ctx, organization, ready); err != nil {
			errs = append(errs, fmt.Errorf("welcome devices: %w", err))
		}
	}
}

// welcome does for devices what their enrolment asks for, once.
func (s *Service) welcome(ctx context.Context, organization string, channels []*ent.DeviceChannel) error {
	if len(channels) == 0 {
		return nil
	}
	devices, ids := map[string]*ent.Device{}, make([]string, len(channels))
	for i, c := range channels {
		ids[i], devices[c.ID] = c.ID, c.Edges.Device
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		// Not those that have left since, or that another replica sees to.
		channels, err := s.client.DeviceChannel.Query().
			Where(devicechannel.IDIn(ids...), devicechannel.ArrivedAtNotNil()).
			Order(devicechannel.ByID()).Modify(database.SkipLocked).All(ctx)
		if err != nil || len(channels) == 0 {
			return err
		}
		asked, came := make([]queue.Asked, len(channels)), make([]string, len(channels))
		for i, c := range channels {
			c.Edges.Device = devices[c.ID]
			asked[i], came[i] = queue.Asked{Device: c.Edges.Device, Channel: c}, c.DeviceID
		}
		if err := s.Alarms.RaiseEach(ctx, organization, alertEnrolled, "A device was enrolled", came); err != nil {
			return err
		}
		if err := s.trail.Note(ctx, channels); err != nil {
			return err
		}
		if err := s.Seats.ReviewSeats(ctx, organization); err != nil {
			return err
		}
		err = s.Queue.AskEach(ctx, organization, asked, func(u *ent.DeviceChannelUpdate) { u.ClearArrivedAt() })
		if err != nil {
			return err
		}
		return s.Inventory.Announce(ctx, channels[0].ProviderID, organization, came...)
	})
}

// leaveOthers releases devices from every other organization of their provider,
// without a trace of the secrets that they had there, and answers those of which
// nothing is left. Where a device has enrolled since, it stays: that enrolment will
// take it from here. Only what names the same serial number and UDID is the same
// device: neither alone is proof.
func (s *Service) leaveOthers(ctx context.Context, channels []*ent.DeviceChannel) (ready []*ent.DeviceChannel, err error) {
	var udids []string
	for _, c := range channels {
		if c.Edges.Device.Udid != "" {
			udids = append(udids, c.Edges.Device.Udid)
		}
	}
	who := tenancy.ServicePrincipal("device management")
	others := map[[2]string][]*ent.Device{}
	if len(udids) > 0 {
		provider := channels[0].ProviderID
		found, err := s.client.Device.Query().
			Where(device.UdidIn(udids...), device.OrganizationIDNEQ(channels[0].OrganizationID)).
			All(tenancy.With(ctx, tenancy.ForProvider(who, provider)))
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			same := [2]string{d.Udid, d.SerialNumber}
			others[same] = append(others[same], d)
		}
	}
	var errs []error
	for _, c := range channels {
		d := c.Edges.Device
		failed := len(errs)
		for _, other := range others[[2]string{d.Udid, d.SerialNumber}] {
			if other.Enrolled && other.LastEnrolledAt != nil && d.LastEnrolledAt != nil && other.LastEnrolledAt.After(*d.LastEnrolledAt) {
				continue
			}
			there := tenancy.With(ctx, tenancy.ForOrganizations(who, other.ProviderID, other.OrganizationID))
			err := s.DB.InTx(there, func(ctx context.Context) error {
				if err := s.leave(ctx, other); err != nil || !other.Enrolled {
					return err
				}
				return s.trail.Left(ctx, other, arrival.Moved)
			})
			if err != nil {
				errs = append(errs, fmt.Errorf("leave another organization: %w", err))
			}
		}
		if len(errs) == failed {
			ready = append(ready, c)
		}
	}
	return ready, errors.Join(errs...)
}
