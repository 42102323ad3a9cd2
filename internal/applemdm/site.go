package applemdm

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/organization"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/event"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Site is what serving an organization's devices takes: everything but keys. It
// is shared, and never changes.
type Site struct {
	ID           string // of the AppleMdm
	Organization string
	Provider     string

	OrganizationName string
	ProviderName     string
	Suspended        bool // the organization is: no device may enrol

	Topic               string     // empty while there is no push certificate
	Trust               *pki.Trust // judges the identities of devices
	SignMessage         bool       // devices sign every message
	AllowUserEnrollment bool       // people may enrol their own devices
	EnrollmentLimit     *int       // devices at a time; nil for no limit
}

// Context returns a context in which a part of Bailiwick, by its name, acts for
// the site's organization and reaches nothing else.
func (s *Site) Context(ctx context.Context, part string) context.Context {
	return tenancy.With(ctx, tenancy.ForOrganizations(tenancy.ServicePrincipal(part), s.Provider, s.Organization))
}

// Site returns an organization's site, mostly from memory. It is NOT_FOUND for
// one that is unknown, being deleted, or without device management. It takes no
// scope, and must not be called in a transaction.
func (s *Service) Site(ctx context.Context, organizationID string) (*Site, error) {
	return s.sites.get(organizationID, func() (*Site, error) {
		return s.loadSite(tenancy.System(ctx, "find the organization of a device's address before its provider is known"), organizationID)
	})
}

func (s *Service) loadSite(ctx context.Context, organizationID string) (*Site, error) {
	m, err := s.client.AppleMdm.Query().Where(applemdm.OrganizationID(organizationID)).
		WithOrganization(func(q *ent.OrganizationQuery) { q.WithProvider() }).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, fault.Missing(organizationID)
	}
	if err != nil {
		return nil, fmt.Errorf("read a site: %w", err)
	}
	o := m.Edges.Organization
	if o == nil || o.Edges.Provider == nil || o.Status == organization.StatusDeleting {
		return nil, fault.Missing(organizationID)
	}
	authority, err := x509.ParseCertificate(m.CaCertificate)
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", errUnready, m.ID, err)
	}
	return &Site{
		ID: m.ID, Organization: m.OrganizationID, Provider: m.ProviderID,
		OrganizationName: o.Name, ProviderName: o.Edges.Provider.Name, Suspended: o.Status == organization.StatusSuspended,
		Topic: m.Topic, Trust: pki.NewTrust(authority), SignMessage: m.SignMessage,
		AllowUserEnrollment: m.AllowMobileUserEnrollment, EnrollmentLimit: m.EnrollmentLimit,
	}, nil
}

// sites keeps what was read. What was read before a change, and would be stored
// after it, is not kept.
type sites struct {
	kept *expirable.LRU[string, *Site]

	mu      sync.Mutex
	changes int
}

func (c *sites) get(id string, load func() (*Site, error)) (*Site, error) {
	if site, ok := c.kept.Get(id); ok {
		return site, nil
	}
	c.mu.Lock()
	before := c.changes
	c.mu.Unlock()
	site, err := load()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == before {
		c.kept.Add(id, site)
	}
	return site, nil
}

// forget drops an organization's site.
func (c *sites) forget(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if e.Resync {
		c.kept.Purge()
		return
	}
	c.kept.Remove(e.Organization)
}

// forgetProvider drops a provider's sites when one of its organizations may
// have been suspended, resumed or deleted: such events name no id.
func (c *sites) forgetProvider(e event.Event) {
	if e.ID != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, id := range c.kept.Keys() {
		if site, ok := c.kept.Peek(id); e.Resync || ok && site.Provider == e.Provider {
			c.kept.Remove(id)
		}
	}
}
