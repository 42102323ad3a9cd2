package simulator_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// TestInventory: each kind answers what a server asks first.
func TestInventory(t *testing.T) {
	for _, kind := range simulator.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			s := startServer(t)
			d := enrolled(t, s, simulator.Config{Hardware: simulator.Generate(5, kind), Supervised: true})
			s.enqueue(d, "DeviceInformation", map[string]any{"Queries": []any{"UDID", "SerialNumber", "IsSupervised", "DeviceCapacity", "NoSuchQuery"}})
			for _, command := range []string{"SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList", "AvailableOSUpdates", "OSUpdateStatus"} {
				s.enqueue(d, command, nil)
			}
			assert.Equal(t, 7, connect(t, d))
			reports := s.sent("Acknowledged")
			require.Len(t, reports, 7)
			answers := reports[0]["QueryResponses"].(map[string]any)
			assert.Len(t, answers, 4)
			assert.Equal(t, d.Hardware().SerialNumber, answers["SerialNumber"])
			assert.Equal(t, true, answers["IsSupervised"])
			assert.NotEmpty(t, reports[1]["SecurityInfo"])
			assert.NotEmpty(t, reports[2]["InstalledApplicationList"])
			profile := reports[3]["ProfileList"].([]any)[0].(map[string]any)
			assert.Equal(t, "test.enrolment", profile["PayloadIdentifier"])
			assert.Len(t, profile["PayloadContent"], 2)
			certificate := reports[4]["CertificateList"].([]any)[0].(map[string]any)
			assert.Equal(t, d.Identity().Certificate.Raw, certificate["Data"])
			assert.Len(t, reports[5]["AvailableOSUpdates"], 1)
			assert.Empty(t, reports[6]["OSUpdateStatus"])
		})
	}
}

func TestLock(t *testing.T) {
	s := startServer(t)
	mac := enrolled(t, s, simulator.Config{})
	s.enqueue(mac, "DeviceLock", map[string]any{"Message": "no PIN"})
	s.enqueue(mac, "DeviceLock", map[string]any{"Message": "Call us", "PIN": "123456", "PhoneNumber": "112"})
	s.enqueue(mac, "RestartDevice", nil)
	assert.Equal(t, 2, connect(t, mac), "a locked Mac asks for nothing more")
	obeyed := mac.Obeyed("DeviceLock")
	require.Len(t, obeyed, 1)
	assert.Equal(t, "123456", obeyed[0].Command["PIN"])
	state := mac.State()
	assert.Equal(t, []any{true, "123456", "Call us", "112"}, []any{state.Locked, state.LockPIN, state.LockMessage, state.LockPhone})
	_, err := mac.Connect(t.Context())
	assert.ErrorIs(t, err, simulator.ErrUnreachable)
	assert.False(t, mac.Unlock("654321"))
	assert.True(t, mac.Unlock("123456"))
	assert.Equal(t, 1, connect(t, mac))
	assert.Equal(t, 1, mac.State().Restarts)

	phone := enrolled(t, s, simulator.Config{Hardware: simulator.Generate(2, simulator.IPhone)})
	s.enqueue(phone, "DeviceLock", map[string]any{"Message": "Call us"})
	s.enqueue(phone, "RestartDevice", nil)
	assert.Equal(t, 2, connect(t, phone))
	assert.Equal(t, "Success", phone.Obeyed("DeviceLock")[0].Report["MessageResult"])
	assert.Empty(t, phone.Obeyed("RestartDevice"), "not supervised")
}

