package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"

	"github.com/bailiwick/bailiwick/tenancy"
)

// The session settings that the policies read.
const (
	settingProvider      = "bailiwick.provider"
	settingOrganization  = "bailiwick.organization"  // when exactly one is in reach
	settingOrganizations = "bailiwick.organizations" // reachAll, or an array when several are
)

// reachAll as the organizations stands for every organization of the provider.
const reachAll = "*"

var (
	errNoScope      = tenancy.ErrNoScope
	errScopeChanged = errors.New("database: the scope differs from the transaction's")
	errSystemInTx   = errors.New("database: system scope inside a tenant's transaction: do the system work before or after it, or outside of it with Detached")
)

// reach is the data that a scope reaches, in the form that the database
// session holds. Equal values reach equal rows; unlike [tenancy.Scope.Key] no
// two reaches look alike whatever characters their ids contain.
type reach struct {
	system        bool
	provider      string
	organization  string
	organizations string
}

// reachOf returns the reach of the context's scope, or errNoScope.
func reachOf(ctx context.Context) (reach, error) {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return reach{}, err
	}
	if scope.IsSystem() {
		return reach{system: true}, nil
	}
	r := reach{provider: scope.Provider()}
	one, single := scope.Organization()
	switch {
	case scope.All():
		r.organizations = reachAll
	case single:
		r.organization = one
	case len(scope.Organizations()) > 0:
		value, err := pq.StringArray(scope.Organizations()).Value()
		if err != nil {
			return reach{}, fmt.Errorf("database: organizations in reach: %w", err)
		}
		r.organizations, _ = value.(string)
	}
	return r, nil
}

// valid refuses what PostgreSQL's protocol cannot carry: a zero byte would end
// the statement early.
func (r reach) valid() error {
	if strings.ContainsRune(r.provider+r.organization+r.organizations, 0) {
		return errors.New("database: zero byte in the scope")
	}
	return nil
}

// adoption sets the session to a reach. It is one text for every reach, so that
// a connection prepares it: the scope changes with almost every request of a
// server with many organizations.
const adoption = "SELECT set_config('" + settingProvider + "', $1, false), set_config('" +
	settingOrganization + "', $2, false), set_config('" + settingOrganizations + "', $3, false)"

// values are what adoption is given.
func (r reach) values() []driver.NamedValue {
	return []driver.NamedValue{
		{Ordinal: 1, Value: r.provider}, {Ordinal: 2, Value: r.organization}, {Ordinal: 3, Value: r.organizations},
	}
}
