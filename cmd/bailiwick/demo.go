package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bailiwick/bailiwick/internal/demo"
	"github.com/bailiwick/bailiwick/internal/telemetry"
)

// demoCommand runs the demo.
type demoCommand struct {
	Addr      string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on. Port 0 picks a free one."`
	Data      string `placeholder:"DIR" help:"Keep the data in this directory, and use what is there. Default: a temporary one, removed at the end."`
	JSON      bool   `name:"json" help:"Print one line of JSON with URLs, sign-ins and keys when ready, and nothing else on standard output."`
	LogLevel  string `default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least severe level to log: ${enum}."`
	LogFormat string `default:"text" enum:"text,json" placeholder:"FORMAT" help:"Format of the log: ${enum}."`
}

// Help implements kong.HelpProvider.
func (demoCommand) Help() string {
	return `It starts on an embedded database, beside stand-ins for Autotask, ConnectWise, Syncro and Apple's push service on ports of their own on this machine, fills all, enrols simulated Macs, iPhones and iPads that obey as long as it runs, and prints URLs, sign-ins, API keys and commands to paste. It reads no BAILIWICK_* setting, so that it cannot come near another database.

With --data it can be started again: passwords stay the same, API keys are made anew and those of earlier starts revoked, the stand-ins, which keep their tickets in memory, begin without them, and the simulated devices enrol again.

Examples:

	bailiwick demo
	bailiwick demo --addr 127.0.0.1:0 --json
	bailiwick demo --data ./data

` + exitCodes
}

// Run serves the demo until the context ends.
func (d *demoCommand) Run(ctx context.Context, c console) error {
	logger, err := telemetry.NewLogger(c.err, d.LogLevel, d.LogFormat)
	if err != nil {
		return err
	}
	config := demo.Config{Addr: d.Addr, Dir: d.Data, Version: version(), Logger: logger, Clock: time.Now}
	return demo.Run(ctx, config, func(a demo.Announcement) error {
		if d.JSON {
			return json.NewEncoder(c.out).Encode(a)
		}
		return a.Write(c.out)
	})
}