func TestEraseAndShutDown(t *testing.T) {
	s := startServer(t)
	intel := enrolled(t, s, simulator.Config{Hardware: simulator.Generate(2, simulator.MacIntel)})
	s.enqueue(intel, "ShutDownDevice", nil)
	connect(t, intel)
	_, err := intel.Connect(t.Context())
	require.ErrorIs(t, err, simulator.ErrUnreachable)
	intel.PowerOn()
	s.enqueue(intel, "EraseDevice", nil)
	s.enqueue(intel, "EraseDevice", map[string]any{"PIN": "000000"})
	assert.Equal(t, 2, connect(t, intel))
	state := intel.State()
	assert.Equal(t, []any{false, true, "000000"}, []any{state.Enrolled, state.Erased, state.ErasePIN})
	token, _ := intel.Push()
	assert.Nil(t, token)
	require.NoError(t, intel.Enroll(t.Context(), s.profile(t, nil)))
	assert.False(t, intel.State().Erased)
}

func TestPasscodeAndBypass(t *testing.T) {
	s := startServer(t)
	d := newDevice(t, s, simulator.Config{Hardware: simulator.Generate(2, simulator.IPad), Supervised: true})
	require.NoError(t, d.Enroll(t.Context(), s.profile(t, nil)))
	unlock := s.sent("TokenUpdate")[0]["UnlockToken"]
	s.enqueue(d, "ClearPasscode", map[string]any{"UnlockToken": []byte("other")})
	s.enqueue(d, "ActivationLockBypassCode", nil)
	s.enqueue(d, "ClearActivationLockBypassCode", nil)
	s.enqueue(d, "ActivationLockBypassCode", nil)
	connect(t, d)
	assert.True(t, d.State().HasPasscode)
	s.enqueue(d, "ClearPasscode", map[string]any{"UnlockToken": unlock})
	connect(t, d)
	assert.False(t, d.State().HasPasscode)
	codes := d.Obeyed("ActivationLockBypassCode")
	require.Len(t, codes, 1)
	assert.Regexp(t, `^[0-9A-Z]{5}-[0-9A-Z]{5}(-[0-9A-Z]{4}){4}$`, codes[0].Report["ActivationLockBypassCode"])
	assert.Len(t, s.sent("Error"), 2)
}

func TestUnknownCommand(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{})
	s.enqueue(d, "ClearPasscode", nil) // Macs have no such thing
	s.enqueue(d, "MakeCoffee", nil)
	assert.Equal(t, 2, connect(t, d))
	for _, r := range s.sent("Error") {
		assert.EqualValues(t, 12021, r["ErrorChain"].([]any)[0].(map[string]any)["ErrorCode"])
	}
}

// TestOSUpdate: from what is offered to what is installed.
func TestOSUpdate(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{Hardware: simulator.Generate(2, simulator.IPhone), Supervised: true})
	d.Offer(simulator.Update{ProductKey: "iOSUpdate99A1", Name: "iOS 99.1", ProductVersion: "99.1", Build: "99A1"})
	s.enqueue(d, "ScheduleOSUpdate", map[string]any{"Updates": []any{
		map[string]any{"ProductVersion": "99.1", "InstallAction": "Default"}, map[string]any{"ProductKey": "none", "InstallAction": "Default"},
	}})
	connect(t, d)
	results := d.Obeyed("ScheduleOSUpdate")[0].Report["UpdateResults"].([]any)
	require.Len(t, results, 2)
	assert.Equal(t, "Error", results[1].(map[string]any)["InstallAction"])
	var seen []string
	for range 4 {
		s.enqueue(d, "OSUpdateStatus", nil)
		connect(t, d)
	}
	for _, o := range d.Obeyed("OSUpdateStatus") {
		for _, item := range o.Report["OSUpdateStatus"].([]any) {
			seen = append(seen, item.(map[string]any)["Status"].(string))
		}
	}
	assert.Equal(t, []string{"Downloading", "Idle", "Installing"}, seen)
	assert.Equal(t, []any{"99.1", "99A1", 1}, []any{d.State().OSVersion, d.State().BuildVersion, d.State().Restarts})
}

