package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Sample is what the queries ask about: rows of the measured provider, the
// same ones for the same data.
type Sample struct {
	Provider      string
	Devices       []string // ids
	Organizations []string // ids
}

// sampled bounds how many rows of a kind are asked about, so that the rows in
// question do not all stay in the processor's caches.
const sampled = 2000

// Draw reads a sample.
func Draw(ctx context.Context, url string) (Sample, error) {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return Sample{}, err
	}
	var s Sample
	err = db.QueryRowContext(ctx, "SELECT id FROM providers WHERE name = $1", Provider).Scan(&s.Provider)
	if err != nil {
		return Sample{}, errors.Join(fmt.Errorf("find the measured provider: %w", err), db.Close())
	}
	for _, from := range []struct {
		table string
		into  *[]string
	}{{"devices", &s.Devices}, {"organizations", &s.Organizations}} {
		*from.into, err = ids(ctx, db, from.table, s.Provider)
		if err != nil {
			return Sample{}, errors.Join(fmt.Errorf("draw %s: %w", from.table, err), db.Close())
		}
	}
	return s, db.Close()
}

// ids picks rows in an order that their hashes give: spread out, and repeatable.
func ids(ctx context.Context, db *sql.DB, table, provider string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT id FROM "+table+" WHERE provider_id = $1 ORDER BY md5(id) LIMIT $2", provider, sampled)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
