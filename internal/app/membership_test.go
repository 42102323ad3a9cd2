package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/devicecommand"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

type listedAlert struct {
	Type, Status, Description string
	OccurrenceCount           int
}

// alerts lists a tenant's alerts of a type.
func (m *mdm) alerts(t *testing.T, tenant mdmTenant, alertType string) (all []listedAlert) {
	t.Helper()
	var got struct {
		Alerts struct{ Edges []struct{ Node listedAlert } }
	}
	m.must(t, tenant.key, "", `{ alerts { edges { node { type status description occurrenceCount } } } }`, nil, &got)
	for _, e := range got.Alerts.Edges {
		if e.Node.Type == alertType {
			all = append(all, e.Node)
		}
	}
	return all
}

func TestLimitIsToldOnce(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		limit := func(n any) (since *time.Time) {
			var got struct {
				UpdateAppleMdm struct {
					AppleMdm struct{ LimitReachedAt *time.Time }
				}
			}
			f.must(t, f.a.key, "", `mutation($in: UpdateAppleMdmInput!) { updateAppleMdm(input: $in) { appleMdm { limitReachedAt } } }`,
				map[string]any{"in": map[string]any{"id": f.a.id, "enrollmentLimit": n}}, &got)
			return got.UpdateAppleMdm.AppleMdm.LimitReachedAt
		}
		alerts := func() []listedAlert { return f.alerts(t, f.a, "SEAT_LIMIT_REACHED") }
		require.Nil(t, limit(2))
		one, first := f.device(t, f.a, 1, simulator.MacAppleSilicon)
		two, second := f.device(t, f.a, 2, simulator.IPhone)
		late, third := f.device(t, f.a, 3, simulator.IPhone)
		var made struct{ CreateEnrollment struct{ Link string } }
		f.must(t, f.a.key, f.a.organization, `mutation { createEnrollment(input: {name: "More"}) { link } }`, nil, &made)
		require.NoError(t, one.Enroll(t.Context(), first))
		require.Empty(t, alerts())
		require.NoError(t, two.Enroll(t.Context(), second))
		require.Eventually(t, func() bool { return len(alerts()) == 1 }, 20*time.Second, 20*time.Millisecond)
		for range 2 {
			require.Error(t, late.Enroll(t.Context(), third))
			require.False(t, late.State().Enrolled)
		}
		told := alerts()
		require.Equal(t, "OPEN", told[0].Status)
		require.Equal(t, 1, told[0].OccurrenceCount, "once, however often devices are refused")
		for _, part := range []string{"2 devices", "unenrollDevice", "updateAppleMdm"} {
			require.Contains(t, told[0].Description, part)
		}
		status, page := f.get(t, strings.TrimPrefix(made.CreateEnrollment.Link, f.front.URL))
		require.Equal(t, http.StatusForbidden, status)
		require.Contains(t, string(page), "Ask Acme")

		// There is room when a device goes, and when the limit rises.
		f.must(t, f.a.key, "", `mutation($id: ID!) { unenrollDevice(input: {deviceId: $id}) { device { id } } }`, map[string]any{"id": f.idOf(t, f.a, two)}, nil)
		require.Equal(t, "AUTO_RESOLVED", alerts()[0].Status)
		require.NoError(t, late.Enroll(t.Context(), f.profile(t, f.a)))
		require.Eventually(t, func() bool { return len(alerts()) == 2 }, 20*time.Second, 20*time.Millisecond)
		require.Nil(t, limit(3))
		for _, a := range alerts() {
			require.Equal(t, "AUTO_RESOLVED", a.Status)
		}
		require.NotNil(t, limit(1))
		require.Len(t, alerts(), 3)
		require.Nil(t, limit(nil))
		require.Empty(t, f.alerts(t, f.b, "SEAT_LIMIT_REACHED"))
	})
}

