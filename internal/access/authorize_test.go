package access_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/access/policy"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

func TestAuthorize(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.acme.orgs[0], w.acme.orgs[1]
		mixed := w.hire(w.acme, "mixed@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.ReadOnly], OrganizationIDs: []string{one, two}})
		w.grant(w.acme, mixed, two, w.acme.roles[policy.Manager])
		most := w.hire(w.acme, "most@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Manager], AllOrganizations: true})
		w.grant(w.acme, most, two, w.acme.roles[policy.ReadOnly])
		more := w.hire(w.acme, "more@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.ReadOnly], AllOrganizations: true})
		w.grant(w.acme, more, one, w.acme.roles[policy.HelpDesk])
		none := w.hire(w.acme, "none@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Manager]})

		const all = "*"
		for _, row := range []struct {
			who    string
			header string
			p      policy.Permission
			code   fault.Code
			want   []string
		}{
			{w.acme.owner.Email, "", "access.add_administrator", "", []string{all}},
			{w.acme.owner.Email, "", "alert.change_alert", "", []string{all}},
			{w.acme.owner.Email, one, "alert.change_alert", "", []string{one}},
			{w.acme.owner.Email, one, "tenancy.change_organization", "", []string{one}},
			{mixed.Email, "", access.Self, "", []string{one, two}},
			{mixed.Email, "", "alert.view_alert", "", []string{one, two}},
			{mixed.Email, "", "alert.raise_alert", "", []string{two}},
			{mixed.Email, one, "alert.raise_alert", fault.Forbidden, nil},
			{mixed.Email, two, "alert.raise_alert", "", []string{two}},
			{mixed.Email, "", "access.view_administrator", "", []string{one, two}},
			{mixed.Email, "", "access.add_administrator", fault.Forbidden, nil},
			{most.Email, "", "alert.view_alert", "", []string{all}},
			{most.Email, "", "alert.raise_alert", "", []string{one}},
			{most.Email, two, "alert.raise_alert", fault.Forbidden, nil},
			{more.Email, "", "alert.view_alert", "", []string{all}},
			{more.Email, "", "alert.change_alert", "", []string{one}},
			{more.Email, "", "alert.raise_alert", fault.Forbidden, nil},
			{none.Email, "", "alert.view_alert", fault.Forbidden, nil},
			{none.Email, "", "tenancy.view_provider", "", nil},
			{none.Email, "", "no.such_thing", fault.Internal, nil},
		} {
			scope, err := w.mustAs(w.signIn(row.who).Access, row.header).Authorize(t.Context(), row.p)
			got := scope.Organizations()
			if scope.All() {
				got = []string{all}
			}
			slices.Sort(row.want)
			if fault.CodeOf(err) != row.code || !slices.Equal(got, row.want) || err == nil && scope.Provider() != w.acme.provider.ID {
				t.Errorf("%s, header %q, %s: %v, %v, want %v %q", row.who, row.header, row.p, got, err, row.want, row.code)
			}
		}

		c := w.mustAs(w.signIn(mixed.Email).Access, "")
		for _, row := range []struct {
			p    policy.Permission
			org  string
			want bool
		}{
			{"alert.raise_alert", "", false}, {"alert.raise_alert", one, false}, {"alert.raise_alert", two, true},
			{"alert.view_alert", "", true}, {"alert.view_alert", w.globex.orgs[0], false}, {"access.add_administrator", two, false},
		} {
			if can, err := c.Can(t.Context(), row.p, row.org); can != row.want || err != nil {
				t.Errorf("can %s in %q: %v, %v", row.p, row.org, can, err)
			}
		}
		_, err := c.Can(t.Context(), "no.such_thing", "")
		wantCode(t, err, fault.InvalidArgument, "a permission that does not exist")
	})
}

func TestOrganizationHeader(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		limited := w.hire(w.acme, "limited@acme.example", access.NewAdministrator{RoleID: w.acme.roles[policy.Manager], OrganizationIDs: []string{w.acme.orgs[0]}})
		for _, who := range []string{w.acme.owner.Email, limited.Email} {
			bearer := w.signIn(who).Access
			for header, code := range map[string]fault.Code{
				w.acme.orgs[0]:                   "",
				w.globex.orgs[0]:                 fault.NotFound,
				"org_01h455vb4pex5vsknk084sn02q": fault.NotFound,
				w.acme.provider.ID:               fault.InvalidArgument,
				"org_":                           fault.InvalidArgument,
				"' OR 1=1":                       fault.InvalidArgument,
			} {
				c, err := w.as(bearer, header)
				wantCode(t, err, code, header)
				if err == nil && c.OrganizationHeader() != header {
					t.Errorf("header %q, want %q", c.OrganizationHeader(), header)
				}
				if f, ok := errors.AsType[*fault.Error](err); ok && code == fault.InvalidArgument && f.Field != tenancy.Header {
					t.Errorf("field %q", f.Field)
				}
			}
			foreign, unknown := refusal(w, bearer, w.globex.orgs[0]), refusal(w, bearer, "org_01h455vb4pex5vsknk084sn02q")
			if foreign != unknown {
				t.Errorf("a foreign organization reads %q, an unknown one %q", foreign, unknown)
			}
		}
		_, err := w.as(w.signIn(limited.Email).Access, w.acme.orgs[1])
		wantCode(t, err, fault.NotFound, "the provider's own, out of reach")
	})
}

