package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb/cluster"
	"github.com/bailiwick/bailiwick/tools/bench/delivery"
)

// deliver prints how fast alerts become tickets, with one replica and with two.
func deliver(ctx context.Context, o options, pg *postgres) error {
	c := delivery.Config{Workers: 8, Organizations: 40, Backlog: 2000, Alerts: 500, Every: 40 * time.Millisecond}
	if o.quick {
		c.Backlog, c.Alerts = 100, 50
	}
	fmt.Printf("%d organizations; a backlog of %d tickets, then an alert every %s; %d workers in each replica; no limit in the way\n\n",
		c.Organizations, c.Backlog, c.Every, c.Workers)
	fmt.Println("| replicas | deliveries/s | raised to 2xx, p50 | p99 |")
	fmt.Println("|---|---|---|---|")
	for c.Replicas = 1; c.Replicas <= 2; c.Replicas++ {
		result, err := deliverOn(ctx, pg, c)
		if err != nil {
			return fmt.Errorf("%d replicas: %w", c.Replicas, err)
		}
		fmt.Printf("| %d | %.0f | %s | %s |\n", c.Replicas, result.PerSecond,
			result.P50.Round(100*time.Microsecond), result.P99.Round(100*time.Microsecond))
	}
	fmt.Fprintln(os.Stderr, "absolute figures tell of the machine, which the vendor shares")
	return nil
}

func deliverOn(ctx context.Context, pg *postgres, c delivery.Config) (result delivery.Result, err error) {
	var suffix [6]byte
	rand.Read(suffix[:])
	url, drop, err := cluster.CreateDatabase(ctx, pg.url, "bailiwick_bench_delivery_"+hex.EncodeToString(suffix[:]), "template0")
	if err != nil {
		return result, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		err = errors.Join(err, drop(ctx))
	}()
	if err := migrate(ctx, url); err != nil {
		return result, err
	}
	c.URL = url
	return delivery.Run(ctx, c)
}
