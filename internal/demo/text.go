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
	for _, o := range a.Organizations {
		fmt.Fprintf(&b, "  %s  %s\n", o.ID, o.Name)
	}
	b.WriteString("\nAdministrators:\n")
	for _, m := range a.Administrators {
		fmt.Fprintf(&b, "  %s, %s, %s\n    password  %s\n    x-api-key %s\n", m.Email, m.Role, reach(len(m.Organizations)), m.Password, m.APIKey)
	}
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
// alert raised in one customer by a partner, and its end. They depend on each
// other and are for one shell, in this order.
func (a Announcement) Commands() []Command {
	technician, monitoring := a.Administrators[0], a.Administrators[len(a.Administrators)-1]
	call := func(key string, headers ...string) string {
		all := append([]string{"x-api-key: " + key, "content-type: application/json"}, headers...)
		return `curl -sS -w '\n' ` + a.GraphQL + " -H '" + strings.Join(all, "' -H '") + "' \\\n  -d "
	}
	return []Command{
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
}
