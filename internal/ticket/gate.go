package ticket

import (
	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/ticket/limit"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// gate stands before an integration's calls: the limits of its account at the
// vendor, over all replicas. It goes by the provider, kind, account and address
// alone, so that one that is not stored yet can be tried.
func (s *Service) gate(i *ent.TicketingIntegration) *limit.Gate {
	return s.limiter.Gate(limit.Account{
		Kind: psa.Kind(i.Kind), Provider: i.ProviderID, Name: i.Account, BaseURL: i.BaseURL,
	})
}
