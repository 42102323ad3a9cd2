package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/bailiwick/bailiwick/graph/exec"
	"github.com/bailiwick/bailiwick/internal/demo"
)

// startDemo starts "demo --json" and reads its line.
func startDemo(t *testing.T, env []string, args ...string) (*process, demo.Announcement) {
	t.Helper()
	p := start(t, env, append([]string{"demo", "--addr=127.0.0.1:0", "--json"}, args...)...)
	var a demo.Announcement
	decoder := json.NewDecoder(strings.NewReader(p.line(t)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&a))
	return p, a
}

func as(a demo.Announcement, i int) api {
	return api{a.GraphQL, map[string]string{"x-api-key": a.Administrators[i].APIKey}}
}

func page(t *testing.T, url string) string {
	t.Helper()
	response, err := (&http.Client{Timeout: patience}).Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	return string(body)
}

func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	p, a := startDemo(t, []string{"TMPDIR=" + temporary, "BAILIWICK_DATABASE_URL=postgres://never@127.0.0.1:1/never"})

	t.Run("what it announces is there", func(t *testing.T) {
		require.Equal(t, "Northwind MSP", a.Provider.Name)
		require.Len(t, a.Organizations, 3)
		roles := map[string]int{}
		for i, m := range a.Administrators {
			roles[m.Role] = len(m.Organizations)
			viewer := as(a, i).do(t, `{ viewer { administrator { email } provider { id } } }`, nil)
			require.Equal(t, m.Email, viewer.text(t, "viewer", "administrator", "email"))
			require.Equal(t, a.Provider.ID, viewer.text(t, "viewer", "provider", "id"))
			session := api{endpoint: a.GraphQL}.do(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { session { accessToken } } }`,
				map[string]any{"e": m.Email, "p": m.Password})
			require.NotEmpty(t, session.text(t, "signIn", "session", "accessToken"))
		}
		require.Equal(t, map[string]int{"Administrator With Billing": 3, "Help Desk": 2, "Read Only": 1, "Alert Partner": 3}, roles)
		require.Contains(t, page(t, a.Console), "<html")
		counts := as(a, 0).do(t, `{ devices(first: 1) { totalCount } users(first: 1) { totalCount } }`, nil)
		require.EqualValues(t, 25, counts.at(t, "devices", "totalCount"))
		require.EqualValues(t, 30, counts.at(t, "users", "totalCount"))
		eventually(t, "every alert's ticket has arrived", func() bool {
			return strings.Count(page(t, a.PSA), "could not install macOS 26.1") > 0 &&
				len(as(a, 0).do(t, `{ tickets(first: 50, filter: {status: CREATED}) { edges { node { id } } } }`, nil).nodes(t, "tickets")) == 7
		})
	})

	t.Run("nobody reaches more than their organizations", func(t *testing.T) {
		readOnly := a.Administrators[2]
		for _, o := range a.Organizations {
			got, err := as(a, 2).with("x-org-id", o.ID).try(t.Context(), `{ devices { totalCount } }`, nil)
			require.NoError(t, err)
			if slices.Contains(readOnly.Organizations, o.ID) {
				require.Empty(t, got.Errors)
				continue
			}
			require.Equal(t, "NOT_FOUND", got.Errors[0].Extensions["code"])
		}
		got, err := as(a, 2).with("x-org-id", readOnly.Organizations[0]).
			try(t.Context(), `mutation { raiseAlert(input: {title: "x"}) { alert { id } } }`, nil)
		require.NoError(t, err)
		require.Equal(t, "FORBIDDEN", got.Errors[0].Extensions["code"])
	})

	t.Run("the main job", func(t *testing.T) {
		list := as(a, 1).do(t, `{ alerts(filter: {open: true}) { edges { node { organization { id } } } } }`, nil)
		seen := map[any]bool{}
		for _, n := range list.nodes(t, "alerts") {
			seen[n["organization"].(map[string]any)["id"]] = true
		}
		require.Len(t, seen, 2, "one request shows every organization in reach")

		raise := `mutation { raiseAlert(input: {title: "Coolant leak in rack 4", dedupeKey: "rack-4"}) { opened alert { id } } }`
		inside := as(a, 3).with("x-org-id", a.Organizations[1].ID)
		raised := inside.do(t, raise, nil)
		alert := raised.text(t, "raiseAlert", "alert", "id")
		require.Equal(t, true, raised.at(t, "raiseAlert", "opened"))
		require.Equal(t, false, inside.do(t, raise, nil).at(t, "raiseAlert", "opened"))
		eventually(t, "the ticket is at the PSA", func() bool {
			return slices.Equal(as(a, 1).alertTickets(t, alert), []string{"CREATED"})
		})
		as(a, 1).do(t, `mutation($id: ID!) { resolveAlert(input: {id: $id}) { alert { status } } }`, map[string]any{"id": alert})
		eventually(t, "the ticket is closed", func() bool {
			return slices.Equal(as(a, 1).alertTickets(t, alert), []string{"CLOSED"})
		})
	})

	t.Run("the printed commands", func(t *testing.T) {
		var text strings.Builder
		require.NoError(t, a.Write(&text))
		require.Len(t, a.Commands(), 6)
		var script []string
		for _, c := range a.Commands() {
			require.Contains(t, text.String(), c.Shell)
			script = append(script, c.Shell)
		}
		out := shell(t, nil, strings.Join(script, "\n"))
		require.Contains(t, out, `"totalCount":`)
		require.Contains(t, out, `"opened":true`)
		require.Contains(t, out, `{"data":{"resolveAlert":{"alert":{"status":"RESOLVED"}}}}`)
		require.Regexp(t, `"status":"RESOLVED","tickets":.*"status":"CLOSED"`, out)
		require.Contains(t, out, `{"data":{"devices":{"totalCount":9,`)
		require.Contains(t, out, `{"data":{"deviceCommand":{"requestType":"DeviceLock","status":"`)
		require.NotContains(t, out, `"errors"`)
		eventually(t, "the Mac is locked", func() bool {
			locks := as(a, 0).do(t, `{ deviceCommands(filter: {requestType: "DeviceLock", status: ACKNOWLEDGED}) { edges { node { id } } } }`, nil)
			return len(locks.nodes(t, "deviceCommands")) == 1
		})
	})

	t.Run("the guide's examples", func(t *testing.T) {
		guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide.md"))
		require.NoError(t, err)
		script := blocks(guide, "sh")
		require.Greater(t, len(script), 8)
		out := shell(t, []string{
			"GRAPHQL=" + a.GraphQL, "EMAIL=" + a.Administrators[0].Email, "PASSWORD=" + a.Administrators[0].Password,
			"API_KEY=" + a.Administrators[0].APIKey, "PARTNER_KEY=" + a.Administrators[3].APIKey, "ORGANIZATION=" + a.Organizations[0].ID,
		}, strings.Join(script, "\necho\n"))
		require.Equal(t, 1, strings.Count(out, `"errors"`), "but for the example of an error, all succeed:\n%s", out)
		require.Contains(t, out, `"code":"NOT_FOUND"`)
		require.Equal(t, 1, strings.Count(out, `"accessTokenExpiresAt"`))
		require.Equal(t, 2, strings.Count(out, `{"data":{"raiseAlert":{"opened":true,`), "the repeat with the same key has the first answer:\n%s", out)
		require.Contains(t, out, `"status":"RESOLVED"`)
	})

	t.Run("the examples of the guide to devices", func(t *testing.T) {
		guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "apple-mdm.md"))
		require.NoError(t, err)
		script := blocks(guide, "sh")
		require.Len(t, script, 6)
		mac, other := named(t, a, "ALD-FRONTDESK-02"), named(t, a, "ALD-MANAGER-MBA")
		out := shell(t, []string{
			"GRAPHQL=" + a.GraphQL, "API_KEY=" + a.Administrators[0].APIKey, "ORGANIZATION=" + mac.Organization, "DEVICE=" + mac.ID,
			"OTHER=" + other.ID,
		}, strings.Join(script, "\necho\n"))
		require.NotContains(t, out, `"errors"`)
		require.Regexp(t, `"pin":"[0-9]{6}"`, out)
		require.Contains(t, out, `"requestType":"DeviceLock"`)
		require.Regexp(t, `"status":"PENDING","priority":0,"notBefore":"20[^"]+","expiresAt":"20[^"]+"`, out)
	})

	t.Run("the examples of the set-up guides", func(t *testing.T) {
		for _, vendor := range []string{"autotask", "connectwise", "syncro"} {
			guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "ticketing", vendor+".md"))
			require.NoError(t, err)
			script := blocks(guide, "sh")
			require.Greater(t, len(script), 7, vendor)
			out := shell(t, []string{"GRAPHQL=" + a.GraphQL, "API_KEY=" + a.Administrators[0].APIKey, "ORGANIZATION=" + a.Organizations[0].ID}, strings.Join(script, "\necho\n"))
			require.NotContains(t, out, `"errors"`, "%s: %s", vendor, out)
			for _, want := range []string{`"accepted":true`, `"externalCompanyName":"Dunmore Bakery"`, `"closed":true,"problem":null`, `"deletedId":"tac_`} {
				require.Contains(t, out, want, vendor)
			}
			operations := blocks(guide, "graphql")
			require.Len(t, operations, 2, vendor)
			for _, operation := range operations {
				_, mistakes := gqlparser.LoadQueryWithRules(exec.NewExecutableSchema(exec.Config{}).Schema(), operation, rules.NewDefaultRules())
				require.Empty(t, mistakes, operation)
			}
		}
	})

	t.Run("every PSA is connected", func(t *testing.T) {
		require.Equal(t, a.PSA, a.PSAs.Syncro)
		for vendor, url := range map[string]string{"Autotask": a.PSAs.Autotask, "ConnectWise": a.PSAs.ConnectWise, "Syncro": a.PSAs.Syncro} {
			require.Contains(t, page(t, url), vendor)
		}
		for _, i := range as(a, 0).do(t, `{ ticketingIntegrations { edges { node { kind automaticTicketing status } } } }`, nil).nodes(t, "ticketingIntegrations") {
			require.Equal(t, i["kind"] == "SYNCRO", i["automaticTicketing"])
			require.Equal(t, "ACTIVE", i["status"])
		}
	})

	require.Zero(t, p.stop(t, syscall.SIGTERM))
	require.Empty(t, p.rest(t), "one line, and nothing else")
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprint(left), "bailiwick", "the temporary directory goes with the demo")
}

// blocks are the examples of a page in a language.
func blocks(page []byte, language string) (all []string) {
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(page, -1) {
		all = append(all, string(block[1]))
	}
	return all
}

// shell runs a script with the test binary for its curl, and returns what a
// person would see.
func shell(t *testing.T, env []string, script string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(bin, "curl")))
	c := osexec.CommandContext(t.Context(), "sh", "-c", script)
	c.Env = append(append(os.Environ(), env...), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	if exit, ok := errors.AsType[*osexec.ExitError](err); ok && exit.ExitCode() == 28 { // --max-time, of the last command
		err = nil
	}
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestDemoStartsAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p, first := startDemo(t, nil, "--data="+dir)
	require.Zero(t, p.stop(t, os.Interrupt.(syscall.Signal)))

	p, second := startDemo(t, nil, "--data="+dir)
	require.Equal(t, first.Provider, second.Provider)
	require.Equal(t, first.Organizations, second.Organizations)
	require.Equal(t, first.PSA, second.PSA, "the integration goes on knowing its PSA")
	for i, m := range second.Administrators {
		require.Equal(t, first.Administrators[i].Password, m.Password)
		require.Equal(t, first.Administrators[i].Organizations, m.Organizations)
		require.NotEqual(t, first.Administrators[i].APIKey, m.APIKey)
		old, err := api{second.GraphQL, map[string]string{"x-api-key": first.Administrators[i].APIKey}}.
			try(t.Context(), `{ viewer { administrator { email } } }`, nil)
		require.NoError(t, err)
		require.Equal(t, "UNAUTHENTICATED", old.Errors[0].Extensions["code"])
	}
	require.EqualValues(t, 25, as(second, 0).do(t, `{ devices { totalCount } }`, nil).at(t, "devices", "totalCount"))
	require.Zero(t, p.stop(t, syscall.SIGTERM))

	stored := ""
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // the test's own directory
		stored += string(content)
		return err
	}))
	for _, m := range append(first.Administrators, second.Administrators...) {
		require.False(t, strings.Contains(stored, m.Password) || strings.Contains(stored, m.APIKey), "no secret is stored in clear")
	}
}
