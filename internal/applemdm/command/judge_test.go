package command_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/command"
	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/testkit/appleschema"
)

var systems = map[command.Platform]string{
	command.MacOS: "macOS", command.IOS: "iOS", command.IPadOS: "iOS", command.TVOS: "tvOS", command.VisionOS: "visionOS", command.WatchOS: "watchOS",
}

func judged(t command.Target) appleschema.Device {
	return appleschema.Device{OS: systems[t.Platform], Version: t.OSVersion, Supervised: t.Supervised, UserEnrollment: t.UserEnrollment}
}

// The judge is awake.
func TestJudgeRefuses(t *testing.T) {
	schemas := appleschema.Open(t).Commands(t)
	for name, c := range map[string]struct {
		command map[string]any
		target  command.Target
	}{
		"an unknown command":    {map[string]any{"RequestType": "DeviceLocks"}, mac},
		"a misspelt key":        {map[string]any{"RequestType": "DeviceLock", "Pin": "012345"}, mac},
		"a number as PIN":       {map[string]any{"RequestType": "DeviceLock", "PIN": 12345}, mac},
		"a PIN for a phone":     {map[string]any{"RequestType": "DeviceLock", "PIN": "012345"}, phone},
		"a missing key":         {map[string]any{"RequestType": "RemoveProfile"}, mac},
		"a bad value":           {map[string]any{"RequestType": "RotateFileVaultKey", "KeyType": "mine", "FileVaultUnlock": map[string]any{}}, mac},
		"a bad value in a list": {map[string]any{"RequestType": "ScheduleOSUpdate", "Updates": []any{map[string]any{"ProductKey": "a", "InstallAction": "INSTALL_ASAP"}}}, mac},
		"an unknown query":      {map[string]any{"RequestType": "DeviceInformation", "Queries": []string{"Colour"}}, mac},
		"a Mac's query":         {map[string]any{"RequestType": "DeviceInformation", "Queries": []string{"IsAppleSilicon"}}, phone},
		"an unknown setting":    {map[string]any{"RequestType": "Settings", "Settings": []any{map[string]any{"Item": "Name", "DeviceName": "a"}}}, mac},
		"lost mode for a Mac":   {map[string]any{"RequestType": "EnableLostMode", "Message": "a"}, mac},
		"without supervision":   {map[string]any{"RequestType": "RestartDevice"}, command.Target{Platform: command.IOS, OSVersion: "26.1"}},
		"a person's own device": {map[string]any{"RequestType": "EraseDevice"}, own},
		"an old system":         {map[string]any{"RequestType": "DeclarativeManagement"}, command.Target{Platform: command.IOS, OSVersion: "14.8.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := plist.Encode(map[string]any{"Command": c.command, "CommandUUID": "1"})
			require.NoError(t, err)
			require.NotEmpty(t, appleschema.JudgeCommand(schemas, body, judged(c.target)))
		})
	}
}

// Every command that can be sent is one of Apple's, key by key.
func TestJudge(t *testing.T) {
	schemas := appleschema.Open(t).Commands(t)
	for i, s := range samples() {
		t.Run(fmt.Sprintf("%s/%d", command.RequestType(s.command), i), func(t *testing.T) {
			require.NoError(t, command.Validate(s.command, s.target))
			body, err := command.Encode(s.command, "5A6E2C5E-6A7B-4B1C-9F57-7C4B3B7D8A01")
			require.NoError(t, err)
			require.Empty(t, appleschema.JudgeCommand(schemas, body, judged(s.target)))
		})
	}
}

// Commands are refused for exactly the devices that would refuse them.
func TestJudgeSupport(t *testing.T) {
	schemas := appleschema.Open(t).Commands(t)
	one := map[string]command.Command{}
	for _, s := range samples() {
		one[command.RequestType(s.command)] = s.command
	}
	for _, requestType := range command.RequestTypes() {
		schema := schemas[requestType]
		for platform, name := range systems {
			support := schema.Support(name)
			if requestType == "Settings" { // which is as far as its one setting reaches
				support = setting(t, schema, "DeviceName").Under(support, name)
				if platform == command.WatchOS {
					support.Introduced = "n/a"
				}
			}
			for _, version := range versions(support) {
				for flags := range 4 {
					target := command.Target{Platform: platform, OSVersion: version, Supervised: flags&1 > 0, UserEnrollment: flags&2 > 0, AppleSilicon: true}
					err := command.Validate(one[requestType], target)
					f, _ := errors.AsType[*fault.Error](err)
					refused := f != nil && f.Field == "input.deviceId"
					refusal := support.Refuses(judged(target))
					require.Equal(t, refusal != "", refused, "%s for %+v: Apple: %q, we: %v", requestType, target, refusal, err)
				}
			}
		}
	}
}

// versions are those around which support changes, and one of today.
func versions(support appleschema.OS) []string {
	all := []string{"1.0", "26.1"}
	if support.Introduced != "" && support.Introduced != "n/a" {
		all = append(all, support.Introduced, before(support.Introduced))
	}
	if support.Removed != "" {
		all = append(all, support.Removed, before(support.Removed))
	}
	return all
}

// before returns the last version before one such as 10.14.4.
func before(version string) string {
	parts := strings.Split(version, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if n, _ := strconv.Atoi(parts[i]); n > 0 {
			return strings.Join(append(parts[:i:i], strconv.Itoa(n-1), "99"), ".")
		}
	}
	return "0"
}

func setting(t *testing.T, schema appleschema.Command, name string) appleschema.Key {
	t.Helper()
	for _, item := range schema.PayloadKeys[0].SubKeys {
		if item.Key == name {
			return item
		}
	}
	t.Fatalf("no setting %s", name)
	return appleschema.Key{}
}

// A device is asked only what it can answer.
func TestJudgeQueries(t *testing.T) {
	schemas := appleschema.Open(t).Commands(t)
	for platform := range systems {
		for _, version := range []string{"10.15", "12.0", "13.3", "16.4", "26.1"} {
			for flags := range 4 {
				target := command.Target{Platform: platform, OSVersion: version, Supervised: flags&1 > 0, UserEnrollment: flags&2 > 0}
				queries := command.Queries(target)
				if len(queries) == 0 {
					continue
				}
				c := command.DeviceInformation{Queries: queries}
				if command.Validate(c, target) != nil {
					continue
				}
				body, err := command.Encode(c, "1")
				require.NoError(t, err)
				require.Empty(t, appleschema.JudgeCommand(schemas, body, judged(target)), "%+v", target)
			}
		}
	}
}
