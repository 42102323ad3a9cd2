package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

//go:embed page.html
var pageHTML string

// screen is what a person sees who holds a simulated device.
type screen struct {
	simulator.Hardware
	simulator.State

	Organization string
	Condition    string
	Commands     []simulator.Obeyed // the newest first
}

// maxShown is how many commands of each device the page shows.
const maxShown = 6

// page serves a page on which the simulated devices can be watched and handled.
func (d *devices) page() (http.Handler, error) {
	shown, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("the page of the simulated devices: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var screens []screen
		for _, m := range d.all() {
			screens = append(screens, m.screen())
		}
		var b bytes.Buffer
		if err := shown.Execute(&b, screens); err != nil {
			d.config.Logger.ErrorContext(r.Context(), "show the simulated devices", "error", err)
			http.Error(w, "the page could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = b.WriteTo(w) // a browser that has gone needs no page
	})
	mux.HandleFunc("POST /{serial}/{action}", d.handle)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// handle does what a person does who holds the device.
func (d *devices) handle(w http.ResponseWriter, r *http.Request) {
	m, err := d.find(r.PathValue("serial"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	switch r.PathValue("action") {
	case "unlock":
		if !m.Unlock(strings.TrimSpace(r.PostFormValue("pin"))) {
			http.Error(w, "That is not the PIN: lockDevice answers it, and revealDeviceSecret shows it again.", http.StatusForbidden)
			return
		}
		d.fleet.Push(m.Push()) // it is on again, and asks what there is to do
	case "start":
		m.PowerOn()
		d.fleet.Push(m.Push())
	case "enroll":
		if err := m.enroll(r.Context()); err != nil {
			http.Error(w, "It could not enrol: "+err.Error(), http.StatusBadGateway)
			return
		}
	default:
		http.NotFound(w, r)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (m *member) screen() screen {
	s := screen{Hardware: m.Hardware(), State: m.State(), Organization: m.organization.Name, Commands: m.Log()}
	slices.Reverse(s.Commands)
	s.Commands = s.Commands[:min(len(s.Commands), maxShown)]
	switch {
	case s.Erased:
		s.Condition = "erased"
	case !s.Enrolled:
		s.Condition = "not enrolled"
	case s.PoweredOff:
		s.Condition = "switched off"
	case s.Locked:
		s.Condition = "locked"
	default:
		s.Condition = "in use"
	}
	return s
}
