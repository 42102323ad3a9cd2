package app

import (
	"context"

	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/config"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
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
	settings := ticket.DefaultConfig()
	settings.TwoWay.PublicURL = c.PublicURL
	settings.ConsoleURL = c.Console()
	limiter, err := limit.New(limit.Config{
		DB: a.DB, Policies: limit.DefaultPolicies(), Clock: a.clock.Read, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	drivers, err := c.drivers()
	if err != nil {
		return err
	}
	a.Tickets, err = ticket.New(ticket.Dependencies{
		DB: a.DB, Vault: a.Vault, Outbox: outbox, Alarms: alarms{a.Alerts, "INTEGRATION"}, AlertTypes: ticketedType,
		Drivers: drivers, Limiter: limiter, Logger: c.Logger, Clock: c.Clock,
	}, settings)
	if err != nil {
		return err
	}
	return a.Tickets.Register(a.Queue)
}

// remembered is how many Autotask accounts' zones and lists are kept.
const remembered = 1000

// drivers open accounts of every kind of ticketing system. A vendor that knows
// this deployment by an identifier is unavailable without it.
func (c Config) drivers() (psa.Drivers, error) {
	drivers := psa.Drivers{
		psa.Syncro: syncro.Driver(syncro.Config{
			AllowLoopback: c.PSAAllowLoopback, Timeout: syncro.DefaultTimeout, MaxPages: syncro.DefaultMaxPages,
			Logger: c.Logger, Clock: c.Clock,
		}),
		psa.Autotask:    unavailable("Autotask", "AutotaskIntegrationCode", autotask.ReadSettings),
		psa.ConnectWise: unavailable("ConnectWise PSA", "ConnectWiseClientID", connectwise.ReadSettings),
	}
	if !c.AutotaskIntegrationCode.IsZero() {
		memory, err := autotask.NewMemory(remembered)
		if err != nil {
			return nil, err
		}
		drivers[psa.Autotask] = autotask.Driver(autotask.Config{
			IntegrationCode: c.AutotaskIntegrationCode.Reveal(), AllowLoopback: c.PSAAllowLoopback, Memory: memory,
			Timeout: autotask.DefaultTimeout, PageSize: autotask.DefaultPageSize, MaxPages: autotask.DefaultMaxPages,
			Logger: c.Logger, Clock: c.Clock,
		})
	}
	if c.ConnectWiseClientID != "" {
		drivers[psa.ConnectWise] = connectwise.Driver(connectwise.Config{
			ClientID: c.ConnectWiseClientID, AllowLoopback: c.PSAAllowLoopback, Sites: connectwise.NewSites(),
			Version: connectwise.DefaultVersion, Timeout: connectwise.DefaultTimeout, MaxPages: connectwise.DefaultMaxPages,
			Logger: c.Logger, Clock: c.Clock,
		})
	}
	return drivers, nil
}

// unavailable is the driver of a product that the deployment has no identifier
// for: what is stored for it can still be read.
func unavailable[S psa.Settings](product, setting string, settings func([]byte) (S, error)) psa.Driver {
	return psa.Driver{
		Open: func([]byte, psa.Gate) (psa.Vendor, error) {
			return nil, fault.New(fault.PreconditionFailed, "this deployment cannot call %s: its operator has to set %s", product, config.SettingName(setting))
		},
		Settings: func(raw []byte) (psa.Settings, error) { return settings(raw) },
	}
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
