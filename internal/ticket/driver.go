package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Credentials open an account at a vendor, by the names that the vendor's
// driver knows them by: username and secret for Autotask; url, companyId,
// publicKey and privateKey for ConnectWise; subdomain and apiToken for Syncro;
// and baseUrl, where the deployment allows an address other than the vendor's.
type Credentials map[string]secret.Text

// encode is what is sealed; what is empty is left out.
func (c Credentials) encode() ([]byte, error) {
	plain := map[string]string{}
	for name, value := range c {
		if !value.IsZero() {
			plain[name] = value.Reveal()
		}
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encode credentials: %w", err)
	}
	return raw, nil
}

func decodeCredentials(raw []byte) (Credentials, error) {
	var plain map[string]string
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, errors.New("stored credentials cannot be read") // the decoder's words would show them
	}
	c := Credentials{}
	for name, value := range plain {
		c[name] = secret.NewText(value)
	}
	return c, nil
}

// terms are what a vendor and its credentials are called.
type terms struct {
	product string // as people know it
	input   string // the field of an update that takes its credentials
	account string // the credential that names the account
	address string // the credential that says where the account is
	secret  string // the credential that a refusal is about
}

func termsOf(kind psa.Kind) terms {
	switch kind {
	case psa.Autotask:
		return terms{"Autotask", "autotask", "username", "baseUrl", "secret"}
	case psa.ConnectWise:
		return terms{"ConnectWise", "connectWise", "companyId", "url", "privateKey"}
	default:
		return terms{"Syncro", "syncro", "subdomain", "baseUrl", "apiToken"}
	}
}

// open returns a client for an integration with some credentials, and sends
// nothing. What is malformed is a *fault.Error that names the credential.
func (s *Service) open(i *ent.TicketingIntegration, c Credentials) (psa.Vendor, error) {
	driver, err := s.drivers.For(psa.Kind(i.Kind))
	if err != nil {
		return nil, err
	}
	raw, err := c.encode()
	if err != nil {
		return nil, err
	}
	return driver.Open(raw, s.gate(i))
}

// vendor opens an integration's account. The call's context bounds reading the
// keyset; nothing is sent.
func (s *Service) vendor(ctx context.Context, i *ent.TicketingIntegration) (psa.Vendor, error) {
	credentials, err := s.credentials(ctx, i)
	if err != nil {
		return nil, err
	}
	return s.open(i, credentials)
}

func (s *Service) credentials(ctx context.Context, i *ent.TicketingIntegration) (Credentials, error) {
	raw, err := s.vault.Open(ctx, placeOf(i.ProviderID, i.ID), i.Credentials)
	if errors.Is(err, secret.ErrCiphertext) || errors.Is(err, secret.ErrAbsent) {
		return nil, fault.New(fault.PreconditionFailed, "the integration's stored credentials cannot be opened: enter them again").Wrap(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the credentials of %s: %w", i.ID, err)
	}
	return decodeCredentials(raw)
}

func (s *Service) seal(ctx context.Context, i *ent.TicketingIntegration, c Credentials) ([]byte, error) {
	raw, err := c.encode()
	if err != nil {
		return nil, err
	}
	return s.vault.Seal(ctx, placeOf(i.ProviderID, i.ID), raw)
}

// try asks the vendor whether it accepts credentials, which are in the named
// input. Refused ones are INVALID_ARGUMENT with the vendor's words.
func (s *Service) try(ctx context.Context, i *ent.TicketingIntegration, c Credentials, input string) (psa.Vendor, error) {
	vendor, err := s.open(i, c)
	if err != nil {
		return nil, within(input, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.CallTimeout)
	defer cancel()
	if _, err = vendor.Verify(ctx); err != nil {
		return nil, refused(err, input+"."+termsOf(psa.Kind(i.Kind)).secret)
	}
	return vendor, nil
}

// requireKind is INVALID_ARGUMENT on a field unless an integration is of a kind.
func requireKind(i *ent.TicketingIntegration, kind psa.Kind, field string) error {
	if psa.Kind(i.Kind) != kind {
		return fault.Invalid(field, "the integration is one with %s and not with %s", termsOf(psa.Kind(i.Kind)).product, termsOf(kind).product)
	}
	return nil
}

func placeOf(provider, integration string) secret.Place {
	return secret.Place{Tenant: provider, Table: "ticketing_integrations", Column: "credentials", Row: integration}
}
