package main

import (
	"fmt"
	"time"

	"github.com/bailiwick/bailiwick/tools/bench/load"
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
	// Beside is whether it stands beside what is promised, and is not judged.
	Beside bool `json:"beside,omitempty"`

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
