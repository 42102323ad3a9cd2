package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/bailiwick/bailiwick/internal/keystore"
	"github.com/bailiwick/bailiwick/internal/secret"
)

type secretGroup struct {
	Rotate secretRotate `cmd:"" help:"Put every stored secret under the current master key."`
}

// secretRotate rotates the keys of stored secrets.
type secretRotate struct {
	settings    `embed:""`
	NewDataKeys bool `help:"Give every tenant a new data key as well, and re-encrypt with it what is stored."`
}

// Help implements kong.HelpProvider.
func (secretRotate) Help() string {
	return `To replace the master key: give the new key to every process with --previous-master-keys and restart them; then make it the current one and the old one the previous one, and restart them; then run this. When it has ended with exit code 0, the old key is not needed any more. Interrupted, it is simply run again.

Example:

	BAILIWICK_MASTER_KEY_FILE=/etc/bailiwick/new.key BAILIWICK_PREVIOUS_MASTER_KEYS=$(cat /etc/bailiwick/master.key) bailiwick secret rotate

` + exitCodes
}

// Run rotates.
func (r *secretRotate) Run(ctx context.Context, c console) (err error) {
	a, err := r.openApp(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	rotation := secret.Rotation{Resealers: keystore.Resealers(a.DB)}
	if r.NewDataKeys {
		rotation.NewKeysBefore = time.Now()
	}
	meter := newMeter(c)
	rotation.Progress = meter.step
	if err := a.Vault.Rotate(ctx, rotation); err != nil {
		return fmt.Errorf("rotate the secrets; no master key may be taken away yet, run it again: %w", err)
	}
	return meter.end()
}

// meter shows how far a rotation is: a bar to a person, lines to a file.
type meter struct {
	console  console
	bar      *progressbar.ProgressBar // nil without a terminal
	keysets  secret.Progress
	resealed map[string]int // rows re-encrypted, by column
}

// linesEvery is after how many steps a line is written where there is no bar.
const linesEvery = 1000

func newMeter(c console) *meter {
	m := &meter{console: c, resealed: map[string]int{}}
	if c.terminal() {
		m.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(c.err), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription("keysets"), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return m
}

func (m *meter) step(p secret.Progress) {
	if p.Stage == "keysets" {
		m.keysets = p
	} else {
		m.resealed[p.Stage] = p.Changed
	}
	switch {
	case m.bar != nil:
		m.bar.Describe(p.Stage)
		_ = m.bar.Set(p.Done) // a bar that cannot be drawn stops nothing
	case p.Done%linesEvery == 0:
		m.console.tell("%s: %d done, %d changed", p.Stage, p.Done, p.Changed)
	}
}

func (m *meter) end() error {
	if m.bar != nil {
		if err := m.bar.Finish(); err != nil {
			return err
		}
	}
	secrets := 0
	for _, n := range m.resealed {
		secrets += n
	}
	return m.console.printf("rotated: %d keysets looked at, %d changed; %d secrets re-encrypted\n", m.keysets.Done, m.keysets.Changed, secrets)
}
