// Package portal is what people and devices meet before a device is managed: an
// organization's enrolment pages and profiles, its SCEP endpoint, and the
// discovery of account-driven enrolment. Nobody is signed in here. What a
// request may see is decided by the organization in its path and the token that
// it knows.
package portal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/applemdm/scep"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Config is what a portal needs; all of it is required.
type Config struct {
	Service *applemdm.Service
	// URL is how devices reach this server, without a path.
	URL string
	// Client answers the network address of the client, trusted proxies taken out.
	Client func(context.Context) string
	// Observe counts the steps of enrolments, with their outcomes: what strangers
	// try is not in the system log.
	Observe func(step, outcome string)
	Logger  *slog.Logger
	Clock   func() time.Time
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Service == nil || c.URL == "" || c.Client == nil || c.Observe == nil || c.Logger == nil || c.Clock == nil {
		return errors.New("portal: service, URL, client, observer, logger and clock are all required")
	}
	return nil
}

// Route is a pattern of [http.ServeMux] and what it leads to.
type Route struct {
	Pattern string
	Handler http.Handler
}

// portal serves the routes.
type portal struct {
	Config
	service *applemdm.Service
	page    *page
	scep    http.Handler
	callers *limiter // by address
	asking  *limiter // by address, for who asks for others
}

// The steps that are counted. Their outcomes are those of [scep.Outcome], and
// the codes of faults.
const (
	stepPage      = "page" // who is shown what they can do, or why not
	stepProfile   = "profile"
	stepIdentity  = "identity"
	stepDiscovery = "discovery"
)

// part is the portal's name in the system log and in scopes.
const part = "apple mdm enrolment"

// How many requests of one address are answered: a person makes three, a device
// five, and an office enrols many at once behind one address.
const (
	perSecond, burst       = 25, 500
	askPerSecond, askBurst = 2, 30
)

// Routes returns the routes of a portal, or what is wrong with its configuration.
func Routes(c Config) ([]Route, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	page, err := newPage()
	if err != nil {
		return nil, err
	}
	p := &portal{Config: c, service: c.Service, page: page}
	if p.scep, err = scep.New(scep.Config{
		Authority: c.Service.Authority, Challenges: c.Service, Logger: c.Logger, Clock: c.Clock,
		Observe: func(o scep.Outcome) { c.Observe(stepIdentity, string(o)) },
	}); err != nil {
		return nil, err
	}
	if p.callers, err = newLimiter(perSecond, burst, c.Clock); err != nil {
		return nil, err
	}
	if p.asking, err = newLimiter(askPerSecond, askBurst, c.Clock); err != nil {
		return nil, err
	}
	site := func(serve func(http.ResponseWriter, *http.Request, *applemdm.Site) error) http.Handler {
		return p.limited(p.callers, p.atSite(serve))
	}
	return []Route{
		{"GET /mdm/{organization}/enroll", site(p.ask)},
		{"POST /mdm/{organization}/enroll", site(p.answer)},
		{"GET /mdm/{organization}/enroll/{token}", site(p.enroll)},
		{"GET /mdm/{organization}/enroll/{token}/profile", site(p.download)},
		{"/mdm/{organization}/" + applemdm.SCEPPath, p.limited(p.callers, http.HandlerFunc(p.certify))},
		{"GET " + profile.WellKnown, p.limited(p.asking, http.HandlerFunc(p.discover))},
		{"POST /mdm/{organization}/user-enroll", site(p.userEnroll)},
		{"GET /mdm/{organization}/user-enroll/sign-in", site(p.askUser)},
		{"POST /mdm/{organization}/user-enroll/sign-in", site(p.answerUser)},
	}, nil
}

// limited refuses an address that calls too often.
func (p *portal) limited(l *limiter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allows(p.Client(r.Context())) {
			w.Header().Set("Retry-After", "10")
			http.Error(w, "too many requests: try again in a few seconds", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// atSite finds the site in the path, and confines what follows to it.
func (p *portal) atSite(serve func(http.ResponseWriter, *http.Request, *applemdm.Site) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, err := p.service.Site(r.Context(), r.PathValue("organization"))
		if err == nil {
			err = serve(w, r.WithContext(site.Context(r.Context(), part)), site)
		}
		if err != nil {
			p.refuse(w, r, site, err)
		}
	})
}

// certify answers SCEP for the organization in the path.
func (p *portal) certify(w http.ResponseWriter, r *http.Request) {
	site, err := p.service.Site(r.Context(), r.PathValue("organization"))
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		http.NotFound(w, r)
	case err != nil:
		p.Logger.ErrorContext(r.Context(), "find a site", "error", err)
		http.Error(w, "try again later", http.StatusInternalServerError)
	default:
		p.scep.ServeHTTP(w, r.WithContext(site.Context(r.Context(), part)))
	}
}

// refuse shows a person why not. What is unknown, and what is another
// organization's, read alike; who knew a token is told whose it was. The site is
// nil where there is none.
func (p *portal) refuse(w http.ResponseWriter, r *http.Request, site *applemdm.Site, err error) {
	ask := "Ask your administrator"
	var whose string
	if site != nil {
		whose, ask = site.OrganizationName, "Ask "+site.OrganizationName
	}
	status, title, text := http.StatusInternalServerError, "Something went wrong", "Try again in a few minutes."
	var message string
	if known, ok := errors.AsType[*fault.Error](err); ok {
		message = known.Message
	}
	switch fault.CodeOf(err) {
	case fault.NotFound:
		whose = ""
		status, title, text = http.StatusNotFound, "There is nothing here", "The link or code is not valid. Check that it is complete, or ask for a new one."
	case fault.PreconditionFailed:
		status, title, text = http.StatusGone, strings.TrimSuffix(message, "."), ask+" for a new one."
	case fault.Forbidden:
		status, title, text = http.StatusForbidden, "Not now", message+" "+ask+"."
	case fault.Unavailable:
		status, title, text = http.StatusServiceUnavailable, "Not ready", message+" "+ask+"."
	case fault.InvalidArgument:
		status, title, text = http.StatusBadRequest, "That did not work", message
		whose = ""
	default:
		whose = ""
		p.Logger.ErrorContext(r.Context(), "enrolment failed", "error", err)
	}
	p.Observe(stepPage, string(fault.CodeOf(err)))
	p.page.write(w, status, view{Title: title, Text: text, Organization: whose})
}

// body bounds what is read of a request.
func body(w http.ResponseWriter, r *http.Request, limit int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		return fault.Invalid("code", "The form could not be read.").Wrap(fmt.Errorf("portal: read a form: %w", err))
	}
	return nil
}
