// Package graph is the GraphQL API: one SDL file per domain, its resolvers
// beside it, and the gate that every root field passes.
package graph

import (
	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/access"
	"github.com/bailiwick/bailiwick/internal/alert"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/inventory"
	"github.com/bailiwick/bailiwick/internal/applemdm/membership"
	"github.com/bailiwick/bailiwick/internal/applemdm/queue"
	"github.com/bailiwick/bailiwick/internal/directory"
	"github.com/bailiwick/bailiwick/internal/organization"
	"github.com/bailiwick/bailiwick/internal/ticket"
	"github.com/bailiwick/bailiwick/internal/ticket/billing"
)

// Resolver holds what resolvers call. Resolvers authorize nothing themselves:
// the directives of the SDL do.
type Resolver struct {
	Client        *ent.Client
	Access        *access.Service
	Organizations *organization.Service
	Directory     *directory.Service
	Alerts        *alert.Service
	Tickets       *ticket.Service
	Billing       *billing.Service
	Commands      *queue.Service
	Members       *membership.Service
	Inventory     *inventory.Store
	AppleMDM      *applemdm.Service
}
