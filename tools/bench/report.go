package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/bailiwick/bailiwick/tools/bench/data"
)

// report is what a run found.
type report struct {
	Size        data.Size `json:"size"`
	Connections int       `json:"connections"`
	Duration    string    `json:"duration"`
	Rounds      int       `json:"rounds"`
	CPUs        int       `json:"cpus"`
	Go          string    `json:"go"`
	Remote      bool      `json:"postgresRemote"` // then its CPU is unknown
	Rows        []row     `json:"queries"`
}

type row struct {
	Query string  `json:"query"`
	Title string  `json:"title"`
	Ours  figures `json:"bailiwick"`
	Limit figures `json:"limit"`

	// Ratio is the median over the rounds of our throughput over the limit's
	// just before or after, Cost that of the CPU time of a request.
	Ratio float64 `json:"throughputToLimit"`
	Cost  float64 `json:"cpuToLimit"`
}

func newReport(o options, pg *postgres) *report {
	return &report{
		Size: o.size, Connections: o.connections, Duration: o.pace.duration.Round(time.Millisecond).String(), Rounds: o.pace.rounds,
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Remote: pg.postmaster == 0,
	}
}

func (r *report) add(q query, medians [2]figures, rounds [2][]figures) {
	var ratios, costs []float64
	for i := range rounds[0] {
		ratios = append(ratios, rounds[0][i].PerSecond/rounds[1][i].PerSecond)
		if cpu := rounds[1][i].CPU(); cpu > 0 {
			costs = append(costs, rounds[0][i].CPU()/cpu)
		}
	}
	r.Rows = append(r.Rows, row{
		Query: q.letter, Title: q.title, Ours: medians[0], Limit: medians[1], Ratio: median(ratios), Cost: median(costs),
	})
}

func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "%d organizations, %d devices, %d open alerts; %d connections, %d × %s; %d CPUs, %s\n\n",
		r.Size.Organizations, r.Size.Devices, r.Size.Alerts, r.Connections, r.Rounds, r.Duration, r.CPUs, r.Go)
	fmt.Fprintln(w, "| query | server | requests/s | p50 ms | p99 ms | CPU-ms server | CPU-ms PostgreSQL | statements | requests/s to limit | CPU to limit |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|---|--:|--:|")
	for _, row := range r.Rows {
		r.line(w, row.Query+": "+row.Title, "bailiwick", row.Ours, fmt.Sprintf("%.2f | %.1f ×", row.Ratio, row.Cost))
		r.line(w, "", "limit", row.Limit, " | ")
	}
}

func (r *report) line(w io.Writer, title, server string, f figures, ratios string) {
	postgres := fmt.Sprintf("%.3f", f.PostgresCPU)
	if r.Remote {
		postgres = "?"
	}
	fmt.Fprintf(w, "| %s | %s | %.0f | %.2f | %.2f | %.3f | %s | %s | %s |\n",
		title, server, f.PerSecond, f.P50, f.P99, f.ServerCPU, postgres, f.Statements, ratios)
}

func (r *report) write(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
