package billing

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/ent/ticketingbillingmapping"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/guard"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Sample counts the users of every organization of every provider that has an
// integration, into today's records. The context needs no scope.
func (s *Service) Sample(ctx context.Context) error {
	return s.sample(tenancy.System(ctx, "count the users of every provider's organizations"))
}

// sample counts the users of the organizations in reach, batch by batch.
func (s *Service) sample(ctx context.Context) error {
	day := dayOf(s.now())
	for after := ""; ; {
		batch, err := s.client.Organization.Query().
			Where(organization.IDGT(after), organization.StatusNEQ(organization.StatusDeleting), integrated).
			Order(organization.ByID()).Limit(s.config.Batch).All(ctx)
		if err != nil {
			return fmt.Errorf("list organizations: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		if err := s.record(ctx, day, batch); err != nil {
			return err
		}
		after = batch[len(batch)-1].ID
	}
}

// integrated keeps the organizations whose provider has an integration.
func integrated(sel *sql.Selector) {
	t := sql.Table(ticketingintegration.Table)
	sel.Where(sql.In(sel.C(guard.ProviderColumn), sql.Select(t.C(guard.ProviderColumn)).From(t)))
}

// pair is an organization in an integration.
type pair struct{ organization, integration string }

// record brings today's records of a batch of organizations up to date.
func (s *Service) record(ctx context.Context, day string, batch []*ent.Organization) error {
	ids, providers := make([]string, len(batch)), map[string]bool{}
	for n, o := range batch {
		ids[n], providers[o.ProviderID] = o.ID, true
	}
	count, err := s.count(ctx, ids)
	if err != nil {
		return err
	}
	marks, err := s.marks(ctx, day, "", ids)
	if err != nil {
		return err
	}
	mapped, err := s.client.TicketingBillingMapping.Query().Where(ticketingbillingmapping.OrganizationIDIn(ids...)).All(ctx)
	if err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	free := map[pair]int{}
	for _, m := range mapped {
		free[pair{m.OrganizationID, m.IntegrationID}] = m.NonBillableUsers
	}
	integrations, err := s.client.TicketingIntegration.Query().
		Where(ticketingintegration.ProviderIDIn(keys(providers)...)).Order(ticketingintegration.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("list integrations: %w", err)
	}
	var rows []usage
	for _, o := range batch {
		for _, i := range integrations {
			if i.ProviderID != o.ProviderID {
				continue
			}
			p := pair{o.ID, i.ID}
			mark := max(marks[p], count[o.ID])
			rows = append(rows, usage{pair: p, provider: o.ProviderID, users: count[o.ID], mark: mark, quantity: max(0, mark-free[p])})
		}
	}
	for len(rows) > 0 {
		some := rows[:min(len(rows), s.config.Batch)]
		if err := s.upsert(ctx, day, some); err != nil {
			return err
		}
		rows = rows[len(some):]
	}
	return nil
}

// count is how many users of each organization are billed, in one statement.
func (s *Service) count(ctx context.Context, organizations []string) (map[string]int, error) {
	var counted []struct {
		OrganizationID string `json:"organization_id"`
		Count          int    `json:"count"`
	}
	err := s.client.User.Query().
		Where(user.OrganizationIDIn(organizations...), user.StatusNEQ(user.StatusDeprovisioned)).
		GroupBy(user.FieldOrganizationID).Aggregate(ent.Count()).Scan(ctx, &counted)
	if err != nil {
		return nil, fmt.Errorf("count users: %w", err)
	}
	out := make(map[string]int, len(counted))
	for _, c := range counted {
		out[c.OrganizationID] = c.Count
	}
	return out, nil
}

// marks are the high-water marks of the month of a day, up to it, in one
// statement: in one integration, or in each.
func (s *Service) marks(ctx context.Context, day, integration string, organizations []string) (map[pair]int, error) {
	var counted []struct {
		OrganizationID string `json:"organization_id"`
		IntegrationID  string `json:"integration_id"`
		Max            int    `json:"max"`
	}
	query := s.client.TicketingUsageRecord.Query().
		Where(ticketingusagerecord.OrganizationIDIn(organizations...),
			ticketingusagerecord.DayGTE(firstOf(day)), ticketingusagerecord.DayLTE(day))
	if integration != "" {
		query.Where(ticketingusagerecord.IntegrationID(integration))
	}
	err := query.GroupBy(ticketingusagerecord.FieldOrganizationID, ticketingusagerecord.FieldIntegrationID).
		Aggregate(ent.As(ent.Max(ticketingusagerecord.FieldUsers), "max")).Scan(ctx, &counted)
	if err != nil {
		return nil, fmt.Errorf("read the month's marks: %w", err)
	}
	out := make(map[pair]int, len(counted))
	for _, c := range counted {
		out[pair{c.OrganizationID, c.IntegrationID}] = c.Max
	}
	return out, nil
}

// usage is what was counted of an organization, for an integration.
type usage struct {
	pair

	provider              string
	users, mark, quantity int
}

// upsert writes what was counted. A record only rises: of two that count at a
// time, the higher number stays. One that is written already is to be written
// again if its mark has risen.
func (s *Service) upsert(ctx context.Context, day string, rows []usage) error {
	now := s.now()
	due, err := s.due(day)
	if err != nil {
		return fmt.Errorf("day %q: %w", day, err)
	}
	insert := sql.Dialect(s.db.Dialect()).Insert(ticketingusagerecord.Table).Columns(
		ticketingusagerecord.FieldID, ticketingusagerecord.FieldCreatedAt, ticketingusagerecord.FieldUpdatedAt,
		ticketingusagerecord.FieldProviderID, ticketingusagerecord.FieldOrganizationID, ticketingusagerecord.FieldIntegrationID,
		ticketingusagerecord.FieldDay, ticketingusagerecord.FieldUsers, ticketingusagerecord.FieldHighWater,
		ticketingusagerecord.FieldQuantity, ticketingusagerecord.FieldStatus, ticketingusagerecord.FieldAttempts,
		ticketingusagerecord.FieldNextAttemptAt,
	)
	newID := schema.NewID("tur")
	for _, r := range rows {
		insert.Values(newID(), now, now, r.provider, r.organization, r.integration, day, r.users, r.mark, r.quantity,
			string(ticketingusagerecord.StatusPending), 0, due)
	}
	insert.OnConflict(
		sql.ConflictColumns(ticketingusagerecord.FieldOrganizationID, ticketingusagerecord.FieldIntegrationID, ticketingusagerecord.FieldDay),
		sql.ResolveWith(rise),
	)
	query, args := insert.Query()
	if err := s.db.Driver().Exec(ctx, query, args, nil); err != nil {
		return fmt.Errorf("keep what was counted: %w", err)
	}
	return nil
}

// rise resolves the conflict of a count with the record that is there.
func rise(u *sql.UpdateSet) {
	const (
		table   = `"` + ticketingusagerecord.Table + `".`
		risen   = `excluded."high_water" > ` + table + `"high_water"`
		written = table + `"status" = 'WRITTEN'`
	)
	greatest := func(column string) string {
		c := `"` + column + `"`
		return `CASE WHEN excluded.` + c + ` > ` + table + c + ` THEN excluded.` + c + ` ELSE ` + table + c + ` END`
	}
	for _, set := range [][2]string{
		{ticketingusagerecord.FieldUsers, greatest(ticketingusagerecord.FieldUsers)},
		{ticketingusagerecord.FieldHighWater, greatest(ticketingusagerecord.FieldHighWater)},
		{ticketingusagerecord.FieldUpdatedAt, `excluded."updated_at"`},
		{ticketingusagerecord.FieldQuantity, `CASE WHEN ` + risen + ` OR NOT ` + written +
			` THEN excluded."quantity" ELSE ` + table + `"quantity" END`},
		{ticketingusagerecord.FieldStatus, `CASE WHEN ` + risen + ` AND ` + written + ` THEN 'PENDING' ELSE ` + table + `"status" END`},
		{ticketingusagerecord.FieldNextAttemptAt, `CASE WHEN ` + risen + ` AND ` + written +
			` THEN excluded."next_attempt_at" ELSE ` + table + `"next_attempt_at" END`},
	} {
		u.Set(set[0], sql.Expr(set[1]))
	}
}

func keys(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for key := range set {
		out = append(out, key)
	}
	return out
}
