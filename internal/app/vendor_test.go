package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	autotask "github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
	connectwise "github.com/bailiwick/bailiwick/internal/ticket/psa/connectwise/standin"
	psadesk "github.com/bailiwick/bailiwick/internal/ticket/psa/desk"
	syncro "github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// What the ticketing systems know the deployment by.
const (
	integrationCode = "TESTCODE"
	clientID        = "3e9a1c77-5d0b-4f28-a6c4-91b7e2d8f035"
)

type object = map[string]any

// vendor is a ticketing system with the accounts north and northern of one
// provider and south of another.
type vendor struct {
	product string // as the operations name it: connectAutotask
	kind    string
	input   string // the field of an update with its credentials
	secret  string // the credential that a refusal names
	// credentials open an account.
	credentials func(account, secret string) object
	// companies are ids by name: Contoso, Fabrikam, Acme Supplies (of another
	// type), Gone (inactive).
	companies map[string]string
	typeID    int // of all companies but Acme Supplies; 0 if there are no types
	settings  object
	// wrong are settings that are refused, by the field that is named; the
	// second is what the message holds.
	wrong map[string]refusal
	// tickets counts an account's tickets, and those that are open, for a company.
	tickets func(account, company string) (all, open int)
	revoke  func(account string, revoked bool)
	// fail has the next request to make a ticket fail; reads counts the
	// requests for lists of companies.
	fail  func(action psadesk.Action)
	reads func() int
}

type refusal struct {
	change object
	words  string
}

const vendorSecret = "Vendor-Secret-77"

var accounts = []string{"north", "northern", "south"}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return web.URL
}

