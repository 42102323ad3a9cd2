package ticket

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailiwick/bailiwick/ent"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/schema"
)

// The templates of a ticket for which nobody has written any. A line of the
// body whose placeholders are all empty is left out.
const (
	defaultTitle = "{{alert.title}}"
	defaultBody  = `{{alert.description}}

Organization: {{organization.name}}
Device: {{device.name}}
Serial number: {{device.serialNumber}}
Platform: {{device.platform}}
User of the device: {{device.user}}
User: {{user.name}}
Login: {{user.login}}
E-mail: {{user.email}}
Severity: {{alert.severity}}
Type: {{alert.type}}
First occurred: {{alert.firstOccurredAt}}
Reference: {{alert.reference}}
Alert: {{alert.id}}

{{url}}`
)

// Placeholders lists what may stand in a template between {{ and }}.
func Placeholders() []string {
	return []string{
		"alert.title", "alert.description", "alert.severity", "alert.type", "alert.id", "alert.reference",
		"alert.firstOccurredAt", "alert.occurrences", "organization.name",
		"device.name", "device.serialNumber", "device.platform", "device.user",
		"user.name", "user.login", "user.email", "url",
	}
}

// lengths are what a vendor's ticket holds, in UTF-16 units. The drivers cut
// what they send to the same.
func lengths(kind psa.Kind) (title, body int) {
	switch kind {
	case psa.Autotask:
		return 255, 8000
	case psa.ConnectWise:
		return 100, 16000
	default:
		return 255, 16000
	}
}

func checkTemplate(field string, template *string, limit int) error {
	if template == nil {
		return nil
	}
	switch {
	case strings.TrimSpace(*template) == "":
		return fault.Invalid(field, "must not be empty: null inherits")
	case len(*template) > limit:
		return fault.Invalid(field, "is longer than %d bytes", limit)
	case !utf8.ValidString(*template) || strings.ContainsRune(*template, 0):
		return fault.Invalid(field, "is no valid text")
	}
	known := Placeholders()
	unknown := ""
	expand(*template, func(name string) (string, bool) {
		if !slices.Contains(known, name) && unknown == "" {
			unknown = name
		}
		return "", true
	})
	if unknown != "" {
		return fault.Invalid(field, "there is no placeholder {{%s}}", psa.FitLine(unknown, 64))
	}
	return nil
}

// expand puts values in the place of {{placeholders}}, in one pass: a value is
// never read as a template. What no value is known for stays as it is.
func expand(template string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			b.WriteString("{{" + rest)
			return b.String()
		}
		if v, known := value(strings.TrimSpace(name)); known {
			b.WriteString(v)
		} else {
			b.WriteString("{{" + name + "}}")
		}
		template = after
	}
}

// write is the text of a ticket for an alert, cut to what the vendor holds.
func write(rules schema.TicketRules, kind psa.Kind, values map[string]string) schema.TicketContent {
	value := func(name string) (string, bool) {
		v, known := values[name]
		return v, known
	}
	title, body := lengths(kind)
	return schema.TicketContent{
		Title: psa.FitLine(cmpText(expand(*rules.TitleTemplate, value), values["alert.title"]), title),
		Body:  psa.Fit(expandLines(*rules.BodyTemplate, value), body),
	}
}

// cmpText is a text, or another if nothing can be read in it.
func cmpText(text, otherwise string) string {
	if strings.TrimSpace(text) == "" {
		return otherwise
	}
	return text
}

// expandLines expands a text line by line, and leaves out the lines that say
// nothing because all of their placeholders are empty.
func expandLines(template string, value func(string) (string, bool)) string {
	var lines []string
	for line := range strings.SplitSeq(template, "\n") {
		filled, any := false, false
		text := expand(line, func(name string) (string, bool) {
			v, known := value(name)
			any, filled = true, filled || v != "" || !known
			return v, known
		})
		switch {
		case any && !filled:
		case text == "" && (len(lines) == 0 || lines[len(lines)-1] == ""):
		default:
			lines = append(lines, text)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// values are what the placeholders stand for in the ticket of an alert. The
// alert need not be stored.
func (s *Service) values(ctx context.Context, a *ent.Alert) (map[string]string, error) {
	organization, err := s.client.Organization.Get(ctx, a.OrganizationID)
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"alert.title": a.Title, "alert.description": a.Description, "alert.severity": string(a.Severity),
		"alert.type": a.Type, "alert.id": a.ID, "alert.reference": a.Reference,
		"alert.firstOccurredAt": stamp(a.FirstOccurredAt), "alert.occurrences": strconv.Itoa(a.OccurrenceCount),
		"organization.name": organization.Name,
		"device.name":       "", "device.serialNumber": "", "device.platform": "", "device.user": "",
		"user.name": "", "user.login": "", "user.email": "", "url": s.link(a.ID),
	}
	if a.DeviceID != nil {
		d, err := s.client.Device.Get(ctx, *a.DeviceID)
		if err != nil {
			return nil, err
		}
		values["device.name"], values["device.serialNumber"], values["device.platform"] = d.Name, d.SerialNumber, string(d.Platform)
		if d.UserID != nil {
			u, err := s.client.User.Get(ctx, *d.UserID)
			if err != nil {
				return nil, err
			}
			values["device.user"] = called(u)
		}
	}
	if a.UserID != nil {
		u, err := s.client.User.Get(ctx, *a.UserID)
		if err != nil {
			return nil, err
		}
		values["user.name"], values["user.login"], values["user.email"] = called(u), u.Login, u.Email
	}
	return values, nil
}

// called is a user's name, or the login of one without a name.
func called(u *ent.User) string {
	return cmpText(strings.TrimSpace(u.FirstName+" "+u.LastName), u.Login)
}

// link is where technicians see an alert; "" if there is none.
func (s *Service) link(alertID string) string {
	if s.config.ConsoleURL == "" || alertID == "" {
		return ""
	}
	return s.config.ConsoleURL + "/alerts/" + alertID
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// reported names an alert in one line of a note.
func reported(a *ent.Alert) string {
	text := fmt.Sprintf("%s (%s", psa.FitLine(a.Title, 120), a.Severity)
	if a.SourceName != "" {
		text += ", " + psa.FitLine(a.SourceName, 60)
	}
	text += "): "
	if a.ResolvedAt != nil {
		return text + "over since " + stamp(*a.ResolvedAt)
	}
	if a.Incident > 1 {
		return text + fmt.Sprintf("again since %s, for the %s time", stamp(a.FirstOccurredAt), ordinal(a.Incident))
	}
	return text + "since " + stamp(a.FirstOccurredAt)
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
