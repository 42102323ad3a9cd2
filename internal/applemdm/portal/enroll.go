package portal

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/bailiwick/bailiwick/ent/enrollment"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/profile"
	"github.com/bailiwick/bailiwick/internal/applemdm/scep"
	"github.com/bailiwick/bailiwick/internal/fault"
)

const maxForm = 4 << 10

// asking is the organization's own page. It asks for the code before it tells
// whose it is.
func asking() view {
	return view{
		Title: "Enrol this device", Text: "Give the code that you were sent. It is the last part of your enrolment link.", Ask: true,
	}
}

// wrongCode is what a person is told who can try again.
const wrongCode = "This code is not valid. Check that it is complete, or ask for a new one."

func (p *portal) ask(w http.ResponseWriter, _ *http.Request, _ *applemdm.Site) error {
	p.page.write(w, http.StatusOK, asking())
	return nil
}

// answer leads from the code to its page.
func (p *portal) answer(w http.ResponseWriter, r *http.Request, site *applemdm.Site) error {
	if err := body(w, r, maxForm); err != nil {
		return err
	}
	code := strings.TrimSpace(r.PostFormValue("code"))
	if code == "" {
		return fault.Invalid("code", "Give the code that you were sent.")
	}
	_, err := p.service.Admit(r.Context(), site, enrollment.KindOTA, code)
	if fault.CodeOf(err) == fault.NotFound {
		again := asking()
		again.Wrong = wrongCode
		p.Observe(stepPage, string(fault.NotFound))
		p.page.write(w, http.StatusNotFound, again)
		return nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, p.URL+"/mdm/"+site.Organization+"/enroll/"+url.PathEscape(code), http.StatusSeeOther) //nolint:gosec // on our own address
	return nil
}

// enroll is the page of a link: what will be managed, and by whom.
func (p *portal) enroll(w http.ResponseWriter, r *http.Request, site *applemdm.Site) error {
	if _, err := p.service.Admit(r.Context(), site, enrollment.KindOTA, r.PathValue("token")); err != nil {
		return err
	}
	p.page.write(w, http.StatusOK, view{
		Title: "Enrol this device", Organization: site.OrganizationName, Provider: site.ProviderName,
		Download: r.URL.EscapedPath() + "/profile",
	})
	return nil
}

// download is the profile itself, with a challenge that is made for it alone.
func (p *portal) download(w http.ResponseWriter, r *http.Request, site *applemdm.Site) error {
	e, err := p.service.Admit(r.Context(), site, enrollment.KindOTA, r.PathValue("token"))
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead { // who only looks needs no challenge
		w.Header().Set("Content-Type", profile.ContentType)
		return nil
	}
	document, err := p.service.Profile(r.Context(), site, e, nil)
	if err != nil {
		return err
	}
	p.writeProfile(w, document)
	return nil
}

func (p *portal) writeProfile(w http.ResponseWriter, document []byte) {
	w.Header().Set("Content-Type", profile.ContentType)
	p.Observe(stepProfile, string(scep.Issued))
	w.Header().Set("Content-Disposition", `attachment; filename="enrol.mobileconfig"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(document) //nolint:gosec // signed DER; a client that has gone needs no answer
}
