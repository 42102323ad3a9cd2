package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/job"
	"github.com/bailiwick/bailiwick/tenancy"
)

// failedBatch bounds how many failures are told in one transaction.
const failedBatch = 50

// alertDue keeps the commands whose failure is still to be told, in the words of
// the partial index device_command_failed.
func alertDue(s *sql.Selector) { s.Where(sql.ExprP(s.C(devicecommand.FieldAlertDue))) }

// TellFailed raises the alerts about commands that have failed since it was last
// called: each is raised in the transaction that takes its mark away, and so once.
// The context needs no scope.
func (s *Service) TellFailed(ctx context.Context) error {
	var tenants []job.Tenant
	err := s.client.DeviceCommand.Query().Where(alertDue).
		GroupBy(devicecommand.FieldProviderID, devicecommand.FieldOrganizationID).
		Scan(tenancy.System(ctx, "find the commands of every provider that have failed"), &tenants)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range tenants {
		there := job.TenantContext(ctx, t, service)
		errs = append(errs, s.tellFailed(there, t.Organization)) // one does not keep the others waiting
	}
	return errors.Join(errs...)
}

func (s *Service) tellFailed(ctx context.Context, organization string) error {
	for more := true; more; {
		err := s.DB.InTx(ctx, func(ctx context.Context) error {
			failed, err := s.client.DeviceCommand.Query().Where(devicecommand.OrganizationID(organization), alertDue).
				Order(devicecommand.ByID()).Limit(failedBatch).Modify(database.ForUpdate).All(ctx)
			if err != nil || len(failed) == 0 {
				more = false
				return err
			}
			ids := make([]string, len(failed))
			for i, c := range failed {
				ids[i] = c.ID
				err := s.Alarms.Alarm(ctx, c.OrganizationID, c.DeviceID, alertCommandFailed, c.DeviceID+":"+c.RequestType,
					c.RequestType+" failed", explain(c))
				if err != nil {
					return err
				}
			}
			more = len(failed) == failedBatch
			return s.client.DeviceCommand.Update().Where(devicecommand.IDIn(ids...)).SetAlertDue(false).Exec(ctx)
		})
		if err != nil {
			return fmt.Errorf("tell of failed commands: %w", err)
		}
	}
	return nil
}

// explain tells people why a command failed.
func explain(c *ent.DeviceCommand) string {
	if c.Status == devicecommand.StatusFormatError {
		return "The device does not understand the command."
	}
	var lines []string
	for _, e := range c.ErrorChain {
		what := e.USEnglishDescription
		if what == "" {
			what = e.LocalizedDescription
		}
		lines = append(lines, fmt.Sprintf("%s %d: %s", e.Domain, e.Code, what))
	}
	return plist.Clip(strings.Join(lines, "\n"), 2000)
}
