package ticket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/internal/secret"
	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
)

// Account is what an integration stores about its account at the vendor.
type Account struct {
	Name        string // Syncro's subdomain
	BaseURL     string // another address than the account's; empty for that
	Credentials secret.Text
	Gate        psa.Gate // admits the calls; nil admits all
}

// Driver opens accounts of one kind of service desk.
type Driver struct {
	// Open returns a client, and sends nothing. A malformed account is a
	// *fault.Error that names the field.
	Open func(Account) (psa.Vendor, error)
	// Settings reads the vendor's part of a stored alert configuration.
	Settings func(raw []byte) (psa.Settings, error)
}

// Drivers holds the drivers of a deployment.
type Drivers map[psa.Kind]Driver

// For returns the driver of a kind, or PRECONDITION_FAILED if this deployment
// has none.
func (d Drivers) For(kind psa.Kind) (Driver, error) {
	if driver, ok := d[kind]; ok {
		return driver, nil
	}
	return Driver{}, fault.New(fault.PreconditionFailed, "this deployment has no driver for %s", kind)
}

// Syncro is the driver of Syncro. An account's own address counts only where
// the deployment allows it, since our calls come from inside its network.
func Syncro(config syncro.Config, allowBaseURL bool) Driver {
	return Driver{
		Open: func(a Account) (psa.Vendor, error) {
			config := config
			config.Gate = a.Gate
			if a.BaseURL != "" {
				if !allowBaseURL {
					return nil, fault.Invalid("baseUrl", "this deployment calls Syncro at its own address only")
				}
				config.BaseURL = a.BaseURL
			}
			client, err := syncro.New(config, syncro.Credentials{Subdomain: a.Name, APIToken: a.Credentials.Reveal()})
			if err == nil {
				return client, nil
			}
			if known, ok := errors.AsType[*fault.Error](err); ok {
				return nil, known
			}
			return nil, fault.Invalid("baseUrl", "is no address that can be called").Wrap(err)
		},
		Settings: func(raw []byte) (psa.Settings, error) {
			stored, err := ReadSyncroSettings(raw)
			if err != nil {
				return nil, err
			}
			return stored.settings(), nil
		},
	}
}

// SyncroSettings is what an alert's configuration keeps for Syncro (JC-008).
type SyncroSettings struct {
	ProblemType string `json:"problemType"`
	Priority    string `json:"priority,omitempty"`
	Status      string `json:"status,omitempty"`
	UserID      int64  `json:"userId,omitempty"`
	Username    string `json:"username,omitempty"` // as the vendor had it when the configuration was made
}

func (s SyncroSettings) settings() syncro.Settings {
	return syncro.Settings{ProblemType: s.ProblemType, Priority: s.Priority, Status: s.Status, UserID: s.UserID}
}

// ReadSyncroSettings reads what was stored.
func ReadSyncroSettings(raw []byte) (SyncroSettings, error) {
	var stored SyncroSettings
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&stored); err != nil {
		return SyncroSettings{}, fault.New(fault.PreconditionFailed, "the stored settings are not those of Syncro").Wrap(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return SyncroSettings{}, fault.New(fault.PreconditionFailed, "the stored settings are not those of Syncro")
	}
	return stored, stored.settings().Validate()
}
