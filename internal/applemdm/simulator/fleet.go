package simulator

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
)

// Fleet is many devices that connect when they are pushed, as long as it runs.
// It is safe for concurrent use.
type Fleet struct {
	logger  *slog.Logger
	workers int

	mu      sync.Mutex
	devices []*Device
	tokens  map[string]*Device // as they were when last looked for
	pending map[*Device]bool   // pushed, and not yet connecting
	line    []*Device
	wake    chan struct{}
}

// NewFleet returns a fleet without devices. So many of its devices connect at
// once.
func NewFleet(workers int, logger *slog.Logger) (*Fleet, error) {
	if workers < 1 || logger == nil {
		return nil, errors.New("simulator: a fleet needs workers and a logger")
	}
	return &Fleet{logger: logger, workers: workers, pending: map[*Device]bool{}, wake: make(chan struct{}, workers)}, nil
}

// Add adds a device, enrolled or not.
func (f *Fleet) Add(d *Device) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices = append(f.devices, d)
}

// Devices returns the devices in the order in which they were added.
func (f *Fleet) Devices() []*Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*Device(nil), f.devices...)
}

// Push delivers a notification: the device with this token connects, if the
// PushMagic is the one it gave. It does not wait. Several pushes before the
// device gets to it are one.
func (f *Fleet) Push(token []byte, magic string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.find(token)
	if d == nil {
		return false
	}
	if _, expected := d.Push(); expected != magic {
		return false
	}
	if !f.pending[d] {
		f.pending[d] = true
		f.line = append(f.line, d)
		select {
		case f.wake <- struct{}{}:
		default: // all workers will look anyway
		}
	}
	return true
}

// find returns the device that has this token now; the lock is held.
func (f *Fleet) find(token []byte) *Device {
	if d, ok := f.tokens[string(token)]; ok {
		if now, _ := d.Push(); bytes.Equal(now, token) {
			return d
		}
	}
	f.tokens = map[string]*Device{}
	for _, d := range f.devices {
		if now, _ := d.Push(); now != nil {
			f.tokens[string(now)] = d
		}
	}
	return f.tokens[string(token)]
}

// Run lets devices connect until the context ends.
func (f *Fleet) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range f.workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-f.wake:
				}
				for d := f.next(); d != nil && ctx.Err() == nil; d = f.next() {
					if _, err := d.Connect(ctx); err != nil && ctx.Err() == nil {
						level := slog.LevelWarn
						if errors.Is(err, ErrUnreachable) {
							level = slog.LevelInfo // as it was told to be
						}
						f.logger.Log(ctx, level, "a simulated device could not connect", "serial_number", d.Hardware().SerialNumber, "error", err)
					}
				}
			}
		})
	}
	workers.Wait()
}

func (f *Fleet) next() *Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.line) == 0 {
		return nil
	}
	d := f.line[0]
	f.line = f.line[1:]
	delete(f.pending, d)
	return d
}
