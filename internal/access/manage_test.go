package access_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/apikey"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/role"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// try runs an operation of one caller in a transaction, as the API does.
func (w *world) try(c *access.Caller, p policy.Permission, run func(context.Context) error) error {
	return gate(w.t.Context(), c, p, func(ctx context.Context) error { return w.db.InTx(ctx, run) })
}

func (w *world) update(c *access.Caller, change access.AdministratorChange) error {
	return w.try(c, "access.change_administrator", func(ctx context.Context) error {
		_, err := w.service.UpdateAdministrator(ctx, change)
		return err
	})
}

func (w *world) create(c *access.Caller, in access.NewAdministrator) error {
	return w.try(c, "access.add_administrator", func(ctx context.Context) error {
		_, _, err := w.service.CreateAdministrator(ctx, in)
		return err
	})
}

func (w *world) key(c *access.Caller, in access.NewAPIKey) (display string, key *ent.ApiKey, err error) {
	err = w.try(c, "access.add_apikey", func(ctx context.Context) (err error) {
		key, display, err = w.service.CreateAPIKey(ctx, in)
		return err
	})
	return display, key, err
}

func ptr[T any](v T) *T { return &v }

func TestCreateAdministrator(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c, readOnly := w.ownerOf(w.acme), w.acme.roles[policy.ReadOnly]
		for name, row := range map[string]struct {
			in   access.NewAdministrator
			code fault.Code
		}{
			"fine":                     {access.NewAdministrator{Email: "Fine@Acme.example", RoleID: readOnly, OrganizationIDs: w.acme.orgs[:]}, ""},
			"no address":               {access.NewAdministrator{Email: "fine", RoleID: readOnly}, fault.InvalidArgument},
			"another's address":        {access.NewAdministrator{Email: "OWNER@globex.example", RoleID: readOnly}, fault.Conflict},
			"another's role":           {access.NewAdministrator{Email: "a@acme.example", RoleID: w.globex.roles[policy.ReadOnly]}, fault.NotFound},
			"another's organization":   {access.NewAdministrator{Email: "b@acme.example", RoleID: readOnly, OrganizationIDs: w.globex.orgs[:1]}, fault.NotFound},
			"501 organizations":        {access.NewAdministrator{Email: "c@acme.example", RoleID: readOnly, OrganizationIDs: make([]string, 501)}, fault.InvalidArgument},
			"a role that there is not": {access.NewAdministrator{Email: "d@acme.example", RoleID: "role_x"}, fault.NotFound},
		} {
			wantCode(t, w.create(c, row.in), row.code, name)
		}
	})
}