func vendors(t *testing.T) []vendor {
	t.Helper()
	return []vendor{autotaskVendor(t), connectWiseVendor(t), syncroVendor(t)}
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func autotaskVendor(t *testing.T) vendor {
	t.Helper()
	var config autotask.Config
	for _, name := range accounts {
		config.Accounts = append(config.Accounts, autotask.Account{
			Database: name, IntegrationCode: integrationCode, Username: name, Secret: vendorSecret,
			Companies: []autotask.Company{{ID: 11, Name: "Contoso"}, {ID: 12, Name: "Fabrikam"}, {ID: 13, Name: "Acme Supplies", Type: 7}, {ID: 14, Name: "Gone", Inactive: true}},
			Roles:     []autotask.Role{{ID: 31, Name: "Technician"}, {ID: 32, Name: "Manager"}},
			Resources: []autotask.Resource{{ID: 21, First: "Ada", Last: "Osei", Roles: []int64{31}}},
		})
	}
	config.Logger, config.Clock = slog.New(slog.DiscardHandler), time.Now
	server, err := autotask.New(config)
	require.NoError(t, err)
	url := serve(t, server)
	return vendor{
		product: "Autotask", kind: "AUTOTASK", input: "autotask", secret: "secret", typeID: 1,
		credentials: func(account, secret string) object {
			return object{"username": account, "secret": secret, "baseUrl": url + "/atservicesrest"}
		},
		companies: map[string]string{"Contoso": "11", "Fabrikam": "12", "Acme Supplies": "13", "Gone": "14"},
		settings: object{
			"destination": "QUEUE", "dueDays": 2, "queue": object{"id": 8}, "priority": object{"id": 2, "name": "Medium"}, "status": object{"id": 1},
		},
		wrong: map[string]refusal{
			"input.status.id":        {object{"status": object{"id": 10}}, `"Dispatched" is inactive`},
			"input.queue.id":         {object{"queue": object{"id": 29682900}}, `"Abandoned" is inactive`},
			"input.priority.name":    {object{"priority": object{"id": 2, "name": "High"}}, `"Medium"`},
			"input.priority.id":      {object{"priority": object{"id": 77}}, "77"},
			"input.resource.id":      {object{"destination": "RESOURCE"}, "required"},
			"input.resource.role.id": {object{"destination": "RESOURCE", "resource": object{"id": 21, "role": object{"id": 32}}}, "32"},
			"input.dueDays":          {object{"dueDays": 366}, "365"},
		},
		tickets: func(account, company string) (all, open int) {
			for _, one := range server.Tickets(account) {
				if id(one.CompanyID) == company {
					all++
					if one.CompletedAt.IsZero() {
						open++
					}
				}
			}
			return all, open
		},
		revoke: server.Revoke,
		fail: func(action psadesk.Action) {
			server.Inject(autotask.Fault{Method: http.MethodPost, Path: "/Tickets", Action: action})
		},
		reads: func() int { return len(server.Requests(http.MethodGet, "/Companies/query")) },
	}
}

func connectWiseVendor(t *testing.T) vendor {
	t.Helper()
	var config connectwise.Config
	for _, name := range accounts {
		config.Accounts = append(config.Accounts, connectwise.Account{
			CompanyID: name, PublicKey: name, PrivateKey: vendorSecret,
			CompanyTypes: []connectwise.Choice{{ID: 1, Name: "Client"}, {ID: 2, Name: "Vendor"}},
			Companies:    []connectwise.Company{{ID: 11, Name: "Contoso"}, {ID: 12, Name: "Fabrikam"}, {ID: 13, Name: "Acme Supplies", Types: []int64{2}}, {ID: 14, Name: "Gone", Inactive: true}},
			Boards: []connectwise.Board{
				{ID: 1, Name: "Help Desk", Statuses: []connectwise.Status{{ID: 11, Name: "New", Default: true}, {ID: 12, Name: "Old", Inactive: true}, {ID: 13, Name: "Closed", Closed: true}}},
				{ID: 2, Name: "Alerts", Statuses: []connectwise.Status{{ID: 21, Name: "New", Default: true}, {ID: 22, Name: "Closed", Closed: true}}},
				{ID: 3, Name: "Abandoned", Inactive: true},
			},
			Priorities: []connectwise.Choice{{ID: 4, Name: "Medium"}}, Sources: []connectwise.Choice{{ID: 5, Name: "Automated"}},
		})
	}
	config.ClientIDs, config.Logger, config.Clock = []string{clientID}, slog.New(slog.DiscardHandler), time.Now
	server, err := connectwise.New(config)
	require.NoError(t, err)
	url := serve(t, server)
	return vendor{
		product: "ConnectWise", kind: "CONNECTWISE", input: "connectWise", secret: "privateKey", typeID: 1,
		credentials: func(account, secret string) object {
			return object{"url": url, "companyId": account, "publicKey": account, "privateKey": secret}
		},
		companies: map[string]string{"Contoso": "11", "Fabrikam": "12", "Acme Supplies": "13", "Gone": "14"},
		settings: object{
			"dueDays": 2, "board": object{"id": 2, "name": "Alerts"}, "status": object{"id": 21}, "priority": object{"id": 4}, "source": object{"id": 5},
		},
		wrong: map[string]refusal{
			"input.status":     {object{"status": object{"id": 11}}, `does not belong to the board "Alerts"`},
			"input.board":      {object{"board": nil}, "a status belongs to a board"},
			"input.board.name": {object{"board": object{"id": 2, "name": "Help Desk"}}, `"Alerts"`},
			"input.priority":   {object{"priority": object{"id": 77}}, "77"},
			"input.dueDays":    {object{"dueDays": -1}, "365"},
		},
		tickets: func(account, company string) (all, open int) {
			for _, one := range server.Tickets(account) {
				if id(one.CompanyID) == company {
					all++
					if !one.Closed {
						open++
					}
				}
			}
			return all, open
		},
		revoke: server.Revoke,
		fail: func(action psadesk.Action) {
			server.Inject(connectwise.Fault{Method: http.MethodPost, Path: "/service/tickets", Action: action})
		},
		reads: func() int { return len(server.Requests(http.MethodGet, "/company/companies")) },
	}
}

func syncroVendor(t *testing.T) vendor {
	t.Helper()
	var config syncro.Config
	token := func(account, secret string) string { return account + "-" + secret }
	for _, name := range accounts {
		config.Accounts = append(config.Accounts, syncro.Account{
			Subdomain: name, Token: token(name, vendorSecret), Users: []syncro.User{{ID: 21, Name: "Ada Osei"}},
			Customers: []syncro.Customer{{ID: 11, BusinessName: "Contoso"}, {ID: 12, BusinessName: "Fabrikam"}, {ID: 13, BusinessName: "Acme Supplies"}, {ID: 14, BusinessName: "Gone", Disabled: true}},
		})
	}
	config.Logger, config.Clock = slog.New(slog.DiscardHandler), time.Now
	server, err := syncro.New(config)
	require.NoError(t, err)
	url := serve(t, server)
	return vendor{
		product: "Syncro", kind: "SYNCRO", input: "syncro", secret: "apiToken",
		credentials: func(account, secret string) object {
			return object{"subdomain": account, "apiToken": token(account, secret), "baseUrl": url}
		},
		companies: map[string]string{"Contoso": "11", "Fabrikam": "12", "Acme Supplies": "13", "Gone": "14"},
		settings:  object{"dueDays": 2, "problemType": "Other", "priority": "2 Normal", "userId": 21},
		wrong: map[string]refusal{
			"input.problemType": {object{"problemType": "Else"}, "Else"},
			"input.status":      {object{"status": "Newish"}, "Newish"},
			"input.username":    {object{"username": "Bob"}, "Ada Osei"},
			"input.dueDays":     {object{"dueDays": 400}, "365"},
		},
		tickets: func(account, company string) (all, open int) {
			for _, one := range server.Tickets(token(account, vendorSecret)) {
				if id(one.CustomerID) == company {
					all++
					if one.Status != "Resolved" {
						open++
					}
				}
			}
			return all, open
		},
		revoke: func(account string, revoked bool) { server.Revoke(token(account, vendorSecret), revoked) },
		fail: func(action psadesk.Action) {
			server.Inject(syncro.Fault{Method: http.MethodPost, Path: "/tickets", Action: action})
		},
		reads: func() int { return len(server.Requests(http.MethodGet, "/customers")) },
	}
}
