package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

// duel is our server and NanoMDM with the same devices.
type duel struct {
	pairing
	ours  *managed
	nano  *nano
	apple *apple
	size  mdmSize
	basic string // the header that NanoMDM's API wants

	ids      []string // our devices' ids, once they are enrolled
	oursIdle [][]byte
	nanoIdle [][]byte
	rows     []*mdmRow
	arrivals spent // what our jobs did for devices that had enrolled
}

func newDuel(ctx context.Context, pg *postgres, p programs, nanoPath string, fleet *mdm.Fleet, size mdmSize) (_ *duel, err error) {
	d := &duel{size: size, basic: "Basic " + base64.StdEncoding.EncodeToString([]byte("nanomdm:"+nanoKey))}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.apple, err = newApple(ctx, p.dir); err != nil {
		return nil, err
	}
	p.apple = d.apple
	if d.ours, err = p.manage(ctx, pg, fleet, size.organizations, 0, asIs, directly); err != nil {
		return nil, err
	}
	if d.nano, err = p.nano(ctx, pg, nanoPath, fleet); err != nil {
		return nil, err
	}
	d.pairing = pairing{pg: pg, cpu: [2]func() (time.Duration, error){cpuOf(d.ours.child), cpuOf(d.nano.child)}}
	return d, nil
}

// Close stops both.
func (d *duel) Close() error {
	var errs []error
	if d.ours != nil {
		errs = append(errs, d.ours.Close())
	}
	if d.nano != nil {
		errs = append(errs, d.nano.Close())
	}
	if d.apple != nil {
		errs = append(errs, d.apple.Close())
	}
	return errors.Join(errs...)
}

func (d *duel) row(title string, devices int) *mdmRow {
	row := &mdmRow{Title: title, Devices: devices, Names: [2]string{"bailiwick", "nanomdm"}}
	d.rows = append(d.rows, row)
	fmt.Fprintf(os.Stderr, "measuring %s, %d devices\n", title, devices)
	return row
}

// enrol enrols the devices of a range, some hundred in a turn, or a turn would be
// over before it could be measured.
func (d *duel) enrol(ctx context.Context, from, to int) error {
	row := d.row("enrol", to)
	for i, a := range d.size.enrolments(from, to) {
		t := warmUp + i
		if err := d.arrive(ctx, row, t, a.from, a.to); err != nil {
			return err
		}
		if t == warmUp { // plans of empty tables are as bad as they like
			if err := d.analyze(ctx); err != nil {
				return err
			}
		}
		if !a.stay {
			if err := d.forget(ctx, d.ours.fleet.Devices[a.from:a.to]); err != nil {
				return err
			}
		}
	}
	var err error
	d.oursIdle, d.nanoIdle, err = d.lay(0, to, (*mdm.Device).Idle)
	return err
}

// arrive has both take the devices of a range in.
func (d *duel) arrive(ctx context.Context, row *mdmRow, round, from, to int) error {
	oursAuthenticate, nanoAuthenticate, err := d.lay(from, to, (*mdm.Device).Authenticate)
	if err != nil {
		return err
	}
	oursToken, nanoToken, err := d.lay(from, to, (*mdm.Device).TokenUpdate)
	if err != nil {
		return err
	}
	enrol := func(pool *load.Pool, authenticate, token [][]byte) func() (load.Run, error) {
		return func() (load.Run, error) {
			return pool.Each(ctx, to-from, func(c *load.Conn, i int) error {
				if _, err := c.Ask(authenticate[from+i]); err != nil {
					return err
				}
				_, err := c.Ask(token[from+i])
				return err
			})
		}
	}
	err = d.turn(round, row, [2]func() (load.Run, error){
		enrol(d.ours.pool, oursAuthenticate, oursToken), enrol(d.nano.pool, nanoAuthenticate, nanoToken),
	})
	if err != nil {
		return err
	}
	s, err := d.metered(0, func() (load.Run, error) { return d.settle(ctx, to-from) })
	d.arrivals.add(s)
	return err
}

