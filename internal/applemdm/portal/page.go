package portal

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// view is what a page shows.
type view struct {
	Title        string
	Text         string
	Organization string
	Provider     string
	Download     string // where the profile is; empty for none
	Ask          bool   // whether it asks for a code
	Wrong        string // what is wrong with the code that was given; empty for nothing
	Account      string // who enrols a device of their own; empty if that is not known
	HandOver     bool   // whether the answer goes on to the device itself
}

// page writes pages that need nothing but themselves: no script, no image, and
// one style sheet, which the policy names by its hash.
type page struct {
	text   *template.Template
	policy string
	style  template.CSS
}

func newPage() (*page, error) {
	style := strings.TrimSpace(pageStyle)
	sum := sha256.Sum256([]byte(style))
	text, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("portal: page: %w", err)
	}
	return &page{
		text: text, style: template.CSS(style), //nolint:gosec // our own file
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
			"base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
	}, nil
}

func (p *page) write(w http.ResponseWriter, status int, v view) {
	var text bytes.Buffer
	if err := p.text.Execute(&text, struct {
		view
		Style template.CSS
	}{v, p.style}); err != nil {
		http.Error(w, v.Title, status) // the page is our own: what it is given cannot break it
		return
	}
	policy := p.policy
	if v.HandOver {
		policy += " apple-remotemanagement-user-login:"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	w.Write(text.Bytes()) // a client that has gone needs no answer
}
