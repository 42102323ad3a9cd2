package result

// Application is one of InstalledApplicationList.
type Application struct {
	Identifier                string // of the bundle; empty for some programs of a Mac
	Name                      string
	Version                   string
	ShortVersion              string
	BundleSize                *int64 // bytes
	DynamicSize               *int64 // bytes
	ExternalVersionIdentifier *int64
	DistributorIdentifier     string
	Source                    string
	IsValidated               *bool
	Installing                *bool
	AppStoreVendable          *bool
	DeviceBasedVPP            *bool
	BetaApp                   *bool
	AdHocCodeSigned           *bool
	HasUpdateAvailable        *bool
	IsAppClip                 *bool
}

// InstalledApplicationList reads the answer to the command of this name.
func InstalledApplicationList(body []byte) ([]Application, error) {
	return read[[]Application](body, "InstalledApplicationList", maxApplications)
}

// Profile is one of ProfileList.
type Profile struct {
	PayloadUUID              string
	PayloadIdentifier        string
	PayloadVersion           *int64
	PayloadDisplayName       string
	PayloadOrganization      string
	PayloadDescription       string `max:"1024"`
	PayloadRemovalDisallowed *bool
	HasRemovalPasscode       *bool
	IsEncrypted              *bool
	IsManaged                *bool
	Source                   string
	PayloadContent           []Payload
}

// Payload is one part of a profile.
type Payload struct {
	PayloadType         string
	PayloadVersion      *int64
	PayloadIdentifier   string
	PayloadUUID         string
	PayloadDisplayName  string
	PayloadDescription  string `max:"1024"`
	PayloadOrganization string
}

// ProfileList reads the answer to the command of this name.
func ProfileList(body []byte) ([]Profile, error) {
	return read[[]Profile](body, "ProfileList", maxProfiles)
}

// Certificate is one of CertificateList. Its data is as the device sent it,
// which need not be a certificate that Go can parse.
type Certificate struct {
	CommonName string
	IsIdentity *bool
	Data       []byte // DER
}

// CertificateList reads the answer to the command of this name.
func CertificateList(body []byte) ([]Certificate, error) {
	return read[[]Certificate](body, "CertificateList", maxCertificates)
}
