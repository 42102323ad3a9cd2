package graph

import (
	"strings"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
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

func restart(notifyUser bool, kextPaths []string) command.RestartDevice {
	return command.RestartDevice{NotifyUser: notifyUser, RebuildKernelCache: len(kextPaths) > 0, KextPaths: kextPaths}
}

// update is what the inputs for one device and for many say of an update.
type update model.BulkScheduleOsUpdateInput

// osUpdate says in Apple's words what an update is to be.
func osUpdate(in update) command.ScheduleOSUpdate {
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
	return command.ScheduleOSUpdate{Updates: []command.OSUpdate{u}}
}

// instruction is what many devices are told, and the name of the input's member
// that says so. The executor has seen to it that it is exactly one.
func (r *Resolver) instruction(in *model.BulkDeviceCommandInput) (what queue.Instruction, member string) {
	switch {
	case in.Lock != nil:
		return queue.Locking(command.DeviceLock{Message: deref(in.Lock.Message), PhoneNumber: deref(in.Lock.PhoneNumber)}, false), "lock"
	case in.Erase != nil:
		return queue.ErasingEach(in.Erase.PreserveDataPlan, in.Erase.DisallowProximitySetup), "erase"
	case in.Restart != nil:
		return queue.Same(restart(in.Restart.NotifyUser, in.Restart.KextPaths), queue.Options{}), "restart"
	case in.UnlockUserAccount != nil:
		return queue.Same(command.UnlockUserAccount{UserName: in.UnlockUserAccount.UserName}, queue.Options{}), "unlockUserAccount"
	case in.ScheduleOsUpdate != nil:
		return queue.Same(osUpdate(update(*in.ScheduleOsUpdate)), queue.Options{}), "scheduleOsUpdate"
	}
	return r.plain(deref(in.Plain)), "plain"
}

func (r *Resolver) plain(c model.PlainDeviceCommand) queue.Instruction {
	switch c {
	case model.PlainDeviceCommandClearPasscode:
		return r.Members.ClearingPasscode()
	case model.PlainDeviceCommandClearActivationLock:
		return queue.ClearingActivationLock()
	case model.PlainDeviceCommandRefreshActivationLock:
		return queue.Same(command.ActivationLockBypassCode{}, queue.Options{})
	case model.PlainDeviceCommandRequestOsUpdateStatus:
		return queue.Same(command.OSUpdateStatus{}, queue.Options{})
	default:
		return queue.Same(command.ShutDownDevice{}, queue.Options{})
	}
}

// refusals names the parts of the input for many devices where the command for
// one would name its own.
func refusals(told []*queue.Told, member string) []*model.DeviceRefusal {
	list := []*model.DeviceRefusal{}
	for _, t := range queue.Refusals(told) {
		field := t.Refusal.Field
		if field == "input.deviceId" {
			field = "input.deviceIds"
		} else if rest, ok := strings.CutPrefix(field, "input."); ok {
			field = "input.command." + member + "." + rest
		}
		list = append(list, &model.DeviceRefusal{
			DeviceID: t.DeviceID, Code: string(t.Refusal.Code), Message: t.Refusal.Message, Field: orNull(field),
		})
	}
	return list
}
