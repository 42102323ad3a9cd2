// Package standin is a server that speaks Autotask's REST API v1.0 on its own
// data: zones, picklists, limits and errors included. The demonstration
// delivers tickets to it, and tests break it on purpose.
//
// Where Autotask's habits are not documented it takes the stricter one. It
// keeps everything in memory: serve it on loopback only.
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

// Config says what the server holds at the start, and which limits it keeps.
type Config struct {
	Accounts []Account
	// PerHour is how many requests a database takes in an hour, over all who
	// ask; 0 for any number (Autotask takes 10,000). See [Server.Burn].
	PerHour int
	// Threads is how many requests for one kind of object an account may have
	// running; 0 for any number (Autotask allows 3).
	Threads int
	// LimitStatus is the HTTP status of both limits' refusals: 429, or 500 as
	// Autotask has been seen to send; 0 means 500.
	LimitStatus int
	// Latency is added to each answer from 50 % of PerHour on, and twice from
	// 75 % (Autotask: half a second, and a second).
	Latency time.Duration
	// SearchDelay is how old a ticket must be for a query to find it.
	SearchDelay time.Duration
	Logger      *slog.Logger
	Clock       func() time.Time
}

// Account is an API user of an Autotask database. What it leaves empty is as in
// a new database.
type Account struct {
	Database        string // the MSP's name, which company 0 has; accounts of one name share their data
	Zone            string // a word or number, part of the zone's address; empty means "1"
	IntegrationCode string
	Username        string // unique
	Secret          string
	ReadOnly        bool // the security level does not let the user write tickets

	// Of the database; read from the first account that names it.
	Companies  []Company
	Resources  []Resource
	Roles      []Role
	Statuses   []Pick
	Priorities []Pick
	Queues     []Pick
	Sources    []Pick
	Publishing []Pick // who may read a note

	CompanyTypes []Pick
}

// Company is a customer of the MSP. A zero ID is assigned; company 0, the MSP
// itself, is always there.
type Company struct {
	ID       int64
	Name     string
	Inactive bool
	Contact  string // name of the primary contact; empty for none

	Contracts []Contract
	Type      int // of CompanyTypes; 0 means 1, Customer
}

// Resource is a technician with the roles he or she works in. A zero ID is
// assigned.
type Resource struct {
	ID          int64
	First, Last string
	Inactive    bool
	Roles       []int64
}

// Role is what technicians work as. A zero ID is assigned.
type Role struct {
	ID       int64
	Name     string
	Inactive bool
}

// Pick is a value of a picklist.
type Pick struct {
	Value    int
	Label    string
	Inactive bool
}

// Validate reports what is missing or ambiguous.
func (c Config) Validate() error {
	if len(c.Accounts) == 0 || c.Logger == nil || c.Clock == nil {
		return errors.New("standin: accounts, logger or clock is missing")
	}
	if c.PerHour < 0 || c.Threads < 0 || c.Latency < 0 || c.SearchDelay < 0 {
		return errors.New("standin: a limit is negative")
	}
	names := map[string]bool{}
	for _, a := range c.Accounts {
		if a.Username == "" || a.Secret == "" || a.IntegrationCode == "" || names[a.Username] {
			return errors.New("standin: an account's user name, secret or integration code is empty, or its name not unique")
		}
		if strings.ContainsAny(a.Zone, "/?#%") {
			return errors.New("standin: a zone is no part of an address")
		}
		names[a.Username] = true
	}
	return nil
}

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	config Config
	mux    *http.ServeMux

	mu       sync.Mutex // guards all that follows
	accounts []*account
	bases    []*database
	lastID   int64
	number   int64
	faults   desk.Faults
	log      desk.Log
	hooks    desk.Hooks
}

// account is an Account, where it lives now, and what it is doing.
type account struct {
	Account
	base     *database
	resource int64 // the API user's own
	revoked  bool
	running  map[string]int // requests by kind of object
}

// handler answers one API call. It runs under the server's lock.
type handler func(c *call) answer

// call is an authenticated request.
type call struct {
	*Server
	*account
	r      *http.Request
	body   []byte
	newest int64 // the highest ticket that a query knows
}

// answer is what a handler says; body is encoded as JSON, and nil is none.
type answer struct {
	status int
	body   any
}

func (a answer) reply() desk.Reply { return desk.JSON(a.status, a.body) }

type object = map[string]any

func ok(body any) answer { return answer{http.StatusOK, body} }

// refuse is Autotask's answer to nearly everything that it does not accept.
func refuse(messages ...string) answer {
	return answer{http.StatusInternalServerError, object{"errors": messages}}
}

const (
	servicePath = "/atservicesrest"
	versionPath = "/v1.0"
)

