package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// define is the catalogue: one line for each command, with the systems that
// obey it.
func define() []entry {
	var (
		everywhere = support{ios: since("4.0"), macos: since("10.7"), tvos: since("9.0"), visionos: since("1.1"), watchos: since("10.0")}
		lost       = support{ios: since("9.3").supervised().corporate()}
		bypass     = support{ios: since("7.1").supervised().corporate(), macos: since("10.15").supervised().corporate(), visionos: since("2.0").supervised().corporate()}
		remote     = support{macos: since("10.14.4").supervised().corporate()}
		recovery   = support{macos: since("11.5").corporate()}
	)
	return []entry{
		// Inventory
		of[DeviceInformation](everywhere),
		of[SecurityInfo](everywhere),
		of[InstalledApplicationList](support{ios: since("5.0"), macos: since("10.7").corporate(), tvos: since("10.2"), visionos: since("1.1"), watchos: since("10.0")}),
		of[ProfileList](everywhere),
		of[CertificateList](everywhere),
		// Profiles and declarations
		of[InstallProfile](everywhere),
		of[RemoveProfile](everywhere),
		of[DeclarativeManagement](support{ios: since("15.0"), macos: since("13.0"), tvos: since("16.0"), visionos: since("1.1"), watchos: since("10.0")}),
		// Device
		of[DeviceConfigured](support{ios: since("9.0").supervised().corporate(), macos: since("10.11").corporate(), tvos: since("10.2").supervised(), visionos: since("2.0").supervised().corporate()}),
		of[DeviceLock](support{ios: since("4.0"), macos: since("10.7").corporate(), visionos: since("2.0"), watchos: since("10.0")}),
		of[EraseDevice](support{ios: since("4.0").corporate(), macos: since("10.7").corporate(), tvos: since("10.2"), visionos: since("1.1").corporate(), watchos: since("10.0")}),
		of[RestartDevice](support{ios: since("10.3").supervised().corporate(), macos: since("10.13").corporate(), tvos: since("10.2").supervised()}),
		of[ShutDownDevice](support{ios: since("10.3").supervised().corporate(), macos: since("10.13").corporate()}),
		of[Settings](support{ios: since("5.0").supervised().corporate(), macos: since("10.10").corporate(), tvos: since("9.0"), visionos: since("2.0").supervised().corporate()}),
		of[EnableRemoteDesktop](remote),
		of[DisableRemoteDesktop](remote),
		// Lost mode
		of[EnableLostMode](lost),
		of[DisableLostMode](lost),
		of[PlayLostModeSound](support{ios: since("10.3").supervised().corporate()}),
		of[DeviceLocation](lost),
		// Passcodes, accounts and keys
		of[ClearPasscode](support{ios: since("4.0").corporate(), visionos: since("1.1").corporate(), watchos: since("10.0")}),
		of[UnlockUserAccount](support{macos: since("10.13").corporate()}),
		of[SetRecoveryLock](recovery),
		of[VerifyRecoveryLock](recovery),
		of[RotateFileVaultKey](support{macos: since("10.9").corporate()}),
		of[ActivationLockBypassCode](bypass),
		of[ClearActivationLockBypassCode](bypass),
		// Updates of the operating system, which newer systems take from declarations
		of[ScheduleOSUpdate](updates("10.11", true)),
		of[AvailableOSUpdates](updates("10.11", false)),
		of[OSUpdateStatus](updates("10.11.5", true)),
	}
}

func updates(mac string, supervised bool) support {
	macos := since(mac).until("27.0").corporate()
	if supervised {
		macos = macos.supervised()
	}
	return support{ios: since("9.0").until("27.0").supervised().corporate(), macos: macos, tvos: since("12.0").until("27.0").supervised()}
}

type entry struct {
	name    string
	support support
	decode  func([]byte) (Command, error)
}

func of[C Command](s support) entry {
	var zero C
	return entry{name: RequestType(zero), support: s, decode: func(data []byte) (Command, error) {
		var c C
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("decode stored %s: %w", RequestType(c), err)
		}
		return c, nil
	}}
}

var catalogue = sync.OnceValue(func() map[string]entry {
	byName := map[string]entry{}
	for _, e := range define() {
		byName[e.name] = e
	}
	return byName
})

func names() []string { return slices.Sorted(maps.Keys(catalogue())) }
