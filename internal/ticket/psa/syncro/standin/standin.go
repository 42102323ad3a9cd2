// Package standin is a server that speaks Syncro's api/v1 on its own data. The
// demonstration delivers tickets to it, and tests break it on purpose.
//
// It is stricter than Syncro where that shows a client's mistakes: it refuses
// fields that the API does not have, and values outside the account's lists. It
// keeps everything in memory and shows it to whoever asks for "/": serve it on
// loopback only.
package standin

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
)

// Config says what the server holds at the start.
type Config struct {
	Accounts  []Account
	PerMinute int // requests that one source address may make in a minute; 0 for any number (Syncro allows 180)
	Logger    *slog.Logger
	Clock     func() time.Time
}

// Account is one Syncro account. What it leaves empty is as in a new Syncro
// account.
type Account struct {
	Subdomain    string
	Token        string // API token; it selects the account
	ReadOnly     bool   // the token lacks the permission to write tickets
	Customers    []Customer
	Users        []User
	ProblemTypes []string
	Priorities   []string
	Statuses     []string
}

// Customer is a company that the MSP looks after. A zero ID is assigned.
type Customer struct {
	ID           int64
	BusinessName string
	Disabled     bool
	Schedules    []Schedule // recurring invoices
}

// User is a technician. A zero ID is assigned.
type User struct {
	ID   int64
	Name string
}

// Validate reports what is missing or ambiguous.
func (c Config) Validate() error {
	if len(c.Accounts) == 0 || c.Logger == nil || c.Clock == nil {
		return errors.New("standin: accounts, logger or clock is missing")
	}
	tokens := map[string]bool{}
	for _, a := range c.Accounts {
		if a.Token == "" || tokens[a.Token] {
			return errors.New("standin: an account's token is empty or not unique")
		}
		tokens[a.Token] = true
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
	number   int64
	faults   desk.Faults
	log      desk.Log
	limit    desk.Limit
}

// handler answers one API call. It runs under the server's lock.
type handler func(s *Server, a *account, r *http.Request, body []byte) answer

// answer is what a handler says; body is encoded as JSON.
type answer struct {
	status int
	body   any
}

func (a answer) reply() desk.Reply { return desk.JSON(a.status, a.body) }

type object = map[string]any

// New returns a server.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{config: config, mux: http.NewServeMux(), number: 1000}
	for _, a := range config.Accounts {
		s.accounts = append(s.accounts, s.seed(a))
	}
	routes := map[string]handler{
		"GET /me":                    readMe,
		"GET /settings":              readSettings,
		"GET /users":                 listUsers,
		"GET /customers":             listCustomers,
		"GET /customers/{id}":        readCustomer,
		"GET /tickets":               listTickets,
		"POST /tickets":              createTicket,
		"GET /tickets/settings":      readTicketSettings,
		"GET /tickets/{id}":          readTicket,
		"PUT /tickets/{id}":          updateTicket,
		"GET /tickets/{id}/comments": listComments,
		"POST /tickets/{id}/comment": createComment,
		"GET /schedules":             listSchedules,
		"GET /schedules/{id}":        readSchedule,

		"PUT /schedules/{id}/line_items/{line}": updateScheduleLine,
	}
	for pattern, h := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" "+base+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, h) })
	}
	s.mux.HandleFunc(base+"/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, noSuchPath) })
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /tickets/{id}", s.page)
	return s, nil
}

const (
	base    = "/api/v1"
	perPage = 25
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func noSuchPath(*Server, *account, *http.Request, []byte) answer {
	return answer{http.StatusNotFound, object{"error": "Not found"}}
}

// serve takes one API call through limit, authentication and fault to its
// handler.
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
	a := s.accountOf(r.Header)
	entry := Request{Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, base)}
	entry.Search = entry.Method == http.MethodGet && entry.Path == "/tickets"
	if a != nil {
		entry.Account = a.Token
	}
	defer func() { s.log.Add(entry) }()

	if !s.allow(r.RemoteAddr) {
		return tooMany(), nil
	}
	if a == nil {
		return unauthorized(), nil
	}
	fault := s.faults.Strike(entry)
	if fault != nil && !fault.Action.Commits() {
		return answer{}, fault
	}
	if problem != nil {
		return *problem, fault
	}
	if fault != nil && fault.Action == StaleList {
		return listTicketsTo(s, a, r, fault.Newest), nil
	}
	if a.ReadOnly && r.Method != http.MethodGet {
		return answer{http.StatusForbidden, object{"error": "You do not have permission"}}, fault
	}
	return h(s, a, r, body), fault
}

// accountOf reads the token, which Syncro takes in this header only.
func (s *Server) accountOf(h http.Header) *account {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	for _, a := range s.accounts {
		if a.Token == token && !a.revoked {
			return a
		}
	}
	return nil
}
