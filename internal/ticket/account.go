package ticket

import (
	"context"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Vendor opens an integration's account at the vendor, and sends nothing. An
// integration out of reach is NOT_FOUND. The context bounds the opening alone,
// not the calls.
func (s *Service) Vendor(ctx context.Context, integrationID string) (*ent.TicketingIntegration, psa.Vendor, error) {
	i, err := s.client.TicketingIntegration.Load(ctx, integrationID)
	if err != nil {
		return nil, nil, err
	}
	vendor, err := s.vendor(ctx, i)
	return i, vendor, err
}

// Failed lists what a vendor refused or failed at, among the ticketing errors of
// an organization (JCX-03). The context's scope must reach the integration.
func (s *Service) Failed(ctx context.Context, i *ent.TicketingIntegration, organization, operation string, cause error) {
	s.mistake(ctx, mistake{integration: i, organization: organization, operation: operation, cause: cause})
}
