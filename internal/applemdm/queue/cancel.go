package queue

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Cancel withdraws a command that its device does not have: one that waits, or
// was put off. One that was given out is PRECONDITION_FAILED, since the device
// may be obeying it.
func (s *Service) Cancel(ctx context.Context, id string) (cancelled *ent.DeviceCommand, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		row, err := s.client.DeviceCommand.Query().Where(devicecommand.ID(id)).Modify(database.ForUpdate).Only(ctx)
		if err != nil {
			return absent(err, id)
		}
		switch row.Status {
		case devicecommand.StatusPending, devicecommand.StatusNotNow:
			cancelled, err = row.Update().SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).Save(ctx)
			return err
		case devicecommand.StatusSent:
			return fault.New(fault.PreconditionFailed, "the device has the command already")
		default:
			return fault.New(fault.PreconditionFailed, "the command is over: it is %s", row.Status)
		}
	})
	if err != nil {
		return nil, err
	}
	return cancelled, nil
}

// Abandon withdraws every command that a device has not ended: it is enrolled
// anew, or gone.
func (s *Service) Abandon(ctx context.Context, deviceID string) error {
	return s.client.DeviceCommand.Update().Where(devicecommand.DeviceID(deviceID), Waiting).
		SetStatus(devicecommand.StatusCancelled).SetResultAt(s.now()).Exec(ctx)
}
