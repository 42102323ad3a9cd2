package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/predicate"
	"github.com/bailiwick/bailiwick/ent/ticketingbillingmapping"
	"github.com/bailiwick/bailiwick/ent/ticketingcompanymapping"
	"github.com/bailiwick/bailiwick/ent/ticketingintegration"
	"github.com/bailiwick/bailiwick/ent/ticketingusagerecord"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// round is one go through an integration's records.
type round struct {
	*Service

	integration *ent.TicketingIntegration
	vendor      psa.Vendor
	force       bool // sets quantities that the vendor is known to have, too
	trusted     bool // the vendor has accepted the credentials in this round
}

// open begins a round, unless the integration is paused.
func (s *Service) open(ctx context.Context, integration string) (*round, error) {
	i, vendor, err := s.accounts.Vendor(ctx, integration)
	if err != nil {
		return nil, err
	}
	if i.Status == ticketingintegration.StatusPaused {
		return nil, errPaused
	}
	return &round{Service: s, integration: i, vendor: vendor}, nil
}

// What ends a round before its time: no call makes sense for now.
var (
	errPaused    = fault.New(fault.PreconditionFailed, "the integration is paused: the ticketing system refuses its credentials") //nolint:gochecknoglobals // a sentinel
	errThrottled = fault.New(fault.Unavailable, "the ticketing system takes no more calls for now: the rest is written later")    //nolint:gochecknoglobals // a sentinel
)

// write brings an organization's records to the vendor: of each month only the
// newest, whose mark is that of the others too. The records are of one
// organization, oldest first. It reports whether the vendor has them now.
func (r *round) write(ctx context.Context, records []*ent.TicketingUsageRecord) (written bool, err error) {
	for len(records) > 0 {
		month, n := monthOf(records[0].Day), 1
		for n < len(records) && monthOf(records[n].Day) == month {
			n++
		}
		if written, err = r.month(ctx, records[:n]); err != nil {
			return false, err
		}
		records = records[n:]
	}
	return written, nil
}

// month brings the records of one month to the vendor.
func (r *round) month(ctx context.Context, records []*ent.TicketingUsageRecord) (written bool, err error) {
	newest := records[len(records)-1]
	m, obstacle, err := r.mapping(ctx, newest.OrganizationID)
	if err != nil {
		return false, err
	}
	if obstacle != "" {
		return false, r.end(ctx, records, ticketingusagerecord.StatusUnmapped, obstacle.text())
	}
	quantity, month := max(0, newest.HighWater-m.NonBillableUsers), monthOf(newest.Day)
	if !r.force && has(m, quantity, month) {
		return true, r.done(ctx, records, quantity, *m.WrittenAt)
	}
	held, err := r.claim(ctx, m, records)
	if err != nil || !held {
		return false, err
	}
	first, err := midnight(firstOf(newest.Day))
	if err != nil {
		return false, err
	}
	calling, cancel := context.WithTimeout(ctx, r.config.CallTimeout)
	defer cancel()
	failure := r.vendor.SetQuantity(calling, m.ExternalAgreementID, m.ExternalLineID, quantity, first)
	if failure != nil {
		return false, r.failed(ctx, m, records, failure)
	}
	return r.succeeded(ctx, m, records, quantity)
}

// has reports whether the vendor is known to have a quantity for a month.
func has(m *ent.TicketingBillingMapping, quantity int, month string) bool {
	return m.WrittenQuantity != nil && *m.WrittenQuantity == quantity && m.WrittenMonth == month && m.WrittenAt != nil && m.DoubtfulAt == nil
}

// mapping finds the line that an organization is billed on, or why there is none.
func (r *round) mapping(ctx context.Context, organization string) (*ent.TicketingBillingMapping, Obstacle, error) {
	m, err := r.client.TicketingBillingMapping.Query().Where(mappingOf(r.integration.ID, organization)...).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, "", fmt.Errorf("read mapping: %w", err)
	}
	c, err := r.client.TicketingCompanyMapping.Query().
		Where(ticketingcompanymapping.IntegrationID(r.integration.ID), ticketingcompanymapping.OrganizationID(organization)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, "", fmt.Errorf("read company: %w", err)
	}
	return m, obstacle(m, c), nil
}

