package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestAPermissionIsHeldWhereTheRoleGrantsIt(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, two, foreign := s.organization(t, a, "One"), s.organization(t, a, "Two"), s.organization(t, b, "Foreign")
		three := s.organization(t, a, "Three")
		admin, bearer := s.technician(t, a, "tech@north.example", "Read Only", one, two)
		s.must(t, a, "", `mutation($in: GrantAdministratorOrganizationAccessInput!) { grantAdministratorOrganizationAccess(input: $in) { link { id role { name } } } }`,
			map[string]any{"in": map[string]any{"administratorId": admin, "organizationId": three, "roleId": s.role(t, a, "Manager")}}, nil)

		const raise = `mutation { raiseAlert(input: {title: "Disk is full"}) { alert { id } opened } }`
		type raised struct {
			RaiseAlert struct {
				Alert  struct{ ID string }
				Opened bool
			}
		}
		var inOne, inThree, inForeign raised
		s.must(t, a, one, raise, nil, &inOne)
		s.must(t, a, three, raise, nil, &inThree)
		s.must(t, b, foreign, raise, nil, &inForeign)

		var list struct{ Alerts struct{ TotalCount int } }
		s.must(t, bearer, "", `{ alerts { totalCount } }`, nil, &list)
		require.Equal(t, 2, list.Alerts.TotalCount, "one query, every organization in reach")

		const resolve = `mutation($id: ID!) { resolveAlert(input: {id: $id}) { alert { status } } }`
		id := func(r raised) map[string]any { return map[string]any{"id": r.RaiseAlert.Alert.ID} }
		require.Equal(t, "FORBIDDEN", code(s.do(t, bearer, "", resolve, id(inOne), nil)), "readable, but not to change")
		require.Equal(t, "NOT_FOUND", code(s.do(t, bearer, "", resolve, id(inForeign), nil)))
		s.must(t, bearer, "", resolve, id(inThree), nil)
		require.Equal(t, "FORBIDDEN", code(s.do(t, bearer, one, raise, nil, nil)))
		require.Equal(t, "NOT_FOUND", code(s.do(t, bearer, foreign, raise, nil, nil)))

		var can struct{ Viewer struct{ There, Here bool } }
		s.must(t, bearer, "", `query($a: ID!, $b: ID!) { viewer { there: can(permission: "alert.change_alert", organizationId: $a) here: can(permission: "alert.change_alert", organizationId: $b) } }`,
			map[string]any{"a": three, "b": one}, &can)
		require.True(t, can.Viewer.There)
		require.False(t, can.Viewer.Here)

		var denied struct{ SystemLogEvents struct{ TotalCount int } }
		s.must(t, a, "", `{ systemLogEvents(filter: {eventType: "raiseAlert"}) { totalCount } }`, nil, &denied)
		require.Equal(t, 3, denied.SystemLogEvents.TotalCount, "two raised and one denied; what is not found is nobody's event")
	})
}

func TestASuspendedOrganizationIsReadAndNotChanged(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		one, two, foreign := s.organization(t, a, "One"), s.organization(t, a, "Two"), s.organization(t, b, "Foreign")
		const suspend = `mutation($id: ID!) { suspendOrganization(input: {id: $id}) { organization { status } } }`
		require.Equal(t, "NOT_FOUND", code(s.do(t, a, "", suspend, map[string]any{"id": foreign}, nil)))
		s.must(t, a, "", suspend, map[string]any{"id": one}, nil)
		const user = `mutation { createUser(input: {login: "u", email: "u@x.example"}) { user { id } } }`
		require.Equal(t, "PRECONDITION_FAILED", code(s.do(t, a, one, user, nil, nil)))
		s.must(t, a, two, user, nil, nil)
		s.must(t, b, foreign, user, nil, nil)
		s.must(t, a, one, `{ users { totalCount } }`, nil, nil)
		s.must(t, a, "", `mutation($id: ID!) { resumeOrganization(input: {id: $id}) { organization { status } } }`, map[string]any{"id": one}, nil)
		s.must(t, a, one, user, nil, nil)
	})
}

func TestASuspendedAdministratorStopsAtOnceOnEveryReplica(t *testing.T) {
	testdb.OnPostgres(t, func(t *testing.T) {
		url, master := testdb.URL(t, "postgres"), secret.NewMasterKey()
		here, there := replica(t, url, master), replica(t, url, master)
		a := here.provider(t, "North", "a@north.example")
		b := here.provider(t, "South", "b@south.example")
		one := here.organization(t, a, "One")
		admin, bearer := here.technician(t, a, "tech@north.example", "Help Desk", one)
		const list = `{ organizations { totalCount } }`
		there.must(t, bearer, "", list, nil, nil)
		require.Equal(t, "NOT_FOUND", code(here.do(t, b, "", `mutation($id: ID!) { suspendAdministrator(input: {id: $id}) { administrator { id } } }`, map[string]any{"id": admin}, nil)))
		there.must(t, bearer, "", list, nil, nil)
		here.must(t, a, "", `mutation($id: ID!) { suspendAdministrator(input: {id: $id}) { administrator { suspended } } }`, map[string]any{"id": admin}, nil)
		require.Equal(t, "UNAUTHENTICATED", code(here.do(t, bearer, "", list, nil, nil)))
		require.Eventually(t, func() bool { return code(there.do(t, bearer, "", list, nil, nil)) == "UNAUTHENTICATED" },
			2*time.Second, 5*time.Millisecond)
	})
}
