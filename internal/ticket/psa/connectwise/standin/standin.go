// Package standin is a server that speaks ConnectWise PSA's REST API on its
// own data. The demonstration delivers tickets to it, and tests break it on
// purpose.
//
// It is stricter than ConnectWise where that shows a client's mistakes: it
// refuses fields that it would not keep, and values that are not in its lists.
// It keeps everything in memory and shows it to whoever asks for "/": serve it
// on loopback only.
package standin

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Config says what the server holds at the start.
type Config struct {
	Accounts  []Account
	ClientIDs []string      // the GUIDs that are let in; at least one
	Versions  []string      // of the API that can be asked for; "2025.1" if empty
	PerMinute int           // requests that an account may make in a minute; 0 for any number (ConnectWise allows about 1,000)
	SearchLag time.Duration // how long a new ticket is in no list
	Logger    *slog.Logger
	Clock     func() time.Time
}

// Account is one API member of a ConnectWise company, and what it sees. What
// it leaves empty is as in a new company.
type Account struct {
	CompanyID  string
	PublicKey  string // selects the account
	PrivateKey string
	CodeBase   string // "v2025_1/" if empty; "v4_6_release/" on premises
	OnPremises bool   // a server of the MSP's own, which answers 401 where the cloud answers 404
	ReadOnly   bool   // the member may write nothing
	Forbidden  string // path that the member may not call, as in path.Match; empty for none
	Companies  []Company
	Boards     []Board
	Priorities []Choice
	Sources    []Choice
	Members    []Choice

	CompanyTypes []Choice
}

// Company is a customer of the MSP. A zero ID is assigned.
type Company struct {
	ID       int64
	Name     string
	Inactive bool // its status is "Inactive"
	Deleted  bool

	Agreements []Agreement
	Types      []int64 // of CompanyTypes; the first of them if empty
}

// Board is a service board. A zero ID is assigned, here and in its statuses.
type Board struct {
	ID       int64
	Name     string
	Inactive bool
	Project  bool
	Statuses []Status
}

// Status is a status of one board's tickets.
type Status struct {
	ID       int64
	Name     string
	Default  bool
	Closed   bool
	Inactive bool
}

// Choice is a priority, a source or a member. A zero ID is assigned.
type Choice struct {
	ID   int64
	Name string
}

// Validate reports what is missing or ambiguous.
func (c Config) Validate() error {
	if len(c.Accounts) == 0 || len(c.ClientIDs) == 0 || c.Logger == nil || c.Clock == nil {
		return errors.New("standin: accounts, client ids, logger or clock is missing")
	}
	keys := map[string]bool{}
	for _, a := range c.Accounts {
		if a.CompanyID == "" || a.PrivateKey == "" || a.PublicKey == "" || keys[a.PublicKey] {
			return errors.New("standin: an account's company or key is empty, or its public key is not unique")
		}
		keys[a.PublicKey] = true
	}
	return nil
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	config Config
	mux    *http.ServeMux

	mu       sync.Mutex // guards all that follows
	accounts []*account
	lastID   int64
	faults   desk.Faults
	log      desk.Log
	limit    desk.Limit
	key      string // that callbacks are signed with
	hooks    desk.Hooks
}

// handler answers one API call. It runs under the server's lock.
type handler func(s *Server, a *account, r *http.Request, body []byte) answer

// answer is what a handler says; body is encoded as JSON unless it is a page.
type answer struct {
	status int
	body   any
	header http.Header
}

// page is HTML, as a web server answers on its own.
type page string

type object = map[string]any

const (
	prefix      = "/{codebase}/apis/3.0"
	maxURL      = 2000 // characters
	vendorMedia = "application/vnd.connectwise.com+json"
)

