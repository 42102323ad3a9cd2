package ordeal

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

// target is which requests a fault strikes.
type target int

const (
	onCreate target = iota
	onFind
	onGet
	onNote
	onNotes
	onClose
)

// route is where the requests of a target go at a vendor.
type route struct{ method, path string }

// side is a vendor's stand-in with an account for each tenant.
type side interface {
	http.Handler
	// credentials open a tenant's account at an address.
	credentials(n int, url string) ticket.Credentials
	// company is the id of a tenant's company, by its index.
	company(n, i int) string
	settings(n int) ticket.Settings
	route(on target) route
	// strike sets a fault on a tenant's account.
	strike(n int, f desk.Fault)
	mend()
	struck() int
	revoke(n int, revoked bool)
	// move has a tenant's account live elsewhere; false if the vendor's never do.
	move(n, times int) bool
	tickets(n int) []held
}

// held is a ticket as the vendor has it.
type held struct {
	id, company, title string
	closed, mailed     bool
	notes              []string // after the ticket's own text, oldest first
}

// newSide opens a stand-in, which keeps the vendor's documented limits if it is
// to.
func newSide(kind psa.Kind, limited bool, clock func() time.Time) (side, error) {
	switch kind {
	case psa.Autotask:
		return newAutotaskSide(limited, clock)
	case psa.ConnectWise:
		return newConnectWiseSide(limited, clock)
	case psa.Syncro:
		return newSyncroSide(limited, clock)
	}
	return nil, fmt.Errorf("there is no vendor %q", kind)
}

const (
	integrationCode = "BAILIWICKINTEGRATIONCODE"
	clientID        = "5f3d9c1e-2b7a-4c8e-9d10-6a4b3c2d1e0f"
)

// driverOf is the client of a vendor whose stand-in is at an address. Its calls
// may take so long.
func driverOf(kind psa.Kind, url string, timeout time.Duration, clock func() time.Time) (psa.Driver, error) {
	const pageSize, maxPages = 50, 100
	quiet := slog.New(slog.DiscardHandler)
	switch kind {
	case psa.Autotask:
		memory, err := autotask.NewMemory(10)
		return autotask.Driver(autotask.Config{
			IntegrationCode: integrationCode, DiscoveryURL: url + "/atservicesrest", AllowLoopback: true, Timeout: timeout,
			PageSize: pageSize, MaxPages: maxPages, Memory: memory, Logger: quiet, Clock: clock,
		}), err
	case psa.ConnectWise:
		return connectwise.Driver(connectwise.Config{
			ClientID: clientID, Version: connectwise.DefaultVersion, AllowLoopback: true, Timeout: timeout, MaxPages: maxPages,
			Sites: connectwise.NewSites(), Logger: quiet, Clock: clock,
		}), nil
	default:
		return syncro.Driver(syncro.Config{AllowLoopback: true, Timeout: timeout, MaxPages: maxPages, Logger: quiet, Clock: clock}), nil
	}
}

func text(s string) secret.Text { return secret.NewText(s) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
