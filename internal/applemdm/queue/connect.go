package queue

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

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
// An idle device costs one statement, and each thing that is written one more.
// What is written is one transaction: the result is stored, and the next
// command given out, together or not at all.
func (s *Service) Connect(ctx context.Context, fingerprint string, r *message.Report, body []byte) ([]byte, error) {
	found, err := s.recognize(ctx, KeyOf(r.Enrollment), fingerprint, r.CommandUUID)
	if err != nil {
		return nil, err
	}
	if err := managed(found.DeviceChannel); err != nil {
		return nil, err
	}
	if found.reported != "" && !brief(r.Status, found.reported) {
		return s.take(ctx, found, r, body)
	}
	var answer []byte
	work := func(ctx context.Context) (err error) {
		if found.reported != "" {
			if err := s.end(ctx, found.DeviceChannel, r); err != nil {
				return err
			}
		}
		answer, err = s.proceed(ctx, found)
		return err
	}
	if s.writes(found) <= 1 {
		err = work(ctx) // a statement is a transaction by itself
	} else {
		err = s.DB.InTx(ctx, work)
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// take stores a report that tells more than that a command is over, and gives
// the next command out, which the report may have led to.
func (s *Service) take(ctx context.Context, found *session, r *message.Report, body []byte) (answer []byte, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.store(ctx, found.DeviceChannel, r, body); err != nil {
			return err
		}
		rows, err := s.client.DeviceCommand.Query().Where(devicecommand.ChannelID(found.ID)).
			Modify(func(q *sql.Selector) { offer(q, s.now(), false) }).All(ctx)
		if err != nil {
			return err
		}
		found.next = nil
		if len(rows) > 0 {
			found.next = rows[0]
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

// managed is nil for a channel that is given commands.
func managed(c *ent.DeviceChannel) error {
	switch c.Status {
	case devicechannel.StatusEnrolled:
		return nil
	case devicechannel.StatusRemoved:
		return fmt.Errorf("%w: it was released", ErrUnenroll)
	default:
		return fmt.Errorf("%w: it has not finished its enrollment", ErrStranger)
	}
}

// proceed writes that a channel was seen, and gives its next command out,
// unless that has been withdrawn meanwhile. In the midst of a session the next
// report will say that it was seen.
func (s *Service) proceed(ctx context.Context, found *session) ([]byte, error) {
	if found.reported == "" || found.next == nil {
		if err := s.seen(ctx, found.DeviceChannel); err != nil {
			return nil, err
		}
	}
	if found.next == nil {
		return nil, nil
	}
	given, err := s.exec(ctx, s.giving, map[blank]any{blankCommand: found.next.ID, blankNow: s.now()})
	if err != nil {
		return nil, fmt.Errorf("give out a command: %w", err)
	}
	if given == 0 {
		return nil, nil
	}
	return s.open(ctx, found.next)
}

// writes counts the statements that proceed and end take.
func (s *Service) writes(found *session) (n int) {
	if found.reported != "" {
		n++
	}
	if found.next != nil {
		n++
	}
	switch {
	case s.quiet(found.DeviceChannel), found.reported != "" && found.next != nil:
		return n
	case s.sighting.text != "" && s.lately(found.DeviceChannel):
		return n + 1
	default:
		return n + 3
	}
}

// seen writes at most once a minute that a channel has spoken. A device that
// was missing is no longer.
func (s *Service) seen(ctx context.Context, c *ent.DeviceChannel) error {
	now := s.now()
	if s.quiet(c) {
		return nil
	}
	if s.sighting.text != "" {
		_, err := s.exec(ctx, s.sighting, map[blank]any{blankNow: now, blankToday: now.Truncate(day), blankChannel: c.ID})
		if err != nil {
			return fmt.Errorf("write that a device was seen: %w", err)
		}
	} else if err := s.seenByParts(ctx, c, now); err != nil {
		return err
	}
	if c.Kind != devicechannel.KindDevice {
		return nil
	}
	return s.found(ctx, c)
}

// seenByParts is for SQLite, which has no statement that writes two tables.
func (s *Service) seenByParts(ctx context.Context, c *ent.DeviceChannel, now time.Time) error {
	if err := s.client.DeviceChannel.Update().Where(devicechannel.ID(c.ID)).SetLastSeenAt(now).Exec(ctx); err != nil {
		return err
	}
	if c.Kind != devicechannel.KindDevice {
		return nil
	}
	return s.client.Device.Update().Where(device.ID(c.DeviceID)).SetLastSeenAt(now).SetLastSeenOn(now.Truncate(day)).Exec(ctx)
}
