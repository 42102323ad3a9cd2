package job

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivershared/baseservice"
	"github.com/riverqueue/river/rivershared/riverpilot"
	"github.com/riverqueue/river/rivertype"

	"github.com/bailiwick/bailiwick/internal/database"
)

// fetchCooldown is the least time between two looks into a queue.
const fetchCooldown = 10 * time.Millisecond

// open returns River's client, and makes it on the first call.
func (q *Queue) open() (*river.Client[*sql.Tx], error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.client != nil {
		return q.client, nil
	}
	queues := map[string]river.QueueConfig{}
	fetchers := map[string]*fetcher{}
	for _, k := range q.kinds {
		workers := q.config.Workers[k.Queue]
		if workers == 0 {
			workers = defaultWorkers
		}
		queues[k.Queue] = river.QueueConfig{MaxWorkers: workers}
		fetchers[k.Queue] = &fetcher{clock: q.config.Clock, workers: workers}
	}
	q.pilot = &pilot{fetchers: fetchers}
	client, err := river.NewClient(driver{executor(q.db), q.pilot}, &river.Config{
		ID:                q.id,
		Logger:            slog.New(warnings{q.config.Logger.Handler()}),
		Queues:            queues,
		Workers:           q.workers,
		PeriodicJobs:      q.periodic,
		Hooks:             []rivertype.Hook{river.HookInsertBeginFunc(byUniqueKey)},
		FetchCooldown:     min(fetchCooldown, q.config.PollInterval),
		FetchPollInterval: q.config.PollInterval,
		JobTimeout:        defaultTimeout,
		// Only an owner may reindex, which the system's role is not.
		ReindexerSchedule: river.NeverSchedule(),
	})
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	q.client = client
	return client, nil
}

func executor(db *database.DB) riverdriver.Driver[*sql.Tx] {
	if db.Dialect() == dialect.SQLite {
		return riversqlite.New(db.System())
	}
	return riverdatabasesql.New(db.System())
}

// driver is River's, with our pilot in it.
type driver struct {
	riverdriver.Driver[*sql.Tx]
	pilot *pilot
}

// PluginInit implements River's driver plug-in.
func (driver) PluginInit(*baseservice.Archetype) {}

// PluginPilot implements River's driver plug-in.
func (d driver) PluginPilot() riverpilot.Pilot { return d.pilot }

// pilot is where River lets us in between itself and the database: it is given
// the only handle that wakes a queue after a commit, which without LISTEN would
// wait for the next poll, and it sees each fetch.
type pilot struct {
	riverpilot.StandardPilot
	trigger  func(context.Context, []*rivertype.JobInsertResult)
	fetchers map[string]*fetcher // by queue
}

// PilotInit implements riverpilot.Pilot.
func (p *pilot) PilotInit(archetype *baseservice.Archetype, params *riverpilot.PilotInitParams) {
	p.trigger = params.NotifyNonTxJobInsert
	p.StandardPilot.PilotInit(archetype, params)
}

// ProducerInit implements riverpilot.Pilot.
func (p *pilot) ProducerInit(ctx context.Context, exec riverdriver.Executor, params *riverpilot.ProducerInitParams) (int64, riverpilot.ProducerState, error) {
	id, _, err := p.StandardPilot.ProducerInit(ctx, exec, params)
	return id, p.fetchers[params.Queue], err
}

// JobGetAvailable implements riverpilot.Pilot.
func (p *pilot) JobGetAvailable(ctx context.Context, exec riverdriver.Executor, state riverpilot.ProducerState, params *riverdriver.JobGetAvailableParams) ([]*rivertype.JobRow, error) {
	rows, err := p.StandardPilot.JobGetAvailable(ctx, exec, state, params)
	if err == nil {
		p.fetchers[params.Queue].fetched(len(rows))
	}
	return rows, err
}

func (p *pilot) wake(queues []string) {
	if len(queues) == 0 {
		for queue := range p.fetchers {
			queues = append(queues, queue)
		}
	}
	due := make([]*rivertype.JobInsertResult, len(queues))
	for i, queue := range queues {
		due[i] = &rivertype.JobInsertResult{Job: &rivertype.JobRow{Queue: queue}}
	}
	p.trigger(context.Background(), due)
}

// fetcher knows how one queue of this process is doing.
type fetcher struct {
	clock   func() time.Time
	workers int
	busy    atomic.Int64

	mu   sync.Mutex
	last time.Time
}

func (f *fetcher) fetched(jobs int) {
	f.busy.Add(int64(jobs))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = f.clock()
}

// JobFinish implements riverpilot.ProducerState.
func (f *fetcher) JobFinish(*rivertype.JobRow) { f.busy.Add(-1) }

// idle is for how long, since it was started, the queue has not looked for jobs
// although it could.
func (f *fetcher) idle(since time.Time) time.Duration {
	if f.busy.Load() >= int64(f.workers) {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.After(since) {
		since = f.last
	}
	return f.clock().Sub(since)
}

// warnings drops what is below a warning: River tells a great deal.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// clientID names this queue among all that work the same database.
func clientID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.60s_%d_%s", host, os.Getpid(), rand.Text()[:12])
}

// uniqueKey is a caller's key within its kind and tenant.
func uniqueKey(args Args, key string) []byte {
	if key == "" {
		return nil
	}
	var t Tenant
	if of, ok := args.(tenantArgs); ok {
		t = of.tenant()
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{args.Kind(), t.Provider, t.Organization, key}, "\x00")))
	return sum[:]
}