// TestARenewalIsNoEnrolment holds for each way in which devices renew: some say
// nothing, some send their token, and some authenticate.
func TestARenewalIsNoEnrolment(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		for i, way := range []simulator.Renewal{simulator.RenewQuietly, simulator.RenewTokenUpdate, simulator.RenewAuthenticate} {
			_, document := f.device(t, f.a, 0, simulator.MacAppleSilicon)
			d, err := simulator.New(simulator.Config{
				Hardware: simulator.Generate(uint64(i+1), simulator.MacAppleSilicon), Supervised: true, Clock: time.Now, Renewal: way,
				Transport: simulator.NewTransport(f.front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs), //nolint:forcetypeassert // httptest says so
			})
			require.NoError(t, err)
			require.NoError(t, d.Enroll(t.Context(), document))
			require.NoError(t, d.SetBootstrapToken(t.Context(), []byte("boot")))
			vars := map[string]any{"id": f.idOf(t, f.a, d)}
			type state struct {
				Device struct {
					Enrolled, BootstrapTokenEscrowed    bool
					LastEnrolledAt, CertificateNotAfter time.Time
				}
			}
			var before, after state
			const read = `query($id: ID!) { device(id: $id) { enrolled bootstrapTokenEscrowed lastEnrolledAt certificateNotAfter } }`
			f.must(t, f.a.key, "", read, vars, &before)
			// The clock stays: a device signs at its own time, which its new
			// certificate has to cover.
			scope := f.scope(t, f.a)
			row, err := f.Client.Device.Get(scope, f.idOf(t, f.a, d))
			require.NoError(t, err)
			soon := f.now().Add(20 * 24 * time.Hour)
			require.NoError(t, row.Update().SetCertificateNotAfter(soon).Exec(scope))
			require.NoError(t, f.Members.Renew(scope))
			challenge, err := f.Client.ScepChallenge.Query().Where(scepchallenge.DeviceID(row.ID), scepchallenge.RedeemedAtIsNil()).Only(scope)
			require.NoError(t, err)
			queued, err := f.Client.DeviceCommand.Query().Where(devicecommand.DeviceID(row.ID), devicecommand.RequestType("InstallProfile")).Only(scope)
			require.NoError(t, err)
			require.True(t, challenge.ExpiresAt.After(*queued.ExpiresAt), "a device that was off for days would lose its management over a challenge that is over")
			require.Eventually(t, func() bool {
				_, err := d.Connect(t.Context())
				require.NoError(t, err)
				return len(d.Obeyed("InstallProfile")) > 0
			}, 20*time.Second, 20*time.Millisecond)
			_, err = d.Connect(t.Context())
			require.NoError(t, err)
			token, err := d.GetBootstrapToken(t.Context())
			require.NoError(t, err)
			require.Equal(t, "boot", string(token), way)
			f.must(t, f.a.key, "", read, vars, &after)
			require.True(t, after.Device.Enrolled && after.Device.BootstrapTokenEscrowed, way)
			require.True(t, before.Device.LastEnrolledAt.Equal(after.Device.LastEnrolledAt), way)
			require.True(t, after.Device.CertificateNotAfter.After(soon), way)
		}
		require.Eventually(t, func() bool { return len(f.alerts(t, f.a, "DEVICE_ENROLLED")) == 3 }, 20*time.Second, 20*time.Millisecond)
	})
}

func TestAForcedTopicMarksTheDevicesThatAreLost(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		m.ready(t, m.a)
		m.ready(t, m.b)
		d := m.enrolled(t, m.a, "C01", "f")
		theirs := m.enrolled(t, m.b, "C02", "f")
		const own = "com.apple.mgmt.External.Acme"
		year := m.now().Add(366 * 24 * time.Hour)
		lost := func(tenant mdmTenant) (n int) {
			var got struct{ Devices struct{ TotalCount int } }
			m.must(t, tenant.key, "", `{ devices(filter: {isReenrollmentRequired: true}) { totalCount } }`, nil, &got)
			return got.Devices.TotalCount
		}
		next := func(topic string, force bool) []failure {
			content, _ := m.csr(t, m.a)
			return m.upload(t, m.a, apple(t, content, topic, year), map[string]any{"force": force}, nil)
		}
		failures := next("com.apple.mgmt.External.Other", false)
		require.Equal(t, "PRECONDITION_FAILED", code(failures))
		require.Equal(t, "input.certificate", field(failures))
		require.Contains(t, failures[0].Message, "force replaces it nevertheless")
		require.Zero(t, lost(m.a))
		require.Empty(t, next("com.apple.mgmt.External.Other", true))
		require.Equal(t, 1, lost(m.a))
		require.Zero(t, lost(m.b))
		const blank = `mutation($id: ID!) { sendBlankPush(input: {deviceId: $id}) { device { id } } }`
		failures = m.do(t, m.a.key, "", blank, map[string]any{"id": d.ID}, nil)
		require.Equal(t, "PRECONDITION_FAILED", code(failures))
		require.Contains(t, failures[0].Message, "enrolled again")
		require.Empty(t, m.do(t, m.b.key, "", blank, map[string]any{"id": theirs.ID}, nil))
		require.Empty(t, next(own, true), "the right certificate was found")
		require.Zero(t, lost(m.a))
		const remove = `mutation($in: DeleteAppleMdmInput!) { deleteAppleMdm(input: $in) { deletedId } }`
		failures = m.do(t, m.a.key, "", remove, map[string]any{"in": map[string]any{"id": m.a.id, "confirm": ""}}, nil)
		require.Equal(t, "INVALID_ARGUMENT", code(failures))
		require.Equal(t, "input.confirm", field(failures))
		require.Contains(t, failures[0].Message, "the organization's name")
	})
}

