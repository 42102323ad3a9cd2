package billing

import "github.com/bailiwick/bailiwick/ent"

// Obstacle is why an organization's usage is not written.
type Obstacle string

// The obstacles.
const (
	NoCompany      Obstacle = "NO_COMPANY"      // it is mapped to no company
	NoMapping      Obstacle = "NO_MAPPING"      // no agreement's line is mapped to it
	CompanyChanged Obstacle = "COMPANY_CHANGED" // the agreement is of another company than it is mapped to now
	Disabled       Obstacle = "DISABLED"        // writing is off
)

// text says it to a technician.
func (o Obstacle) text() string {
	return map[Obstacle]string{
		NoCompany:      "the organization is mapped to no company",
		NoMapping:      "no line of an agreement is mapped to the organization",
		CompanyChanged: "the organization is mapped to another company than the agreement's",
		Disabled:       "writing is off for the organization",
	}[o]
}

// obstacle is what keeps an organization's usage from being written, given its
// mappings, either of which may be nil; empty if nothing does.
func obstacle(m *ent.TicketingBillingMapping, c *ent.TicketingCompanyMapping) Obstacle {
	switch {
	case c == nil:
		return NoCompany
	case m == nil:
		return NoMapping
	case m.ExternalCompanyID != c.ExternalCompanyID:
		return CompanyChanged
	case !m.Enabled:
		return Disabled
	}
	return ""
}
