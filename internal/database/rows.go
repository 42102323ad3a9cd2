package database

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"
	"github.com/lib/pq"
)

// Rows is a table that a statement is given as arguments, so that one text does
// for any number of rows what it would do for one: a connection prepares it once.
//
// Placeholders are $1, $2 and so on on both engines.
type Rows struct {
	// Name is what the statement calls the table. A column n counts its rows from 1.
	Name string
	// Texts and Binaries are the columns, which hold no NULL.
	Texts    []string
	Binaries []string
}

// SQL is the table as an item of a statement's FROM, whose first argument has a
// number.
func (r Rows) SQL(engine string, first int) string {
	var items []string
	if engine != dialect.Postgres {
		for i, column := range r.Texts {
			items = append(items, fmt.Sprintf("json_extract(value, '$[%d]') AS %s", i, column))
		}
		for i, column := range r.Binaries {
			items = append(items, fmt.Sprintf("unhex(json_extract(value, '$[%d]')) AS %s", len(r.Texts)+i, column))
		}
		return fmt.Sprintf("(SELECT key + 1 AS n, %s FROM json_each($%d)) AS %s", strings.Join(items, ", "), first, r.Name)
	}
	// Selected, an array is of unknown length to the planner, which then keeps one
	// plan for all lengths: it would make one for each run.
	for i := range r.Texts {
		items = append(items, fmt.Sprintf("(SELECT $%d::text[])", first+i))
	}
	for i := range r.Binaries {
		items = append(items, fmt.Sprintf("(SELECT $%d::bytea[])", first+len(r.Texts)+i))
	}
	columns := strings.Join(append(append([]string{}, r.Texts...), r.Binaries...), ", ")
	return fmt.Sprintf("unnest(%s) WITH ORDINALITY AS %s (%s, n)", strings.Join(items, ", "), r.Name, columns)
}

// Count is how many arguments the table takes on an engine.
func (r Rows) Count(engine string) int {
	if engine != dialect.Postgres {
		return 1
	}
	return len(r.Texts) + len(r.Binaries)
}

// Args are the table's arguments: the values of each text column and of each
// binary one, all of one length.
func (r Rows) Args(engine string, texts [][]string, binaries ...[][]byte) ([]any, error) {
	if len(texts) != len(r.Texts) || len(binaries) != len(r.Binaries) {
		return nil, fmt.Errorf("database: %d and %d columns for the rows of %s", len(texts), len(binaries), r.Name)
	}
	if engine != dialect.Postgres {
		return r.document(texts, binaries)
	}
	args := make([]any, 0, r.Count(engine))
	for _, column := range texts {
		args = append(args, pq.StringArray(column))
	}
	for _, column := range binaries {
		args = append(args, pq.ByteaArray(column))
	}
	return args, nil
}

func (r Rows) document(texts [][]string, binaries [][][]byte) ([]any, error) {
	length := 0
	if len(texts) > 0 {
		length = len(texts[0])
	} else if len(binaries) > 0 {
		length = len(binaries[0])
	}
	rows := make([][]string, length)
	for i := range rows {
		for _, column := range texts {
			rows[i] = append(rows[i], column[i])
		}
		for _, column := range binaries {
			rows[i] = append(rows[i], hex.EncodeToString(column[i]))
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("database: rows of %s: %w", r.Name, err)
	}
	return []any{string(text)}, nil
}
