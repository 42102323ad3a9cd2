package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"go.jetify.com/typeid"
)

// The rows, with the names and the order of the GraphQL queries that ask for
// the same.
type (
	device struct {
		ID           string `json:"id"`
		Name         string `json:"name"`
		SerialNumber string `json:"serialNumber"`
		Platform     string `json:"platform"`
	}
	versionedDevice struct {
		device
		OsVersion string `json:"osVersion"`
	}
	fullDevice struct {
		device
		Model      string     `json:"model"`
		OsVersion  string     `json:"osVersion"`
		Enrolled   bool       `json:"enrolled"`
		LastSeenAt *time.Time `json:"lastSeenAt"`
	}
	page struct {
		TotalCount int          `json:"totalCount"`
		Rows       []fullDevice `json:"rows"`
	}
	user struct {
		ID    string `json:"id"`
		Login string `json:"login"`
	}
	ownedDevice struct {
		device
		User *user `json:"user"`
	}
	organization struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	equipped struct {
		organization
		Devices []ownedDevice `json:"devices"`
	}
	found struct {
		device
		Organization organization `json:"organization"`
	}
	tagged struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		AssetTag string `json:"assetTag"`
	}
	alert struct {
		ID             string       `json:"id"`
		Type           string       `json:"type"`
		Severity       string       `json:"severity"`
		Title          string       `json:"title"`
		LastOccurredAt time.Time    `json:"lastOccurredAt"`
		Organization   organization `json:"organization"`
	}
)

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	for pattern, answer := range map[string]func(*http.Request, url.Values) (any, error){
		"GET /a": s.a, "GET /b": s.b, "GET /c": s.c, "GET /d": s.d, "POST /e": s.e, "GET /f": s.f,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			rows, err := answer(r, r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(rows) // a client that has gone needs no answer
		})
	}
	return mux
}

func (s *server) a(r *http.Request, q url.Values) (any, error) {
	var d versionedDevice
	err := s.oneDevice.QueryRowContext(r.Context(), q.Get("id"), s.provider).
		Scan(&d.ID, &d.Name, &d.SerialNumber, &d.Platform, &d.OsVersion)
	return d, err
}

func (s *server) b(r *http.Request, q url.Values) (any, error) {
	rows, err := s.devicesOfOrganization.QueryContext(r.Context(), q.Get("organization"), q.Get("platform"), s.provider)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	p := page{Rows: make([]fullDevice, 0, 50)}
	for rows.Next() {
		var d fullDevice
		if err := rows.Scan(&p.TotalCount, &d.ID, &d.Name, &d.SerialNumber, &d.Platform,
			&d.Model, &d.OsVersion, &d.Enrolled, &d.LastSeenAt); err != nil {
			return nil, err
		}
		if d.LastSeenAt != nil {
			*d.LastSeenAt = d.LastSeenAt.UTC()
		}
		p.Rows = append(p.Rows, d)
	}
	return p, rows.Err()
}

func (s *server) c(r *http.Request, q url.Values) (any, error) {
	rows, err := s.organizationsWithDevices.QueryContext(r.Context(), s.provider, q.Get("name"), q.Get("id"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]equipped, 0, 20)
	for rows.Next() {
		var o organization
		var id, name, serial, platform, userID, login *string
		if err := rows.Scan(&o.ID, &o.Name, &id, &name, &serial, &platform, &userID, &login); err != nil {
			return nil, err
		}
		if len(list) == 0 || list[len(list)-1].ID != o.ID {
			list = append(list, equipped{organization: o, Devices: make([]ownedDevice, 0, 10)})
		}
		if id == nil {
			continue
		}
		d := ownedDevice{device: device{*id, *name, *serial, *platform}}
		if userID != nil {
			d.User = &user{*userID, *login}
		}
		last := &list[len(list)-1]
		last.Devices = append(last.Devices, d)
	}
	return list, rows.Err()
}

func (s *server) d(r *http.Request, q url.Values) (any, error) {
	rows, err := s.search.QueryContext(r.Context(), s.provider, q.Get("before"), q.Get("name"), q.Get("id"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]found, 0, 50)
	for rows.Next() {
		var d found
		if err := rows.Scan(&d.ID, &d.Name, &d.SerialNumber, &d.Platform, &d.Organization.ID, &d.Organization.Name); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

func (s *server) e(r *http.Request, q url.Values) (any, error) {
	event, err := typeid.WithPrefix("evt")
	if err != nil {
		return nil, err
	}
	var d tagged
	err = s.updateDevice.QueryRowContext(r.Context(), q.Get("id"), s.provider, q.Get("tag"), event.Suffix()).
		Scan(&d.ID, &d.Name, &d.AssetTag)
	return d, err
}

func (s *server) f(r *http.Request, _ url.Values) (any, error) {
	rows, err := s.openAlerts.QueryContext(r.Context(), s.provider)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]alert, 0, 50)
	for rows.Next() {
		var a alert
		if err := rows.Scan(&a.ID, &a.Type, &a.Severity, &a.Title, &a.LastOccurredAt, &a.Organization.ID, &a.Organization.Name); err != nil {
			return nil, err
		}
		a.LastOccurredAt = a.LastOccurredAt.UTC()
		list = append(list, a)
	}
	return list, rows.Err()
}
