package main

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/app"
	"github.com/bailiwick/bailiwick/internal/database/lateral"
	"github.com/bailiwick/bailiwick/tenancy"
	"github.com/bailiwick/bailiwick/tools/bench/data"
)

// walledQueries are the queries as the resolvers send them. The tenant is a
// predicate by hand where the walls are off, and comes from the scope where
// they are on.
func walledQueries(a *app.App, g ground) []walled {
	s := g.sample
	idOf := func(ids []string, i int) string { return ids[i%len(ids)] }
	word := func(i int) string { return data.Words[i%len(data.Words)] + "-" }
	devices := func(by ...func(*sql.Selector)) *ent.DeviceQuery {
		q := a.Client.Device.Query()
		for _, p := range by {
			q.Where(p)
		}
		return q
	}
	byProvider := sql.FieldEQ(device.FieldProviderID, s.Provider)

	one := func(ctx context.Context, i int, by ...func(*sql.Selector)) error {
		_, err := devices(by...).Where(device.ID(idOf(s.Devices, i))).Only(ctx)
		return err
	}
	list := func(ctx context.Context, _ int, by ...func(*sql.Selector)) error {
		q := devices(by...).Where(device.PlatformEQ(device.PlatformMacOS))
		if _, err := q.Clone().Count(ctx); err != nil {
			return err
		}
		_, err := q.Order(device.ByName(), device.ByID()).Limit(page + 1).All(ctx)
		return err
	}
	nested := func(ctx context.Context, _ int, organizations *ent.OrganizationQuery, users *ent.UserQuery, by ...func(*sql.Selector)) error {
		parents, err := organizations.Order(organization.ByName(), organization.ByID()).Limit(21).IDs(ctx)
		if err != nil {
			return err
		}
		found, err := devices(by...).Where(lateral.First(device.Table, device.FieldOrganizationID, parents, 11, func(s *sql.Selector) {
			for _, p := range by {
				p(s)
			}
			s.OrderBy(s.C(device.FieldName), s.C(device.FieldID))
		})).All(ctx)
		if err != nil {
			return err
		}
		var owners []string
		for _, d := range found {
			if d.UserID != nil {
				owners = append(owners, *d.UserID)
			}
		}
		_, err = users.Where(user.IDIn(owners...)).All(ctx)
		return err
	}
	search := func(ctx context.Context, i int, organizations *ent.OrganizationQuery, by ...func(*sql.Selector)) error {
		found, err := devices(by...).Where(device.NameGTE(word(i)), device.NameLT(word(i)+"~")).
			Order(device.ByName(), device.ByID()).Limit(page + 1).All(ctx)
		if err != nil {
			return err
		}
		ids := make([]string, len(found))
		for j, d := range found {
			ids[j] = d.OrganizationID
		}
		_, err = organizations.Where(organization.IDIn(ids...)).All(ctx)
		return err
	}
	open := func(ctx context.Context, _ int, alerts *ent.AlertQuery, organizations *ent.OrganizationQuery) error {
		found, err := alerts.Where(alert.ResolvedAtIsNil()).
			Order(alert.ByLastOccurredAt(sql.OrderDesc()), alert.ByID(sql.OrderDesc())).Limit(page + 1).All(ctx)
		if err != nil {
			return err
		}
		ids := make([]string, len(found))
		for j, d := range found {
			ids[j] = d.OrganizationID
		}
		_, err = organizations.Where(organization.IDIn(ids...)).All(ctx)
		return err
	}
	update := func(ctx context.Context, i int) error {
		return a.DB.InTx(ctx, func(ctx context.Context) error {
			_, err := a.Client.Device.UpdateOneID(idOf(s.Devices, i)).SetAssetTag(fmt.Sprintf("tag-%d", i)).Save(ctx)
			if err != nil {
				return err
			}
			return a.Client.SystemLogEvent.Create().SetProviderID(s.Provider).SetEventType("updateDevice").
				SetOutcome(systemlogevent.OutcomeSuccess).SetActorType("API_KEY").Exec(ctx)
		})
	}

	system := func(ctx context.Context) context.Context {
		return tenancy.System(ctx, "measure what the walls cost")
	}
	organizations := func() *ent.OrganizationQuery { return a.Client.Organization.Query() }
	ofProvider := func() *ent.OrganizationQuery {
		return organizations().Where(organization.ProviderID(s.Provider))
	}
	queries := []walled{
		{
			letter: "A", permission: "mdm.view_device",
			on:  func(ctx context.Context, i int) error { return one(ctx, i) },
			off: func(ctx context.Context, i int) error { return one(system(ctx), i, byProvider) },
		},
		{
			letter: "B", permission: "mdm.view_device", organization: s.Organizations,
			on: func(ctx context.Context, i int) error { return list(ctx, i) },
			off: func(ctx context.Context, i int) error {
				return list(system(ctx), i, sql.FieldEQ(device.FieldOrganizationID, idOf(s.Organizations, i)))
			},
		},
		{
			letter: "C", permission: "tenancy.view_organization",
			on: func(ctx context.Context, i int) error { return nested(ctx, i, organizations(), a.Client.User.Query()) },
			off: func(ctx context.Context, i int) error {
				return nested(system(ctx), i, ofProvider(), a.Client.User.Query().Where(user.ProviderID(s.Provider)), byProvider)
			},
		},
		{
			letter: "D", permission: "mdm.view_device",
			on:  func(ctx context.Context, i int) error { return search(ctx, i, organizations()) },
			off: func(ctx context.Context, i int) error { return search(system(ctx), i, ofProvider(), byProvider) },
		},
		{
			letter: "F", permission: "alert.view_alert",
			on: func(ctx context.Context, i int) error { return open(ctx, i, a.Client.Alert.Query(), organizations()) },
			off: func(ctx context.Context, i int) error {
				return open(system(ctx), i, a.Client.Alert.Query().Where(alert.ProviderID(s.Provider)), ofProvider())
			},
		},
		{
			letter: "E", permission: "mdm.change_device",
			on:  update,
			off: func(ctx context.Context, i int) error { return update(system(ctx), i) },
		},
	}
	for i := range queries {
		w := &queries[i]
		w.provider = s.Provider
		inside := w.on
		w.on = func(ctx context.Context, i int) error { return inside(w.scope(ctx, i), i) }
	}
	return queries
}
