package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// stateFile holds what a data directory needs beside the data. It is written
// when the content is complete.
const stateFile = "demo.json"

const databaseFile = "bailiwick.db"

var errOtherData = errors.New("it holds data that no demo has finished making: name another directory with --data, or remove it")

// state is what is remembered of a data directory.
type state struct {
	PSA         string `json:"psa"` // the address that the Syncro stand-in listens on
	Autotask    string `json:"autotask,omitempty"`
	ConnectWise string `json:"connectWise,omitempty"`
	// PushAuthority certifies the organizations' push certificates, in DER.
	PushAuthority []byte `json:"pushAuthority,omitempty"`

	fresh bool // nothing is there yet
}

func readState(dir string) (state, error) {
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, databaseFile)); err == nil {
			return state{}, fmt.Errorf("%s: %w", dir, errOtherData)
		}
		return state{fresh: true}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read the demo's state: %w", err)
	}
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return state{}, fmt.Errorf("read the demo's state: %s: %w", filepath.Join(dir, stateFile), err)
	}
	return s, nil
}

// write stores the state: as a whole, or not at all.
func (s state) write(dir string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the demo's state: %w", err)
	}
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	return nil
}
