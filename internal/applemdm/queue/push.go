package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/internal/job"
)

// Pusher notifies devices through Apple.
type Pusher interface {
	// Push notifies channels of one organization with its certificate, and
	// answers what became of each, in order. Its error is for what kept it from
	// trying at all. It calls out, and is never called in a transaction.
	Push(ctx context.Context, organization string, notifications []Notification) ([]Outcome, error)
}

// Notification wakes one channel.
type Notification struct {
	Token []byte // as TokenUpdate brought it
	Magic string
	Topic string
}

// Outcome is what became of a notification.
type Outcome string

// The outcomes.
const (
	Accepted           Outcome = "ACCEPTED"
	TokenDead          Outcome = "TOKEN_DEAD"          // Apple does not know the token (any more)
	CertificateRefused Outcome = "CERTIFICATE_REFUSED" // nothing can be sent with it
	Rejected           Outcome = "REJECTED"            // Apple finds fault with it, and would again
	TryLater           Outcome = "TRY_LATER"
)

// pushQueue keeps a slow Apple out of the way of other work.
const pushQueue = "push"

// pushBatch bounds how many channels are notified between two looks at the
// database.
const pushBatch = 500

// pushBackoff is how long the devices of an organization wait at most until Apple,
// which was not to be reached, is tried again.
const pushBackoff = 30 * time.Second

// Push is the job that notifies the channels of an organization that are to be.
type Push struct{ job.Tenant }

// Kind implements job.Args.
func (Push) Kind() string { return "applemdm.push" }

// Want has channels notified, once the transaction has committed. Wants that
// come before the notification is sent are one; one that comes while it is being
// sent outlasts it. It is no part of what a caller did, and so leaves no trail in
// the system log.
func (s *Service) Want(ctx context.Context, channels ...*ent.DeviceChannel) error {
	if err := s.mark(ctx, channels); err != nil {
		return err
	}
	s.wanted(ctx, channels...)
	return nil
}

// mark writes that channels are to be notified.
func (s *Service) mark(ctx context.Context, channels []*ent.DeviceChannel) error {
	ids := make([]string, len(channels))
	for i, c := range channels {
		ids[i] = c.ID
	}
	return s.client.DeviceChannel.Update().Where(devicechannel.IDIn(ids...)).SetPushWantedAt(s.now()).Exec(guard.WithoutTrail(ctx))
}

// wanted leaves the jobs for channels that were marked as to be notified, given
// as they were before.
func (s *Service) wanted(ctx context.Context, channels ...*ent.DeviceChannel) {
	tenants := map[job.Tenant]bool{}
	for _, c := range channels {
		if c.PushWantedAt == nil { // else there is a job, or the sweep makes one
			tenants[job.Tenant{Provider: c.ProviderID, Organization: c.OrganizationID}] = true
		}
	}
	for tenant := range tenants {
		s.hasten(ctx, tenant)
	}
}

// enqueuePush leaves the job, beside one that runs and has looked already.
func (s *Service) enqueuePush(ctx context.Context, tenant job.Tenant) error {
	return s.Jobs.Enqueue(ctx, Push{Tenant: tenant}, job.EnqueueOptions{UniqueKey: "push"})
}

// SendBlank notifies a device without there being anything to do.
func (s *Service) SendBlank(ctx context.Context, deviceID string) (*ent.Device, error) {
	d, channel, err := s.Channel(ctx, deviceID)
	if err != nil {
		return nil, err
	}
	if d.ReenrollmentRequiredAt != nil {
		return nil, fault.New(fault.PreconditionFailed, "the device listens to a push topic that was replaced, and cannot be notified: it has to be enrolled again")
	}
	if channel.PushDead {
		return nil, fault.New(fault.PreconditionFailed, "Apple says that the device's push token is no longer valid: it sends a new one when it next connects by itself")
	}
	return d, s.DB.InTx(ctx, func(ctx context.Context) error { return s.Want(ctx, channel) })
}

