package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// names lists what a filter keeps, over all organizations in reach.
func (s *server) names(t *testing.T, key, organization string, filter map[string]any) []string {
	t.Helper()
	var found struct {
		Devices struct {
			Edges []struct{ Node struct{ Name string } }
		}
	}
	s.must(t, key, organization, `query($f: DeviceFilter) { devices(filter: $f, orderBy: {field: SERIAL_NUMBER, direction: DESC}) { edges { node { name } } } }`,
		map[string]any{"f": filter}, &found)
	list := []string{}
	for _, e := range found.Devices.Edges {
		list = append(list, e.Node.Name)
	}
	return list
}

func TestDevicesAreFound(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		two := m.a
		two.organization, two.name = m.organization(t, m.a.key, "Two"), "Two"
		m.must(t, m.a.key, two.organization, `mutation { createAppleMdm(input: {name: "Fleet"}) { appleMdm { id } } }`, nil, nil)
		old, now := time.Now().Add(-30*24*time.Hour), time.Now()
		for tenant, names := range map[mdmTenant][]string{m.a: {"a1", "a2"}, two: {"t1"}, m.b: {"b1"}} {
			ctx := m.scope(t, tenant)
			for _, name := range names {
				u, err := m.Client.User.Create().SetLogin("login-" + name).SetEmail(name + "@x.example").Save(ctx)
				require.NoError(t, err)
				seen := now
				if name == "a2" {
					seen = old
				}
				require.NoError(t, m.Client.Device.Create().SetName(name).SetSerialNumber("S-"+name).SetPlatform(device.PlatformMacOS).
					SetOsVersion("26.1").SetModel("MacBook Pro").SetUserID(u.ID).SetLastSeenAt(seen).SetLastSeenOn(seen.UTC().Truncate(24*time.Hour)).
					SetWifiMACAddress("aa:00:00:00:00:"+name).SetEthernetMACAddress("ee:00:00:00:00:"+name).Exec(ctx))
			}
		}
		for what, c := range map[string]struct {
			filter map[string]any
			want   []string
		}{
			"everything":           {nil, []string{"t1", "a2", "a1"}},
			"an e-mail address":    {map[string]any{"userEmail": "t1@x.example"}, []string{"t1"}},
			"another's":            {map[string]any{"userEmail": "b1@x.example"}, []string{}},
			"an e-mail's begin":    {map[string]any{"userEmailHasPrefix": "a"}, []string{"a2", "a1"}},
			"another's begin":      {map[string]any{"userEmailHasPrefix": "b"}, []string{}},
			"a login":              {map[string]any{"userLogin": "login-a1"}, []string{"a1"}},
			"a Wi-Fi address":      {map[string]any{"macAddress": "AA:00:00:00:00:a1"}, []string{"a1"}},
			"an Ethernet address":  {map[string]any{"macAddress": "ee:00:00:00:00:T1"}, []string{"t1"}},
			"another's address":    {map[string]any{"macAddress": "ee:00:00:00:00:b1"}, []string{}},
			"a serial's begin":     {map[string]any{"serialNumberHasPrefix": "S-a"}, []string{"a2", "a1"}},
			"a version's begin":    {map[string]any{"osVersionHasPrefix": "26."}, []string{"t1", "a2", "a1"}},
			"a model's begin":      {map[string]any{"modelHasPrefix": "Mac"}, []string{"t1", "a2", "a1"}},
			"silent for a week":    {map[string]any{"lastSeenBefore": now.Add(-7 * 24 * time.Hour)}, []string{"a2"}},
			"heard of this week":   {map[string]any{"lastSeenAfter": now.Add(-7 * 24 * time.Hour)}, []string{"t1", "a1"}},
			"created before today": {map[string]any{"createdBefore": old}, []string{}},
			"several at once":      {map[string]any{"userEmailHasPrefix": "a", "lastSeenBefore": now, "macAddress": "aa:00:00:00:00:a2"}, []string{"a2"}},
		} {
			require.Equal(t, c.want, m.names(t, m.a.key, "", c.filter), what)
		}
		require.Equal(t, []string{"t1"}, m.names(t, m.a.key, two.organization, map[string]any{"osVersionHasPrefix": "26."}))
	})
}

// rename changes a device, and so is heard of.
func (s *server) rename(t *testing.T, key, id, name string) {
	t.Helper()
	s.must(t, key, "", `mutation($in: UpdateDeviceInput!) { updateDevice(input: $in) { device { id } } }`,
		map[string]any{"in": map[string]any{"id": id, "name": name}}, nil)
}

func (s *server) record(t *testing.T, key, organization, name string) (id string) {
	t.Helper()
	var made struct {
		CreateDevice struct{ Device struct{ ID string } }
	}
	s.must(t, key, organization, `mutation($in: CreateDeviceInput!) { createDevice(input: $in) { device { id } } }`,
		map[string]any{"in": map[string]any{"name": name, "serialNumber": name, "platform": "MACOS"}}, &made)
	return made.CreateDevice.Device.ID
}

func TestDeviceChangedIsConfinedToTheSubscriber(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, two, foreign := s.organization(t, a, "One"), s.organization(t, a, "Two"), s.organization(t, b, "Foreign")
		all, narrowed, theirs := s.watchDevices(t, a, ""), s.watchDevices(t, a, two), s.watchDevices(t, b, "")
		s.record(t, b, foreign, "theirs")
		s.record(t, a, one, "first")
		id := s.record(t, a, two, "second")
		require.Equal(t, "One: first", next(t, all))
		require.Equal(t, "Two: second", next(t, all))
		require.Equal(t, "Two: second", next(t, narrowed))
		require.Equal(t, "Foreign: theirs", next(t, theirs))
		s.rename(t, a, id, "renamed")
		require.Equal(t, "Two: renamed", next(t, all))
		require.Equal(t, "Two: renamed", next(t, narrowed))
		require.Empty(t, theirs)
		require.Empty(t, all)
	})
}

func TestDeviceChangedCrossesReplicas(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		url, master := testdb.URL(t, "postgres"), secret.NewMasterKey()
		here, there := replica(t, url, master), replica(t, url, master)
		a, b := here.provider(t, "North", "a@north.example"), here.provider(t, "South", "b@south.example")
		one, foreign := here.organization(t, a, "One"), here.organization(t, b, "Foreign")
		require.Eventually(t, there.listens, 10*time.Second, 10*time.Millisecond)
		seen, theirs := there.watchDevices(t, a, ""), there.watchDevices(t, b, "")
		here.record(t, b, foreign, "theirs")
		id := here.record(t, a, one, "ours")
		require.Equal(t, "One: ours", next(t, seen))
		here.rename(t, a, id, "renamed")
		require.Equal(t, "One: renamed", next(t, seen))
		require.Equal(t, "Foreign: theirs", next(t, theirs))
		require.Empty(t, theirs)
	})
}
