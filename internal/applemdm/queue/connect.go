package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
)

// seenEvery is how often it is written that a device has been seen.
const seenEvery = time.Minute

// Connect takes a device's report and answers the property list of what it is
// to do next, or nil to end the session. The scope is the organization; the
// certificate is one that the organization trusts. Errors are those of
// [Service.Recognize].
//
// An idle device costs one statement. Anything else is one transaction: the
// result is stored, and the next command given out, together or not at all.
func (s *Service) Connect(ctx context.Context, fingerprint string, r *message.Report, body []byte) ([]byte, error) {
	key := KeyOf(r.Enrollment)
	if r.Status == message.Idle {
		found, err := s.recognize(ctx, key, fingerprint, &offer{at: s.now(), polled: true})
		if err != nil {
			return nil, err
		}
		if found.next == "" && s.quiet(found.DeviceChannel) {
			return nil, nil
		}
		var answer []byte
		err = s.DB.InTx(ctx, func(ctx context.Context) error {
			answer, err = s.proceed(ctx, found)
			return err
		})
		return answer, err
	}
	var answer []byte
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		found, err := s.recognize(ctx, key, fingerprint, nil)
		if err != nil {
			return err
		}
		if err := s.store(ctx, found.DeviceChannel, r, body); err != nil {
			return err
		}
		next, err := s.client.DeviceCommand.Query().Where(devicecommand.ChannelID(found.ID)).
			Modify(offer{at: s.now()}.where).IDs(ctx)
		if err != nil {
			return err
		}
		if len(next) > 0 {
			found.next = next[0]
		}
		answer, err = s.proceed(ctx, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// KeyOf is the key of the channel that a message belongs to.
func KeyOf(e message.Enrollment) string {
	if user := e.ChannelUserID(); user != "" {
		return e.DeviceID() + ":" + user
	}
	return e.DeviceID()
}

// quiet reports whether there is nothing to be written about a channel that
// has connected, and nothing to tell it.
func (s *Service) quiet(c *ent.DeviceChannel) bool {
	return c.Status == devicechannel.StatusEnrolled && c.LastSeenAt != nil && s.now().Sub(*c.LastSeenAt) < seenEvery
}

// proceed writes that a channel was seen, and gives its next command out.
func (s *Service) proceed(ctx context.Context, found *session) ([]byte, error) {
	switch found.Status {
	case devicechannel.StatusEnrolled:
		if err := s.seen(ctx, found.DeviceChannel); err != nil {
			return nil, err
		}
	case devicechannel.StatusRemoved:
		return nil, fmt.Errorf("%w: it was released", ErrUnenroll)
	default:
		return nil, fmt.Errorf("%w: it has not finished its enrollment", ErrStranger)
	}
	if found.next == "" {
		return nil, nil
	}
	row, err := s.client.DeviceCommand.UpdateOneID(found.next).
		SetStatus(devicecommand.StatusSent).SetSentAt(s.now()).AddAttempts(1).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("give out a command: %w", err)
	}
	return s.open(ctx, row)
}

// seen writes at most once a minute that a channel has spoken. A device that
// was missing is no longer.
func (s *Service) seen(ctx context.Context, c *ent.DeviceChannel) error {
	now := s.now()
	if s.quiet(c) {
		return nil
	}
	if err := s.client.DeviceChannel.Update().Where(devicechannel.ID(c.ID)).SetLastSeenAt(now).Exec(ctx); err != nil {
		return err
	}
	if c.Kind != devicechannel.KindDevice {
		return nil
	}
	if err := s.client.Device.Update().Where(device.ID(c.DeviceID)).SetLastSeenAt(now).SetLastSeenOn(now.Truncate(day)).Exec(ctx); err != nil {
		return err
	}
	return s.found(ctx, c)
}
