package queue

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
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
// An ordinary session takes one statement, and another if there is something to
// be written, which it shares with the sessions of the provider's other devices
// that come meanwhile. What is written is one transaction: the result is stored,
// and the next command given out, together or not at all.
func (s *Service) Connect(ctx context.Context, by Sender, r *message.Report, body []byte) ([]byte, error) {
	found, err := s.recognize(ctx, KeyOf(r.Enrollment), by, r.CommandUUID)
	if err != nil {
		return nil, err
	}
	if err := managed(found.DeviceChannel); err != nil {
		return nil, err
	}
	switch {
	case found.reported != "" && !brief(r.Status, found.reported):
		return s.take(ctx, found, r, body)
	case found.reported != "" && r.Status != message.Acknowledged && r.Status != message.NotNow:
		return s.fails(ctx, found, r)
	}
	t := s.stepOf(found)
	if found.reported != "" {
		t.reported, t.verdict = r.CommandUUID, verdictOf(r.Status)
	}
	return s.proceed(ctx, found, t)
}

// take stores a report that tells more than that a command is over, and gives
// the next command out, which the report may have led to.
func (s *Service) take(ctx context.Context, found *session, r *message.Report, body []byte) ([]byte, error) {
	return s.storing(ctx, found, func(ctx context.Context) error {
		if err := s.store(ctx, found.DeviceChannel, r, body); err != nil {
			return err
		}
		rows, err := s.client.DeviceCommand.Query().Where(devicecommand.ChannelID(found.ID)).
			Modify(func(q *sql.Selector) { offer(q, s.now()) }).All(ctx)
		if err != nil {
			return err
		}
		found.next = nil
		if len(rows) > 0 {
			found.next = rows[0]
		}
		return nil
	})
}

// fails stores that a command has failed, and gives the next one out.
func (s *Service) fails(ctx context.Context, found *session, r *message.Report) ([]byte, error) {
	return s.storing(ctx, found, func(ctx context.Context) error { return s.endBadly(ctx, found.DeviceChannel, r) })
}

// storing stores a report and gives the next command out in one transaction of the
// session's own.
func (s *Service) storing(ctx context.Context, found *session, store func(ctx context.Context) error) (answer []byte, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if err = store(ctx); err == nil {
			answer, err = s.proceed(ctx, found, s.stepOf(found))
		}
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

// stepOf is what is written of a session besides what it reports. In the midst of
// it the next report will say that the channel was seen.
func (s *Service) stepOf(found *session) step {
	t := step{channel: found.DeviceChannel, signed: found.by.Signed(found.DeviceChannel, s.now()), seen: !s.quiet(found.DeviceChannel) && (found.reported == "" || found.next == nil)}
	if found.next != nil {
		t.next = found.next.ID
	}
	return t
}

// proceed writes a step, and answers the command that it gives out, unless that
// has been withdrawn meanwhile.
func (s *Service) proceed(ctx context.Context, found *session, t step) (answer []byte, err error) {
	if found.next != nil && found.next.CommandUUID == t.reported {
		t.next = "" // it is over, or was put off
	}
	if t.parts() == 0 {
		return nil, nil
	}
	given, err := s.sight(ctx, t)
	if err != nil || !given {
		return nil, err
	}
	return s.open(ctx, found.next)
}

// sight is write, and ends that a device is missing that has not spoken for long.
func (s *Service) sight(ctx context.Context, t step) (given bool, err error) {
	if !t.seen || t.channel.Kind != devicechannel.KindDevice || s.lately(t.channel) {
		return s.write(ctx, t)
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if given, err = s.write(ctx, t); err != nil {
			return err
		}
		return s.found(ctx, t.channel)
	})
	return given && err == nil, err
}