func mappingOf(integration, organization string) []predicate.TicketingBillingMapping {
	return []predicate.TicketingBillingMapping{
		ticketingbillingmapping.IntegrationID(integration), ticketingbillingmapping.OrganizationID(organization),
	}
}

// claim takes a mapping's lease, and writes down that a call begins. It reports
// false if another worker has it, or the mapping is another by now.
func (r *round) claim(ctx context.Context, m *ent.TicketingBillingMapping, records []*ent.TicketingUsageRecord) (held bool, err error) {
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		now := r.now()
		n, err := r.client.TicketingBillingMapping.Update().
			Where(ticketingbillingmapping.ID(m.ID), ticketingbillingmapping.UpdatedAt(m.UpdatedAt),
				ticketingbillingmapping.Or(ticketingbillingmapping.LeaseUntilIsNil(), ticketingbillingmapping.LeaseUntilLTE(now))).
			SetLeaseUntil(now.Add(r.config.Lease)).SetDoubtfulAt(now).Save(ctx)
		if held = n == 1; err != nil || !held {
			return err
		}
		return r.client.TicketingUsageRecord.Update().Where(ticketingusagerecord.IDIn(ids(records)...)).AddAttempts(1).Exec(ctx)
	})
	return held, err
}

// succeeded records that the vendor has a quantity. Where the mapping was
// changed meanwhile, its line still is to be written.
func (r *round) succeeded(ctx context.Context, m *ent.TicketingBillingMapping, records []*ent.TicketingUsageRecord, quantity int) (written bool, err error) {
	now := r.now()
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		update := r.client.TicketingBillingMapping.Update().
			Where(ticketingbillingmapping.ID(m.ID), ticketingbillingmapping.ExternalLineID(m.ExternalLineID)).
			ClearLeaseUntil().SetWrittenQuantity(quantity).SetWrittenMonth(monthOf(records[0].Day)).SetWrittenAt(now)
		if m.DoubtfulAt == nil || now.Sub(*m.DoubtfulAt) >= r.config.Settle {
			update.ClearDoubtfulAt()
		} else {
			update.SetDoubtfulAt(*m.DoubtfulAt)
		}
		n, err := update.Save(ctx)
		if written = n == 1; err != nil || !written {
			return err
		}
		return r.done(ctx, records, quantity, now)
	})
	return written, err
}

// done records that the vendor has what records say, whose newest has the mark
// of all. If that has risen since it was read, it is left for its time.
func (r *round) done(ctx context.Context, records []*ent.TicketingUsageRecord, quantity int, at time.Time) error {
	last := len(records) - 1
	newest := records[last]
	have := func(which ...predicate.TicketingUsageRecord) *ent.TicketingUsageRecordUpdate {
		return r.client.TicketingUsageRecord.Update().Where(which...).
			SetStatus(ticketingusagerecord.StatusWritten).SetWrittenAt(at).ClearLastError().ClearNextAttemptAt()
	}
	if last > 0 {
		if err := have(ticketingusagerecord.IDIn(ids(records[:last])...)).Exec(ctx); err != nil {
			return err
		}
	}
	return have(ticketingusagerecord.ID(newest.ID), ticketingusagerecord.HighWater(newest.HighWater)).SetQuantity(quantity).Exec(ctx)
}

// failed records that a call came to nothing, and what follows from that.
func (r *round) failed(ctx context.Context, m *ent.TicketingBillingMapping, records []*ent.TicketingUsageRecord, cause error) error {
	class := psa.ClassOf(cause)
	r.logger.InfoContext(ctx, "billing failed", "organization", m.OrganizationID, "integration", m.IntegrationID, "class", class, "error", cause)
	r.accounts.Failed(ctx, r.integration, m.OrganizationID, "usage", cause)
	if err := r.release(ctx, m, class); err != nil {
		return err
	}
	newest := records[len(records)-1]
	switch class {
	case psa.Throttled:
		e, _ := errors.AsType[*psa.Error](cause)
		until := r.now().Add(cmp.Or(e.RetryAfter, r.config.ThrottlePause))
		if err := r.wait(ctx, records, until, cause); err != nil {
			return err
		}
		return errors.Join(r.hold(ctx, until), errThrottled)
	case psa.Auth:
		return r.refused(ctx, records, cause)
	case psa.Permanent, psa.Gone:
		return r.end(ctx, records, ticketingusagerecord.StatusFailed, psa.Words(cause))
	}
	if newest.Attempts+1 >= r.config.MaxAttempts {
		return r.end(ctx, records, ticketingusagerecord.StatusFailed, psa.Words(cause))
	}
	pause := min(r.config.Backoff<<min(newest.Attempts, 20), r.config.MaxBackoff)
	return r.postpone(ctx, records, r.now().Add(pause), cause)
}