// Nobody grants what they do not hold.
func TestGrantsAreCovered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.acme.orgs[0], w.acme.orgs[1]
		billing, manager := w.acme.roles[policy.AdministratorWithBilling], w.acme.roles[policy.Manager]
		limited := w.hire(w.acme, "limited@acme.example", access.NewAdministrator{RoleID: billing, OrganizationIDs: []string{one}, APIKeyAllowed: true})
		other := w.hire(w.acme, "other@acme.example", access.NewAdministrator{RoleID: manager, AllOrganizations: true, APIKeyAllowed: true})
		foreign := w.hire(w.globex, "foreign@globex.example", access.NewAdministrator{RoleID: w.globex.roles[policy.ReadOnly]})
		c := w.mustAs(w.signIn(limited.Email).Access, "")
		grant := func(administrator, organization string, roleID *string) error {
			return w.try(c, "access.change_organizationlink", func(ctx context.Context) error {
				_, err := w.service.GrantAccess(ctx, administrator, organization, roleID)
				return err
			})
		}
		wantCode(t, w.create(c, access.NewAdministrator{Email: "x1@acme.example", RoleID: manager, AllOrganizations: true}), fault.Forbidden, "all organizations")
		wantCode(t, w.create(c, access.NewAdministrator{Email: "x2@acme.example", RoleID: manager, OrganizationIDs: []string{two}}), fault.NotFound, "an organization out of reach")
		wantCode(t, w.create(c, access.NewAdministrator{Email: "x3@acme.example", RoleID: manager, OrganizationIDs: []string{one}}), "", "one in reach")
		wantCode(t, w.update(c, access.AdministratorChange{ID: limited.ID, AllOrganizations: ptr(true)}), fault.Forbidden, "reach for oneself")
		wantCode(t, w.update(c, access.AdministratorChange{ID: other.ID, RoleID: ptr(billing)}), fault.Forbidden, "a greater role over more organizations")
		wantCode(t, w.update(c, access.AdministratorChange{ID: other.ID, RoleID: ptr(w.acme.roles[policy.ReadOnly])}), "", "a lesser role")
		wantCode(t, w.update(c, access.AdministratorChange{ID: foreign.ID, Firstname: ptr("x")}), fault.NotFound, "another provider's administrator")
		wantCode(t, grant(other.ID, two, nil), fault.NotFound, "access to an organization out of reach")
		wantCode(t, grant(foreign.ID, one, nil), fault.NotFound, "access for another provider's")
		wantCode(t, grant(other.ID, one, ptr(w.globex.roles[policy.Manager])), fault.NotFound, "with another provider's role")
		wantCode(t, grant(other.ID, one, &manager), "", "access")
		_, _, err := w.key(c, access.NewAPIKey{Name: "x", AdministratorID: &other.ID})
		wantCode(t, err, fault.Forbidden, "a key for somebody who reaches more")
		_, _, err = w.key(c, access.NewAPIKey{Name: "x", AdministratorID: &other.ID, OrganizationIDs: []string{one}})
		wantCode(t, err, "", "a key for somebody, narrowed")

		reader := w.mustAs(w.signIn(other.Email).Access, "")
		_, err = reader.Authorize(t.Context(), "access.change_administrator")
		wantCode(t, err, fault.Forbidden, "a reader who manages")

		revoke := func(c *access.Caller, administrator, organization string) error {
			return w.try(c, "access.change_organizationlink", func(ctx context.Context) error {
				_, err := w.service.RevokeAccess(ctx, administrator, organization)
				return err
			})
		}
		wantCode(t, revoke(w.ownerOf(w.globex), limited.ID, one), fault.NotFound, "revoked by another provider")
		wantCode(t, revoke(w.ownerOf(w.acme), limited.ID, one), "", "revoked")
		if c := w.mustAs(w.signIn(limited.Email).Access, ""); len(c.Scope().Organizations()) != 0 {
			t.Errorf("still reaches %v", c.Scope().Organizations())
		}
	})
}

func TestLastBillingAdministrator(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		billing, manager := w.acme.roles[policy.AdministratorWithBilling], w.acme.roles[policy.Manager]
		c := w.ownerOf(w.acme)
		wantCode(t, w.update(c, access.AdministratorChange{ID: w.acme.owner.ID, RoleID: &manager}), fault.PreconditionFailed, "the only one steps down")
		wantCode(t, w.update(c, access.AdministratorChange{ID: w.acme.owner.ID, AllOrganizations: ptr(false)}), fault.PreconditionFailed, "the only one gives reach away")
		wantCode(t, w.create(c, access.NewAdministrator{Email: "idle@acme.example", RoleID: billing, AllOrganizations: true}), "", "one who has not activated")
		wantCode(t, w.update(c, access.AdministratorChange{ID: w.acme.owner.ID, RoleID: &manager}), fault.PreconditionFailed, "who does not count")
		for _, self := range []func(context.Context, string) error{
			func(ctx context.Context, id string) error {
				_, err := w.service.SuspendAdministrator(ctx, id)
				return err
			},
			w.service.DeleteAdministrator,
			func(ctx context.Context, id string) error { _, err := w.service.ResetTOTP(ctx, id); return err },
		} {
			err := w.try(c, "access.change_administrator", func(ctx context.Context) error { return self(ctx, w.acme.owner.ID) })
			wantCode(t, err, fault.PreconditionFailed, "to oneself")
		}
	})
}

