package result

import "time"

// UpdateStatus is one of OSUpdateStatus: how far an update is.
type UpdateStatus struct {
	ProductKey              string
	Status                  string // such as Downloading
	IsDownloaded            *bool
	DownloadPercentComplete *float64 // 0 to 1, in spite of its name
	MaxDeferrals            *int64
	DeferralsRemaining      *int64
	NextScheduledInstall    *time.Time
}

// OSUpdateStatus reads the answer to the command of this name.
func OSUpdateStatus(body []byte) ([]UpdateStatus, error) {
	return read[[]UpdateStatus](body, "OSUpdateStatus", maxUpdates)
}

// AvailableUpdate is one of AvailableOSUpdates.
type AvailableUpdate struct {
	ProductKey                 string
	ProductName                string
	HumanReadableName          string
	HumanReadableNameLocale    string
	MetadataURL                string `max:"2048"`
	Version                    string
	Build                      string
	SupplementalBuildVersion   string
	SupplementalOSVersionExtra string
	DownloadSize               *int64 // bytes
	InstallSize                *int64 // bytes
	AppIdentifiersToClose      []string
	IsCritical                 *bool
	IsConfigDataUpdate         *bool
	IsFirmwareUpdate           *bool
	IsMajorOSUpdate            *bool
	IsSecurityResponse         *bool
	RestartRequired            *bool
	AllowsInstallLater         *bool
	RequiresBootstrapToken     *bool
	DeferredUntil              *time.Time
}

// AvailableOSUpdates reads the answer to the command of this name.
func AvailableOSUpdates(body []byte) ([]AvailableUpdate, error) {
	return read[[]AvailableUpdate](body, "AvailableOSUpdates", maxUpdates)
}

// ScheduledUpdate is what a device did with one update of ScheduleOSUpdate.
type ScheduledUpdate struct {
	ProductKey    string
	InstallAction string // may differ from what was asked; Error if it failed
	Status        string
	ErrorChain    []UpdateError
}

// UpdateError is why an update failed.
type UpdateError struct {
	ErrorCode            *int64
	ErrorDomain          string
	LocalizedDescription string
	USEnglishDescription string
}

// ScheduleOSUpdate reads the answer to the command of this name. A device that
// restarts for the update leaves it out: [ErrAbsent].
func ScheduleOSUpdate(body []byte) ([]ScheduledUpdate, error) {
	return read[[]ScheduledUpdate](body, "UpdateResults", maxUpdates)
}