// forget makes devices strangers to both.
func (d *duel) forget(ctx context.Context, devices []*mdm.Device) error {
	udids := make([]string, len(devices))
	for i, device := range devices {
		udids[i] = device.UDID
	}
	for url, statements := range map[string][]string{
		d.ours.url: {
			`UPDATE device_identities SET device_id = NULL WHERE device_id IN (SELECT id FROM devices WHERE udid = ANY($1))`,
			`DELETE FROM alerts WHERE device_id IN (SELECT id FROM devices WHERE udid = ANY($1))`,
			`DELETE FROM devices WHERE udid = ANY($1)`,
		},
		d.nano.url: {`DELETE FROM devices WHERE id = ANY($1)`, `DELETE FROM cert_auth_associations WHERE id = ANY($1)`},
	} {
		err := ask(ctx, url, func(db *sql.DB) error {
			for _, statement := range statements {
				if _, err := db.ExecContext(ctx, statement, pq.Array(udids)); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lay lays out what devices of a range say, for both.
func (d *duel) lay(from, to int, say func(*mdm.Device) (mdm.Message, error)) (ours, theirs [][]byte, err error) {
	theirs = make([][]byte, to)
	ours, err = laid(to, func(i int) ([]byte, error) {
		if i < from {
			return nil, nil
		}
		message, err := say(d.ours.fleet.Devices[i])
		theirs[i] = d.nano.put(message)
		return d.ours.put(i, message), err
	})
	return ours, theirs, err
}

// settle waits until our jobs have welcomed the devices that have enrolled, and
// answers what they asked these devices, so that nothing is left to be done.
func (d *duel) settle(ctx context.Context, devices int) (run load.Run, err error) {
	began := time.Now()
	err = ask(ctx, d.ours.url, func(db *sql.DB) error {
		if err := until(ctx, db, settled); err != nil {
			return err
		}
		run.Took = time.Since(began)
		_, err := db.ExecContext(ctx, `UPDATE device_commands SET status = 'ACKNOWLEDGED', result_at = now(), attempts = 1 WHERE status <> 'ACKNOWLEDGED'`)
		return err
	})
	run.Requests = devices
	return run, err
}

// settled is whether no job of device management is left to be done, and no device
// that has enrolled to be seen to.
const settled = `SELECT NOT EXISTS (SELECT FROM river_job
WHERE kind LIKE 'applemdm.%' AND state IN ('available', 'running', 'retryable', 'scheduled'))
AND NOT EXISTS (SELECT FROM device_channels WHERE arrived_at IS NOT NULL)`

// until waits for a statement to answer true.
func until(ctx context.Context, db *sql.DB, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done := false
		if err := db.QueryRowContext(ctx, statement).Scan(&done); err != nil || done {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// analyze counts what is in both databases, which no daemon does here.
func (d *duel) analyze(ctx context.Context) error {
	for _, url := range []string{d.ours.url, d.nano.url} {
		err := ask(ctx, url, func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, "ANALYZE")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tidy vacuums what the measurements change in both databases, which no daemon
// does here.
func (d *duel) tidy(ctx context.Context) error {
	for url, tables := range map[string]string{d.ours.url: "devices, device_channels, device_commands", d.nano.url: ""} {
		err := ask(ctx, url, func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, "VACUUM ANALYZE "+tables)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetSeen makes every device one that has not been seen for a while.
func (d *duel) forgetSeen(ctx context.Context) error {
	return ask(ctx, d.ours.url, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `UPDATE device_channels SET last_seen_at = now() - interval '1 hour', signed_second = 0`)
		if err == nil {
			_, err = db.ExecContext(ctx, `UPDATE devices SET last_seen_at = now() - interval '1 hour'`)
		}
		return err
	})
}

// idle measures connects that find nothing to do: of devices that have not
// been heard of for a while, and of such as call again within a minute.
func (d *duel) idle(ctx context.Context, devices int) error {
	first := d.row("idle connect, not seen within a minute", devices)
	once := func(pool *load.Pool, requests [][]byte) func() (load.Run, error) {
		return func() (load.Run, error) {
			return pool.Each(ctx, len(requests), func(c *load.Conn, i int) error { return quiet(c.Ask(requests[i])) })
		}
	}
	for t := warmUp; t < d.size.turns; t++ {
		if err := d.forgetSeen(ctx); err != nil {
			return err
		}
		if err := d.tidy(ctx); err != nil {
			return err
		}
		if err := d.turn(t, first, [2]func() (load.Run, error){once(d.ours.pool, d.oursIdle), once(d.nano.pool, d.nanoIdle)}); err != nil {
			return err
		}
	}
	again := d.row("idle connect", devices)
	for t := warmUp; t < d.size.turns*2; t++ {
		err := d.turn(t, again, [2]func() (load.Run, error){
			func() (load.Run, error) { return d.ours.pool.For(ctx, d.size.span, d.oursIdle) },
			func() (load.Run, error) { return d.nano.pool.For(ctx, d.size.span, d.nanoIdle) },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// quiet wants an answer to be empty.
func quiet(body []byte, err error) error {
	if err == nil && len(body) > 0 {
		return fmt.Errorf("there was something to do: %.200s", body)
	}
	return err
}
