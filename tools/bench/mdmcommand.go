package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

// command measures how fast commands are queued, and then carried out.
func (d *duel) command(ctx context.Context, devices int) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	enqueue, cycle := d.row("enqueue", devices), d.row("command cycle", devices)
	restart := d.restarts(devices)
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

// restarts lays out a restart of each of our devices.
func (d *duel) restarts(devices int) [][]byte {
	restart := make([][]byte, devices)
	for i := range restart {
		restart[i] = d.ours.mutation(restartOne, d.ids[i])
	}
	return restart
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
// is asked for, as none is sent to our devices, who have no certificate for it yet.
func (d *duel) orders(devices int) (orders, acknowledged [][]byte, err error) {
	orders = make([][]byte, devices)
	acknowledged, err = laid(devices, func(i int) ([]byte, error) {
		id := strings.ToUpper(uuid.NewString())
		orders[i] = d.order(i, id, "nopush=1")
		message, err := d.ours.fleet.Devices[i].Report("Acknowledged", id)
		return d.nano.put(message), err
	})
	return orders, acknowledged, err
}

// order lays out a restart of a device of NanoMDM.
func (d *duel) order(device int, id, query string) []byte {
	return load.Post(d.nano.child.Addr(), "/v1/enqueue/"+d.ours.fleet.Devices[device].UDID+"?"+query,
		http.Header{"Authorization": {d.basic}}, mdm.Restart(id))
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