// release gives a mapping's lease back. Only after a call whose end is unknown
// the doubt stays that it may still be executed.
func (r *round) release(ctx context.Context, m *ent.TicketingBillingMapping, class psa.Class) error {
	update := r.client.TicketingBillingMapping.Update().Where(ticketingbillingmapping.ID(m.ID)).ClearLeaseUntil()
	switch {
	case class == psa.Uncertain:
	case m.DoubtfulAt == nil:
		update.ClearDoubtfulAt()
	default:
		update.SetDoubtfulAt(*m.DoubtfulAt)
	}
	return update.Exec(ctx)
}

// refused tells credentials that are not accepted any more, which pause the
// integration, from a permission for billing that they lack.
func (r *round) refused(ctx context.Context, records []*ent.TicketingUsageRecord, cause error) error {
	if !r.trusted {
		i, accepted, err := r.accounts.Verify(ctx, r.integration.ID)
		switch {
		case err != nil:
			return err
		case i.Status == ticketingintegration.StatusPaused:
			return errors.Join(r.wait(ctx, records, r.now().Add(r.config.Backoff), cause), errPaused)
		case !accepted: // no answer: nothing is known
			return r.postpone(ctx, records, r.now().Add(r.config.Backoff), cause)
		}
		r.trusted = true
	}
	return r.end(ctx, records, ticketingusagerecord.StatusFailed, psa.Words(cause))
}

// end records that nothing more is done about records, but that a day that is
// not over is looked at again when it is.
func (r *round) end(ctx context.Context, records []*ent.TicketingUsageRecord, status ticketingusagerecord.Status, reason string) error {
	now := r.now()
	for _, record := range records {
		due, err := r.due(record.Day)
		if err != nil {
			return err
		}
		update := r.client.TicketingUsageRecord.Update().Where(ticketingusagerecord.ID(record.ID)).SetStatus(status).SetLastError(reason)
		if due.After(now) {
			update.SetNextAttemptAt(due)
		} else {
			update.ClearNextAttemptAt()
		}
		if err := update.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// postpone has records written at a time.
func (r *round) postpone(ctx context.Context, records []*ent.TicketingUsageRecord, until time.Time, cause error) error {
	return r.later(records, until, cause).Exec(ctx)
}

// wait is postpone for what was no attempt, because nothing was executed.
func (r *round) wait(ctx context.Context, records []*ent.TicketingUsageRecord, until time.Time, cause error) error {
	return r.later(records, until, cause).AddAttempts(-1).Exec(ctx)
}

func (r *round) later(records []*ent.TicketingUsageRecord, until time.Time, cause error) *ent.TicketingUsageRecordUpdate {
	return r.client.TicketingUsageRecord.Update().Where(ticketingusagerecord.IDIn(ids(records)...)).
		SetStatus(ticketingusagerecord.StatusPending).SetLastError(psa.Words(cause)).SetNextAttemptAt(until)
}

// hold puts every due record of the integration off.
func (r *round) hold(ctx context.Context, until time.Time) error {
	return r.client.TicketingUsageRecord.Update().
		Where(ticketingusagerecord.IntegrationID(r.integration.ID), ticketingusagerecord.NextAttemptAtLT(until)).
		SetNextAttemptAt(until).Exec(ctx)
}

func ids(records []*ent.TicketingUsageRecord) []string {
	out := make([]string, len(records))
	for n, r := range records {
		out[n] = r.ID
	}
	return out
}
