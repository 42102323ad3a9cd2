package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
	"github.com/lib/pq"
)

// The PostgreSQL roles that the pools run as. [Policies] creates them.
const (
	AppRole    = "bailiwick_app"    // tenants' work: the policies apply to it
	SystemRole = "bailiwick_system" // work outside every tenant: sees all rows
)

const (
	connectTimeout  = 10 * time.Second
	connMaxIdle     = 5 * time.Minute
	connMaxLifetime = time.Hour
	ownerConns      = 4 // migrations only
)

// cheapPages tells the planner what a page costs that is read out of order, unless
// somebody has told it already, as untold says: its own default is that of a
// spinning disk, for which it would rather read a whole table than look up the few
// rows that a request is about.
const (
	cheapPages = "SET random_page_cost = 1.1"
	untold     = "SELECT source = 'default' FROM pg_settings WHERE name = 'random_page_cost'"
)

// errPrepared refuses statements that callers prepare: database/sql would run
// them past the setting of the scope. The connection prepares on its own.
var errPrepared = errors.New("database: prepared statements are refused: they would outlive their scope")

func (db *DB) openPostgres(c Config) error {
	db.dialect = dialect.Postgres
	systemURL := c.SystemURL
	if systemURL == "" {
		systemURL = c.URL
	}
	pools := []struct {
		pool **sql.DB
		url  string
		role string
		max  int
	}{
		{&db.app, c.URL, AppRole, c.MaxConns},
		{&db.system, systemURL, SystemRole, c.MaxConns},
		{&db.owner, c.URL, "", ownerConns},
	}
	for _, p := range pools {
		connector, err := newConnector(p.url, p.role)
		if err != nil {
			return err
		}
		pool := sql.OpenDB(connector)
		pool.SetMaxOpenConns(p.max)
		pool.SetMaxIdleConns(p.max)
		pool.SetConnMaxIdleTime(connMaxIdle)
		pool.SetConnMaxLifetime(connMaxLifetime)
		*p.pool = pool
	}
	return nil
}

// connector opens lib/pq connections, takes a role on each and, for the
// application's role, binds it to the scopes of its statements.
type connector struct {
	*pq.Connector
	role    string
	session atomic.Pointer[string] // the statements that a session begins with; nil until the first has begun
}

func newConnector(url, role string) (*connector, error) {
	cfg, err := pq.NewConfig(url)
	if err != nil {
		// The parser's error may quote the URL, and with it a password.
		return nil, errors.New("database: the PostgreSQL URL cannot be parsed")
	}
	if !strings.Contains(url, "binary_parameters=") {
		// Saves the round trip that prepares an unnamed statement.
		cfg.BinaryParameters = true
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "bailiwick"
	}
	c, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return &connector{Connector: c, role: role}, nil
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := raw.(pqConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("database: %T lacks an interface of lib/pq's connection", raw), raw.Close())
	}
	if c.role == "" {
		return jsonConn{inner}, nil
	}
	if err := c.begin(ctx, inner); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	plans, err := newPlans(inner)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	planned := plannedConn{jsonConn: jsonConn{inner}, plans: plans}
	if c.role == AppRole {
		return &tenantConn{plannedConn: planned}, nil
	}
	return &planned, nil
}

// begin readies a session. What the planner has been told is asked on the first
// one only: it takes as long as a dozen requests.
func (c *connector) begin(ctx context.Context, conn pqConn) error {
	role := "SET ROLE " + pq.QuoteIdentifier(c.role)
	begin := role
	if known := c.session.Load(); known != nil {
		begin = *known
	}
	if _, err := conn.ExecContext(ctx, begin, nil); err != nil {
		return fmt.Errorf("the login cannot take the role %s: run the migrations, or grant it: %w", c.role, err)
	}
	if c.session.Load() != nil {
		return nil
	}
	rows, err := conn.QueryContext(ctx, untold, nil)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	source := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(source), rows.Close()); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if source[0] != true {
		c.session.Store(&role)
		return nil
	}
	begin = role + "; " + cheapPages
	c.session.Store(&begin)
	if _, err := conn.ExecContext(ctx, cheapPages, nil); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// pqConn is what lib/pq's connection offers, and what database/sql asks for.
type pqConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// jsonConn sends JSON as text. With binary parameters lib/pq sends every byte
// slice in binary, which bytea wants and jsonb refuses; ent marks JSON by its
// type, so the two can be told apart.
type jsonConn struct{ pqConn }

