package database

import (
	"errors"
	"fmt"
	"slices"

	"entgo.io/ent/dialect/sql/schema"
)

// Class says how the rows of a table belong to tenants.
type Class int

// The classes. Each table has exactly one.
const (
	Organization     Class = iota + 1 // each row belongs to one organization
	Shared                            // to one organization, or to the provider as a whole
	Provider                          // to one provider
	RootOrganization                  // the organizations themselves
	RootProvider                      // the providers themselves
	Global                            // to no tenant, for a stated reason
)

func (c Class) String() string {
	switch c {
	case Organization:
		return "organization"
	case Shared:
		return "shared"
	case Provider:
		return "provider"
	case RootOrganization:
		return "root organization"
	case RootProvider:
		return "root provider"
	case Global:
		return "global"
	default:
		return "unclassified"
	}
}

// The columns and tables that tenancy hangs on.
const (
	idColumn           = "id"
	organizationColumn = "organization_id"
	providerColumn     = "provider_id"
	organizationsTable = "organizations"
	providersTable     = "providers"
)

// Rules are what the columns of the tables cannot tell.
type Rules struct {
	// Global lists the tables that belong to no tenant, each with the reason.
	// Only system work reaches them, but for AppReads and AppWrites.
	Global map[string]string

	// AppendOnly lists the tables whose rows the application's role may add and
	// read, and never change. System work may, for retention.
	AppendOnly []string

	// AppReads and AppWrites list the global tables that the application's role
	// may read, or read and change.
	AppReads, AppWrites []string
}

// Validate reports a rule about a table that does not exist, or that does not
// fit the table's class.
func (r Rules) Validate(tables []*schema.Table) error {
	known := make(map[string]bool, len(tables))
	for _, t := range tables {
		known[t.Name] = true
	}
	var errs []error
	for name, reason := range r.Global {
		if !known[name] {
			errs = append(errs, fmt.Errorf("database: global table %q does not exist", name))
		}
		if reason == "" {
			errs = append(errs, fmt.Errorf("database: global table %q has no reason", name))
		}
	}
	for _, name := range r.AppendOnly {
		if !known[name] {
			errs = append(errs, fmt.Errorf("database: append-only table %q does not exist", name))
		}
	}
	for _, name := range slices.Concat(r.AppReads, r.AppWrites) {
		if _, global := r.Global[name]; !global {
			errs = append(errs, fmt.Errorf("database: table %q is opened to the application as a global one, and is none", name))
		}
	}
	return errors.Join(errs...)
}

// Classify tells a table's class from its columns. A table without tenancy
// columns is an error unless it is on the list of global ones.
func Classify(t *schema.Table, global map[string]string) (Class, error) {
	if _, listed := global[t.Name]; listed {
		return Global, nil
	}
	if t.Name == providersTable {
		return RootProvider, nil
	}
	provider, hasProvider := t.Column(providerColumn)
	organization, hasOrganization := t.Column(organizationColumn)
	switch {
	case !hasProvider:
		return 0, fmt.Errorf("database: table %q has no %s, and is not on the list of global tables", t.Name, providerColumn)
	case provider.Nullable:
		return 0, fmt.Errorf("database: %s of table %q may be null", providerColumn, t.Name)
	case len(t.PrimaryKey) != 1 || t.PrimaryKey[0].Name != idColumn:
		return 0, fmt.Errorf("database: the primary key of table %q is not %s", t.Name, idColumn)
	case t.Name == organizationsTable:
		return RootOrganization, nil
	case !hasOrganization:
		return Provider, nil
	case organization.Nullable:
		return Shared, nil
	default:
		return Organization, nil
	}
}

// classes classifies every table, by name.
func classes(tables []*schema.Table, rules Rules) (map[string]Class, error) {
	byName := make(map[string]Class, len(tables))
	errs := []error{rules.Validate(tables)}
	for _, t := range tables {
		class, err := Classify(t, rules.Global)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		byName[t.Name] = class
	}
	return byName, errors.Join(errs...)
}