// Two who demote each other at the same time do not both succeed.
func TestLastBillingAdministratorRace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		billing, manager := w.acme.roles[policy.AdministratorWithBilling], w.acme.roles[policy.Manager]
		for round := range 5 {
			second := w.hire(w.acme, "second"+string(rune('a'+round))+"@acme.example", access.NewAdministrator{RoleID: billing, AllOrganizations: true})
			a, b := w.ownerOf(w.acme), w.mustAs(w.signIn(second.Email).Access, "")
			var won atomic.Int64
			var wait sync.WaitGroup
			for _, run := range []func() error{
				func() error {
					return w.update(a, access.AdministratorChange{ID: second.ID, RoleID: &manager})
				},
				func() error {
					return w.try(b, "access.change_administrator", func(ctx context.Context) error {
						_, err := w.service.SuspendAdministrator(ctx, w.acme.owner.ID)
						return err
					})
				},
			} {
				wait.Go(func() {
					if err := run(); err == nil {
						won.Add(1)
					} else {
						wantCode(t, err, fault.PreconditionFailed, "the slower")
					}
				})
			}
			wait.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d succeeded", won.Load())
			}
			// The owner alone again, whoever was faster.
			_ = w.try(w.mustAs(w.signIn(second.Email).Access, ""), "access.change_administrator", func(ctx context.Context) error {
				_, err := w.service.ResumeAdministrator(ctx, w.acme.owner.ID)
				return err
			})
			wantCode(t, w.update(w.ownerOf(w.acme), access.AdministratorChange{ID: second.ID, RoleID: &manager}), "", "back to one")
		}
	})
}

func TestSuspendResumeDelete(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.hire(w.acme, "a@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Manager], AllOrganizations: true, APIKeyAllowed: true})
		c := w.ownerOf(w.acme)
		bearer := w.signIn(a.Email)
		key, _, err := w.key(c, access.NewAPIKey{Name: "k", AdministratorID: &a.ID})
		if err != nil {
			t.Fatal(err)
		}
		w.mustAs(bearer.Access, "")
		w.mustAs(key, "")
		do := func(c *access.Caller, op func(context.Context, string) (*ent.Administrator, error)) error {
			return w.try(c, "access.change_administrator", func(ctx context.Context) error { _, err := op(ctx, a.ID); return err })
		}
		wantCode(t, do(w.ownerOf(w.globex), w.service.SuspendAdministrator), fault.NotFound, "suspended by another provider")
		wantCode(t, do(c, w.service.SuspendAdministrator), "", "suspended")
		for _, credential := range []string{bearer.Access, key} {
			_, err := w.as(credential, "")
			wantCode(t, err, fault.Unauthenticated, "a suspended administrator's credential")
		}
		_, err = w.service.Refresh(t.Context(), bearer.Refresh)
		wantCode(t, err, fault.Unauthenticated, "and refresh token")
		wantCode(t, do(c, w.service.ResumeAdministrator), "", "resumed")
		w.mustAs(key, "")
		_, err = w.as(bearer.Access, "")
		wantCode(t, err, fault.Unauthenticated, "the session from before")
		w.signIn(a.Email)
		wantCode(t, w.try(c, "access.delete_administrator", func(ctx context.Context) error {
			return w.service.DeleteAdministrator(ctx, a.ID)
		}), "", "deleted")
		_, err = w.as(key, "")
		wantCode(t, err, fault.Unauthenticated, "a deleted administrator's key")
	})
}

func TestAPIKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.acme.orgs[0], w.acme.orgs[1]
		c := w.ownerOf(w.acme)
		_, _, err := w.key(c, access.NewAPIKey{Name: "early"})
		wantCode(t, err, fault.PreconditionFailed, "without API access")
		wantCode(t, w.update(c, access.AdministratorChange{ID: w.acme.owner.ID, APIKeyAllowed: ptr(true)}), "", "API access")
		for name, in := range map[string]access.NewAPIKey{
			"no name":             {},
			"expired":             {Name: "k", ExpiresAt: ptr(w.now().Add(-time.Second))},
			"no organization":     {Name: "k", OrganizationIDs: []string{}},
			"no permission":       {Name: "k", Permissions: []string{}},
			"unknown permission":  {Name: "k", Permissions: []string{"no.such_thing"}},
			"permission twice":    {Name: "k", Permissions: []string{"alert.view_alert", "alert.view_alert"}},
			"foreign":             {Name: "k", OrganizationIDs: []string{w.globex.orgs[0]}},
			"for another's owner": {Name: "k", AdministratorID: &w.globex.owner.ID},
		} {
			if _, _, err := w.key(c, in); err == nil || name != "no name" && fault.CodeOf(err) != fault.InvalidArgument && fault.CodeOf(err) != fault.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		whole, row, err := w.key(c, access.NewAPIKey{Name: "whole", ExpiresAt: ptr(w.now().Add(time.Hour))})
		if err != nil || len(whole) < 60 || row.Prefix != whole[:len(row.Prefix)] {
			t.Fatal(err)
		}
		narrow, _, err := w.key(c, access.NewAPIKey{Name: "narrow", OrganizationIDs: []string{one}, Permissions: []string{"alert.raise_alert", "access.add_apikey", "tenancy.change_organization"}})
		if err != nil {
			t.Fatal(err)
		}
		k := w.mustAs(narrow, "")
		if k.Principal().Kind != tenancy.APIKey || k.APIKeyID() == "" || !slices.Equal(k.Scope().Organizations(), []string{one}) {
			t.Errorf("principal %+v, scope %s", k.Principal(), k.Scope().Key())
		}
		for p, code := range map[policy.Permission]fault.Code{
			access.Self: "", "alert.raise_alert": "", "alert.view_alert": fault.Forbidden, "access.add_apikey": fault.Forbidden,
			"tenancy.change_organization": "", "access.add_administrator": fault.Forbidden,
		} {
			_, err := k.Authorize(t.Context(), p)
			wantCode(t, err, code, "a narrowed key: "+string(p))
		}
		_, err = w.as(narrow, two)
		wantCode(t, err, fault.NotFound, "a narrowed key elsewhere")
		if _, err := w.service.SignOut(access.With(tenancy.With(t.Context(), k.Scope()), k), true); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("a key signs its administrator out: %v", err)
		}

		partial, _, err := w.key(c, access.NewAPIKey{Name: "partial", Permissions: []string{"access.add_apikey", "access.add_administrator", "alert.view_alert"}})
		if err != nil {
			t.Fatal(err)
		}
		p := w.mustAs(partial, "")
		_, _, err = w.key(p, access.NewAPIKey{Name: "k"})
		wantCode(t, err, fault.Forbidden, "a key makes one that may more")
		_, _, err = w.key(p, access.NewAPIKey{Name: "k", Permissions: []string{"alert.change_alert"}})
		wantCode(t, err, fault.Forbidden, "a key makes one that may something else")
		_, _, err = w.key(p, access.NewAPIKey{Name: "k", Permissions: []string{"alert.view_alert"}})
		wantCode(t, err, "", "a key makes one that may less")
		wantCode(t, w.create(p, access.NewAdministrator{Email: "x@acme.example", RoleID: w.acme.roles[policy.Manager]}), fault.Forbidden, "a key grants a role that may more")

		// Its use is noted, once a minute and by nobody who waits.
		uses := func() *time.Time {
			return w.db.Client().ApiKey.Query().Where(apikey.ID(row.ID)).OnlyX(tenancy.System(t.Context(), "test")).LastUsedAt
		}
		w.mustAs(whole, "")
		eventually(t, func() bool { return uses() != nil })
		w.mustAs(whole, "")
		before := w.statements.Load()
		for range 100 {
			w.mustAs(whole, "")
		}
		if n := w.statements.Load() - before; n > 5 { // a note is seen before it is counted
			t.Errorf("%d statements", n)
		}
		noted := *uses()
		w.pass(90 * time.Second)
		w.mustAs(whole, "")
		eventually(t, func() bool { return uses().After(noted) })

		for name, damaged := range map[string]string{"truncated": whole[:len(whole)-1], "altered": whole[:30] + "x" + whole[31:], "refresh kind": "bwr" + whole[3:]} {
			_, err := w.service.Authenticate(t.Context(), access.Credentials{APIKey: damaged})
			if damaged != whole {
				wantCode(t, err, fault.Unauthenticated, name)
			}
		}
		revoke := func(c *access.Caller, id string) error {
			return w.try(c, "access.delete_apikey", func(ctx context.Context) error { _, err := w.service.RevokeAPIKey(ctx, id); return err })
		}
		w.pass(time.Hour)
		_, err = w.as(whole, "")
		wantCode(t, err, fault.Unauthenticated, "an expired key")
		wantCode(t, revoke(w.ownerOf(w.globex), p.APIKeyID()), fault.NotFound, "revoked by another provider")
		wantCode(t, revoke(w.ownerOf(w.acme), p.APIKeyID()), "", "revoked")
		wantCode(t, revoke(w.ownerOf(w.acme), p.APIKeyID()), "", "revoked again")
		_, err = w.as(partial, "")
		wantCode(t, err, fault.Unauthenticated, "a revoked key")
		w.mustAs(narrow, "")
		wantCode(t, w.update(w.ownerOf(w.acme), access.AdministratorChange{ID: w.acme.owner.ID, APIKeyAllowed: ptr(false)}), "", "API access off")
		_, err = w.as(narrow, "")
		wantCode(t, err, fault.Unauthenticated, "a key without API access")
	})
}

