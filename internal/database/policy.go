package database

import (
	"fmt"
	"slices"
	"strings"

	"entgo.io/ent/dialect/sql/schema"
	"github.com/lib/pq"
)

// Policies returns the PostgreSQL statements that keep tenants apart: the two
// roles, row-level security on every table, and the grants. They are generated
// from the schema rather than migrated: [Migrator.Up] runs them, in one
// transaction, after every migration, and running them again changes nothing.
//
// Neither role needs to be a superuser or to bypass row-level security: what
// the system sees, it sees by a policy of its own.
//
// The form of the application's policy was chosen by measurement. A CASE over
// the scope costs about a tenth, where an OR over a nullable setting costs
// several times the query. Every setting is NULLIF-wrapped, so that without a
// scope no row matches.
func Policies(tables []*schema.Table, rules Rules) ([]string, error) {
	class, err := classes(tables, rules)
	if err != nil {
		return nil, err
	}
	statements := []string{createRole(AppRole), createRole(SystemRole), grantSchema}
	for _, t := range tables {
		statements = append(statements, tablePolicies(t.Name, class[t.Name], rules)...)
	}
	return append(statements, grantJobs), nil
}

func tablePolicies(name string, class Class, rules Rules) []string {
	table := pq.QuoteIdentifier(name)
	statements := []string{
		"ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE " + table + " FORCE ROW LEVEL SECURITY",
		"DROP POLICY IF EXISTS system_access ON " + table,
		"CREATE POLICY system_access ON " + table + " TO " + SystemRole + " USING (true) WITH CHECK (true)",
		"DROP POLICY IF EXISTS tenant_access ON " + table,
		"REVOKE ALL ON " + table + " FROM " + AppRole + ", PUBLIC",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON " + table + " TO " + SystemRole,
	}
	grants, condition := "SELECT, INSERT, UPDATE, DELETE", condition(class)
	if slices.Contains(rules.AppendOnly, name) && class == Shared {
		// What concerns the whole provider anyone may add to, and only whoever
		// reaches all of it reads.
		return append(statements,
			"DROP POLICY IF EXISTS tenant_addition ON "+table,
			"CREATE POLICY tenant_addition ON "+table+" FOR INSERT TO "+AppRole+" WITH CHECK ("+condition+")",
			"CREATE POLICY tenant_access ON "+table+" FOR SELECT TO "+AppRole+
				" USING ("+reachCase(providerColumn+" = "+nonEmpty(settingProvider), "", organizationColumn)+")",
			"GRANT SELECT, INSERT ON "+table+" TO "+AppRole)
	}
	switch {
	case class == Global && slices.Contains(rules.AppReads, name):
		grants = "SELECT"
	case class == Global && !slices.Contains(rules.AppWrites, name):
		return statements
	case slices.Contains(rules.AppendOnly, name):
		grants = "SELECT, INSERT"
	}
	return append(statements,
		"CREATE POLICY tenant_access ON "+table+" TO "+AppRole+" USING ("+condition+") WITH CHECK ("+condition+")",
		"GRANT "+grants+" ON "+table+" TO "+AppRole)
}

// condition is what the rows of a class fulfil that the session reaches.
func condition(class Class) string {
	provider := providerColumn + " = " + nonEmpty(settingProvider)
	switch class {
	case Organization:
		return reachCase(provider, "", organizationColumn)
	case Shared:
		return reachCase(provider, " WHEN "+organizationColumn+" IS NULL THEN "+provider, organizationColumn)
	case RootOrganization:
		return reachCase(provider, "", idColumn)
	case Provider:
		return provider
	case RootProvider:
		return idColumn + " = " + nonEmpty(settingProvider)
	case Global:
		return "true"
	default:
		return "false"
	}
}

// reachCase is the condition on the organization. The list is an init-plan, so
// that it is parsed once for a statement and not for a row; a parallel plan
// parses it even where its branch is not taken, so it must always parse.
func reachCase(provider, more, organization string) string {
	return fmt.Sprintf("CASE WHEN current_setting('%s', true) = '%s' THEN %s%s"+
		" WHEN %s IS NOT NULL THEN %s = %s"+
		" ELSE %s = ANY ((SELECT NULLIF(%s, '%s')::text[])::text[]) END",
		settingOrganizations, reachAll, provider, more,
		nonEmpty(settingOrganization), organization, nonEmpty(settingOrganization),
		organization, nonEmpty(settingOrganizations), reachAll)
}

func nonEmpty(setting string) string {
	return "NULLIF(current_setting('" + setting + "', true), '')"
}

// createRole creates a role that cannot log in, unless it exists, and lets the
// current login take it. Roles belong to the cluster, so another database's
// migration may create them at the same time; a login that may not grant them
// has been granted them by whoever created them.
func createRole(role string) string {
	return strings.ReplaceAll(`DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '@role') THEN
    BEGIN
      CREATE ROLE @role NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
  IF NOT EXISTS (
    SELECT FROM pg_auth_members m
    JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
    WHERE r.rolname = '@role' AND u.rolname = current_user
  ) AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    BEGIN
      EXECUTE format('GRANT @role TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
  END IF;
END $$`, "@role", role)
}

const grantSchema = `DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO ` + AppRole + `, ` + SystemRole + `', current_schema());
END $$`

// grantJobs lets a tenant's transaction enqueue a job, and the system work
// the queue. Enqueueing a unique job updates the one that is there.
const grantJobs = `DO $$
DECLARE object record;
BEGIN
  FOR object IN SELECT c.relname, c.relkind FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'S') AND c.relname LIKE 'river\_%'
  LOOP
    IF object.relkind = 'S' THEN
      EXECUTE format('GRANT USAGE ON SEQUENCE %I TO ` + AppRole + `, ` + SystemRole + `', object.relname);
    ELSE
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO ` + SystemRole + `', object.relname);
    END IF;
  END LOOP;
  IF to_regclass('river_job') IS NOT NULL THEN
    GRANT SELECT, INSERT, UPDATE ON river_job TO ` + AppRole + `;
  END IF;
  IF to_regclass('` + versionTable + `') IS NOT NULL THEN
    GRANT SELECT ON ` + versionTable + ` TO ` + AppRole + `, ` + SystemRole + `;
  END IF;
END $$`