func TestProfiles(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{})
	root := encode(t, map[string]any{
		"PayloadType": "Configuration", "PayloadIdentifier": "test.root", "PayloadUUID": "R",
		"PayloadContent": []any{map[string]any{"PayloadType": "com.apple.security.root", "PayloadUUID": "R1", "PayloadContent": s.ca.Raw}},
	})
	s.enqueue(d, "InstallProfile", map[string]any{"Payload": root})
	s.enqueue(d, "CertificateList", nil)
	s.enqueue(d, "InstallProfile", map[string]any{"Payload": []byte("bplist00")})
	s.enqueue(d, "RemoveProfile", map[string]any{"Identifier": "test.root"})
	s.enqueue(d, "RemoveProfile", map[string]any{"Identifier": "test.root"})
	connect(t, d)
	assert.Equal(t, "Idle Acknowledged Acknowledged Error Acknowledged Error", s.story())
	assert.Len(t, d.Obeyed("CertificateList")[0].Report["CertificateList"], 2)
	s.enqueue(d, "RemoveProfile", map[string]any{"Identifier": "test.enrolment"})
	connect(t, d)
	assert.Equal(t, "Idle CheckOut", s.story())
	assert.False(t, d.State().Enrolled)
}

func TestBootstrapToken(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{})
	got, err := d.GetBootstrapToken(t.Context())
	require.NoError(t, err)
	assert.Nil(t, got)
	require.NoError(t, d.SetBootstrapToken(t.Context(), []byte("boot")))
	got, err = d.GetBootstrapToken(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []byte("boot"), got)
	require.NoError(t, d.SetBootstrapToken(t.Context(), nil))
	assert.Nil(t, s.bootstrap)
	token, err := d.GetToken(t.Context(), "com.apple.maid")
	require.NoError(t, err)
	assert.Equal(t, []byte("token"), token)
	challenge, err := d.UserAuthenticate(t.Context(), "U", "")
	require.NoError(t, err)
	assert.Empty(t, challenge)
}

// TestDeclarations: tokens, items, what changed, status.
func TestDeclarations(t *testing.T) {
	s := startServer(t)
	d := enrolled(t, s, simulator.Config{})
	serve := func(token, serverToken string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		entry := func(id, token string) []any {
			return []any{map[string]any{"Identifier": id, "ServerToken": token}}
		}
		s.declarations = map[string]dict{
			"tokens": {"SyncTokens": dict{"DeclarationsToken": token, "Timestamp": "2026-01-01T00:00:00Z"}},
			"declaration-items": {"DeclarationsToken": token, "Declarations": dict{
				"Activations": entry("act", "1"), "Configurations": entry("upd", serverToken), "Assets": []any{}, "Management": []any{},
			}},
			"declaration/activation/act": {"Type": "com.apple.activation.simple", "Identifier": "act", "ServerToken": "1", "Payload": dict{"StandardConfigurations": []any{"upd"}}},
			"declaration/configuration/upd": {
				"Type": "com.apple.configuration.softwareupdate.enforcement.specific", "Identifier": "upd", "ServerToken": serverToken,
				"Payload": dict{"TargetOSVersion": "99.1", "TargetLocalDateTime": "2026-02-01T12:00:00"},
			},
		}
	}
	serve("A", "1")
	s.enqueue(d, "DeclarativeManagement", nil)
	connect(t, d)
	status := string(s.sent("DeclarativeManagement")[4]["Data"].([]byte))
	for _, part := range []string{`"os-version":"99.1"`, `"identifier":"upd"`, `"valid":"valid"`, d.Hardware().SerialNumber} {
		assert.Contains(t, status, part)
	}
	story := s.story()
	assert.True(t, strings.HasPrefix(story, "Idle Acknowledged tokens declaration-items declaration/"), story)
	assert.True(t, strings.HasSuffix(story, " status"), story)
	require.Len(t, d.Declarations(), 2)
	require.NoError(t, d.Synchronize(t.Context()))
	assert.Equal(t, "tokens status", s.story())
	serve("B", "2")
	require.NoError(t, d.Synchronize(t.Context()))
	assert.Equal(t, "tokens declaration-items declaration/configuration/upd status", s.story())
	assert.Equal(t, "2", d.Declarations()[1].ServerToken)
}
