package queue

import (
	"context"
	"errors"
	"slices"

	"entgo.io/ent/dialect/sql"

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
	switch status {
	case message.NotNow, message.Failed, message.CommandFormatError:
		return true
	case message.Acknowledged:
		return !inventory.Tells(requestType)
	default:
		return false
	}
}

// endBadly keeps that a command failed, unless it is unknown, never given out, or
// over. People are told by [Service.TellFailed], unless it only asked for
// inventory: the device does not wait for that.
func (s *Service) endBadly(ctx context.Context, channel *ent.DeviceChannel, r *message.Report) error {
	status := devicecommand.StatusError
	if r.Status == message.CommandFormatError {
		status = devicecommand.StatusFormatError
	}
	return s.client.DeviceCommand.Update().
		Where(devicecommand.CommandUUID(r.CommandUUID), devicecommand.ChannelID(channel.ID), devicecommand.AttemptsGT(0),
			devicecommand.StatusIn(unended()...)).
		SetStatus(status).SetResultAt(s.now()).SetErrorChain(chain(r.ErrorChain)).Modify(func(u *sql.UpdateBuilder) {
		u.Set(devicecommand.FieldAlertDue, sql.Expr("NOT "+devicecommand.FieldInventory))
	}).Exec(ctx)
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
	if r.Status != message.Acknowledged { // a device that polls reports on nothing
		return nil
	}
	err = s.client.DeviceCommand.Update().Where(devicecommand.ID(row.ID)).
		SetStatus(devicecommand.StatusAcknowledged).SetResultAt(s.now()).ClearErrorChain().Exec(ctx)
	if err != nil {
		return err
	}
	return s.apply(ctx, row, body)
}

// open reports whether a command's first end is still to come. One whose time
// had ended may have reached its device before.
func open(row *ent.DeviceCommand) bool {
	return row.Attempts > 0 && slices.Contains(unended(), row.Status)
}

// unended are the statuses of commands that a report can end.
func unended() []devicecommand.Status {
	return []devicecommand.Status{
		devicecommand.StatusPending, devicecommand.StatusSent, devicecommand.StatusNotNow, devicecommand.StatusExpired,
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