func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.acme.orgs[0], w.acme.orgs[1]
		owner := w.ownerOf(w.acme)
		local := w.hire(w.acme, "local@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Administrator], OrganizationIDs: []string{one}})
		l := w.mustAs(w.signIn(local.Email).Access, "")
		create := func(c *access.Caller, in access.NewRole) (r *ent.Role, err error) {
			err = w.try(c, "access.add_role", func(ctx context.Context) error { r, err = w.service.CreateRole(ctx, in); return err })
			return r, err
		}
		for name, row := range map[string]struct {
			c    *access.Caller
			in   access.NewRole
			code fault.Code
		}{
			"unknown permission":       {owner, access.NewRole{Name: "r", Permissions: []string{"no.such_thing"}}, fault.InvalidArgument},
			"reserved permission":      {owner, access.NewRole{Name: "r", Permissions: []string{"access.add_administrator"}}, fault.InvalidArgument},
			"provider's, by a local":   {l, access.NewRole{Name: "r", Permissions: []string{"alert.view_alert"}}, fault.Forbidden},
			"elsewhere, by a local":    {l, access.NewRole{Name: "r", OrganizationID: &two, Permissions: []string{"alert.view_alert"}}, fault.NotFound},
			"in another's":             {owner, access.NewRole{Name: "r", OrganizationID: &w.globex.orgs[0], Permissions: []string{"alert.view_alert"}}, fault.NotFound},
			"more than in the own one": {l, access.NewRole{Name: "r", OrganizationID: &one, Permissions: []string{"tenancy.view_provider"}}, fault.InvalidArgument},
			"name of a built-in":       {owner, access.NewRole{Name: "Manager", Permissions: []string{"alert.view_alert"}}, fault.Conflict},
		} {
			_, err := create(row.c, row.in)
			wantCode(t, err, row.code, name)
		}
		custom, err := create(owner, access.NewRole{Name: "alerts", Permissions: []string{"alert.view_alert"}})
		if err != nil {
			t.Fatal(err)
		}
		inOne, err := create(l, access.NewRole{Name: "alerts", OrganizationID: &one, Permissions: []string{"alert.view_alert"}})
		if err != nil {
			t.Fatal(err)
		}
		holder := w.hire(w.acme, "holder@acme.example", access.NewAdministrator{RoleID: custom.ID, OrganizationIDs: []string{one}})
		w.grant(w.acme, holder, two, w.acme.roles[policy.ReadOnly])
		bearer := w.signIn(holder.Email).Access
		_, err = w.mustAs(bearer, "").Authorize(t.Context(), "alert.change_alert")
		wantCode(t, err, fault.Forbidden, "before the role is changed")
		update := func(c *access.Caller, in access.RoleChange) error {
			return w.try(c, "access.change_role", func(ctx context.Context) error { _, err := w.service.UpdateRole(ctx, in); return err })
		}
		wantCode(t, update(owner, access.RoleChange{ID: custom.ID, Permissions: []string{"alert.view_alert", "alert.change_alert"}}), "", "changed")
		scope, err := w.mustAs(bearer, "").Authorize(t.Context(), "alert.change_alert")
		if err != nil || !slices.Equal(scope.Organizations(), []string{one}) {
			t.Errorf("at once: %v, %v", scope.Organizations(), err)
		}
		wantCode(t, update(l, access.RoleChange{ID: custom.ID, Name: ptr("mine")}), fault.Forbidden, "the provider's role, by a local")
		wantCode(t, update(w.ownerOf(w.globex), access.RoleChange{ID: custom.ID, Name: ptr("mine")}), fault.NotFound, "by another provider")
		wantCode(t, update(owner, access.RoleChange{ID: w.acme.roles[policy.Manager], Name: ptr("mine")}), fault.PreconditionFailed, "a built-in role")
		wantCode(t, update(owner, access.RoleChange{ID: custom.ID, Name: ptr("Manager")}), fault.Conflict, "to a name that is taken")
		wrong := w.try(owner, "access.change_organizationlink", func(ctx context.Context) error {
			_, err := w.service.GrantAccess(ctx, holder.ID, two, &inOne.ID)
			return err
		})
		wantCode(t, wrong, fault.InvalidArgument, "one organization's role in another")
		remove := func(c *access.Caller, id string) error {
			return w.try(c, "access.delete_role", func(ctx context.Context) error { return w.service.DeleteRole(ctx, id) })
		}
		wantCode(t, remove(owner, custom.ID), fault.PreconditionFailed, "a role that somebody has")
		wantCode(t, remove(l, inOne.ID), "", "one that nobody has")
		wantCode(t, remove(owner, w.acme.roles[policy.Manager]), fault.PreconditionFailed, "a built-in role")
	})
}

