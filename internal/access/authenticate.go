package access

import (
	"context"
	"log/slog"
	"slices"

	"go.jetify.com/typeid"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/access/credential"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// Credentials are what a request proves itself with, and where it comes from.
type Credentials struct {
	Bearer        string // access token of the Authorization header
	APIKey        string // of the x-api-key header
	Organization  string // of the x-org-id header; empty without one
	ClientAddress string // network address, trusted proxies taken out
	UserAgent     string
}

// String keeps the secrets out of formatted text.
func (c Credentials) String() string { return "credentials from " + c.ClientAddress }

// GoString keeps the secrets out of %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue keeps the secrets out of logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Authenticate answers who is asking. Whatever is wrong with the credential is
// UNAUTHENTICATED; an organization that is unknown, or not in reach, is
// NOT_FOUND; one that is no id at all INVALID_ARGUMENT.
func (s *Service) Authenticate(ctx context.Context, given Credentials) (*Caller, error) {
	var c *Caller
	var err error
	switch {
	case given.Bearer != "" && given.APIKey != "":
		err = fault.New(fault.Unauthenticated, "send an access token or an API key, not both")
	case given.Bearer != "":
		c, err = s.bySession(ctx, given.Bearer)
	case given.APIKey != "":
		c, err = s.byKey(ctx, given.APIKey)
	default:
		err = fault.New(fault.Unauthenticated, "sign in, or send an API key")
	}
	if err != nil {
		return nil, err
	}
	if err := c.narrow(ctx, given.Organization); err != nil {
		return nil, err
	}
	c.renew = func(ctx context.Context) (*Caller, error) { return s.Authenticate(ctx, given) }
	return c, nil
}

func (s *Service) bySession(ctx context.Context, bearer string) (*Caller, error) {
	claims, err := s.config.Tokens.Verify(ctx, bearer)
	if err != nil {
		return nil, err
	}
	l, err := s.login(ctx, claims.Provider, claims.Session)
	if err != nil {
		return nil, absent(err)
	}
	if l.over || l.administrator != claims.Administrator || !s.now().Before(l.expires) {
		return nil, refused()
	}
	c, err := s.caller(ctx, claims.Provider, claims.Administrator)
	if err != nil {
		return nil, err
	}
	c.session = l.id
	return c.as(tenancy.Principal{Kind: tenancy.Administrator, AdministratorID: c.account.id, Name: c.account.email}), nil
}

func (s *Service) byKey(ctx context.Context, presented string) (*Caller, error) {
	prefix, hash, err := credential.APIKey.Parse(presented)
	if err != nil {
		return nil, err
	}
	k, err := s.apiKey(ctx, prefix)
	if err != nil {
		return nil, absent(err)
	}
	if !credential.Matches(k.hash, hash) || k.revoked || k.expires != nil && !s.now().Before(*k.expires) {
		return nil, refused()
	}
	c, err := s.caller(ctx, k.provider, k.administrator)
	if err != nil {
		return nil, err
	}
	if !c.account.apiKeysAllowed {
		return nil, refused()
	}
	c.key = k
	s.used(k)
	return c.as(tenancy.Principal{
		Kind: tenancy.APIKey, AdministratorID: c.account.id, APIKeyID: k.id, Name: c.account.email,
	}), nil
}

// caller takes a snapshot of an administrator who may act.
func (s *Service) caller(ctx context.Context, providerID, administratorID string) (*Caller, error) {
	a, err := s.account(ctx, providerID, administratorID)
	if err != nil {
		return nil, absent(err)
	}
	if a.suspended || !a.registered {
		return nil, refused()
	}
	r, err := s.realm(ctx, providerID)
	if err != nil {
		return nil, err
	}
	return &Caller{service: s, account: a, realm: r}, nil
}

// as completes a caller with its principal and its whole reach.
func (c *Caller) as(p tenancy.Principal) *Caller {
	c.principal = p
	if c.unrestricted() {
		c.scope = tenancy.ForProvider(p, c.account.provider)
		return c
	}
	var ids []string
	if c.narrowedKey() {
		ids = slices.DeleteFunc(slices.Clone(c.key.organizations), func(id string) bool {
			_, linked := c.account.links[id]
			return !c.account.all && !linked
		})
	} else {
		for id := range c.account.links {
			ids = append(ids, id)
		}
	}
	c.scope = tenancy.ForOrganizations(p, c.account.provider, ids...)
	return c
}

// narrow confines the caller to the organization of the x-org-id header.
func (c *Caller) narrow(ctx context.Context, header string) error {
	if header == "" {
		return nil
	}
	if id, err := typeid.FromString(header); err != nil || id.Prefix() != "org" {
		return fault.Invalid(tenancy.Header, "the %s header is not the id of an organization", tenancy.Header)
	}
	in, err := c.reaches(ctx, header)
	if err != nil {
		return err
	}
	scope, narrowed := c.scope.Narrow(header)
	if !in || !narrowed {
		return fault.Missing(header)
	}
	c.scope, c.header = scope, header
	return nil
}

// absent turns a row that is not there into the refusal that everything else
// about a credential is, and leaves other errors alone.
func absent(err error) error {
	if ent.IsNotFound(err) {
		return refused()
	}
	return err
}

func refused() error {
	return fault.New(fault.Unauthenticated, "the credential is not valid, has expired or was revoked")
}
