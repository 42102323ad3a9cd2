package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bailiwick/bailiwick/tools/bench/mdm"
	"github.com/bailiwick/bailiwick/tools/bench/wire"
)

// mostStatements is how many a connect may take, in at most one transaction.
const mostStatements = 4

// saying is a kind of message, or of call, and what comes before it.
type saying struct {
	title   string
	connect bool   // a message to the command endpoint, for which the limit holds
	before  string // statements that set the scene
	lay     func(s *sayer) ([]byte, error)
}

// sayer is a device that is counted on.
type sayer struct {
	*managed
	device  int
	id      string // our server's
	command string // the CommandUUID that is reported on
}

func (s *sayer) say(message mdm.Message, err error) ([]byte, error) {
	return s.put(s.device, message), err
}

func (s *sayer) own() *mdm.Device { return s.fleet.Devices[s.device] }

// The scenes, in statements.
const (
	unseen  = `UPDATE device_channels SET last_seen_at = now() - interval '1 hour', signed_second = 0; UPDATE devices SET last_seen_at = now() - interval '1 hour';`
	seen    = `UPDATE device_channels SET last_seen_at = now(); UPDATE devices SET last_seen_at = now();`
	given   = `UPDATE device_commands SET status = 'ACKNOWLEDGED'; ` + order + `'SENT', 1, 'counted', '{}'` + ofDevice
	another = order + `'PENDING', 0, 'next', '{}'` + ofDevice
	order   = `INSERT INTO device_commands (id, provider_id, organization_id, device_id, channel_id, created_at, updated_at, request_type, status, attempts, command_uuid, arguments)
SELECT 'dcmd_' || gen_random_uuid(), provider_id, organization_id, device_id, id, now(), now(), 'RestartDevice', `
	ofDevice = ` FROM device_channels WHERE status = 'ENROLLED' ORDER BY id LIMIT 1;`
	nothing  = `DELETE FROM device_commands;`
)

func reporting(status string) func(s *sayer) ([]byte, error) {
	return func(s *sayer) ([]byte, error) { return s.say(s.own().Report(status, s.command)) }
}

// newcomer has another device speak, which is not enrolled: the first two are.
func newcomer(lay func(s *sayer) ([]byte, error)) func(s *sayer) ([]byte, error) {
	return func(s *sayer) ([]byte, error) { return lay(&sayer{managed: s.managed, device: 2}) }
}

func sayings() []saying {
	idle := func(s *sayer) ([]byte, error) { return s.say(s.own().Idle()) }
	authenticate := func(s *sayer) ([]byte, error) { return s.say(s.own().Authenticate()) }
	token := func(s *sayer) ([]byte, error) { return s.say(s.own().TokenUpdate()) }
	restart := func(s *sayer) ([]byte, error) {
		return s.mutation(restartOne, s.id), nil
	}
	return []saying{
		{"Idle", true, nothing + seen, idle},
		{"Idle, not seen within a minute", true, nothing + unseen, idle},
		{"Idle, with a command", true, nothing + seen + another, idle},
		{"Idle, with a command, not seen within a minute", true, nothing + unseen + another, idle},
		{"Acknowledged", true, nothing + seen + given, reporting("Acknowledged")},
		{"Acknowledged, with another command", true, nothing + seen + given + another, reporting("Acknowledged")},
		{"Acknowledged, with another command, not seen within a minute", true, nothing + unseen + given + another, reporting("Acknowledged")},
		{"NotNow", true, nothing + seen + given, reporting("NotNow")},
		{"Error", true, nothing + seen + given, reporting("Error")},
		{"CommandFormatError", true, nothing + seen + given, reporting("CommandFormatError")},
		{"Authenticate, of a new device", false, nothing, newcomer(authenticate)},
		{"TokenUpdate, the first", false, nothing, newcomer(token)},
		{"Authenticate, again", false, nothing, authenticate},
		{"TokenUpdate, a later one", false, nothing, token},
		{"SetBootstrapToken", false, nothing, func(s *sayer) ([]byte, error) { return s.say(s.own().SetBootstrapToken()) }},
		{"GetBootstrapToken", false, nothing, func(s *sayer) ([]byte, error) { return s.say(s.own().Checkin("GetBootstrapToken", "")) }},
		{"restartDevice, the mutation", false, nothing, restart},
		{"restartDevice, while a push is due", false, nothing, restart},
		{"CheckOut", false, nothing, func(s *sayer) ([]byte, error) { return s.say(s.own().CheckOut()) }},
	}
}

// mdmStatements counts what each kind of message sends to the database.
func mdmStatements(ctx context.Context, o options, pg *postgres, p programs, fleet *mdm.Fleet, v *verdict, out io.Writer) (err error) {
	var tap *wire.Proxy
	var failed error
	m, err := p.manage(ctx, pg, fleet, 1, 2, asIs, func(url string) string {
		if tap, failed = wire.Listen(ctx, url); failed != nil {
			return url
		}
		return tap.URL()
	})
	if tap != nil {
		defer func() { err = errors.Join(err, tap.Close()) }()
	}
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return ask(ctx, m.url, func(db *sql.DB) error {
		return m.count(ctx, o, db, tap, v, out)
	})
}

func (m *managed) count(ctx context.Context, o options, db *sql.DB, tap *wire.Proxy, v *verdict, out io.Writer) error {
	s := &sayer{managed: m, command: "counted"}
	var udid string
	err := db.QueryRowContext(ctx, `SELECT c.key, d.id FROM device_channels c JOIN devices d ON d.id = c.device_id ORDER BY c.id LIMIT 1`).Scan(&udid, &s.id)
	if err != nil {
		return err
	}
	for i, device := range m.fleet.Devices {
		if device.UDID == udid {
			s.device = i
		}
	}
	fmt.Fprintln(out, "\n| message | statements, at most 4 for a connect | transactions, at most 1 | |")
	fmt.Fprintln(out, "|---|---|--:|---|")
	for _, told := range sayings() {
		request, err := told.lay(s)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, told.before); err != nil {
			return err
		}
		if err := until(ctx, db, settled); err != nil { // what earlier messages have left behind
			return err
		}
		if _, err := m.pool.Once(m.warm()); err != nil {
			return err
		}
		tap.Take()
		if _, err := m.pool.Once(request); err != nil {
			return fmt.Errorf("%s: %w", told.title, err)
		}
		seen := tap.Take()
		mark := ""
		c := tally(own(seen))
		begun := 0
		for _, statement := range seen {
			if strings.HasPrefix(statement.SQL, "BEGIN") {
				begun++
			}
		}
		if told.connect {
			mark = v.mark(c.Statements <= mostStatements && begun <= 1)
		}
		fmt.Fprintf(out, "| %s | %s | %d | %s |\n", told.title, c, begun, mark)
		if o.explain {
			for _, statement := range seen {
				fmt.Fprintf(os.Stderr, "    %.600s\n", statement.SQL)
			}
		}
	}
	return nil
}

// warm is a request that leaves the connections in the organization's scope:
// an Idle of another device.
func (m *managed) warm() []byte {
	message, err := m.fleet.Devices[1].Idle()
	if err != nil {
		return nil
	}
	return m.put(1, message)
}
