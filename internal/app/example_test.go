package app_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/internal/applemdm/message"
	"github.com/bailiwick/bailiwick/internal/testkit/appleschema"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// Apple's example answers are seen in the API as they say.
func TestAppleExamplesAreSeen(t *testing.T) {
	files := appleschema.Open(t).Examples(t)
	require.NotEmpty(t, files, "this release of apple/device-management has no examples")
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		ctx := m.scope(t, m.a)
		id := m.fleetOf(t, m.a, 1, device.PlatformIOS)[0]
		own, err := m.Client.DeviceChannel.Query().Only(ctx)
		require.NoError(t, err)
		bodies := map[string][]byte{}
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			report, err := message.DecodeReport(body)
			if err != nil || report.Status != message.Acknowledged {
				continue // a request
			}
			_, requestType, ok := strings.Cut(report.CommandUUID, "_")
			require.True(t, ok, file)
			bodies[requestType] = body
		}
		// What is under way is told after what is offered.
		for _, requestType := range []string{
			"DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList",
			"AvailableOSUpdates", "OSUpdateStatus", "ScheduleOSUpdate", "ActivationLockBypassCode",
		} {
			require.NotNil(t, bodies[requestType], requestType)
			c, err := m.Client.DeviceCommand.Create().SetDeviceID(id).SetChannelID(own.ID).SetCommandUUID(requestType).
				SetRequestType(requestType).SetStatus(devicecommand.StatusAcknowledged).Save(ctx)
			require.NoError(t, err)
			require.NoError(t, m.Inventory.Apply(ctx, c, bodies[requestType]), requestType)
		}
		var got any
		m.must(t, m.a.key, "", `query($id: ID!) { device(id: $id) {
			name model modelIdentifier osVersion buildVersion platform supervised wifiMacAddress
			activationLockEnabled passcodePresent diskEncryptionEnabled
			apps { edges { node { name identifier version shortVersion bundleSize managed } } }
			profiles { edges { node { name identifier uuid profileOrganization managed removalDisallowed encrypted } } }
			osUpdates { edges { node { productKey name version build isCritical restartRequired status percentDownloaded isDownloaded } } }
			secrets { edges { node { kind revealedAt } } }
			alerts { totalCount }
		} }`, map[string]any{"id": id}, &got)
		list := func(node map[string]any) any {
			return map[string]any{"edges": []any{map[string]any{"node": node}}}
		}
		require.Equal(t, map[string]any{"device": map[string]any{
			"name": "iPhone", "model": "iPhone", "modelIdentifier": "iPhone11,8", "osVersion": "13.0", "buildVersion": "17A576",
			"platform": "IOS", "supervised": true, "wifiMacAddress": "58:fe:f5:80:29:f3",
			"activationLockEnabled": false, "passcodePresent": false, "diskEncryptionEnabled": false,
			"apps": list(map[string]any{
				"name": "MyEnterpriseApp", "identifier": "com.acme.myenterpriseapp", "version": "1.0", "shortVersion": "1.0",
				"bundleSize": 1036288., "managed": false,
			}),
			"profiles": list(map[string]any{
				"name": "Python MDM", "identifier": "com.acme.mdm.mdm", "uuid": "a96f429c-d881-47e7-ad07-eeca163976fb",
				"profileOrganization": "Acme, Inc.", "managed": false, "removalDisallowed": false, "encrypted": false,
			}),
			"osUpdates": list(map[string]any{
				"productKey": "iOSUpdate17A576", "name": "iOS 13.0", "version": "13.0", "build": "17A576", "isCritical": false,
				"restartRequired": true, "status": "Downloading", "percentDownloaded": 0.5030184984207153, "isDownloaded": false,
			}),
			"secrets": list(map[string]any{"kind": "ACTIVATION_LOCK_BYPASS_CODE", "revealedAt": nil}),
			"alerts":  map[string]any{"totalCount": 0.},
		}}, got)
		var revealed struct{ RevealDeviceSecret struct{ Value string } }
		m.must(t, m.a.key, "", `mutation($id: ID!) { revealDeviceSecret(input: {deviceId: $id, kind: ACTIVATION_LOCK_BYPASS_CODE}) { value } }`,
			map[string]any{"id": id}, &revealed)
		require.Equal(t, "A8QK7-GFG21-6RHT-V0U9-756P-L7E3", revealed.RevealDeviceSecret.Value)
	})
}
