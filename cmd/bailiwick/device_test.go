package main_test

import (
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/demo"
)

// named finds a simulated device.
func named(t *testing.T, a demo.Announcement, name string) demo.Device {
	t.Helper()
	i := slices.IndexFunc(a.Devices, func(d demo.Device) bool { return d.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return a.Devices[i]
}

// condition is what the page of the simulated devices shows of one.
func condition(t *testing.T, a demo.Announcement, d demo.Device) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)<tr id="` + d.SerialNumber + `">.*?<span class="[^"]*">([^<]*)<`).FindStringSubmatch(page(t, a.Simulator))
	require.Len(t, found, 2, d.SerialNumber)
	return found[1]
}

// handle does on the page what a person does who holds the device.
func handle(t *testing.T, a demo.Announcement, d demo.Device, action string, form url.Values) int {
	t.Helper()
	response, err := (&http.Client{Timeout: patience}).PostForm(a.Simulator+d.SerialNumber+"/"+action, form)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// commanded sends a command, and waits until the device has obeyed.
func commanded(t *testing.T, as api, mutation, id string) answer {
	t.Helper()
	sent := as.do(t, `mutation($id: ID!) { sent: `+mutation+` }`, map[string]any{"id": id})
	one := map[string]any{"id": sent.text(t, "sent", "command", "id")}
	eventually(t, mutation+" is acknowledged", func() bool {
		return as.do(t, `query($id: ID!) { deviceCommand(id: $id) { status } }`, one).text(t, "deviceCommand", "status") == "ACKNOWLEDGED"
	})
	return sent
}

const lockMutation = `lockDevice(input: {deviceId: $id, message: "Call us"}) { pin command { id } }`

func TestDemoDevicesObey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p, a := startDemo(t, nil, "--data="+dir)
	owner, alder, brightwater := as(a, 0), a.Organizations[0].ID, a.Organizations[1].ID

	enrolled := map[string]int{}
	for _, n := range owner.do(t, `{ devices(first: 50, filter: {enrolled: true}) { edges { node { organization { id } platform } } } }`, nil).nodes(t, "devices") {
		enrolled[n["organization"].(map[string]any)["id"].(string)]++
	}
	require.Equal(t, map[string]int{alder: 5, brightwater: 4}, enrolled)
	require.Len(t, a.Devices, 9)
	platforms := map[string]bool{}
	for _, d := range a.Devices {
		platforms[d.Platform] = true
		require.Equal(t, "in use", condition(t, a, d))
	}
	require.Equal(t, []string{"IOS", "IPADOS", "MACOS"}, slices.Sorted(maps.Keys(platforms)))

	mac := named(t, a, "ALD-FRONTDESK-01")
	elsewhere, err := owner.with("x-org-id", brightwater).try(t.Context(), `mutation($id: ID!) { `+lockMutation+` }`, map[string]any{"id": mac.ID})
	require.NoError(t, err)
	require.Equal(t, "NOT_FOUND", elsewhere.Errors[0].Extensions["code"])
	require.Equal(t, "in use", condition(t, a, mac))

	sent := commanded(t, owner.with("x-org-id", alder), lockMutation, mac.ID)
	eventually(t, "the Mac shows that it is locked", func() bool { return condition(t, a, mac) == "locked" })
	require.Contains(t, page(t, a.Simulator), "Call us")
	require.Equal(t, http.StatusForbidden, handle(t, a, mac, "unlock", url.Values{"pin": {"none"}}))
	require.Equal(t, http.StatusOK, handle(t, a, mac, "unlock", url.Values{"pin": {sent.text(t, "sent", "pin")}}))
	require.Equal(t, "in use", condition(t, a, mac))

	phone := named(t, a, "BRW-DRIVER-013")
	commanded(t, owner, lockMutation, phone.ID)
	require.Equal(t, "locked", condition(t, a, phone))

	intel := named(t, a, "BRW-FINANCE-MBP")
	eventually(t, "its inventory has arrived", func() bool {
		got := owner.do(t, `query($id: ID!) { device(id: $id) { appleSilicon apps { totalCount } } }`, map[string]any{"id": intel.ID})
		return got.at(t, "device", "appleSilicon") == false && got.at(t, "device", "apps", "totalCount") != 0.0
	})
	refused, err := owner.try(t.Context(), `mutation($id: ID!) { eraseDevice(input: {deviceId: $id}) { command { id } } }`, map[string]any{"id": intel.ID})
	require.NoError(t, err)
	require.NotEmpty(t, refused.Errors, "without Apple silicon it takes a PIN")
	commanded(t, owner, `eraseDevice(input: {deviceId: $id, pin: "123456"}) { command { id } }`, intel.ID)
	eventually(t, "the Mac is erased", func() bool { return condition(t, a, intel) == "erased" })
	require.Equal(t, http.StatusOK, handle(t, a, intel, "enroll", nil))
	require.Equal(t, "in use", condition(t, a, intel))

	blocked := named(t, a, "ALD-MANAGER-MBA")
	owner.do(t, `mutation($id: ID!) { blockDevice(input: {deviceId: $id}) { device { id } } }`, map[string]any{"id": blocked.ID})
	eventually(t, "the blocked Mac has left", func() bool { return condition(t, a, blocked) == "not enrolled" })
	require.Equal(t, http.StatusBadGateway, handle(t, a, blocked, "enroll", nil))

	require.Equal(t, -1, p.stop(t, syscall.SIGKILL))
	_, again := startDemo(t, nil, "--data="+dir)
	a.Devices = slices.DeleteFunc(a.Devices, func(d demo.Device) bool { return d.ID == blocked.ID })
	require.Equal(t, a.Devices, again.Devices, "they come back as who they were, but for the blocked one")
	owner = as(again, 0)
	require.EqualValues(t, 25, owner.do(t, `{ devices { totalCount } }`, nil).at(t, "devices", "totalCount"))
	commanded(t, owner, lockMutation, mac.ID)
	eventually(t, "the Mac is locked again", func() bool { return condition(t, again, mac) == "locked" })
}
