package app_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

// What a request holds that is no text, and that a database would not take, is the
// caller's fault, or of no importance.
func TestWhatIsNoText(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		for _, path := range []string{
			"/mdm/%ff/checkin", "/mdm/%00/connect", "/mdm/%ff/scep?operation=GetCACaps", "/mdm/%ff/enroll", "/mdm/%ff/enroll/%fe",
			"/mdm/" + m.a.organization + "/enroll/%00/profile", "/webhook/ticketing/%ff",
			"/.well-known/com.apple.remotemanagement?user-identifier=%ff@north.example&model-family=Mac",
			"/.well-known/com.apple.remotemanagement?user-identifier=%00@north.example&model-family=Mac",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
				answer, _ := m.call(t, method, path, nil, nil)
				require.Equal(t, http.StatusBadRequest, answer.StatusCode, "%s %s", method, path)
			}
		}

		const raise = `mutation { raiseAlert(input: {title: "Disk is full"}) { alert { id } } }`
		for _, tenant := range []mdmTenant{m.a, m.b} {
			m.header = http.Header{"User-Agent": {"caf\xe9"}}
			m.must(t, tenant.key, tenant.organization, raise, nil, nil)
			var logged struct {
				SystemLogEvents struct {
					Edges []struct{ Node struct{ UserAgent string } }
				}
			}
			m.must(t, tenant.key, "", `{ systemLogEvents(filter: {eventType: "raiseAlert"}) { edges { node { userAgent } } } }`, nil, &logged)
			require.Len(t, logged.SystemLogEvents.Edges, 1)
			require.Equal(t, "caf\uFFFD", logged.SystemLogEvents.Edges[0].Node.UserAgent)
			m.header = http.Header{"Idempotency-Key": {"caf\xe9"}}
			require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, tenant.key, tenant.organization, raise, nil, nil)))
			m.header = nil
		}
	})
}

func TestTextThatNoDatabaseKeeps(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		m := startMDM(t, engine, plain)
		for _, tenant := range []mdmTenant{m.a, m.b} {
			for query, field := range map[string]string{
				`query($v: ID!) { deviceCommand(id: $v) { id } }`:                                                              "v",
				`query($v: String) { devices(filter: {serialNumber: $v}) { totalCount } }`:                                     "v",
				`mutation($v: String!) { createOrganization(input: {name: $v}) { organization { id } } }`:                      "v",
				`mutation { createOrganization(input: {name: "a\u0000b"}) { organization { id } } }`:                           "input.name",
				`query { devices(filter: {serialNumber: "a\u0000b"}) { totalCount } }`:                                         "filter.serialNumber",
				`mutation { bulkCommandDevices(input: {deviceIds: ["a\u0000b"], command: {plain: SHUTDOWN}}) { job { id } } }`: "input.deviceIds",
			} {
				failures := m.do(t, tenant.key, "", query, map[string]any{"v": "a\x00b"}, nil)
				require.Equal(t, "INVALID_ARGUMENT", code(failures), query)
				require.Equal(t, field, failures[0].Extensions["field"], query)
			}
			byDefault := `mutation($v: String! = "a\u0000b") { createOrganization(input: {name: $v}) { organization { id } } }`
			require.Equal(t, "INVALID_ARGUMENT", code(m.do(t, tenant.key, "", byDefault, nil, nil)))
		}
	})
}
