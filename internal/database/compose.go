package database

import (
	"fmt"
	"slices"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
)

// Compose returns a copy of the tables whose foreign keys cannot cross
// tenants: each key between two tables of tenants is widened by the tenant's
// column, and its target gets the unique index that this needs. Foreign keys
// are checked without regard to row-level security, and a predicate on an edge
// bypasses ent's interceptors, so only the keys can hold the edges.
//
// A row of an organization refers to rows of the same organization; where one
// side may stand above organizations, the provider must agree, and the
// organization as well when the referring row has one and the target always
// does.
//
// ON DELETE SET NULL becomes NO ACTION, because it would clear the tenant's
// column too: what owns an optional edge clears it before the target goes.
//
// Every column of an edge gets an index of its own unless one begins with it:
// ids are globally unique, so it serves the key's check and the eager load at
// any reach. On PostgreSQL ids compare byte by byte.
func Compose(tables []*schema.Table, rules Rules, engine string) ([]*schema.Table, error) {
	class, err := classes(tables, rules)
	if err != nil {
		return nil, err
	}
	tables, err = schema.CopyTables(tables)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	for _, t := range tables {
		var keys []*schema.ForeignKey
		for _, fk := range t.ForeignKeys {
			widened, err := widen(t, fk, class)
			if err != nil {
				return nil, err
			}
			keys = append(keys, widened...)
		}
		t.ForeignKeys = keys
		if class[t.Name] == Shared {
			keepProvider(t, tables)
		}
	}
	if engine == dialect.Postgres {
		collate(tables)
	}
	return tables, nil
}

func widen(t *schema.Table, fk *schema.ForeignKey, class map[string]Class) ([]*schema.ForeignKey, error) {
	child, parent := class[t.Name], class[fk.RefTable.Name]
	if len(fk.Columns) != 1 {
		return nil, fmt.Errorf("database: foreign key %q of table %q has %d columns", fk.Symbol, t.Name, len(fk.Columns))
	}
	if fk.Columns[0].Name != providerColumn {
		indexEdge(t, fk.Columns[0])
	}
	if child == Global || parent == Global || parent == RootProvider {
		return []*schema.ForeignKey{fk}, nil
	}
	tenants := []string{providerColumn}
	switch {
	case child == Organization && parent == Organization:
		tenants = []string{organizationColumn}
	case child == Shared && parent == Organization:
		// Without an organization the second key is not checked.
		tenants = []string{providerColumn, organizationColumn}
	}
	var keys []*schema.ForeignKey
	for i, tenant := range tenants {
		key := *fk
		if i > 0 {
			key.Symbol += "_" + tenant
		}
		own, ok := t.Column(tenant)
		if !ok {
			return nil, fmt.Errorf("database: table %q has no %s", t.Name, tenant)
		}
		target, ok := fk.RefTable.Column(tenant)
		if !ok {
			return nil, fmt.Errorf("database: table %q has no %s", fk.RefTable.Name, tenant)
		}
		key.Columns = []*schema.Column{own, fk.Columns[0]}
		key.RefColumns = []*schema.Column{target, fk.RefColumns[0]}
		if key.OnDelete == schema.SetNull {
			key.OnDelete = schema.NoAction
		}
		uniqueTarget(fk.RefTable, target, fk.RefColumns[0])
		keys = append(keys, &key)
	}
	return keys, nil
}

// keepProvider gives a shared table a key to its provider: a row without an
// organization hangs on nothing else.
func keepProvider(t *schema.Table, tables []*schema.Table) {
	own, _ := t.Column(providerColumn)
	for _, fk := range t.ForeignKeys {
		if len(fk.Columns) == 1 && fk.Columns[0] == own {
			return
		}
	}
	for _, providers := range tables {
		if providers.Name != providersTable {
			continue
		}
		t.ForeignKeys = append(t.ForeignKeys, &schema.ForeignKey{
			Symbol:   t.Name + "_" + providersTable + "_provider",
			RefTable: providers, Columns: []*schema.Column{own}, RefColumns: providers.PrimaryKey,
			OnDelete: schema.Cascade,
		})
	}
}

// uniqueTarget makes (tenant, id) a key that others can refer to.
func uniqueTarget(t *schema.Table, columns ...*schema.Column) {
	for _, index := range t.Indexes {
		if slices.Equal(names(index.Columns), names(columns)) {
			index.Unique = true
			return
		}
	}
	t.Indexes = append(t.Indexes, &schema.Index{
		Name: t.Name + "_" + columns[0].Name + "_" + columns[1].Name, Unique: true, Columns: columns,
	})
}

// indexEdge has the rows found that refer to one. Those that refer to nothing need
// not be in the index.
func indexEdge(t *schema.Table, column *schema.Column) {
	if column.Unique {
		return
	}
	for _, index := range t.Indexes {
		whole := index.Annotation == nil || index.Annotation.Where == "" || index.Annotation.Where == column.Name+" IS NOT NULL"
		if index.Columns[0].Name == column.Name && whole {
			return
		}
	}
	t.Indexes = append(t.Indexes, &schema.Index{
		Name: t.Name + "_" + column.Name, Columns: []*schema.Column{column},
	})
}

func names(columns []*schema.Column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.Name
	}
	return list
}

// collate makes text compare byte by byte, on PostgreSQL as on SQLite: it is
// faster than by a language's rules, orders TypeIDs by their time, and is what
// a filter by a text's begin and a page's cursor rely on.
func collate(tables []*schema.Table) {
	for _, t := range tables {
		for _, c := range t.Columns {
			if c.Type == field.TypeString {
				c.Collation = "C"
			}
		}
	}
}
