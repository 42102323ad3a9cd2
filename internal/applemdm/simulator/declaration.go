package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// maxDeclarations bounds what a device fetches in one synchronization.
const maxDeclarations = 1000

// Declaration is one that a device holds.
type Declaration struct {
	Type        string
	Identifier  string
	ServerToken string
	Payload     json.RawMessage
}

// declarations are what a device holds, by identifier, and the token of the
// set.
type declarations struct {
	asked bool // since the last synchronization
	token string
	held  map[string]held
}

type held struct {
	Declaration

	set string // activation, configuration, asset or management: as in its endpoint
}

// Declarations returns what the device holds, ordered by identifier.
func (d *Device) Declarations() []Declaration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []Declaration
	for _, identifier := range slices.Sorted(maps.Keys(d.declarations.held)) {
		found = append(found, d.declarations.held[identifier].Declaration)
	}
	return found
}

// declarativeManagement turns declarations on; the tokens that the command
// brings are asked for again.
func (d *Device) declarativeManagement(context.Context, dict) response {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.declarations.asked = true
	return acknowledge(nil)
}

func (d *Device) synchronizeIfAsked(ctx context.Context) error {
	d.mu.Lock()
	asked := d.declarations.asked && d.enrolment != nil
	d.declarations.asked = false
	d.mu.Unlock()
	if !asked {
		return nil
	}
	return d.synchronize(ctx)
}

// Synchronize asks for the tokens, fetches what has changed, and reports the
// status of all.
func (d *Device) Synchronize(ctx context.Context) error {
	d.session.Lock()
	defer d.session.Unlock()
	if err := d.reachable(); err != nil {
		return err
	}
	return d.synchronize(ctx)
}

func (d *Device) synchronize(ctx context.Context) error {
	var tokens struct {
		SyncTokens struct{ DeclarationsToken string }
	}
	if err := d.declarative(ctx, "tokens", nil, &tokens); err != nil {
		return err
	}
	d.mu.Lock()
	known := d.declarations.token
	d.mu.Unlock()
	if tokens.SyncTokens.DeclarationsToken != known {
		if err := d.fetchDeclarations(ctx); err != nil {
			return err
		}
	}
	status, err := json.Marshal(dict{"StatusItems": d.statusItems(), "Errors": []any{}, "FullReport": true})
	if err != nil {
		return fmt.Errorf("simulator: status report: %w", err)
	}
	return d.declarative(ctx, "status", status, nil)
}

// item is an entry of the server's manifest.
type item struct{ Identifier, ServerToken string }

func (d *Device) fetchDeclarations(ctx context.Context) error {
	var manifest struct {
		Declarations struct {
			Activations, Configurations, Assets, Management []item
		}
		DeclarationsToken string
	}
	if err := d.declarative(ctx, "declaration-items", nil, &manifest); err != nil {
		return err
	}
	d.mu.Lock()
	known := d.declarations.held
	d.mu.Unlock()
	now := map[string]held{}
	m := manifest.Declarations
	for set, items := range map[string][]item{
		"activation": m.Activations, "configuration": m.Configurations, "asset": m.Assets, "management": m.Management,
	} {
		for _, i := range items {
			if len(now) == maxDeclarations {
				return fmt.Errorf("simulator: more than %d declarations", maxDeclarations)
			}
			if had, ok := known[i.Identifier]; ok && had.ServerToken == i.ServerToken && had.set == set {
				now[i.Identifier] = had
				continue
			}
			var got Declaration
			if err := d.declarative(ctx, "declaration/"+set+"/"+url.PathEscape(i.Identifier), nil, &got); err != nil {
				return err
			}
			if got.Identifier != i.Identifier || got.ServerToken != i.ServerToken {
				return fmt.Errorf("simulator: declaration %q is not the one listed", i.Identifier)
			}
			now[i.Identifier] = held{Declaration: got, set: set}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.declarations.held, d.declarations.token = now, manifest.DeclarationsToken
	return nil
}

// declarative sends a DeclarativeManagement check-in and decodes its answer.
func (d *Device) declarative(ctx context.Context, endpoint string, data []byte, out any) error {
	message := dict{"Endpoint": endpoint}
	if data != nil {
		message["Data"] = data
	}
	answer, err := d.checkIn(ctx, "DeclarativeManagement", message)
	if err != nil {
		return fmt.Errorf("%s: %w", endpoint, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("simulator: decode %s: %w", endpoint, err)
	}
	return nil
}

// enforcement is the configuration that demands a version of the system.
const enforcement = "com.apple.configuration.softwareupdate.enforcement.specific"

// statusItems is what a device reports of itself and its declarations.
func (d *Device) statusItems() dict {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.config.Hardware
	family := map[Kind]string{MacAppleSilicon: "Mac", MacIntel: "Mac", IPhone: "iPhone", IPad: "iPad"}[h.Kind]
	system := map[Kind]string{MacAppleSilicon: "macOS", MacIntel: "macOS", IPhone: "iOS", IPad: "iPadOS"}[h.Kind]
	device := dict{
		"model":            dict{"family": family, "identifier": h.ProductName, "marketing-name": h.ModelName},
		"operating-system": dict{"family": system, "version": d.state.OSVersion, "build-version": d.state.BuildVersion},
	}
	if d.enrolment != nil && d.enrolment.id == "" {
		device["identifier"] = dict{"serial-number": h.SerialNumber, "udid": h.UDID}
	}
	sets := map[string][]any{"activations": {}, "configurations": {}, "assets": {}, "management": {}}
	items := dict{"device": device, "softwareupdate": dict{"device-id": h.SoftwareUpdateDeviceID, "install-state": "none"}}
	for _, identifier := range slices.Sorted(maps.Keys(d.declarations.held)) {
		had := d.declarations.held[identifier]
		set := had.set
		if set != "management" {
			set += "s"
		}
		sets[set] = append(sets[set], dict{"identifier": had.Identifier, "server-token": had.ServerToken, "active": true, "valid": "valid"})
		if had.Type == enforcement {
			d.pending(had.Payload, items)
		}
	}
	items["management"] = dict{"declarations": sets}
	return items
}

// pending reports the version that an enforcement demands; the lock is held.
func (d *Device) pending(payload json.RawMessage, items dict) {
	var wanted struct{ TargetOSVersion, TargetBuildVersion, TargetLocalDateTime string }
	if json.Unmarshal(payload, &wanted) != nil || wanted.TargetOSVersion == "" || strings.HasPrefix(d.state.OSVersion, wanted.TargetOSVersion) {
		return
	}
	items["softwareupdate"] = dict{
		"device-id": d.config.Hardware.SoftwareUpdateDeviceID, "install-state": "waiting",
		"install-reason": dict{"reason": []any{"declaration"}},
		"pending-version": dict{
			"os-version": wanted.TargetOSVersion, "build-version": wanted.TargetBuildVersion, "target-local-date-time": wanted.TargetLocalDateTime,
		},
	}
}
