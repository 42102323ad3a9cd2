package demo

import (
	"fmt"
	"io"
	"strings"
)

// Write shows the announcement to a person, with commands to paste.
func (a Announcement) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is ready.\n\n", a.Provider.Name)
	fmt.Fprintf(&b, "  GraphQL   %s\n  console   %s\n  PSA       %s  (Syncro: the tickets arrive here)\n", a.GraphQL, a.Console, a.PSA)
	fmt.Fprintf(&b, "            %s  (Autotask: connected, without automatic tickets)\n            %s  (ConnectWise: the same)\n\n", a.PSAs.Autotask, a.PSAs.ConnectWise)
	b.WriteString("Organizations:\n")
	names := map[string]string{}
	for _, o := range a.Organizations {
		names[o.ID] = o.Name
		fmt.Fprintf(&b, "  %s  %s\n", o.ID, o.Name)
	}
	b.WriteString("\nAdministrators:\n")
	for _, m := range a.Administrators {
		fmt.Fprintf(&b, "  %s, %s, %s\n    password  %s\n    x-api-key %s\n", m.Email, m.Role, reach(len(m.Organizations)), m.Password, m.APIKey)
	}
	fmt.Fprintf(&b, "\nSimulated Apple devices, %d enrolled: watch them at %s\n", len(a.Devices), a.Simulator)
	for _, d := range a.Devices {
		fmt.Fprintf(&b, "  %s  %-6s  %-16s  %s\n", d.ID, d.Platform, d.Name, names[d.Organization])
	}
	fmt.Fprintf(&b, "  APNs      %s  (the stand-in that wakes them)\n", a.APNs)
	b.WriteString("\nThe main job, to paste into a shell:\n")
	for _, c := range a.Commands() {
		fmt.Fprintf(&b, "\n# %s\n%s\n", c.What, c.Shell)
	}
	b.WriteString("\nPress Ctrl-C to stop.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func reach(n int) string {
	if n == 1 {
		return "1 organization"
	}
	return fmt.Sprintf("%d organizations", n)
}

// Command is something to paste into a shell.
type Command struct {
	What  string // in a line
	Shell string
}

// Commands are the main job: every customer's open alerts in one request, an
// alert raised in one customer by a partner, and its end; then every customer's
// devices, and a Mac that is locked. They depend on each other and are for one
// shell, in this order.
func (a Announcement) Commands() []Command {
	technician, monitoring := a.Administrators[0], a.Administrators[len(a.Administrators)-1]
	call := func(key string, headers ...string) string {
		all := append([]string{"x-api-key: " + key, "content-type: application/json"}, headers...)
		return `curl -sS -w '\n' ` + a.GraphQL + " -H '" + strings.Join(all, "' -H '") + "' \\\n  -d "
	}
	commands := []Command{
		{
			"Every open alert of every customer, in one request.",
			call(technician.APIKey) +
				`'{"query":"{ alerts(first: 20, filter: {open: true}) { totalCount edges { node { id severity title organization { name } } } } }"}'`,
		},
		{
			"A partner raises an alert in one of them. A ticket appears at the PSA.",
			"ALERT=$(" + call(monitoring.APIKey, "x-org-id: "+a.Organizations[0].ID) +
				`'{"query":"mutation { raiseAlert(input: {title: \"UPS on battery\", severity: HIGH, dedupeKey: \"ups-1\"}) { opened alert { id status } } }"}'` +
				` | tee /dev/stderr | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')`,
		},
		{
			"It is resolved, and a moment later the ticket is closed.",
			call(technician.APIKey) + `'{"query":"mutation { resolveAlert(input: {id: \"'"$ALERT"'\"}) { alert { status } } }"}'` +
				"; sleep 3\n" +
				call(technician.APIKey) +
				`'{"query":"{ alert(id: \"'"$ALERT"'\") { status tickets { edges { node { status externalNumber } } } } }"}'`,
		},
	}
	for _, d := range a.Devices {
		if d.Platform == "MACOS" {
			return append(commands, lock(d, func(headers ...string) string { return call(technician.APIKey, headers...) })...)
		}
	}
	return commands
}

// lock lists the devices, locks a Mac, and sees it obey. Each call begins a
// request of the technician's with more headers.
func lock(mac Device, call func(headers ...string) string) []Command {
	return []Command{
		{
			"Every managed Apple device of every customer, in one request.",
			call() +
				`'{"query":"{ devices(first: 20, filter: {enrolled: true}) { totalCount edges { node { id name platform model osVersion supervised organization { name } } } } }"}'`,
		},
		{
			"One of them is locked: " + mac.Name + ". It is woken through APNs, connects, and obeys.",
			"COMMAND=$(" + call("x-org-id: "+mac.Organization) +
				`'{"query":"mutation { lockDevice(input: {deviceId: \"` + mac.ID + `\", message: \"Please call Northwind\"}) { pin command { status id } } }"}'` +
				` | tee /dev/stderr | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')`,
		},
		{
			"A moment later it has. The PIN above unlocks it, on the page of the devices.",
			"sleep 1; " + call() +
				`'{"query":"{ deviceCommand(id: \"'"$COMMAND"'\") { requestType status createdAt sentAt resultAt device { name lastSeenAt } } }"}'`,
		},
	}
}
