package membership

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/internal/batch"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Devices of one provider that enrol at once are worked together.
const (
	mostTogether    = 64
	lanesTogether   = 1 // a second would halve the batches
	timeoutTogether = 30 * time.Second
)

// newGroup works requests of a provider's devices together. Whoever's batch was
// undone is worked again by itself, the way of those that cannot be worked
// together.
func newGroup[I, O any](work func(ctx context.Context, provider string, items []I) ([]batch.Outcome[O], error)) (*batch.Group[I, O], error) {
	return batch.New(batch.Config[I, O]{Work: work, Most: mostTogether, Lanes: lanesTogether, Timeout: timeoutTogether})
}

// undone reports whether nothing has come of a batch, so that its requests are
// worked alone. One who is overtaken is nothing unusual.
func (s *Service) undone(ctx context.Context, err error) bool {
	if !database.Undone(err) {
		return false
	}
	if !errors.Is(err, errOvertaken) {
		s.Logger.InfoContext(ctx, "devices that came together are worked alone", "error", err)
	}
	return true
}

// resident is a device's message that can be worked together with those of other
// organizations, and so carries its own.
type resident interface{ tenant() string }

// among returns a context in which the organizations of a provider are in reach
// that messages are for, and no other.
func among[I resident](ctx context.Context, provider string, items []I) context.Context {
	organizations := make([]string, len(items))
	for i, item := range items {
		organizations[i] = item.tenant()
	}
	slices.Sort(organizations)
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal("device"), provider, slices.Compact(organizations)...))
}

// home is the one organization in scope, and its provider.
func home(ctx context.Context) (provider, organization string, err error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return "", "", err
	}
	organization, one := scope.Organization()
	if !one {
		return "", "", errors.New("membership: a device enrols in the scope of its organization")
	}
	return scope.Provider(), organization, nil
}

// column is one of the columns of a table that a statement is given, of texts or
// of data.
type column[I any] struct {
	name string
	text func(I) string
	data func(I) []byte
}

// statement does for many items what it would do for one: it is built once. $1 is
// the provider, and what else leads the arguments follows.
type statement[I any] struct {
	rows        database.Rows
	texts, data []column[I]
	sql         string
}

// newStatement builds a statement around a table of items, which its SQL calls
// given. Its first argument has a number.
func newStatement[I any](engine string, first int, columns []column[I], build func(given string) string) statement[I] {
	s := statement[I]{rows: database.Rows{Name: "given"}}
	for _, c := range columns {
		if c.data != nil {
			s.data, s.rows.Binaries = append(s.data, c), append(s.rows.Binaries, c.name)
		} else {
			s.texts, s.rows.Texts = append(s.texts, c), append(s.rows.Texts, c.name)
		}
	}
	s.sql = build(s.rows.SQL(engine, first))
	return s
}

func (s *statement[I]) args(engine string, items []I, leading []any) ([]any, error) {
	texts, data := make([][]string, len(s.texts)), make([][][]byte, len(s.data))
	for i, c := range s.texts {
		texts[i] = make([]string, len(items))
		for n, item := range items {
			texts[i][n] = c.text(item)
		}
	}
	for i, c := range s.data {
		data[i] = make([][]byte, len(items))
		for n, item := range items {
			data[i][n] = c.data(item)
		}
	}
	args, err := s.rows.Args(engine, texts, data...)
	return append(slices.Clone(leading), args...), err
}

// exec answers how many rows were written.
func (s *statement[I]) exec(ctx context.Context, db *database.DB, items []I, leading ...any) (int64, error) {
	args, err := s.args(db.Dialect(), items, leading)
	if err != nil {
		return 0, err
	}
	var result stdsql.Result
	if err := db.Driver().Exec(ctx, s.sql, args, &result); err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query has each row read by a function.
func (s *statement[I]) query(ctx context.Context, db *database.DB, items []I, read func(scan func(...any) error) error, leading ...any) (err error) {
	args, err := s.args(db.Dialect(), items, leading)
	if err != nil {
		return err
	}
	var rows sql.Rows
	if err := db.Driver().Query(ctx, s.sql, args, &rows); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return rows.Err()
}