func TestSyncBuiltInRoles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		system := tenancy.System(t.Context(), "test")
		roles := func(m msp) int {
			return w.db.Client().Role.Query().Where(role.ProviderID(m.provider.ID), role.KeyNotNil()).CountX(system)
		}
		w.db.Client().Role.UpdateOneID(w.acme.roles[policy.ReadOnly]).SetPermissions([]string{"old.view_thing"}).ExecX(system)
		w.db.Client().Role.DeleteOneID(w.globex.roles[policy.Manager]).ExecX(system)
		if err := w.service.SyncBuiltInRoles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(policy.BuiltIns()); roles(w.acme) != n || roles(w.globex) != n {
			t.Errorf("%d and %d roles", roles(w.acme), roles(w.globex))
		}
		if got := w.db.Client().Role.GetX(system, w.acme.roles[policy.ReadOnly]).Permissions; slices.Contains(got, "old.view_thing") || len(got) == 0 {
			t.Errorf("permissions %v", got)
		}
		_, _, err := w.service.Bootstrap(t.Context(), "third", "owner@acme.example", password)
		wantCode(t, err, fault.Conflict, "a provider with an address that is taken")
		if n := w.db.Client().Provider.Query().CountX(system); n != 2 {
			t.Errorf("%d providers: half of one is left", n)
		}
	})
}

func TestViewer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		limited := w.hire(w.acme, "limited@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Manager], OrganizationIDs: w.acme.orgs[:1]})
		c := w.mustAs(w.signIn(limited.Email).Access, w.acme.orgs[0])
		self := access.With(tenancy.With(t.Context(), c.Scope()), c)
		v, err := w.service.Viewer(self)
		if err != nil || v.Administrator.ID != limited.ID || v.Provider.ID != w.acme.provider.ID || v.Organization.ID != w.acme.orgs[0] || v.APIKey != nil {
			t.Errorf("%+v, %v", v, err)
		}
		reach, err := w.service.Reaches(self, []string{limited.ID, w.acme.owner.ID, w.globex.owner.ID})
		if err != nil || reach[limited.ID] != 1 || reach[w.acme.owner.ID] != 2 || reach[w.globex.owner.ID] != 0 {
			t.Errorf("reach %v, %v", reach, err)
		}
		keys, err := w.service.HaveKeys(self, []string{limited.ID, w.globex.owner.ID})
		if err != nil || len(keys) != 2 || keys[limited.ID] {
			t.Errorf("keys %v, %v", keys, err)
		}
		acting, err := w.service.ActAs(t.Context(), limited.Email)
		if err != nil || !slices.Equal(acting.Scope().Organizations(), w.acme.orgs[:1]) {
			t.Errorf("acting as: %v, %v", acting, err)
		}
		system := tenancy.System(t.Context(), "test")
		if n := w.db.Client().Organization.Query().Where(organization.StatusEQ(organization.StatusActive)).CountX(system); n != 4 {
			t.Errorf("%d organizations", n)
		}
	})
}
