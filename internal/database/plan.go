package database

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/lib/pq"
)

// maxPlans bounds the statements that one connection remembers, and
// maxPlanned the length of those it prepares: long ones list many ids, and are
// rarely the same twice.
const (
	maxPlans   = 128
	maxPlanned = 8 << 10
)

// plans are a connection's prepared statements. Preparing saves PostgreSQL the
// parsing and planning of every request, which is most of what a small query
// costs. A policy reads the session's settings when a statement runs, so a
// plan serves every scope.
type plans struct {
	conn pqConn
	lru  *simplelru.LRU[string, *plan]
}

// plan is a statement that was seen; it is prepared when it is seen again.
type plan struct{ stmt driver.Stmt }

func newPlans(conn pqConn) (*plans, error) {
	lru, err := simplelru.NewLRU(maxPlans, func(_ string, p *plan) {
		if p.stmt != nil {
			_ = p.stmt.Close() // a broken connection takes its statements along
		}
	})
	return &plans{conn: conn, lru: lru}, err
}

// statement returns the prepared statement, or nil while a query is new.
func (p *plans) statement(ctx context.Context, query string) (driver.Stmt, error) {
	if len(query) > maxPlanned {
		return nil, nil
	}
	known, ok := p.lru.Get(query)
	if !ok {
		p.lru.Add(query, &plan{})
		return nil, nil
	}
	if known.stmt == nil {
		stmt, err := p.conn.PrepareContext(ctx, query)
		if err != nil {
			p.lru.Remove(query)
			return nil, err
		}
		known.stmt = stmt
	}
	return known.stmt, nil
}

// stale forgets a statement that a migration has overtaken, and reports
// whether it was: then it may be sent again, unless a transaction has failed
// by it.
func (p *plans) stale(query string, err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok || e.Code != "0A000" && e.Code != "26000" {
		return false
	}
	p.lru.Remove(query)
	return true
}