// New returns a server.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.LimitStatus == 0 {
		config.LimitStatus = http.StatusInternalServerError
	}
	s := &Server{config: config, mux: http.NewServeMux(), lastID: 29680000}
	for _, a := range config.Accounts {
		s.seed(a)
	}
	for pattern, h := range map[string]handler{
		"GET /ThresholdInformation":                         readThreshold,
		"GET /Companies/{id}":                               readCompany,
		"GET /Tickets/{id}":                                 readTicket,
		"GET /Tickets/entityInformation":                    describeTickets,
		"GET /Tickets/entityInformation/fields":             ticketFieldsOf,
		"GET /TicketNotes/entityInformation/fields":         noteFieldsOf,
		"POST /Tickets":                                     createTicket,
		"PATCH /Tickets":                                    updateTicket,
		"POST /Tickets/{id}/Notes":                          createNote,
		"GET /Contracts/{id}":                               readContract,
		"GET /ContractServices/{id}":                        readContractService,
		"POST /ContractServiceAdjustments":                  createAdjustment,
		"POST /TicketWebhooks":                              createHook,
		"GET /TicketWebhooks/{id}":                          readHook,
		"DELETE /TicketWebhooks/{id}":                       deleteHook,
		"POST /TicketWebhooks/{id}/Fields":                  addToHook,
		"POST /TicketWebhooks/{id}/ExcludedResources":       addToHook,
		"GET /TicketWebhookFields/entityInformation/fields": hookFieldsOf,
		"GET /Companies/entityInformation/fields":           companyFieldsOf,
	} {
		s.handle(pattern, h)
	}
	for entity, records := range tables {
		query := func(c *call) answer { return c.query(entity, records) }
		for _, pattern := range []string{"GET /%/query", "GET /%/query/next", "POST /%/query"} {
			s.handle(strings.Replace(pattern, "%", entity, 1), query)
		}
	}
	s.mux.HandleFunc("GET "+servicePath+versionPath+"/zoneInformation", s.zone)
	s.mux.HandleFunc("/{zone}"+servicePath+versionPath+"/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, noSuchPath) })
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /{zone}/Autotask/AutotaskExtend/ExecuteCommand.aspx", s.page)
	return s, nil
}

func (s *Server) handle(pattern string, h handler) {
	method, path, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(method+" /{zone}"+servicePath+versionPath+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, h) })
}

// ServeHTTP implements http.Handler. Like Autotask's server it does not mind
// the case of the letters before the API's own paths.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const prefix = servicePath + versionPath
	if i := strings.Index(strings.ToLower(r.URL.Path), prefix); i >= 0 {
		r = r.Clone(r.Context())
		r.URL.Path = r.URL.Path[:i] + prefix + r.URL.Path[i+len(prefix):]
		r.URL.RawPath = ""
	}
	s.mux.ServeHTTP(w, r)
}

func noSuchPath(c *call) answer {
	return answer{http.StatusNotFound, object{"Message": "No HTTP resource was found that matches the request URI '" + c.r.URL.Path + "'."}}
}

// zone tells anyone who names a user where that user lives.
func (s *Server) zone(w http.ResponseWriter, r *http.Request) {
	entry := Request{Method: r.Method, Path: "/zoneInformation", Account: r.URL.Query().Get("user")}
	s.mu.Lock()
	reply := refuse("Zone information could not be determined for the user.")
	fault := s.faults.Strike(entry)
	s.log.Add(entry)
	if a := s.named(entry.Account); a != nil {
		root := "http://" + r.Host + "/" + a.Zone
		reply = ok(object{"zoneName": "Zone " + a.Zone, "url": root + "/ATServicesRest/", "webUrl": root + "/", "ci": len(a.base.tickets)})
	}
	s.mu.Unlock()
	s.answer(w, r, reply, fault)
}

// serve takes one API call through authentication, limits and fault to its
// handler.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, h handler) {
	_, path, _ := strings.Cut(r.URL.Path, servicePath+versionPath)
	entry := Request{Method: r.Method, Path: path, Account: r.Header.Get("UserName"), Search: strings.HasPrefix(path, "/Tickets/query")}
	kind := objectOf(path)
	body, problem := readBody(w, r)

	s.mu.Lock()
	a := s.authenticate(r)
	if a == nil {
		entry.Account = ""
		s.log.Add(entry)
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.log.Add(entry)
	refusal := s.admit(a, kind)
	latency := s.latency(a)
	s.mu.Unlock()
	if refusal != nil {
		s.answer(w, r, *refusal, nil)
		return
	}
	defer s.release(a, kind)
	wait(r, latency)

	s.mu.Lock()
	reply, fault := s.execute(&call{Server: s, account: a, r: r, body: body}, entry, h, problem)
	s.mu.Unlock()
	s.answer(w, r, reply, fault)
}

func (s *Server) execute(c *call, entry Request, h handler, problem *answer) (answer, *desk.Struck) {
	fault := s.faults.Strike(entry)
	c.newest = s.lastID
	if fault != nil {
		if !fault.Action.Commits() {
			return answer{}, fault
		}
		if fault.Action == StaleQuery {
			c.newest = fault.Newest
		}
	}
	if problem != nil {
		return *problem, fault
	}
	return h(c), fault
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, reply answer, fault *desk.Struck) {
	s.config.Logger.DebugContext(r.Context(), "stand-in call", "method", r.Method, "path", r.URL.Path, "status", reply.status)
	if fault != nil {
		fault.Write(w, r, reply.reply(), s.own)
		return
	}
	reply.reply().Write(w)
}

// authenticate wants all three headers, and the account in this zone.
func (s *Server) authenticate(r *http.Request) *account {
	a := s.named(r.Header.Get("UserName"))
	if a == nil || a.revoked || a.Secret != r.Header.Get("Secret") || a.IntegrationCode != r.Header.Get("ApiIntegrationCode") || a.Zone != r.PathValue("zone") {
		return nil
	}
	return a
}

func (s *Server) named(username string) *account {
	for _, a := range s.accounts {
		if a.Username == username {
			return a
		}
	}
	return nil
}
