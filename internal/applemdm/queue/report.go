package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/applemdm/result"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
)

// brief reports whether a report tells no more than that a command is over, or
// put off.
func brief(status message.Status, requestType string) bool {
	return status == message.NotNow || status == message.Acknowledged && !inventory.Tells(requestType)
}

// end keeps a brief report, unless the command is unknown, never given out, or
// over.
func (s *Service) end(ctx context.Context, channel *ent.DeviceChannel, r *message.Report) error {
	statement := s.ending
	if r.Status == message.NotNow {
		statement = s.putOff
	}
	_, err := s.exec(ctx, statement, map[blank]any{blankReported: r.CommandUUID, blankChannel: channel.ID, blankNow: s.now()})
	return err
}

// store keeps what a device reports of a command of its own. A report of a
// command that is unknown, never given out, or over changes nothing.
func (s *Service) store(ctx context.Context, channel *ent.DeviceChannel, r *message.Report, body []byte) error {
	row, err := s.client.DeviceCommand.Query().
		Where(devicecommand.CommandUUID(r.CommandUUID), devicecommand.ChannelID(channel.ID)).
		Modify(database.ForUpdate).Only(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil || !open(row) {
		return err
	}
	update := s.client.DeviceCommand.Update().Where(devicecommand.ID(row.ID))
	switch r.Status {
	case message.NotNow:
		return update.SetStatus(devicecommand.StatusNotNow).Exec(ctx)
	case message.Acknowledged:
		if err := update.SetStatus(devicecommand.StatusAcknowledged).SetResultAt(s.now()).ClearErrorChain().Exec(ctx); err != nil {
			return err
		}
		return s.apply(ctx, row, body)
	case message.Failed:
		update.SetStatus(devicecommand.StatusError)
	case message.CommandFormatError:
		update.SetStatus(devicecommand.StatusFormatError)
	default:
		return nil
	}
	if err := update.SetResultAt(s.now()).SetErrorChain(chain(r.ErrorChain)).Exec(ctx); err != nil {
		return err
	}
	if row.Inventory {
		return nil
	}
	return s.Alarms.Alarm(ctx, row.OrganizationID, row.DeviceID, alertCommandFailed, row.DeviceID+":"+row.RequestType,
		row.RequestType+" failed", explain(r))
}

// open reports whether a command's first end is still to come. One whose time
// had ended may have reached its device before.
func open(row *ent.DeviceCommand) bool {
	switch row.Status {
	case devicecommand.StatusPending, devicecommand.StatusSent, devicecommand.StatusNotNow, devicecommand.StatusExpired:
		return row.Attempts > 0
	default:
		return false
	}
}

// apply keeps what an answer tells. An answer without the part that was asked
// for, or one that no device gives, changes nothing.
func (s *Service) apply(ctx context.Context, row *ent.DeviceCommand, body []byte) error {
	err := s.Inventory.Apply(ctx, row, body)
	switch {
	case errors.Is(err, result.ErrAbsent):
		return nil
	case errors.Is(err, result.ErrTooMany), errors.Is(err, plist.ErrMalformed):
		s.Logger.WarnContext(ctx, "drop an answer", "command", row.ID, "request_type", row.RequestType, "error", err)
		return nil
	}
	return err
}

func chain(items []message.ErrorChainItem) []schema.CommandError {
	errs := make([]schema.CommandError, 0, len(items))
	for _, e := range items {
		errs = append(errs, schema.CommandError{
			Code: int(e.ErrorCode), Domain: e.ErrorDomain,
			LocalizedDescription: e.LocalizedDescription, USEnglishDescription: e.USEnglishDescription,
		})
	}
	return errs
}

// explain tells people why a command failed.
func explain(r *message.Report) string {
	if r.Status == message.CommandFormatError {
		return "The device does not understand the command."
	}
	var lines []string
	for _, e := range r.ErrorChain {
		what := e.USEnglishDescription
		if what == "" {
			what = e.LocalizedDescription
		}
		lines = append(lines, fmt.Sprintf("%s %d: %s", e.ErrorDomain, e.ErrorCode, what))
	}
	return plist.Clip(strings.Join(lines, "\n"), 2000)
}
