package keystore

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/tenancy"
)

// resealPage is how many rows are re-encrypted at a time.
const resealPage = 200

// Resealers re-encrypt every column that the schema marks as sealed.
func Resealers(db *database.DB) []secret.Resealer {
	columns := ent.SealedColumns()
	all := make([]secret.Resealer, len(columns))
	for i, c := range columns {
		all[i] = &resealer{db: db, column: c}
	}
	return all
}

type resealer struct {
	db     *database.DB
	column ent.SealedColumn
}

// Name implements [secret.Resealer].
func (r *resealer) Name() string { return r.column.Table + "." + r.column.Column }

type sealedRow struct {
	id, tenant string
	ciphertext []byte
}

// Reseal implements [secret.Resealer]. Names of tables and columns are the
// schema's; only values come from rows.
func (r *resealer) Reseal(ctx context.Context, after string, reseal secret.ResealFunc) (next string, stored int, err error) {
	ctx = tenancy.System(ctx, "re-encrypt the secrets of every provider with their newest keys")
	rows, err := r.page(ctx, after)
	if err != nil || len(rows) == 0 {
		return "", 0, err
	}
	fresh := make(map[string][]byte, len(rows))
	for _, row := range rows {
		place := secret.Place{Tenant: row.tenant, Table: r.column.Table, Column: r.column.Column, Row: row.id}
		text, changed, err := reseal(ctx, place, row.ciphertext)
		if err != nil {
			return "", 0, fmt.Errorf("reseal %s of %s: %w", r.Name(), row.id, err)
		}
		if changed {
			fresh[row.id] = text
		}
	}
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		tx, _ := database.TxFrom(ctx)
		stored = 0
		for _, row := range rows {
			text, changed := fresh[row.id]
			if !changed {
				continue
			}
			result, err := tx.ExecContext(ctx, r.bind("UPDATE "+r.column.Table+" SET "+r.column.Column+" = ? WHERE id = ? AND "+r.column.Column+" = ?"),
				text, row.id, row.ciphertext)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			stored += int(n)
		}
		return nil
	})
	return rows[len(rows)-1].id, stored, err
}

func (r *resealer) page(ctx context.Context, after string) (page []sealedRow, err error) {
	tenant := "'" + Deployment + "'"
	if r.column.Tenant != "" {
		tenant = r.column.Tenant
	}
	query := r.bind(fmt.Sprintf("SELECT id, %s, %s FROM %s WHERE id > ? AND %s IS NOT NULL ORDER BY id LIMIT %d",
		tenant, r.column.Column, r.column.Table, r.column.Column, resealPage))
	var rows *stdsql.Rows
	if rows, err = r.db.System().QueryContext(ctx, query, after); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row sealedRow
		if err := rows.Scan(&row.id, &row.tenant, &row.ciphertext); err != nil {
			return nil, err
		}
		page = append(page, row)
	}
	return page, rows.Err()
}

// bind numbers the placeholders as PostgreSQL wants them.
func (r *resealer) bind(query string) string {
	if r.db.Dialect() != dialect.Postgres {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}
