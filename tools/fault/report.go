package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bailiwick/bailiwick/internal/testkit/ordeal"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// report prints the table, the canaries below it, and what is wrong. It reports
// whether nothing is.
func report(out, wrong io.Writer, rows []row) (sound bool) {
	sound = true
	fmt.Fprintln(out, "| vendor | fault | runs | struck | incidents | tickets made | lost | doubled | out of order | |")
	fmt.Fprintln(out, "|---|---|---:|---:|---:|---:|---:|---:|---:|---|")
	var canaries []string
	for _, r := range rows {
		if r.canary {
			noticed := !r.result.Sound()
			sound = sound && noticed
			canaries = append(canaries, canary(r, noticed))
			continue
		}
		fmt.Fprintf(out, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %s |\n", product(r.vendor), r.fault,
			r.result.Runs, r.result.Struck, r.result.Incidents, r.result.Tickets, r.result.Lost, r.result.Doubled, r.result.Disordered, remark(r.result))
		sound = sound && r.result.Sound()
		for _, complaint := range r.result.Complaints {
			fmt.Fprintf(wrong, "%s, %s: %s\n", product(r.vendor), r.fault, complaint)
		}
	}
	fmt.Fprintf(out, "\n%s\n", strings.Join(canaries, "\n"))
	return sound
}

func canary(r row, noticed bool) string {
	verdict := "noticed"
	if !noticed {
		verdict = "NOT NOTICED: the table says nothing"
	}
	return fmt.Sprintf("Canary, %s (%s): %d doubled, %d lost in %d incidents: %s.",
		r.fault, product(r.vendor), r.result.Doubled, r.result.Lost, r.result.Incidents, verdict)
}

func remark(r ordeal.Result) string {
	if r.Again > 0 {
		return fmt.Sprintf("%d duplicates were made, found, and closed", r.Again)
	}
	return r.Remark
}

func product(kind psa.Kind) string {
	switch kind {
	case psa.Autotask:
		return "Autotask"
	case psa.ConnectWise:
		return "ConnectWise"
	default:
		return "Syncro"
	}
}

// bar shows a person how far the runs are; to a file it says nothing.
type bar struct {
	mu    sync.Mutex
	shown *progressbar.ProgressBar // nil without a terminal
}

func newBar(runs int) *bar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return &bar{}
	}
	return &bar{shown: progressbar.NewOptions(runs, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionSetDescription("runs"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))}
}

func (b *bar) step(runs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown != nil {
		_ = b.shown.Add(runs) // a bar that cannot be drawn stops nothing
	}
}

func (b *bar) end() {
	if b.shown != nil {
		_ = b.shown.Finish()
	}
}
