// Command bailiwick serves the Bailiwick API, and sets it up.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echo is how long after a signal another one counts as the same: whoever
// stops a process and then its process group, as timeout(1) does, sends two.
const echo = 500 * time.Millisecond

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals // the first asks to stop
		stop()
		asked := time.Now()
		for range signals {
			if time.Since(asked) > echo { // the next one means at once
				os.Exit(exitFailed)
			}
		}
	}()
	os.Exit(run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
