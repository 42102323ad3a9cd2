package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
	"github.com/bailiwick/bailiwick/tools/bench/process"
)

// spent is what a server did in all its turns.
type spent struct {
	Requests int           `json:"requests"`
	Took     time.Duration `json:"took"`
	Server   time.Duration `json:"serverCpu"`
	Postgres time.Duration `json:"postgresCpu"`
}

func (s spent) perSecond() float64 { return float64(s.Requests) / s.Took.Seconds() }

func (s spent) each(d time.Duration) float64 { return milliseconds(d) / float64(max(1, s.Requests)) }

func (s *spent) add(other spent) {
	s.Requests += other.Requests
	s.Took += other.Took
	s.Server += other.Server
	s.Postgres += other.Postgres
}

// mdmRow is a kind of work, measured on two sides.
type mdmRow struct {
	Title   string    `json:"title"`
	Devices int       `json:"devices"`
	Names   [2]string `json:"sides"`
	Sides   [2]spent  `json:"spent"`
	// Ratio is the first side's rate over the second's, Cost that of the CPU time.
	Ratio float64 `json:"rate"`
	Cost  float64 `json:"cpu"`

	ratios []float64 // of each pair of turns
}

// pairing takes turns on two sides.
type pairing struct {
	pg  *postgres
	cpu [2]func() (time.Duration, error)
}

func cpuOf(child *process.Child) func() (time.Duration, error) {
	return func() (time.Duration, error) { return process.CPU(child.PID()) }
}

// metered runs something and notes what it took.
func (p *pairing) metered(side int, run func() (load.Run, error)) (spent, error) {
	server, err := p.cpu[side]()
	if err != nil {
		return spent{}, err
	}
	database, err := p.pg.cpu()
	if err != nil {
		return spent{}, err
	}
	done, err := run()
	if err != nil {
		return spent{}, err
	}
	serverAfter, err := p.cpu[side]()
	if err != nil {
		return spent{}, err
	}
	databaseAfter, err := p.pg.cpu()
	if err != nil {
		return spent{}, err
	}
	return spent{Requests: done.Requests, Took: done.Took, Server: serverAfter - server, Postgres: databaseAfter - database}, nil
}

// warmUp is the round that is not counted: connections have plans to make.
const warmUp = -1

// turn has both sides work, one after the other; who begins alternates.
func (p *pairing) turn(round int, row *mdmRow, runs [2]func() (load.Run, error)) error {
	var rates [2]float64
	for i := range runs {
		side := (i + round - warmUp) % 2
		s, err := p.metered(side, runs[side])
		if err != nil {
			return fmt.Errorf("%s on %s: %w", row.Title, row.Names[side], err)
		}
		if round == warmUp {
			continue
		}
		row.Sides[side].add(s)
		rates[side] = s.perSecond()
	}
	if round == warmUp {
		return nil
	}
	row.ratios = append(row.ratios, rates[0]/rates[1])
	row.Ratio = median(row.ratios)
	row.Cost = (row.Sides[0].each(row.Sides[0].Server + row.Sides[0].Postgres)) / (row.Sides[1].each(row.Sides[1].Server + row.Sides[1].Postgres))
	return nil
}

// duel is our server and NanoMDM with the same devices.
type duel struct {
	pairing
	ours  *managed
	nano  *nano
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
	return errors.Join(errs...)
}

func (d *duel) row(title string, devices int) *mdmRow {
	row := &mdmRow{Title: title, Devices: devices, Names: [2]string{"bailiwick", "nanomdm"}}
	d.rows = append(d.rows, row)
	fmt.Fprintf(os.Stderr, "measuring %s, %d devices\n", title, devices)
	return row
}

