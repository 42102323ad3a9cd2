// Package arrival keeps the trail of enrolments: that a device came in is in the
// system log once, whatever becomes of it next; and that it left without being
// told to.
//
// A channel whose enrolment is complete says so in arrived_at until it is in the
// log. Whoever takes that away puts the enrolment into the log in the same
// transaction: the job that sees to devices that have enrolled, or, where the
// device has left, has enrolled anew or is deleted before, whoever does that.
package arrival

import (
	"context"
	"errors"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/devicechannel"
	"github.com/bailiwick/bailiwick/ent/deviceidentity"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/systemlogevent"
	"github.com/bailiwick/bailiwick/internal/audit"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// What the system log calls what devices do.
const (
	enrolled   = "enrollDevice"
	CheckedOut = "checkOutDevice" // it says that it has left
	Moved      = "unenrollDevice" // it has enrolled in another organization of the provider
)

// page is how many enrolments are put into the log in one statement.
const page = 100

// Log is the system log.
type Log interface {
	// RecordAll adds events, in the context's transaction if there is one.
	RecordAll(ctx context.Context, entries []audit.Entry) error
}

// Trail puts enrolments into the system log. It is safe for concurrent use.
type Trail struct {
	client *ent.Client
	log    Log
}

// New returns the trail of the enrolments behind a client.
func New(client *ent.Client, log Log) *Trail { return &Trail{client: client, log: log} }

// Settle puts the enrolments of channels into the log that are not there yet, and
// keeps others from doing so until the context's transaction ends. Its caller
// clears arrived_at in that transaction, or deletes the channels.
func (t *Trail) Settle(ctx context.Context, which ...predicate.DeviceChannel) error {
	if _, within := database.TxFrom(ctx); !within {
		return errors.New("arrival: settled outside of a transaction")
	}
	for after := ""; ; {
		came, err := t.client.DeviceChannel.Query().Where(which...).
			Where(devicechannel.ArrivedAtNotNil(), devicechannel.IDGT(after)).
			Order(devicechannel.ByID()).Limit(page).WithDevice().Modify(database.ForUpdate).All(ctx)
		if err != nil || len(came) == 0 {
			return err
		}
		if err := t.Note(ctx, came); err != nil {
			return err
		}
		if len(came) < page {
			return nil
		}
		after = came[len(came)-1].ID
	}
}

// Note puts enrolments into the log: which device came in by which way, and with
// which identity. The channels come with their devices. They enrolled by
// themselves, whoever has it noted.
func (t *Trail) Note(ctx context.Context, came []*ent.DeviceChannel) error {
	organizations, used := make([]string, len(came)), make([]string, len(came))
	for i, c := range came {
		organizations[i], used[i] = c.OrganizationID, c.Fingerprint
	}
	rows, err := t.client.DeviceIdentity.Query().
		Where(deviceidentity.OrganizationIDIn(organizations...), deviceidentity.FingerprintIn(used...)).WithEnrollment().All(ctx)
	if err != nil {
		return err
	}
	identities := make(map[[2]string]*ent.DeviceIdentity, len(rows))
	for _, i := range rows {
		identities[[2]string{i.OrganizationID, i.Fingerprint}] = i
	}
	entries := make([]audit.Entry, len(came))
	for i, c := range came {
		targets := []schema.LogTarget{audit.Device(c.Edges.Device)}
		if identity := identities[[2]string{c.OrganizationID, c.Fingerprint}]; identity != nil {
			targets = append(targets, schema.LogTarget{Type: "DeviceIdentity", ID: identity.ID, Op: "UPDATE", Name: identity.SerialNumber})
			if e := identity.Edges.Enrollment; e != nil {
				targets = append(targets, schema.LogTarget{Type: "Enrollment", ID: e.ID, Name: e.Name})
			}
		}
		entries[i] = audit.Entry{
			EventType: enrolled, Outcome: systemlogevent.OutcomeSuccess, Actor: tenancy.ServicePrincipal("device management"),
			ProviderID: c.ProviderID, OrganizationID: c.OrganizationID, Targets: targets,
		}
	}
	return t.log.RecordAll(audit.WithClient(ctx, audit.Client{}), entries)
}

// Left puts into the log that a device has left an organization by itself,
// [CheckedOut] or [Moved]. Where to is not in it: that is another tenant's.
func (t *Trail) Left(ctx context.Context, d *ent.Device, how string) error {
	return t.log.RecordAll(audit.WithClient(ctx, audit.Client{}), []audit.Entry{{
		EventType: how, Outcome: systemlogevent.OutcomeSuccess, Actor: tenancy.ServicePrincipal("device management"),
		ProviderID: d.ProviderID, OrganizationID: d.OrganizationID, Targets: []schema.LogTarget{audit.Device(d)},
	}})
}
