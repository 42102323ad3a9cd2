package graph

import (
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
)

// asked leaves out the commands that only ask for inventory, unless they are
// wanted.
func asked(q *ent.DeviceCommandQuery, includeInventory *bool) *ent.DeviceCommandQuery {
	if !deref(includeInventory) {
		q.Where(devicecommand.Inventory(false))
	}
	return q
}

func commandErrors(c *ent.DeviceCommand) []*model.DeviceCommandError {
	var chain []*model.DeviceCommandError
	for _, e := range c.ErrorChain {
		chain = append(chain, &model.DeviceCommandError{
			Code: e.Code, Domain: e.Domain,
			LocalizedDescription: orNull(e.LocalizedDescription), UsEnglishDescription: orNull(e.USEnglishDescription),
		})
	}
	return chain
}

// orNull is null for the empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// osUpdate says in Apple's words what an update is to be.
func osUpdate(in model.ScheduleDeviceOsUpdateInput) command.OSUpdate {
	u := command.OSUpdate{
		ProductKey: deref(in.ProductKey), ProductVersion: deref(in.ProductVersion), MaxUserDeferrals: in.MaxUserDeferrals,
	}
	for _, action := range command.InstallActions() {
		if strings.EqualFold(action, strings.ReplaceAll(string(in.InstallAction), "_", "")) {
			u.InstallAction = action
		}
	}
	switch deref(in.Priority) {
	case model.OsUpdatePriorityLow:
		u.Priority = "Low"
	case model.OsUpdatePriorityHigh:
		u.Priority = "High"
	}
	return u
}
