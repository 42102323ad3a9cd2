package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestOrganizationsAndDevicesOfTwoProviders(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		type created struct {
			CreateOrganization struct{ Organization struct{ ID string } }
		}
		var orgA, orgB created
		const create = `mutation($n: String!) { createOrganization(input: {name: $n, maxSystemUsers: 1}) { organization { id name } } }`
		s.must(t, a, "", create, map[string]any{"n": "Acme"}, &orgA)
		s.must(t, b, "", create, map[string]any{"n": "Acme"}, &orgB)
		idA, idB := orgA.CreateOrganization.Organization.ID, orgB.CreateOrganization.Organization.ID

		const device = `mutation { createDevice(input: {name: "Mac", serialNumber: "C02", platform: MACOS}) { device { id name organization { name } } } }`
		var deviceB struct {
			CreateDevice struct{ Device struct{ ID string } }
		}
		s.must(t, a, idA, device, nil, nil)
		s.must(t, b, idB, device, nil, &deviceB)
		foreign := s.do(t, a, idB, device, nil, nil)
		require.Equal(t, "NOT_FOUND", foreign[0].Extensions["code"])

		var list struct {
			Organizations struct {
				TotalCount int
				Edges      []struct {
					Node struct {
						Name    string
						Devices struct {
							TotalCount int
							Edges      []struct{ Node struct{ Name string } }
						}
					}
				}
			}
		}
		s.must(t, a, "", `{ organizations(orderBy: {field: NAME}) { totalCount edges { node { name devices(first: 3, orderBy: {field: NAME}) { totalCount edges { node { name } } } } } } }`, nil, &list)
		require.Equal(t, 1, list.Organizations.TotalCount)
		require.Equal(t, 1, list.Organizations.Edges[0].Node.Devices.TotalCount)
		require.Equal(t, "Mac", list.Organizations.Edges[0].Node.Devices.Edges[0].Node.Name)

		failed := s.do(t, a, "", `query($id: ID!) { device(id: $id) { name } }`, map[string]any{"id": deviceB.CreateDevice.Device.ID}, nil)
		require.Equal(t, "NOT_FOUND", failed[0].Extensions["code"])
		failed = s.do(t, a, "", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": deviceB.CreateDevice.Device.ID}, nil)
		require.Equal(t, "NOT_FOUND", failed[0].Extensions["code"])

		const user = `mutation($l: String!) { createUser(input: {login: $l, email: "u@acme.example"}) { user { id } } }`
		s.must(t, a, idA, user, map[string]any{"l": "one"}, nil)
		failed = s.do(t, a, idA, user, map[string]any{"l": "two"}, nil)
		require.Equal(t, "PRECONDITION_FAILED", failed[0].Extensions["code"], failed)

		var events struct {
			SystemLogEvents struct {
				Edges []struct {
					Node struct {
						EventType, Outcome string
						Targets            []struct{ Type, ID, Op string }
					}
				}
			}
		}
		s.must(t, a, "", `{ systemLogEvents { edges { node { eventType outcome targets { type id op } } } } }`, nil, &events)
		first := events.SystemLogEvents.Edges[0].Node
		require.Equal(t, "createUser", first.EventType)
		require.Equal(t, "FAILURE", first.Outcome)
	})
}
