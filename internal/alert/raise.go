package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/ent/alert"
	"github.com/bailiwick/bailiwick/ent/device"
	"github.com/bailiwick/bailiwick/ent/user"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/tenancy"
)

// maxSkew is how far a reporter's clock may be ahead of ours.
const maxSkew = 5 * time.Minute

// Lengths of what is reported, in bytes of UTF-8.
const (
	maxTitle       = 255
	maxDescription = 8000
	maxKey         = 255
	maxReference   = 255
	maxRemark      = 2000
)

// Report says that a condition occurred.
type Report struct {
	// Organization is where; empty for that of the device or user, else the
	// one that the scope reaches.
	Organization string
	Type         string // a key of the catalogue
	Title        string // in one line, at most 255 bytes
	Description  string // at most 8000 bytes
	Severity     alert.Severity
	// DedupeKey names the condition, never the report; derived from device,
	// user and title if empty.
	DedupeKey  string
	OccurredAt time.Time // zero is now
	DeviceID   string
	UserID     string
	SourceName string // the name of what it is about; that of the device or user if empty
	SourceType string // DEVICE, USER, ORGANIZATION, INTEGRATION or CUSTOM; follows from the rest if empty
	Reference  string // the reporting system's own, at most 255 bytes
}

// Submit takes a partner's report. Errors name the field of the input.
func (s *Service) Submit(ctx context.Context, r Report) (a *ent.Alert, opened bool, err error) {
	t, known := Find(r.Type)
	if !known || t.Key != r.Type {
		return nil, false, fault.Invalid("input.type", "there is no alert type %q: the query alertTypes lists them", short(r.Type))
	}
	if !t.Raisable {
		return nil, false, fault.Invalid("input.type", "%s is found out by the service itself: raise CUSTOM or another raisable type", t.Key)
	}
	return s.Raise(ctx, r)
}

// short keeps a caller's text short enough to be quoted.
func short(text string) string {
	if len(text) > 64 {
		return strings.ToValidUTF8(text[:64], "") + "…"
	}
	return text
}

// Raise takes a report from within the service: it opens an alert, or adds an
// occurrence to the open one. The severity of an open alert may rise; it never
// falls on a report. The device and user must be in reach, and of one
// organization.
func (s *Service) Raise(ctx context.Context, r Report) (a *ent.Alert, opened bool, err error) {
	now := s.now()
	if err := r.complete(now); err != nil {
		return nil, false, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		r := r // a repeated transaction begins with what was given
		if err := s.place(ctx, &r); err != nil {
			return err
		}
		a, opened, err = s.fold(ctx, r)
		if err != nil {
			return err
		}
		if err := s.record(ctx, a, r); err != nil {
			return err
		}
		return s.announce(ctx, a)
	})
	if err != nil {
		return nil, false, err
	}
	return a, opened, nil
}

// complete checks a report and fills in what follows from the rest.
func (r *Report) complete(now time.Time) error {
	t, known := Find(r.Type)
	if !known {
		return fault.Invalid("input.type", "there is no alert type %q", short(r.Type))
	}
	r.Title = strings.TrimSpace(r.Title)
	switch {
	case r.Title == "":
		return fault.Invalid("input.title", "must not be empty")
	case strings.ContainsAny(r.Title, "\r\n"):
		return fault.Invalid("input.title", "must be one line")
	}
	for _, text := range []struct {
		field, value string
		limit        int
	}{
		{"title", r.Title, maxTitle}, {"description", r.Description, maxDescription},
		{"dedupeKey", r.DedupeKey, maxKey}, {"reference", r.Reference, maxReference},
	} {
		if err := checkText("input."+text.field, text.value, text.limit); err != nil {
			return err
		}
	}
	switch r.Severity {
	case "":
		r.Severity = t.DefaultSeverity
	case alert.SeverityLow, alert.SeverityMedium, alert.SeverityHigh:
	default:
		return fault.Invalid("input.severity", "there is no severity %q", short(string(r.Severity)))
	}
	r.OccurredAt = r.OccurredAt.UTC().Truncate(time.Microsecond)
	switch {
	case r.OccurredAt.IsZero():
		r.OccurredAt = now
	case r.OccurredAt.After(now.Add(maxSkew)):
		return fault.Invalid("input.occurredAt", "is in the future")
	case r.OccurredAt.After(now):
		r.OccurredAt = now
	case r.OccurredAt.Year() < 2000:
		return fault.Invalid("input.occurredAt", "is before the year 2000")
	}
	if r.DedupeKey == "" {
		sum := sha256.Sum256([]byte(r.DeviceID + "\x00" + r.UserID + "\x00" + r.Title))
		r.DedupeKey = "derived:" + hex.EncodeToString(sum[:16])
	}
	return nil
}

// checkText refuses what a database cannot hold, and PostgreSQL only finds
// when the transaction is under way.
func checkText(field, value string, limit int) error {
	switch {
	case len(value) > limit:
		return fault.Invalid(field, "is longer than %d bytes", limit)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fault.Invalid(field, "is no valid text")
	}
	return nil
}

// place finds the organization that a report is about, and its device and user
// there.
func (s *Service) place(ctx context.Context, r *Report) error {
	scope, err := tenancy.From(ctx)
	if err != nil {
		return err
	}
	if r.DeviceID != "" {
		d, err := s.client.Device.Query().Where(device.ID(r.DeviceID)).Only(ctx)
		if err != nil {
			return absent(err, "input.deviceId", r.DeviceID)
		}
		if r.Organization != "" && r.Organization != d.OrganizationID {
			return missing("input.deviceId", r.DeviceID)
		}
		r.Organization = d.OrganizationID
		r.describe("DEVICE", d.Name)
	}
	if r.UserID != "" {
		u, err := s.client.User.Query().Where(user.ID(r.UserID)).Only(ctx)
		if err != nil {
			return absent(err, "input.userId", r.UserID)
		}
		if r.Organization != "" && r.Organization != u.OrganizationID {
			return missing("input.userId", r.UserID)
		}
		r.Organization = u.OrganizationID
		r.describe("USER", u.Login)
	}
	if r.Organization == "" {
		organization, one := scope.Organization()
		if !one {
			return fault.Invalid(tenancy.Header, "name the organization to act in with the %s header", tenancy.Header)
		}
		r.Organization = organization
	}
	if r.SourceType == "" && r.Type == Custom {
		r.SourceType = "CUSTOM"
	}
	r.describe("ORGANIZATION", "")
	return nil
}

func (r *Report) describe(sourceType, name string) {
	if r.SourceType == "" {
		r.SourceType = sourceType
	}
	if r.SourceName == "" {
		r.SourceName = name
	}
}

func absent(err error, field, id string) error {
	if ent.IsNotFound(err) {
		return missing(field, id)
	}
	return err
}

func missing(field, id string) error {
	e := fault.Missing(id)
	e.Field = field
	return e
}
