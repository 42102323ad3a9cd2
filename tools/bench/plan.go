package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bailiwick/bailiwick/tools/bench/wire"
)

// node is a part of a plan, as EXPLAIN tells it.
type node struct {
	Type    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Parts   []node  `json:"Plans"`
}

const (
	// smallTable is how many rows a table has that may be read as a whole.
	smallTable = 1500
	// wide is how many rows a part of a plan may read, or sort, for a page.
	wide = 3000
)

// explained is how PostgreSQL ran a statement.
type explained struct {
	Plan      node
	Planning  float64 `json:"Planning Time"`  // in ms
	Execution float64 `json:"Execution Time"` // in ms
}

// explain runs a statement as its role, in its scope.
func explain(ctx context.Context, db *sql.DB, s wire.Statement) (e explained, text string, err error) {
	for _, setting := range []string{s.Role, s.Scope} {
		if setting == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, setting); err != nil {
			return e, "", fmt.Errorf("%s: %w", setting, err)
		}
	}
	var args []any
	for _, p := range s.Params {
		switch {
		case p.Null:
			args = append(args, nil)
		case p.Binary:
			args = append(args, p.Data)
		default:
			args = append(args, string(p.Data))
		}
	}
	var raw []byte
	if err := db.QueryRowContext(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+s.SQL, args...).Scan(&raw); err != nil {
		return e, "", fmt.Errorf("explain %s: %w", s.SQL, err)
	}
	var plans []explained
	if err := json.Unmarshal(raw, &plans); err != nil {
		return e, "", err
	}
	return plans[0], string(raw), nil
}

// faults lists what a plan must not do, given how many rows the tables have.
func (n node) faults(tables map[string]float64) []string {
	var list []string
	if n.Type == "Seq Scan" && tables[n.Table] > smallTable {
		list = append(list, fmt.Sprintf("reads all of %s", n.Table))
	}
	if n.Table != "" {
		if read := (n.Rows + n.Removed) * n.Loops; read > wide {
			list = append(list, fmt.Sprintf("reads %.0f rows of %s", read, n.Table))
		}
	}
	if n.Type == "Sort" || n.Type == "WindowAgg" {
		for _, part := range n.Parts {
			if sorted := part.Rows * part.Loops; sorted > wide {
				list = append(list, fmt.Sprintf("%s of %.0f rows", strings.ToLower(n.Type), sorted))
			}
		}
	}
	for _, part := range n.Parts {
		list = append(list, part.faults(tables)...)
	}
	return list
}

// outline is a plan in one line.
func (n node) outline() string {
	name := n.Type
	if n.Table != "" {
		name += " " + n.Table
	}
	name += fmt.Sprintf(" [%.0f×%.0f]", n.Rows, n.Loops)
	var parts []string
	for _, part := range n.Parts {
		parts = append(parts, part.outline())
	}
	if len(parts) == 0 {
		return name
	}
	return name + " (" + strings.Join(parts, ", ") + ")"
}

func tableSizes(ctx context.Context, db *sql.DB) (map[string]float64, error) {
	rows, err := db.QueryContext(ctx, "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sizes := map[string]float64{}
	for rows.Next() {
		var name string
		var tuples float64
		if err := rows.Scan(&name, &tuples); err != nil {
			return nil, err
		}
		sizes[name] = tuples
	}
	return sizes, rows.Err()
}