// With the device management goes what was to be told of its devices, and done by
// them.
func TestADeletedDeviceManagementLeavesNothingOpen(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		for i, tenant := range []mdmTenant{f.a, f.b} {
			d, document := f.device(t, tenant, uint64(i+1), simulator.MacAppleSilicon)
			require.NoError(t, d.Enroll(t.Context(), document))
			require.Eventually(t, func() bool { return len(f.alerts(t, tenant, "DEVICE_ENROLLED")) == 1 }, 20*time.Second, 20*time.Millisecond)
			f.must(t, tenant.key, "", `mutation($id: ID!) { restartDevice(input: {deviceId: $id}) { command { id } } }`, map[string]any{"id": f.idOf(t, tenant, d)}, nil)
			f.must(t, tenant.key, "", `mutation($id: ID!) { raiseAlert(input: {type: "DEVICE_MISSING", deviceId: $id, title: "Not in its drawer"}) { alert { id } } }`,
				map[string]any{"id": f.idOf(t, tenant, d)}, nil)
		}
		f.must(t, f.a.key, "", `mutation($in: DeleteAppleMdmInput!) { deleteAppleMdm(input: $in) { deletedId } }`,
			map[string]any{"in": map[string]any{"id": f.a.id, "confirm": f.a.name}}, nil)
		require.Equal(t, "AUTO_RESOLVED", f.alerts(t, f.a, "DEVICE_ENROLLED")[0].Status)
		require.Equal(t, "OPEN", f.alerts(t, f.b, "DEVICE_ENROLLED")[0].Status)
		require.Equal(t, "OPEN", f.alerts(t, f.a, "DEVICE_MISSING")[0].Status, "somebody else has reported it")
		for tenant, status := range map[mdmTenant]string{f.a: "CANCELLED", f.b: "PENDING"} {
			var got struct {
				DeviceCommands struct {
					Edges []struct {
						Node struct {
							Status   string
							ResultAt *time.Time
						}
					}
				}
			}
			f.must(t, tenant.key, "", `{ deviceCommands(filter: {requestType: "RestartDevice"}) { edges { node { status resultAt } } } }`, nil, &got)
			require.Len(t, got.DeviceCommands.Edges, 1)
			require.Equal(t, status, got.DeviceCommands.Edges[0].Node.Status)
			require.Equal(t, status == "CANCELLED", got.DeviceCommands.Edges[0].Node.ResultAt != nil, "what has ended is pruned some day")
		}
	})
}