func refusal(w *world, bearer, header string) string {
	_, err := w.as(bearer, header)
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzOrganizationHeader(f *testing.F) {
	for _, seed := range []string{"", "org_01h455vb4pex5vsknk084sn02q", "org_", "*", "org_01h455vb4pex5vsknk084sn02q,org_", "\x00"} {
		f.Add(seed)
	}
	w := openWorld(f)
	bearer := w.signIn(w.acme.owner.Email).Access
	f.Fuzz(func(t *testing.T, header string) {
		c, err := w.service.Authenticate(t.Context(), access.Credentials{Bearer: bearer, Organization: header})
		if err != nil {
			if code := fault.CodeOf(err); code != fault.NotFound && code != fault.InvalidArgument {
				t.Errorf("%q: %v", header, err)
			}
			return
		}
		if header != "" && header != w.acme.orgs[0] && header != w.acme.orgs[1] || c.ProviderID() != w.acme.provider.ID {
			t.Errorf("%q was let through", header)
		}
	})
}

func TestSuspendedOrganizations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.acme.orgs[0], w.acme.orgs[1]
		bearer := w.signIn(w.acme.owner.Email).Access
		w.mustAs(bearer, "")
		ctx := tenancy.With(t.Context(), tenancy.ForProvider(tenancy.ServicePrincipal("test"), w.acme.provider.ID))
		err := w.db.InTx(ctx, func(ctx context.Context) error {
			if err := w.db.Client().Organization.UpdateOneID(two).SetStatus(organization.StatusSuspended).Exec(ctx); err != nil {
				return err
			}
			return w.service.Announce(ctx, w.acme.provider.ID, "")
		})
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range map[policy.Permission][]string{
			"alert.change_alert": {one}, "alert.view_alert": {}, "tenancy.suspend_organization": {}, "access.change_administrator": {one},
		} {
			scope, err := w.mustAs(bearer, "").Authorize(t.Context(), p)
			if err != nil || scope.All() != (len(want) == 0) || !slices.Equal(scope.Organizations(), want) && len(want) > 0 {
				t.Errorf("%s: %v %v, %v", p, scope.All(), scope.Organizations(), err)
			}
		}
		_, err = w.mustAs(bearer, two).Authorize(t.Context(), "alert.change_alert")
		wantCode(t, err, fault.PreconditionFailed, "to change something there")
		if _, err = w.mustAs(bearer, two).Authorize(t.Context(), "alert.view_alert"); err != nil {
			t.Errorf("to read there: %v", err)
		}
		if _, err = w.mustAs(bearer, two).Authorize(t.Context(), "tenancy.suspend_organization"); err != nil {
			t.Errorf("to resume it: %v", err)
		}
	})
}

func TestSecondFactorRule(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bearer := w.signIn(w.acme.owner.Email).Access
		w.mustAs(bearer, "")
		ctx := tenancy.With(t.Context(), tenancy.ForProvider(tenancy.ServicePrincipal("test"), w.acme.provider.ID))
		w.db.Client().Provider.UpdateOneID(w.acme.provider.ID).SetRequireAdminMfa(true).ExecX(ctx)
		if err := w.service.Announce(ctx, w.acme.provider.ID, ""); err != nil {
			t.Fatal(err)
		}
		c := w.mustAs(bearer, "")
		_, err := c.Authorize(t.Context(), "alert.view_alert")
		wantCode(t, err, fault.Forbidden, "without a second factor")
		if _, err := c.Authorize(t.Context(), access.Self); err != nil {
			t.Errorf("what is needed to enrol one: %v", err)
		}
		other := w.ownerOf(w.globex)
		if _, err := other.Authorize(t.Context(), "alert.view_alert"); err != nil {
			t.Errorf("another provider: %v", err)
		}
	})
}

// Authenticating and authorizing reads nothing when warm, however many
// organizations there are.
func TestWarmRequestsReadNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		limited := w.hire(w.acme, "limited@acme.example", access.NewAdministrator{
			RoleID: w.acme.roles[policy.Manager], OrganizationIDs: w.acme.orgs[:], APIKeyAllowed: true,
		})
		owner, other := w.signIn(w.acme.owner.Email).Access, w.signIn(limited.Email).Access
		request := func() {
			for _, bearer := range []string{owner, other} {
				for _, header := range []string{"", w.acme.orgs[0]} {
					c := w.mustAs(bearer, header)
					for _, p := range []policy.Permission{access.Self, "alert.view_alert", "alert.change_alert", "access.view_administrator"} {
						if _, err := c.Authorize(t.Context(), p); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		request()
		before := w.statements.Load()
		request()
		if n := w.statements.Load() - before; n != 0 {
			t.Errorf("%d statements", n)
		}
		w.pass(2 * time.Minute)
		request()
		if w.statements.Load() == before {
			t.Error("the cache never expires")
		}
		healthy := w.healthy
		w.healthy = func() bool { return false }
		before = w.statements.Load()
		request()
		if w.statements.Load() == before {
			t.Error("answered from the cache while events may be missed")
		}
		w.healthy = healthy
		request()
		w.bus.Resync()
		before = w.statements.Load()
		request()
		if w.statements.Load() == before {
			t.Error("answered from the cache after events were missed")
		}
	})
}
