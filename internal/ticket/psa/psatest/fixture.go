// Package psatest is the suite that the client of every PSA passes, against an
// honest server of its vendor.
package psatest

import (
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Fixture makes benches.
type Fixture struct {
	// Open starts a server with nothing in it. It is called once per test.
	Open func(t *testing.T) Bench
}

// Bench is one server with two accounts, and clients for them.
type Bench struct {
	Server    Server
	Vendor    psa.Vendor // the account that is tested
	Neighbour psa.Vendor // another MSP's account on the same server
	Denied    psa.Vendor // the account with a credential that is not valid
	Limited   psa.Vendor // valid credentials without the right to write tickets; nil if the vendor cannot tell
	Away      psa.Vendor // talks to a port that nobody listens on

	Account        string   // name that Verify reports for Vendor
	Secret         string   // of Vendor; must be in no error
	Companies      []string // names of the account's active companies: more than one page, in order
	Company        string   // id of one
	OtherCompany   string   // id of another
	UnknownCompany string   // id that the account does not have
	UnknownTicket  string   // id that the account does not have

	Settings  psa.Settings      // valid
	Refused   psa.Settings      // well-formed, and refused by the vendor
	Foreign   psa.Settings      // of another kind of PSA
	Choices   map[string]string // an active value of each option
	Working   string            // status of a ticket in work
	TitleMax  int               // the vendor's limit, in UTF-16 units
	BodyMax   int               // the client's limit, in UTF-16 units
	NotesMany int               // number of notes that takes more than one page
	Clock     func() time.Time  // the server's
}

// Server is what the suite sees of a vendor's server, for the tested account.
type Server interface {
	// Tickets lists what the server holds, oldest first.
	Tickets() []Ticket
	// Creates counts the requests to make a ticket that arrived, struck or not.
	Creates() int
	// NotePosts counts the requests to add a note.
	NotePosts() int
	// Inject makes the next count requests of the target fail.
	Inject(target Target, fault Fault, count int)
	// Delete removes a ticket.
	Delete(id string)
}

// Ticket is a ticket as a server holds it.
type Ticket struct {
	ID        string
	CompanyID string
	Title     string
	Body      string
	Public    bool
	Due       time.Time
	Notes     []Note // after the body, oldest first
	Closed    bool
	Mailed    bool // the customer would have been mailed
}

// Note is a note as a server holds it.
type Note struct {
	Body   string
	Public bool
}

// Target is which requests a fault strikes.
type Target string

// The targets.
const (
	OnCreate    Target = "create"
	OnFind      Target = "find"
	OnGet       Target = "get"
	OnNote      Target = "note"
	OnListNotes Target = "list notes"
	OnMove      Target = "move"
	OnVerify    Target = "verify"
	OnOptions   Target = "options"
	OnCompanies Target = "companies"
)

// Fault is what happens to a request.
type Fault string

// The faults. Those that begin with Commit execute the request first.
const (
	CommitDrop     Fault = "commit then drop"
	Commit500      Fault = "commit then 500"
	CommitSlow     Fault = "commit then slow" // until the client gives up
	CommitTruncate Fault = "commit then truncated 2xx"
	CommitHTML     Fault = "commit then HTML 200"
	CommitGarbage  Fault = "commit then meaningless JSON"
	Drop           Fault = "drop"
	Fail500        Fault = "500 without a body"
	Throttle       Fault = "429 with Retry-After of 7 s"
	ThrottleBare   Fault = "429 without Retry-After"
	HTML           Fault = "HTML 200"
	Unauthorized   Fault = "401"
	Elsewhere      Fault = "redirect to another host"
	StaleSearch    Fault = "search that lags" // behind what is made after the injection
)
