package ticket

import "github.com/bailiwick/bailiwick/internal/ticket/psa"

// advice is what to do about a vendor's error: what to grant, or where to look.
func advice(kind psa.Kind, class psa.Class, operation string) string {
	switch class {
	case psa.Auth:
		return map[psa.Kind]string{
			psa.Autotask: "In Autotask, open Admin > Resources/Users (HR) and the API user: it must be active and not locked, its key and secret " +
				"those given here, its tracking identifier this service's, and its security level API User (system), or a copy of it that lets it " +
				"view companies, and view, add and edit tickets and their notes. Then verify the integration.",
			psa.ConnectWise: "In ConnectWise PSA, open System > Members > API Members and the member: its API key must be there and the member active. " +
				"Its role needs, under System > Security Roles: Companies > Company Maintenance, inquire all; Service Desk > Service Tickets, add, " +
				"edit and inquire all; Service Desk > Close Service Tickets, edit and inquire all; System > Table Setup, inquire all. Then verify the integration.",
			psa.Syncro: "In Syncro, open Admin > API Tokens: the token must be there and not expired, with the permissions Customers List/Search and " +
				"View Detail, and Tickets List/Search, View Details, Create and Edit. Then verify the integration.",
		}[kind]
	case psa.Throttled:
		return map[psa.Kind]string{
			psa.Autotask: "Autotask allows 10,000 requests an hour to all integrations of your database together. It goes on by itself; if it comes back, " +
				"look in Autotask under Admin > Extensions & Integrations which of them asks that much.",
			psa.ConnectWise: "ConnectWise limits the requests of a minute. It goes on by itself; if it comes back, look which other integration asks that much.",
			psa.Syncro:      "Syncro allows 180 requests a minute from one address. It goes on by itself.",
		}[kind]
	case psa.Uncertain, psa.NotSent:
		text := "Nothing needs to be done at once: it is tried again, and a ticket is looked for before it is sent again. If it lasts, look at the vendor's status page"
		if kind == psa.ConnectWise {
			text += ", and for a server of your own whether it can be reached from the internet"
		}
		return text + "."
	case psa.Gone:
		return "It was deleted in the ticketing system, or merged into another. What was deleted there is not made again."
	}
	switch operation {
	case "create", "test":
		return "The ticketing system does not accept the ticket as it is configured. Read its words, refresh ticketingAlertOptions, and change the " +
			"alert type's configuration or the organization's company; tickets that wait are then sent again. " + map[psa.Kind]string{
			psa.Autotask:    "Autotask's ticket categories and required fields apply to API users too: see Admin > Features & Settings > Service Desk.",
			psa.ConnectWise: "The board must be active, and the member must be allowed to use it.",
			psa.Syncro:      "Problem types and statuses are under Admin > Tickets - Preferences.",
		}[kind]
	case "usage":
		return "The ticketing system does not accept the number of users. Read its words; see whether the agreement and its line still run " +
			"(ticketingAgreements), and whether the credentials may change them; choose another line with setTicketingBillingMappings, " +
			"or write it again with writeTicketingUsage."
	}
	return "The ticketing system does not accept it. Read its words; once what they say is changed, try again."
}