// New returns a server.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if len(config.Versions) == 0 {
		config.Versions = []string{"2025.1"}
	}
	s := &Server{config: config, mux: http.NewServeMux()}
	s.RotateKey()
	for _, a := range config.Accounts {
		s.accounts = append(s.accounts, s.seed(a))
	}
	routes := map[string]handler{
		"GET /service/boards":               listBoards,
		"GET /service/boards/{id}/statuses": listStatuses,
		"GET /service/priorities":           listPriorities,
		"GET /service/sources":              listSources,
		"GET /company/companies":            listCompanies,
		"POST /company/companies/search":    listCompanies,
		"GET /company/companies/types":      listCompanyTypes,
		"GET /service/tickets":              listTickets,
		"POST /service/tickets/search":      listTickets,
		"POST /service/tickets":             createTicket,
		"GET /service/tickets/{id}":         readTicket,
		"PATCH /service/tickets/{id}":       updateTicket,
		"GET /service/tickets/{id}/notes":   listNotes,
		"POST /service/tickets/{id}/notes":  createNote,
		"GET /finance/agreements":           listAgreements,

		"GET /finance/agreements/{id}/additions":              listAdditions,
		"PATCH /finance/agreements/{id}/additions/{addition}": updateAddition,
		"GET /system/callbacks":                               listHooks,
		"POST /system/callbacks":                              createHook,
		"GET /system/callbacks/{id}":                          readHook,
		"DELETE /system/callbacks/{id}":                       deleteHook,
	}
	for pattern, h := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.guarded(h)) })
	}
	s.mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.guarded(noSuchPath)) })
	s.mux.HandleFunc("GET /login/companyinfo/{company}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, companyInfo) })
	s.mux.HandleFunc("GET /login/keys/{key}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, readKey) })
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /v4_6_release/services/system_io/Service/fv_sr100_request.rails", s.page)
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve takes one call through fault to its handler.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, h handler) {
	body, problem := readBody(w, r)
	s.mu.Lock()
	reply, fault := s.handle(r, h, body, problem)
	s.mu.Unlock()
	s.config.Logger.DebugContext(r.Context(), "stand-in call", "method", r.Method, "path", r.URL.Path, "status", reply.status)
	if fault != nil {
		fault.Write(w, r, reply.reply(), own)
		return
	}
	reply.reply().Write(w)
}

func (s *Server) handle(r *http.Request, h handler, body []byte, problem *answer) (answer, *desk.Struck) {
	a := s.accountOf(r)
	entry := Request{Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, "/"+r.PathValue("codebase")+"/apis/3.0")}
	entry.Search = entry.Path == "/service/tickets/search" || (entry.Method == http.MethodGet && entry.Path == "/service/tickets")
	if a != nil {
		entry.Account = a.PublicKey
	}
	s.log.Add(entry)
	fault := s.faults.Strike(entry)
	if fault != nil && !fault.Action.Commits() {
		return answer{}, fault
	}
	if problem != nil {
		return *problem, fault
	}
	if fault != nil && fault.Action == StaleList && a != nil {
		a.newest = fault.Newest
		defer func() { a.newest = 0 }()
	}
	return h(s, a, r, body), fault
}

// guarded is a handler behind everything that ConnectWise checks first.
func (s *Server) guarded(h handler) handler {
	return func(s *Server, a *account, r *http.Request, body []byte) answer {
		codeBase := r.PathValue("codebase") + "/"
		if !slices.ContainsFunc(s.accounts, func(a *account) bool { return a.CodeBase == codeBase }) || len("https://"+r.Host+r.RequestURI) > maxURL {
			return notHere()
		}
		if a == nil {
			return s.stranger(r)
		}
		if a.CodeBase != codeBase {
			return notHere()
		}
		if wait, ok := s.limit.Allow(a.CompanyID, s.config.PerMinute, s.config.Clock()); !ok {
			return tooMany(wait)
		}
		if problem := s.checkHeader(r.Header); problem != nil {
			return *problem
		}
		if a.forbids(r) {
			return refused(http.StatusForbidden, "Forbidden", "The member's security role does not permit this.")
		}
		return h(s, a, r, body)
	}
}

func noSuchPath(*Server, *account, *http.Request, []byte) answer {
	return refused(http.StatusNotFound, "NotFound", "No such resource.")
}

// notHere is how the web server answers for a code base that is not there.
func notHere() answer {
	return answer{status: http.StatusNotFound, body: page(`<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head><body></body></html>`)}
}

// stranger answers to keys that are not valid: 404 in the cloud.
func (s *Server) stranger(r *http.Request) answer {
	for _, a := range s.accounts {
		if a.OnPremises && a.CodeBase == r.PathValue("codebase")+"/" {
			return refused(http.StatusUnauthorized, "Unauthorized", "Authentication failed.")
		}
	}
	return refused(http.StatusNotFound, "NotFound", "Resource not found.")
}

func (a answer) reply() desk.Reply {
	if text, ok := a.body.(page); ok {
		reply := desk.Text(string(text))
		reply.Status = a.status
		return reply
	}
	reply := desk.JSON(a.status, a.body)
	if a.status == http.StatusNoContent {
		return desk.Reply{Status: a.status}
	}
	maps.Copy(reply.Header, a.header)
	reply.Header.Set("Content-Type", vendorMedia+"; version=2025.1; charset=utf-8")
	return reply
}
