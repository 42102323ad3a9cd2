package main

import (
	"context"
	"database/sql"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/bailiwick/bailiwick/tools/bench/load"
	"github.com/bailiwick/bailiwick/tools/bench/mdm"
)

const (
	bulkDevices = 100 // told in one call
	bulkRounds  = 4   // that every device is told in a turn
)

// bulk measures how fast a fleet is told something, many devices in a call: each
// counts as one. The devices of a call are of several organizations.
func (d *duel) bulk(ctx context.Context, devices int) error {
	row := d.row("enqueue, 100 devices a call", devices)
	row.Beside = true
	each := min(bulkDevices, devices)
	calls := bulkRounds * devices / each
	for t := warmUp; t < d.size.turns; t++ {
		if err := d.tidy(ctx); err != nil {
			return err
		}
		ours, theirs := make([][]byte, calls), make([][]byte, calls)
		for call := range calls {
			ids, udids := make([]string, each), make([]string, each)
			for i := range each {
				at := (call*each + i) % devices
				ids[i], udids[i] = d.ids[at], d.ours.fleet.Devices[at].UDID
			}
			ours[call] = d.ours.mutation(restartMany, ids)
			theirs[call] = load.Post(d.nano.child.Addr(), "/v1/enqueue/"+strings.Join(udids, ",")+"?nopush=1",
				http.Header{"Authorization": {d.basic}}, mdm.Restart(strings.ToUpper(uuid.NewString())))
		}
		tell := func(pool *load.Pool, requests [][]byte) func() (load.Run, error) {
			return func() (load.Run, error) {
				run, err := pool.Each(ctx, calls, func(c *load.Conn, i int) error {
					_, err := c.Ask(requests[i])
					return err
				})
				run.Requests *= each
				return run, err
			}
		}
		if err := d.turn(t, row, [2]func() (load.Run, error){tell(d.ours.pool, ours), tell(d.nano.pool, theirs)}); err != nil {
			return err
		}
		if err := d.done(ctx); err != nil {
			return err
		}
	}
	return nil
}

// done ends what the devices of both have been told.
func (d *duel) done(ctx context.Context) error {
	for url, statement := range map[string]string{
		d.ours.url: `UPDATE device_commands SET status = 'ACKNOWLEDGED', result_at = now(), attempts = 1 WHERE status <> 'ACKNOWLEDGED';
UPDATE device_channels SET push_wanted_at = NULL`,
		d.nano.url: `TRUNCATE commands CASCADE`,
	} {
		err := ask(ctx, url, func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
