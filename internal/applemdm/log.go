package applemdm

import (
	"context"

	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// What is done without a mutation of the API, as the system log calls it.
const (
	eventDownload = "downloadEnrollmentProfile"
	eventIssue    = "issueDeviceIdentity"
	eventRevoke   = "revokeDeviceIdentity"
)

// record adds an event to the system log, by whoever the context's scope is
// for. What strangers fail at is counted, and not recorded: they could fill it.
func (s *Service) record(ctx context.Context, event, organizationID string, targets ...schema.LogTarget) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	return s.config.Log.Record(ctx, audit.Entry{
		EventType: event, Outcome: systemlogevent.OutcomeSuccess, Actor: scope.Principal(),
		OrganizationID: organizationID, Targets: targets,
	})
}

// named are the targets of an identity's bearer.
func (s *Service) named(ctx context.Context, b bearer) (targets []schema.LogTarget, err error) {
	if b.enrollment != nil {
		e, err := s.client.Enrollment.Load(ctx, *b.enrollment)
		if err != nil {
			return nil, err
		}
		targets = append(targets, schema.LogTarget{Type: "Enrollment", ID: e.ID, Name: e.Name})
	}
	if b.device != nil {
		d, err := s.client.Device.Load(ctx, *b.device)
		if err != nil {
			return nil, err
		}
		targets = append(targets, audit.Device(d))
	}
	if b.user != nil {
		u, err := s.client.User.Load(ctx, *b.user)
		if err != nil {
			return nil, err
		}
		targets = append(targets, schema.LogTarget{Type: "User", ID: u.ID, Name: u.Email})
	}
	return targets, nil
}
