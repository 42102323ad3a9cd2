package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// Enqueue is [Service.TellOne] for a command that any device is told alike.
func (s *Service) Enqueue(ctx context.Context, deviceID string, c command.Command, o Options) (*ent.DeviceCommand, error) {
	queued, _, err := s.TellOne(ctx, deviceID, Same(c, o))
	return queued, err
}

// Channel is a device in reach and its own channel. It is PRECONDITION_FAILED
// for a device that is not enrolled.
func (s *Service) Channel(ctx context.Context, deviceID string) (*ent.Device, *ent.DeviceChannel, error) {
	d, err := s.client.Device.Query().Where(device.ID(deviceID)).Only(ctx)
	if err != nil {
		return nil, nil, absent(err, deviceID)
	}
	channel, err := s.client.DeviceChannel.Query().Where(
		devicechannel.DeviceID(d.ID), devicechannel.KindEQ(devicechannel.KindDevice), devicechannel.StatusEQ(devicechannel.StatusEnrolled),
	).First(ctx)
	if ent.IsNotFound(err) {
		return nil, nil, errNotEnrolled()
	}
	return d, channel, err
}

// build makes a command's row, which its caller posts, now.
func (s *Service) build(ctx context.Context, channel *ent.DeviceChannel, c command.Command, o Options, now time.Time) (*ent.DeviceCommand, error) {
	arguments, err := command.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", command.RequestType(c), err)
	}
	row := s.client.DeviceCommand.Own(&ent.DeviceCommand{
		ID: devicecommand.DefaultID(), CreatedAt: now, UpdatedAt: now,
		OrganizationID: channel.OrganizationID, ProviderID: channel.ProviderID, DeviceID: channel.DeviceID, ChannelID: channel.ID,
		CommandUUID: strings.ToUpper(uuid.NewString()), RequestType: command.RequestType(c),
		Status: devicecommand.DefaultStatus, Priority: o.Priority, NotBefore: o.NotBefore, ExpiresAt: o.ExpiresAt,
	})
	if !command.Sensitive(c) {
		row.Arguments = arguments
		return row, nil
	}
	if row.SealedArguments, err = s.Vault.Seal(ctx, placeOf(row.OrganizationID, row.ID), arguments); err != nil {
		return nil, fmt.Errorf("seal a command: %w", err)
	}
	return row, nil
}

// open reads back what build has stored, as the property list for the device,
// and keeps the PIN in it.
// A row without arguments is read again: they are sealed.
func (s *Service) open(ctx context.Context, row *ent.DeviceCommand) ([]byte, error) {
	if len(row.Arguments) == 0 && len(row.SealedArguments) == 0 {
		var err error
		if row, err = s.client.DeviceCommand.Query().Where(devicecommand.ID(row.ID)).Only(ctx); err != nil {
			return nil, err
		}
	}
	arguments := []byte(row.Arguments)
	if len(row.SealedArguments) > 0 {
		var err error
		if arguments, err = s.Vault.Open(ctx, placeOf(row.OrganizationID, row.ID), row.SealedArguments); err != nil {
			return nil, fmt.Errorf("open the command %s: %w", row.ID, err)
		}
	}
	c, err := command.Unmarshal(row.RequestType, arguments)
	if err != nil {
		return nil, fmt.Errorf("read the command %s: %w", row.ID, err)
	}
	if err := s.keepPIN(ctx, row, c); err != nil {
		return nil, err
	}
	return command.Encode(c, row.CommandUUID)
}

func placeOf(organization, row string) secret.Place {
	return secret.Place{Tenant: organization, Table: "device_commands", Column: "sealed_arguments", Row: row}
}
