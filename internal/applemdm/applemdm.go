// Package applemdm is each organization's Apple device management: its
// certificate authority and push certificate, the enrolments that lead into it,
// and the identities of the devices that came in. What devices say afterwards is
// not its concern.
package applemdm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/applemdm/arrival"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/secret"
)

// Alarms raises and ends alerts, in the context's transaction and scope.
type Alarms interface {
	// Alarm reports a condition in an organization; reports of one that is open
	// already count as its occurrences.
	Alarm(ctx context.Context, organization, alertType, dedupeKey, title, description string) error
	// Clear ends a condition in an organization, and answers how many alerts that were.
	Clear(ctx context.Context, organization, alertType, dedupeKey string) (int, error)
	// ClearDevices is Clear for the conditions of some types whose key is a device's id.
	ClearDevices(ctx context.Context, organization string, alertTypes ...string) (int, error)
}

// Log keeps what is done without a mutation of the API.
type Log interface {
	// Record adds an event, in the context's transaction if there is one.
	Record(ctx context.Context, e audit.Entry) error
	// RecordAll is Record for several events.
	RecordAll(ctx context.Context, entries []audit.Entry) error
}

// Config is what a [Service] needs. All but Vendor is required.
type Config struct {
	DB     *database.DB
	Bus    *event.Bus
	Vault  *secret.Vault
	Alarms Alarms
	Log    Log
	// URL is how devices reach this server, without a path.
	URL string
	// Vendor signs the requests for push certificates; nil without a vendor
	// certificate.
	Vendor *pushcert.Vendor
	Logger *slog.Logger
	Clock  func() time.Time
}

// Validate reports the first thing that is missing.
func (c Config) Validate() error {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"a database", c.DB == nil}, {"a bus", c.Bus == nil}, {"a vault", c.Vault == nil}, {"alarms", c.Alarms == nil},
		{"a log", c.Log == nil},
		{"a URL", c.URL == ""}, {"a logger", c.Logger == nil}, {"a clock", c.Clock == nil},
	} {
		if required.missing {
			return fmt.Errorf("applemdm: %s is required", required.name)
		}
	}
	return nil
}

// What is kept in memory: of many organizations what is public, of few their
// keys. The times bound how long an opened key stays, and how long a lost event
// can matter.
const (
	maxSites = 4096
	siteTTL  = time.Minute
	maxKeys  = 256
	keysTTL  = 10 * time.Minute
)

// Service keeps the organizations' device management. Its changes join the
// context's transaction unless said otherwise. It is safe for concurrent use.
type Service struct {
	config Config
	db     *database.DB
	client *ent.Client
	sites  sites
	keys   *expirable.LRU[string, *keys]
	trail  *arrival.Trail
}

// New returns a service, or what is wrong with its configuration.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		config: c, db: c.DB, client: c.DB.Client(), trail: arrival.New(c.DB.Client(), c.Log),
		sites: sites{kept: expirable.NewLRU[string, *Site](maxSites, nil, siteTTL)},
		keys:  expirable.NewLRU[string, *keys](maxKeys, nil, keysTTL),
	}
	c.Bus.Handle(event.AppleMdmChanged, s.sites.forget)
	c.Bus.Handle(event.AccessChanged, s.sites.forgetProvider)
	return s, nil
}

func (s *Service) now() time.Time { return s.config.Clock().UTC().Truncate(time.Microsecond) }

// announce tells every replica that an organization's device management has
// changed, with the transaction.
func (s *Service) announce(ctx context.Context, m *ent.AppleMdm) error {
	return s.config.Bus.Publish(ctx, event.Event{
		Topic: event.AppleMdmChanged, Provider: m.ProviderID, Organization: m.OrganizationID, ID: m.ID,
	})
}

// errUnready reports a device management without what [Service.Create] makes.
var errUnready = errors.New("applemdm: there is no authority")