// enrol enrols the devices of a range.
func (d *duel) enrol(ctx context.Context, from, to int) error {
	oursAuthenticate, nanoAuthenticate, err := d.lay(from, to, (*mdm.Device).Authenticate)
	if err != nil {
		return err
	}
	oursToken, nanoToken, err := d.lay(from, to, (*mdm.Device).TokenUpdate)
	if err != nil {
		return err
	}
	row := d.row("enrol", to)
	for t := warmUp; t < d.size.turns; t++ {
		low, high := from+(to-from)*(t-warmUp)/(d.size.turns-warmUp), from+(to-from)*(t-warmUp+1)/(d.size.turns-warmUp)
		enrol := func(pool *load.Pool, authenticate, token [][]byte) func() (load.Run, error) {
			return func() (load.Run, error) {
				return pool.Each(ctx, high-low, func(c *load.Conn, i int) error {
					if _, err := c.Ask(authenticate[low+i]); err != nil {
						return err
					}
					_, err := c.Ask(token[low+i])
					return err
				})
			}
		}
		runs := [2]func() (load.Run, error){
			enrol(d.ours.pool, oursAuthenticate, oursToken), enrol(d.nano.pool, nanoAuthenticate, nanoToken),
		}
		if err := d.turn(t, row, runs); err != nil {
			return err
		}
		s, err := d.metered(0, func() (load.Run, error) { return d.settle(ctx, high-low) })
		if err != nil {
			return err
		}
		d.arrivals.add(s)
		if t == warmUp { // plans of empty tables are as bad as they like
			if err := d.analyze(ctx); err != nil {
				return err
			}
		}
	}
	d.oursIdle, d.nanoIdle, err = d.lay(0, to, (*mdm.Device).Idle)
	return err
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
		_, err := db.ExecContext(ctx, `UPDATE device_channels SET last_seen_at = now() - interval '1 hour'`)
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

// command measures how fast commands are queued, and then carried out.
func (d *duel) command(ctx context.Context, devices int) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	enqueue, cycle := d.row("enqueue", devices), d.row("command cycle", devices)
	restart := make([][]byte, devices)
	for i := range restart {
		restart[i] = d.ours.mutation(restartOne, d.ids[i])
	}
	for t := warmUp; t < d.size.turns; t++ {
		if err := d.tidy(ctx); err != nil {
			return err
		}
		orders, acknowledged, err := d.orders(devices)
		if err != nil {
			return err
		}
		err = d.turn(t, enqueue, [2]func() (load.Run, error){
			func() (load.Run, error) {
				return d.ours.pool.Each(ctx, devices, func(c *load.Conn, i int) error {
					_, err := c.Ask(restart[i])
					return err
				})
			},
			func() (load.Run, error) {
				return d.nano.pool.Each(ctx, devices, func(c *load.Conn, i int) error {
					_, err := c.Ask(orders[i])
					return err
				})
			},
		})
		if err != nil {
			return err
		}
		reports, err := d.reports(ctx, devices)
		if err != nil {
			return err
		}
		obey := func(pool *load.Pool, idle, reports [][]byte) func() (load.Run, error) {
			return func() (load.Run, error) {
				return pool.Each(ctx, devices, func(c *load.Conn, i int) error {
					command, err := c.Ask(idle[i])
					if err == nil && len(command) == 0 {
						err = errors.New("no command was given out")
					}
					if err != nil {
						return err
					}
					return quiet(c.Ask(reports[i]))
				})
			}
		}
		err = d.turn(t, cycle, [2]func() (load.Run, error){
			obey(d.ours.pool, d.oursIdle, reports), obey(d.nano.pool, d.nanoIdle, acknowledged),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// learn finds our devices' ids.
func (d *duel) learn(ctx context.Context) error {
	known := map[string]string{}
	err := pairs(ctx, d.ours.url, `SELECT udid, id FROM devices`, known)
	d.ids = nil
	for _, device := range d.ours.fleet.Devices {
		d.ids = append(d.ids, known[device.UDID])
	}
	return err
}

// pairs reads two columns of a database.
func pairs(ctx context.Context, url, statement string, into map[string]string) error {
	return ask(ctx, url, func(db *sql.DB) (err error) {
		rows, err := db.QueryContext(ctx, statement)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close(), rows.Err()) }()
		for rows.Next() {
			var key, value string
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			into[key] = value
		}
		return nil
	})
}

// orders lays out a command for each device of NanoMDM, and its end. No push
// is asked for, as none is sent to our devices, who have no certificate for it.
func (d *duel) orders(devices int) (orders, acknowledged [][]byte, err error) {
	orders = make([][]byte, devices)
	acknowledged, err = laid(devices, func(i int) ([]byte, error) {
		device := d.ours.fleet.Devices[i]
		id := strings.ToUpper(uuid.NewString())
		order := load.Post(d.nano.child.Addr(), "/v1/enqueue/"+device.UDID+"?nopush=1",
			http.Header{"Authorization": {d.basic}}, mdm.Restart(id))
		orders[i] = order
		message, err := device.Report("Acknowledged", id)
		return d.nano.put(message), err
	})
	return orders, acknowledged, err
}

// reports lays out the end of the command that each of our devices has
// waiting. That the devices are to be notified is forgotten, as if they were.
func (d *duel) reports(ctx context.Context, devices int) ([][]byte, error) {
	waiting := map[string]string{}
	err := pairs(ctx, d.ours.url, `SELECT c.key, d.command_uuid FROM device_commands d JOIN device_channels c ON c.id = d.channel_id
WHERE d.status = 'PENDING'`, waiting)
	if err != nil {
		return nil, err
	}
	err = ask(ctx, d.ours.url, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `UPDATE device_channels SET push_wanted_at = NULL`)
		return err
	})
	if err != nil {
		return nil, err
	}
	return laid(devices, func(i int) ([]byte, error) {
		device := d.ours.fleet.Devices[i]
		message, err := device.Report("Acknowledged", waiting[device.UDID])
		return d.ours.put(i, message), err
	})
}

// withParameter adds a parameter to a database's URL.
func withParameter(address, name, value string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the database's URL cannot be parsed")
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
