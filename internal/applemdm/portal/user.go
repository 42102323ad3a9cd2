package portal

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// Account-driven user enrolment (Apple: "Implementing the simple authentication
// user-enrollment flow"). A person signs in to a Managed Apple Account; the
// device asks discover for the organization; posts to the address it is given;
// is answered 401 with the address of a page; shows that page to the person,
// who gives the code of an enrolment of kind USER there; and posts again with
// the token that the page's last redirect hands it.
//
// The code says that its holder may enrol, not who they are: the account is the
// one that the device named at first, and must be a user's of the organization.
// What the device says about itself (Apple's MachineInfo, signed with the
// certificate it was born with) is not read.

const (
	maxMachineInfo = 64 << 10
	// userIdentifier is Apple's name of the query parameter with the account.
	userIdentifier = "user-identifier"
	// handOver is where the page's last redirect leads: the device takes the
	// token from it.
	handOver = "apple-remotemanagement-user-login://authentication-results"
)

// discover answers which server is responsible for an account.
func (p *portal) discover(w http.ResponseWriter, r *http.Request) {
	address := r.URL.Query().Get(userIdentifier)
	site, err := p.service.OfferUserEnrollment(r.Context(), address)
	if fault.CodeOf(err) == fault.NotFound {
		p.Observe(stepDiscovery, string(fault.NotFound))
		// A device that is refused asks Apple Business Manager next, which may
		// lead it to another server.
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusForbidden)
		w.Write(profile.DiscoveryRefused("This account cannot be used to enrol a device. Check the address, or ask your organization.")) // a client that has gone needs no answer
		return
	}
	var document []byte
	if err == nil {
		document, err = profile.Discovery(profile.Server{
			Version: profile.VersionBYOD,
			BaseURL: p.URL + userPath(site) + "?" + url.Values{userIdentifier: {address}}.Encode(),
		})
	}
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "discovery failed", "error", err)
		http.Error(w, "try again later", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(document) // a client that has gone needs no answer
}

func userPath(site *applemdm.Site) string { return "/mdm/" + site.Organization + "/user-enroll" }

// userEnroll is what a device posts to: without a token it is told where to get
// one, and with one it is given its profile.
func (p *portal) userEnroll(w http.ResponseWriter, r *http.Request, site *applemdm.Site) error {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxMachineInfo)); err != nil {
		http.Error(w, "the message is too large", http.StatusRequestEntityTooLarge)
		return nil //nolint:nilerr // it has been answered
	}
	address := r.URL.Query().Get(userIdentifier)
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		p.demand(w, site)
		return nil
	}
	e, err := p.service.Admit(r.Context(), site, enrollment.KindUser, strings.TrimSpace(token))
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.PreconditionFailed {
		p.demand(w, site)
		return nil
	}
	if err != nil {
		return err
	}
	person, err := p.service.Person(r.Context(), address)
	if err != nil {
		return err
	}
	document, err := p.service.Profile(r.Context(), site, e, person)
	if err != nil {
		return err
	}
	p.writeProfile(w, document)
	return nil
}

// demand asks for a token, in the words of Apple's simple authentication. The
// device adds the account to the page's address by itself.
func (p *portal) demand(w http.ResponseWriter, site *applemdm.Site) {
	page := p.URL + userPath(site) + "/sign-in"
	w.Header().Set("WWW-Authenticate", `Bearer method="apple-as-web", url="`+page+`"`)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "a token is needed", http.StatusUnauthorized)
}

// askUser is the page that the device shows to the person.
func (p *portal) askUser(w http.ResponseWriter, r *http.Request, _ *applemdm.Site) error {
	p.page.write(w, http.StatusOK, askingUser(r))
	return nil
}

func askingUser(r *http.Request) view {
	return view{
		Title: "Enrol your own device", Ask: true, Account: r.URL.Query().Get(userIdentifier), HandOver: true,
		Text: "Give the code that your organization sent you.",
	}
}

// answerUser hands the device its token. A code that is wrong is asked for again
// and is no error of HTTP, which would end the enrolment on the device.
func (p *portal) answerUser(w http.ResponseWriter, r *http.Request, site *applemdm.Site) error {
	if err := body(w, r, maxForm); err != nil {
		return err
	}
	code := strings.TrimSpace(r.PostFormValue("code"))
	_, err := p.service.Admit(r.Context(), site, enrollment.KindUser, code)
	if fault.CodeOf(err) == fault.NotFound {
		again := askingUser(r)
		again.Wrong = wrongCode
		p.Observe(stepPage, string(fault.NotFound))
		p.page.write(w, http.StatusOK, again)
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := p.service.Person(r.Context(), r.URL.Query().Get(userIdentifier)); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, handOver+"?"+url.Values{"access-token": {code}}.Encode(), http.StatusPermanentRedirect) // as Apple has it
	return nil
}
