package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"entgo.io/ent/dialect"

	"github.com/bailiwick/bailiwick/internal/database"
)

var errLeaseLost = errors.New("job: lost touch with the database")

// lease is this process's sign of life, a row that it renews. Others take the
// jobs of a process whose row has grown old. The rows are in River's table of
// clients, which River creates and does not use.
//
// On PostgreSQL a crash of the server empties that table, so a process without
// a row is not dead: whoever notices it first gives it a row, and with that the
// time of a lease to renew it.
type lease struct {
	db   *database.DB
	id   string
	term time.Duration

	mu      sync.Mutex
	renewed time.Time
	holding context.Context // ends when the lease does
	lose    context.CancelFunc
}

func newLease(db *database.DB, id string, term time.Duration) *lease {
	l := &lease{db: db, id: id, term: term}
	l.holding, l.lose = context.WithCancel(context.Background())
	return l
}

// held returns a context that ends when the lease may have expired.
func (l *lease) held() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holding
}

// renew gives the sign of life. Once two thirds of the term have passed without
// one, running jobs are interrupted, before others take them.
func (l *lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.term/3)
	defer cancel()
	began := time.Now()
	_, err := l.db.System().ExecContext(ctx, l.sql(
		`INSERT INTO river_client (id, updated_at) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at`,
		`INSERT INTO river_client (id, updated_at) VALUES (?, datetime('now', 'subsec')) ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at`,
	), l.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.renewed = began
		if l.holding.Err() != nil {
			l.holding, l.lose = context.WithCancel(context.Background())
		}
		return nil
	case time.Since(l.renewed) >= l.term*2/3:
		l.lose()
	}
	return fmt.Errorf("renew the lease: %w", err)
}

// end withdraws the sign of life.
func (l *lease) end(ctx context.Context) error {
	_, err := l.db.System().ExecContext(ctx, l.sql(
		`DELETE FROM river_client WHERE id = $1`, `DELETE FROM river_client WHERE id = ?`), l.id)
	if err != nil {
		return fmt.Errorf("end the lease: %w", err)
	}
	return nil
}

// orphan is a job whose process died.
type orphan struct {
	id        int64
	kind      string
	args      []byte
	discarded bool // it was the last attempt
}

// rescue gives back the jobs of processes whose lease has expired. Each is
// given back once, however many processes try.
func (l *lease) rescue(ctx context.Context, reason []byte) (found []orphan, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.term)
	defer cancel()
	pool := l.db.System()
	if _, err := pool.ExecContext(ctx, l.sql(suspectPostgres, suspectSQLite)); err != nil {
		return nil, fmt.Errorf("look for dead processes: %w", err)
	}
	term := any(l.term.Seconds())
	if l.db.Dialect() == dialect.SQLite {
		term = fmt.Sprintf("-%.3f seconds", l.term.Seconds())
	}
	rows, err := pool.QueryContext(ctx, l.sql(rescuePostgres, rescueSQLite), string(reason), term)
	if err != nil {
		return nil, fmt.Errorf("rescue jobs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o orphan
		if err := rows.Scan(&o.id, &o.kind, &o.args, &o.discarded); err != nil {
			return nil, fmt.Errorf("rescue jobs: %w", err)
		}
		found = append(found, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("rescue jobs: %w", err)
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("rescue jobs: %w", err)
	}
	if _, err := pool.ExecContext(ctx, l.sql(forgetPostgres, forgetSQLite), term); err != nil {
		return found, fmt.Errorf("forget dead processes: %w", err)
	}
	return found, nil
}

func (l *lease) sql(postgres, sqlite string) string {
	if l.db.Dialect() == dialect.SQLite {
		return sqlite
	}
	return postgres
}

// The last of attempted_by is who works a running job.
const (
	suspectPostgres = `INSERT INTO river_client (id, updated_at)
SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)], now() FROM river_job
WHERE state = 'running' AND array_upper(attempted_by, 1) IS NOT NULL
ON CONFLICT (id) DO NOTHING`
	suspectSQLite = `INSERT INTO river_client (id, updated_at)
SELECT DISTINCT json_extract(attempted_by, '$[#-1]'), datetime('now', 'subsec') FROM river_job
WHERE state = 'running' AND json_extract(attempted_by, '$[#-1]') IS NOT NULL
ON CONFLICT (id) DO NOTHING`

	rescuePostgres = `UPDATE river_job SET
  state = CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END::river_job_state,
  finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE now() END,
  scheduled_at = now(),
  errors = array_append(errors, $1::jsonb)
WHERE state = 'running' AND EXISTS (
  SELECT FROM river_client c
  WHERE c.id = attempted_by[array_upper(attempted_by, 1)] AND c.updated_at < now() - make_interval(secs => $2))
RETURNING id, kind, args, state = 'discarded'`
	rescueSQLite = `UPDATE river_job SET
  state = CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END,
  finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE datetime('now', 'subsec') END,
  scheduled_at = datetime('now', 'subsec'),
  errors = json_insert(coalesce(errors, json('[]')), '$[#]', json(?))
WHERE state = 'running' AND EXISTS (
  SELECT 1 FROM river_client c
  WHERE c.id = json_extract(attempted_by, '$[#-1]') AND c.updated_at < datetime('now', 'subsec', ?))
RETURNING id, kind, args, state = 'discarded'`

	forgetPostgres = `DELETE FROM river_client c
WHERE c.updated_at < now() - make_interval(secs => $1) AND NOT EXISTS (
  SELECT FROM river_job WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = c.id)`
	forgetSQLite = `DELETE FROM river_client
WHERE updated_at < datetime('now', 'subsec', ?) AND NOT EXISTS (
  SELECT 1 FROM river_job WHERE state = 'running' AND json_extract(attempted_by, '$[#-1]') = river_client.id)`
)