// CheckNamedValue implements driver.NamedValueChecker.
func (c jsonConn) CheckNamedValue(v *driver.NamedValue) error {
	if raw, ok := v.Value.(json.RawMessage); ok {
		v.Value = nil
		if raw != nil {
			v.Value = string(raw)
		}
		return nil
	}
	return c.pqConn.CheckNamedValue(v)
}

// plannedConn prepares the statements that it is sent again.
type plannedConn struct {
	jsonConn
	plans *plans
	inTx  bool
}

// QueryContext implements driver.QueryerContext.
func (c *plannedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.query(ctx, query, args)
	if err != nil && c.plans.stale(query, err) && !c.inTx {
		return c.query(ctx, query, args)
	}
	return rows, err
}

func (c *plannedConn) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.plans.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if prepared, ok := stmt.(driver.StmtQueryContext); ok {
		return prepared.QueryContext(ctx, args)
	}
	return c.jsonConn.QueryContext(ctx, query, args)
}

// ExecContext implements driver.ExecerContext.
func (c *plannedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.exec(ctx, query, args)
	if err != nil && c.plans.stale(query, err) && !c.inTx {
		return c.exec(ctx, query, args)
	}
	return result, err
}

func (c *plannedConn) exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 { // may be several statements, which cannot be prepared
		return c.jsonConn.ExecContext(ctx, query, args)
	}
	stmt, err := c.plans.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if prepared, ok := stmt.(driver.StmtExecContext); ok {
		return prepared.ExecContext(ctx, args)
	}
	return c.jsonConn.ExecContext(ctx, query, args)
}

// BeginTx implements driver.ConnBeginTx.
func (c *plannedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.jsonConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return plannedTx{c, tx}, nil
}

type plannedTx struct {
	conn *plannedConn
	tx   driver.Tx
}

func (t plannedTx) Commit() error {
	t.conn.inTx = false
	return t.tx.Commit()
}

func (t plannedTx) Rollback() error {
	t.conn.inTx = false
	return t.tx.Rollback()
}

// tenantConn gives each statement the scope of its context. The scope is set
// for the session, and only when it differs from the connection's; it is set
// before BEGIN, so that a rollback cannot undo it.
//
// database/sql uses a connection from one goroutine at a time.
type tenantConn struct {
	plannedConn
	reach reach // what the session is set to
	stale bool  // an error occurred: set it again
}

func (c *tenantConn) adopt(ctx context.Context) error {
	want, err := reachOf(ctx)
	switch {
	case errors.Is(err, errNoScope):
		want = reach{} // which no policy matches
	case err != nil:
		return err
	case want.system:
		return errors.New("database: system scope on the application's connection")
	}
	if c.inTx {
		if want != c.reach {
			return errScopeChanged
		}
		return nil
	}
	if want == c.reach && !c.stale {
		return nil
	}
	if err := want.valid(); err != nil {
		return err
	}
	c.stale = true
	if _, err := c.plannedConn.ExecContext(ctx, adoption, want.values()); err != nil {
		return err
	}
	c.reach, c.stale = want, false
	return nil
}

func (c *tenantConn) note(err error) {
	if err != nil {
		c.stale = true
	}
}

// QueryContext implements driver.QueryerContext.
func (c *tenantConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.adopt(ctx); err != nil {
		return nil, err
	}
	rows, err := c.plannedConn.QueryContext(ctx, query, args)
	c.note(err)
	return rows, err
}

// ExecContext implements driver.ExecerContext.
func (c *tenantConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.adopt(ctx); err != nil {
		return nil, err
	}
	result, err := c.plannedConn.ExecContext(ctx, query, args)
	c.note(err)
	return result, err
}

// BeginTx implements driver.ConnBeginTx.
func (c *tenantConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.adopt(ctx); err != nil {
		return nil, err
	}
	tx, err := c.plannedConn.BeginTx(ctx, opts)
	if err != nil {
		c.note(err)
		return nil, err
	}
	return tenantTx{c, tx}, nil
}

// Begin implements driver.Conn; database/sql calls BeginTx.
func (c *tenantConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Prepare implements driver.Conn.
func (c *tenantConn) Prepare(string) (driver.Stmt, error) { return nil, errPrepared }

// PrepareContext implements driver.ConnPrepareContext.
func (c *tenantConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errPrepared
}

type tenantTx struct {
	conn *tenantConn
	tx   driver.Tx
}

func (t tenantTx) Commit() error {
	err := t.tx.Commit()
	t.conn.note(err)
	return err
}

func (t tenantTx) Rollback() error {
	err := t.tx.Rollback()
	t.conn.note(err)
	return err
}
