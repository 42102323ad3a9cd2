package app

import (
	"context"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

// openTicketing wires alerts to tickets, and ticketing's own troubles to
// alerts: the outbox is an alert's ticketer, and alerts are the delivery's
// alarms.
func (a *App) openTicketing(context.Context) error {
	c := a.config
	outbox, err := ticket.NewOutbox(a.DB, a.Queue, c.Clock)
	if err != nil {
		return err
	}
	a.Alerts, err = alert.New(alert.Config{DB: a.DB, Bus: a.Bus, Ticketer: outbox, Logger: c.Logger, Clock: c.Clock})
	if err != nil {
		return err
	}
	a.Tickets, err = ticket.New(ticket.Dependencies{
		DB: a.DB, Vault: a.Vault, Outbox: outbox, Alarms: alarms{a.Alerts, "INTEGRATION"}, AlertTypes: ticketedType,
		Drivers: ticket.Drivers{psa.Syncro: ticket.Syncro(syncro.Config{
			AllowLoopback: c.PSAAllowLoopback, Timeout: syncro.DefaultTimeout, MaxPages: syncro.DefaultMaxPages,
			Logger: c.Logger, Clock: c.Clock,
		}, c.PSAAllowLoopback)},
		Logger: c.Logger, Clock: c.Clock,
	}, ticket.DefaultConfig())
	if err != nil {
		return err
	}
	return a.Tickets.Register(a.Queue)
}

// alarms lets a part of the service raise alerts about what it looks after.
type alarms struct {
	*alert.Service
	source string // what the alerts are about, as alert.Report has it
}

// Alarm implements ticket.Alarms and applemdm.Alarms.
func (s alarms) Alarm(ctx context.Context, organization, alertType, dedupeKey, title, description string) error {
	_, _, err := s.Raise(ctx, alert.Report{
		Organization: organization, Type: alertType, DedupeKey: dedupeKey, Title: title, Description: description,
		SourceType: s.source,
	})
	return err
}

// ticketedType finds an alert type that can become tickets.
func ticketedType(keyOrUUID string) (string, bool) {
	t, ok := alert.Find(keyOrUUID)
	return t.Key, ok && t.Ticketed
}