func TestEnrolmentsAreLogged(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		type event struct {
			EventType, ActorDisplayName, ClientAddress string
			Targets                                    []struct{ Type, ID, Name string }
		}
		logged := func(tenant mdmTenant, kind string) (events []event) {
			var got struct {
				SystemLogEvents struct{ Edges []struct{ Node event } }
			}
			f.must(t, tenant.key, "", `query($k: String!) { systemLogEvents(filter: {eventType: $k}) { edges { node {
				eventType actorDisplayName clientAddress targets { type id name } } } } }`, map[string]any{"k": kind}, &got)
			for _, e := range got.SystemLogEvents.Edges {
				events = append(events, e.Node)
			}
			return events
		}
		names := func(e event) string {
			var all strings.Builder
			for _, target := range e.Targets {
				all.WriteString(target.Type + " " + target.Name + "; ")
			}
			return all.String()
		}
		d, document := f.device(t, f.a, 1, simulator.MacAppleSilicon)
		downloads := logged(f.a, "downloadEnrollmentProfile")
		require.Len(t, downloads, 1)
		require.Equal(t, "Enrollment Everyone; ", names(downloads[0]))
		require.NotEmpty(t, downloads[0].ClientAddress)
		require.NoError(t, d.Enroll(t.Context(), document))
		issued := logged(f.a, "issueDeviceIdentity")
		require.Len(t, issued, 1)
		require.Contains(t, names(issued[0]), "Enrollment Everyone; DeviceIdentity ")
		require.NotEmpty(t, issued[0].ClientAddress)
		require.Eventually(t, func() bool { return len(logged(f.a, "enrollDevice")) == 1 }, 20*time.Second, 20*time.Millisecond)
		hardware := d.Hardware()
		enrolled := names(logged(f.a, "enrollDevice")[0])
		for _, part := range []string{"Device " + hardware.SerialNumber + ", UDID ", "DeviceIdentity ", "Enrollment Everyone"} {
			require.Contains(t, enrolled, part)
		}
		require.Error(t, d.Enroll(t.Context(), document), "its challenge is used")
		require.Len(t, logged(f.a, "issueDeviceIdentity"), 1, "what fails is counted, and not logged")
		f.must(t, f.a.key, "", `mutation($id: ID!) { blockDevice(input: {deviceId: $id}) { device { id } } }`, map[string]any{"id": f.idOf(t, f.a, d)}, nil)
		revoked := logged(f.a, "revokeDeviceIdentity")
		require.Len(t, revoked, 1)
		require.Contains(t, names(revoked[0]), "Device "+hardware.SerialNumber)
		require.NotEmpty(t, logged(f.a, "uploadPushCertificate"))
		for _, kind := range []string{"downloadEnrollmentProfile", "issueDeviceIdentity", "enrollDevice", "revokeDeviceIdentity"} {
			require.Empty(t, logged(f.b, kind), kind)
		}
		_, metrics := f.get(t, "/metrics")
		for _, line := range []string{
			`bailiwick_mdm_enrolment_steps_total{outcome="issued",step="identity"} 1`,
			`bailiwick_mdm_enrolment_steps_total{outcome="refused",step="identity"} 1`,
			`bailiwick_mdm_enrolment_steps_total{outcome="issued",step="profile"} 1`,
		} {
			require.Contains(t, string(metrics), line)
		}
	})
}

// TestExpiryBecomesATicket: one ticket for the certificate that expires, another
// once it has, and both are closed when it is renewed.
func TestExpiryBecomesATicket(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		psa, url := desk(t, "Acme")
		m.ticketed(t, m.a.key, m.a.organization, url)
		var connected struct {
			TicketingIntegrations struct {
				Edges []struct{ Node struct{ ID string } }
			}
		}
		m.must(t, m.a.key, "", `{ ticketingIntegrations { edges { node { id } } } }`, nil, &connected)
		for _, kind := range []string{"PUSH_CERTIFICATE_EXPIRING", "PUSH_CERTIFICATE_EXPIRED"} {
			m.must(t, m.a.key, "", `mutation($in: UpdateSyncroAlertConfigurationInput!) { updateSyncroAlertConfiguration(input: $in) { configuration { id } } }`, map[string]any{
				"in": map[string]any{"integrationId": connected.TicketingIntegrations.Edges[0].Node.ID, "alertType": kind, "shouldCreateTickets": true, "problemType": "Other"},
			}, nil)
		}
		content, _ := m.csr(t, m.a)
		ends := m.now().Add(40 * 24 * time.Hour)
		require.Empty(t, m.upload(t, m.a, apple(t, content, "com.apple.mgmt.x", ends), map[string]any{"creatorAppleId": "mdm@acme.example"}, nil))
		tickets := func(all, open int) {
			t.Helper()
			var seen []string
			require.Eventually(t, func() bool {
				seen = nil
				left := 0
				for _, one := range psa.Tickets("desk-token") {
					seen = append(seen, one.Subject+": "+one.Status)
					if one.Status != "Resolved" {
						left++
					}
				}
				return len(seen) == all && left == open
			}, 30*time.Second, 50*time.Millisecond, "want %d, %d of them open", all, open)
			if all > 0 {
				require.Contains(t, seen[0], "push certificate")
			}
		}
		const day = 24 * time.Hour
		pass := func(left time.Duration) {
			t.Helper()
			m.ahead.Store(int64(time.Until(ends.Add(-left))))
			for range 3 {
				require.NoError(t, m.AppleMDM.WarnOfExpiry(t.Context()))
			}
		}
		pass(31 * day)
		tickets(0, 0)
		for _, left := range []time.Duration{30 * day, 29 * day, 14 * day, 7 * day, day} {
			pass(left)
			tickets(1, 1)
		}
		warned := m.alerts(t, m.a, "PUSH_CERTIFICATE_EXPIRING")
		require.Len(t, warned, 1)
		require.Equal(t, 4, warned[0].OccurrenceCount, "at 30, 14, 7 and 1 days, once each")
		require.Contains(t, warned[0].Description, "mdm@acme.example")
		pass(-time.Hour)
		tickets(2, 1)
		next, _ := m.csr(t, m.a)
		require.Empty(t, m.upload(t, m.a, apple(t, next, "com.apple.mgmt.x", ends.Add(365*day)), nil, nil))
		tickets(2, 0)
		require.NoError(t, m.AppleMDM.WarnOfExpiry(t.Context()))
		tickets(2, 0)
	})
}

