package applemdm

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/applemdm"
	"github.com/bailiwick/bailiwick/ent/scepchallenge"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/tenancy"
)

// The alerts about push certificates; the condition's key is the AppleMdm's id.
// That of a refused certificate is raised where notifications are sent, and its
// key is the organization's id.
const (
	alertExpiring = "PUSH_CERTIFICATE_EXPIRING"
	alertExpired  = "PUSH_CERTIFICATE_EXPIRED"
	alertRefused  = "PUSH_CERTIFICATE_REFUSED"
)

const (
	dayLength  = 24 * time.Hour
	expiryPage = 200
)

// thresholds are how many days before its expiry a push certificate is warned
// of, the longest first.
func thresholds() []int { return []int{30, 14, 7, 1} }

// DaysLeft is how many whole days a push certificate is still valid: negative
// once it has expired.
func (s *Service) DaysLeft(notAfter time.Time) int {
	left := notAfter.Sub(s.now())
	if left < 0 {
		return int((left - dayLength + 1) / dayLength)
	}
	return int(left / dayLength)
}

// WarnOfExpiry alerts each organization whose push certificate expires, once at
// each threshold, and when it has expired. The context needs no scope.
func (s *Service) WarnOfExpiry(ctx context.Context) error {
	horizon := s.now().Add(time.Duration(thresholds()[0]) * dayLength)
	system := tenancy.System(ctx, "find the push certificates of every provider that expire soon")
	for after := ""; ; {
		page, err := s.client.AppleMdm.Query().
			Where(applemdm.IDGT(after), applemdm.CertificateNotAfterLTE(horizon), applemdm.PushStatusNEQ(applemdm.PushStatusExpired)).
			Order(applemdm.ByID()).Limit(expiryPage).All(system)
		if err != nil {
			return err
		}
		for _, m := range page {
			scope := tenancy.ForOrganizations(tenancy.ServicePrincipal("apple mdm"), m.ProviderID, m.OrganizationID)
			if err := s.warn(tenancy.With(ctx, scope), m.ID); err != nil {
				return fmt.Errorf("warn of the push certificate of %s: %w", m.ID, err)
			}
		}
		if len(page) < expiryPage {
			return ctx.Err()
		}
		after = page[len(page)-1].ID
	}
}

// warn moves one organization to the threshold that it has reached.
func (s *Service) warn(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		m, err := s.client.AppleMdm.Query().Where(applemdm.ID(id)).Modify(database.ForUpdate).Only(ctx)
		if ent.IsNotFound(err) || err == nil && m.CertificateNotAfter == nil {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		ends := *m.CertificateNotAfter
		if !ends.After(s.now()) {
			return s.expire(ctx, m)
		}
		reached := 0
		for _, t := range thresholds() {
			if !ends.After(s.now().Add(time.Duration(t) * dayLength)) {
				reached = t
			}
		}
		if reached == 0 || m.ExpiryWarnedDays != 0 && m.ExpiryWarnedDays <= reached {
			return nil
		}
		if err := m.Update().SetExpiryWarnedDays(reached).Exec(ctx); err != nil {
			return err
		}
		return s.config.Alarms.Alarm(ctx, m.OrganizationID, alertExpiring, m.ID,
			"The Apple push certificate expires on "+day(ends),
			fmt.Sprintf("It expires on %s, in %d days or less. Once it has, the organization's devices cannot be reached. %s",
				ends.UTC().Format(time.RFC1123), reached, renew(m)))
	})
}

// expire says that the certificate has expired.
func (s *Service) expire(ctx context.Context, m *ent.AppleMdm) error {
	if m.PushStatus == applemdm.PushStatusExpired {
		return nil
	}
	m, err := m.Update().SetPushStatus(applemdm.PushStatusExpired).Save(ctx)
	if err != nil {
		return err
	}
	if _, err := s.config.Alarms.Clear(ctx, m.OrganizationID, alertExpiring, m.ID); err != nil {
		return err
	}
	err = s.config.Alarms.Alarm(ctx, m.OrganizationID, alertExpired, m.ID,
		"The Apple push certificate expired on "+day(*m.CertificateNotAfter),
		"The organization's devices stay enrolled, and cannot be reached until it is renewed. "+renew(m))
	if err != nil {
		return err
	}
	return s.announce(ctx, m)
}

func renew(m *ent.AppleMdm) string {
	account := "the Apple ID that it was made with"
	if m.CreatorAppleID != "" {
		account = m.CreatorAppleID
	}
	return fmt.Sprintf("Renew the certificate with the serial number %s at identity.apple.com under %s. Never create another: "+
		"it would have another topic, and every device would have to be enrolled again.", m.CertificateSerialNumber, account)
}

// clear ends the alerts about a push certificate.
func (s *Service) clear(ctx context.Context, m *ent.AppleMdm) error {
	for _, alertType := range []string{alertExpiring, alertExpired} {
		if _, err := s.config.Alarms.Clear(ctx, m.OrganizationID, alertType, m.ID); err != nil {
			return err
		}
	}
	_, err := s.config.Alarms.Clear(ctx, m.OrganizationID, alertRefused, m.OrganizationID)
	return err
}

// pruneBatch is how many challenges one statement deletes.
const pruneBatch = 1000

// Prune deletes the challenges whose time is over. The context needs no scope.
func (s *Service) Prune(ctx context.Context) error {
	ctx = tenancy.System(ctx, "delete the expired challenges of every provider")
	for {
		ids, err := s.client.ScepChallenge.Query().Where(scepchallenge.ExpiresAtLTE(s.now())).
			Order(scepchallenge.ByExpiresAt(sql.OrderAsc())).Limit(pruneBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := s.client.ScepChallenge.Delete().Where(scepchallenge.IDIn(ids...)).Exec(ctx); err != nil {
			return err
		}
	}
}