// Notify sends what is to be sent in the organization of the scope. What Apple
// puts off remains wanted; where it takes nothing at all, that is an error, and
// else it is left to the sweep, so that nobody waits for the devices it puts off.
func (s *Service) Notify(ctx context.Context, organization string) error {
	// Read before the certificate is: one that is refused is this one, or was
	// replaced meanwhile.
	mdm, err := s.client.AppleMdm.Query().
		Where(applemdm.OrganizationID(organization), applemdm.PushStatusEQ(applemdm.PushStatusActive)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	putOff := map[string]bool{} // channels, which are left alone until another job tries
	for after := ""; ; {
		started := s.now()
		wanted, err := s.client.DeviceChannel.Query().
			Where(devicechannel.PushWantedAtLTE(started), devicechannel.IDGT(after)).
			Order(devicechannel.ByID()).Limit(pushBatch).All(ctx)
		if err != nil || len(wanted) == 0 {
			return err
		}
		tried := slices.DeleteFunc(slices.Clone(wanted), func(c *ent.DeviceChannel) bool { return putOff[c.ID] })
		refused, late, err := s.notify(ctx, mdm, tried, started, putOff)
		if err != nil || refused {
			return err
		}
		after = wanted[len(wanted)-1].ID
		if late {
			after = "" // from the first one again
		}
	}
}

// notify sends a batch and stores what became of it: whether the certificate was
// refused, whether there are channels that were wanted anew meanwhile, and which
// were put off.
func (s *Service) notify(
	ctx context.Context, mdm *ent.AppleMdm, wanted []*ent.DeviceChannel, started time.Time, putOff map[string]bool,
) (refused, late bool, err error) {
	var notifications []Notification
	var reachable []*ent.DeviceChannel
	var sent, unreachable []string
	for _, c := range wanted {
		// A released device is woken to be told. One that listens to a topic which
		// was replaced hears nothing, and Apple takes it for the certificate's fault.
		if c.Topic != mdm.Topic || c.PushDead || len(c.PushToken) == 0 || c.Status == devicechannel.StatusCheckedOut || c.Status == devicechannel.StatusAuthenticated {
			unreachable = append(unreachable, c.ID)
			continue
		}
		reachable = append(reachable, c)
		notifications = append(notifications, Notification{Token: c.PushToken, Magic: c.PushMagic, Topic: c.Topic})
	}
	outcomes := []Outcome{}
	if len(notifications) > 0 {
		if outcomes, err = s.Pusher.Push(ctx, mdm.OrganizationID, notifications); err != nil {
			return false, false, err
		}
	}
	if len(outcomes) != len(notifications) {
		return false, false, fmt.Errorf("push: %d outcomes for %d notifications", len(outcomes), len(notifications))
	}
	later := 0
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		sent, later, refused, late = nil, 0, false, false
		for i, outcome := range outcomes {
			switch c := reachable[i]; outcome {
			case Accepted:
				sent = append(sent, c.ID)
			case TokenDead:
				if err := s.dead(ctx, c); err != nil {
					return err
				}
			case CertificateRefused:
				refused = true
			case Rejected:
				s.Logger.ErrorContext(ctx, "Apple rejects a notification", "channel", c.ID)
				unreachable = append(unreachable, c.ID)
			default:
				later++
				putOff[c.ID] = true
			}
		}
		// What has been wanted since the look is still wanted.
		settled := []predicate.DeviceChannel{devicechannel.PushWantedAtLTE(started)}
		if len(sent) > 0 {
			n, err := s.client.DeviceChannel.Update().Where(append(settled, devicechannel.IDIn(sent...))...).
				SetPushedAt(s.now()).ClearPushWantedAt().Save(ctx)
			if err != nil {
				return err
			}
			late = n < len(sent)
		}
		if len(unreachable) > 0 {
			err := s.client.DeviceChannel.Update().Where(append(settled, devicechannel.IDIn(unreachable...))...).ClearPushWantedAt().Exec(ctx)
			if err != nil {
				return err
			}
		}
		if refused {
			return s.refuse(ctx, mdm)
		}
		return nil
	})
	if err == nil && later > 0 && !refused {
		if later == len(notifications) {
			return false, late, fmt.Errorf("push: all of %d notifications are to be tried later", later)
		}
		s.Logger.InfoContext(ctx, "notifications are to be tried later", "organization", mdm.OrganizationID, "later", later, "of", len(notifications))
	}
	return refused, late, err
}

// dead marks a channel's token, unless it has sent another meanwhile.
func (s *Service) dead(ctx context.Context, c *ent.DeviceChannel) error {
	return s.client.DeviceChannel.Update().
		Where(devicechannel.ID(c.ID), func(q *sql.Selector) { q.Where(sql.EQ(q.C(devicechannel.FieldPushToken), c.PushToken)) }).
		SetPushDead(true).ClearPushWantedAt().Exec(ctx)
}

// refuse stops notifying an organization until it has another certificate. One
// that has got another meanwhile is left alone.
func (s *Service) refuse(ctx context.Context, mdm *ent.AppleMdm) error {
	n, err := s.client.AppleMdm.Update().
		Where(applemdm.ID(mdm.ID), applemdm.CertificateSerialNumber(mdm.CertificateSerialNumber), applemdm.PushStatusEQ(applemdm.PushStatusActive)).
		SetPushStatus(applemdm.PushStatusRefused).Save(ctx)
	if err != nil || n == 0 {
		return err
	}
	return s.Alarms.Alarm(ctx, mdm.OrganizationID, "", alertCertificateRefused, mdm.OrganizationID, "Push certificate refused",
		"Apple refuses the organization's push certificate: its devices no longer hear from us. Renew the certificate with the Apple ID that made it.")
}