// TestAShortEnrolmentIsLogged: a device that is sent away right after it came in
// has come in, and the system log says so first.
func TestAShortEnrolmentIsLogged(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		f := startFleet(t, engine)
		scope := f.scope(t, f.a)
		type event struct {
			EventType string
			Targets   []struct{ Type, Name string }
		}
		logged := func(tenant mdmTenant) (events []event) {
			var got struct {
				SystemLogEvents struct{ Edges []struct{ Node event } }
			}
			f.must(t, tenant.key, "", `{ systemLogEvents(first: 100) { edges { node { eventType targets { type name } } } } }`, nil, &got)
			for _, e := range got.SystemLogEvents.Edges {
				events = append(events, e.Node)
			}
			slices.Reverse(events) // the latest come first
			return events
		}
		at := func(events []event, kind, serial string) int {
			return slices.IndexFunc(events, func(e event) bool {
				return e.EventType == kind && (serial == "" || strings.HasPrefix(e.Targets[0].Name, serial))
			})
		}
		const lastly = "deleteAppleMdm"
		for i, kind := range []string{"unenrollDevice", "blockDevice", "deleteDevice", lastly} {
			d, document := f.device(t, f.a, uint64(i+1), simulator.MacAppleSilicon)
			require.NoError(t, d.Enroll(t.Context(), document))
			switch kind {
			case lastly:
				f.must(t, f.a.key, "", `mutation($in: DeleteAppleMdmInput!) { deleteAppleMdm(input: $in) { deletedId } }`,
					map[string]any{"in": map[string]any{"id": f.a.id, "confirm": f.a.name}}, nil)
			case "deleteDevice":
				f.must(t, f.a.key, "", `mutation($id: ID!) { deleteDevice(input: {id: $id}) { deletedId } }`, map[string]any{"id": f.idOf(t, f.a, d)}, nil)
			default:
				f.must(t, f.a.key, "", `mutation($id: ID!) { `+kind+`(input: {deviceId: $id}) { device { id } } }`, map[string]any{"id": f.idOf(t, f.a, d)}, nil)
			}
			events, serial := logged(f.a), d.Hardware().SerialNumber
			came, went := at(events, "enrollDevice", serial), at(events, kind, "")
			require.GreaterOrEqual(t, came, 0, kind)
			require.Greater(t, went, came, kind)
			var targets strings.Builder
			for _, target := range events[came].Targets {
				targets.WriteString(target.Type + " ")
			}
			require.Equal(t, "Device DeviceIdentity Enrollment ", targets.String(), kind)
			require.NoError(t, f.Members.Arrive(scope, f.a.organization))
			require.Len(t, slices.DeleteFunc(logged(f.a), func(e event) bool { return e.EventType != "enrollDevice" }), i+1, "once")
		}
		require.Negative(t, at(logged(f.b), "enrollDevice", ""))
		require.Zero(t, f.Client.DeviceChannel.Query().Where(devicechannel.ArrivedAtNotNil()).CountX(scope))
	})
}
