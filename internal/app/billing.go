package app

import (
	"context"

	"github.com/bailiwick/bailiwick/internal/ticket/billing"
)

// openBilling wires the billing of users through the ticketing systems that
// openTicketing knows.
func (a *App) openBilling(context.Context) (err error) {
	pace := billing.DefaultConfig()
	pace.WriteAt = a.config.UsageWriteAt
	a.Billing, err = billing.New(billing.Dependencies{
		DB: a.DB, Accounts: a.Tickets, Jobs: a.Queue, Logger: a.config.Logger, Clock: a.config.Clock,
	}, pace)
	if err != nil {
		return err
	}
	return a.Billing.Register(a.Queue)
}
