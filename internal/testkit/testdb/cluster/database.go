package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/lib/pq"
)

// CreateDatabase creates a database on a server as a copy of another one, and
// returns its URL and what drops it, connections or not. The login needs the
// right to create databases.
func CreateDatabase(ctx context.Context, server, name, template string) (own string, drop func(context.Context) error, err error) {
	own, err = DatabaseURL(server, name)
	if err != nil {
		return "", nil, err
	}
	create := "CREATE DATABASE " + pq.QuoteIdentifier(name) + " TEMPLATE " + pq.QuoteIdentifier(template)
	if err := Exec(ctx, server, create); err != nil {
		return "", nil, err
	}
	return own, func(ctx context.Context) error {
		return Exec(ctx, server, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(name)+" WITH (FORCE)")
	}, nil
}

// DatabaseURL is the URL of another database on a server.
func DatabaseURL(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", errors.New("the server's URL cannot be parsed")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Exec runs statements on a connection of their own, one after the other.
func Exec(ctx context.Context, url string, statements ...string) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", statement, err), db.Close())
		}
	}
	return db.Close()
}
