// Package profile writes the documents that bring a device under management:
// the enrolment profile, the over-the-air profile service, and the discovery
// document of account-driven enrolment. Key names are Apple's.
package profile

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/micromdm/plist"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
	"github.com/bailiwick/bailiwick/internal/applemdm/pki"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
)

// ContentType is the media type of a profile, signed or not.
const ContentType = "application/x-apple-aspen-config"

// payloadVersion is the only one there is.
const payloadVersion = 1

// namespace derives the UUIDs of payloads (RFC 9562, version 5).
var namespace = uuid.MustParse("5b5c35e4-98a4-4b0e-8f43-6d0a3c7f2f11")

// Enrollment is an enrolment profile. A device takes a later profile with the
// same Identifier as an update in place, which renews its identity: payload
// UUIDs derive from Identifier and never change. In an update Topic, ServerURL,
// CheckInURL and User must stay as they were, and AccessRights may not grow:
// otherwise the device refuses it.
type Enrollment struct {
	Identifier   string // reverse-DNS, unique to the organization
	DisplayName  string
	Description  string // optional
	Organization string

	ServerURL    string // https, for commands
	CheckInURL   string // https
	Topic        string // of the push certificate, com.apple.mgmt.…
	AccessRights AccessRights
	// SignMessage makes the device sign every message in the header Mdm-Signature,
	// which reaches the server through any proxy.
	SignMessage bool
	// PromptUserToAllowBootstrapTokenForAuthentication asks a Mac's user to allow
	// the bootstrap token for updates and kernel extensions (macOS 11).
	PromptUserToAllowBootstrapTokenForAuthentication bool

	SCEP SCEP
	// Roots are certificates that the device is to trust, such as that of a
	// private CA behind ServerURL.
	Roots []*x509.Certificate
	// User is set for account-driven user enrolment.
	User *User
}

// SCEP is where and how the device gets its identity.
type SCEP struct {
	URL          string // https
	Challenge    string // one-time
	CommonName   string // what the device asks for; the server decides
	Organization string
}

// User says for whom an account-driven enrolment is.
type User struct {
	AssignedManagedAppleID string // Managed Apple Account that signed in
	EnrollmentMode         EnrollmentMode
}

// EnrollmentMode is how an account-driven enrolment manages a device.
type EnrollmentMode string

// The modes of account-driven enrolment (iOS 15, macOS 14).
const (
	BYOD EnrollmentMode = "BYOD" // the person's own device: user enrolment
	ADDE EnrollmentMode = "ADDE" // the organization's device: device enrolment
)

// Validate reports what no device would accept.
func (e Enrollment) Validate() error {
	var errs []error
	for name, value := range map[string]string{
		"identifier": e.Identifier, "display name": e.DisplayName, "SCEP challenge": e.SCEP.Challenge, "SCEP common name": e.SCEP.CommonName,
	} {
		if value == "" {
			errs = append(errs, fmt.Errorf("profile: %s is empty", name))
		}
	}
	errs = append(errs, https("ServerURL", e.ServerURL), https("CheckInURL", e.CheckInURL), https("SCEP URL", e.SCEP.URL))
	if !strings.HasPrefix(e.Topic, pushcert.TopicPrefix) {
		errs = append(errs, fmt.Errorf("profile: topic %q does not begin with %s", e.Topic, pushcert.TopicPrefix))
	}
	if u := e.User; u == nil {
		errs = append(errs, e.AccessRights.Validate())
	} else if u.AssignedManagedAppleID == "" || u.EnrollmentMode != BYOD && u.EnrollmentMode != ADDE {
		errs = append(errs, errors.New("profile: an account-driven enrolment needs a Managed Apple Account and a mode"))
	}
	return errors.Join(errs...)
}

func https(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("profile: %s %q is no https URL", name, value)
	}
	return nil
}

// Marshal writes the profile as an XML property list.
func (e Enrollment) Marshal() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	identity := e.scepPayload()
	content := []any{identity}
	for _, root := range e.Roots {
		content = append(content, e.rootPayload(root))
	}
	content = append(content, e.mdmPayload(identity.UUID))
	return marshal(configuration{
		payload: payload{
			Type: "Configuration", Version: payloadVersion, Identifier: e.Identifier, UUID: derive(e.Identifier, "profile"),
			DisplayName: e.DisplayName, Description: e.Description, Organization: e.Organization,
		},
		Scope:   "System",
		Content: content,
	})
}

// Sign wraps a profile in CMS, so that a device shows who made it. The
// signer's issuers are included.
func Sign(document []byte, by *pki.Identity) ([]byte, error) {
	return cms.Sign(document, by.Certificate, by.Key, by.Issuers)
}

// payload holds the keys that every payload has.
type payload struct {
	Type         string `plist:"PayloadType"`
	Version      int    `plist:"PayloadVersion"`
	Identifier   string `plist:"PayloadIdentifier"`
	UUID         string `plist:"PayloadUUID"`
	DisplayName  string `plist:"PayloadDisplayName,omitempty"`
	Description  string `plist:"PayloadDescription,omitempty"`
	Organization string `plist:"PayloadOrganization,omitempty"`
}

type configuration struct {
	payload
	Scope   string `plist:"PayloadScope"`
	Content []any  `plist:"PayloadContent"`
}

type mdmPayload struct {
	payload
	IdentityCertificateUUID string
	Topic                   string
	ServerURL               string
	CheckInURL              string
	SignMessage             bool
	CheckOutWhenRemoved     bool
	AccessRights            AccessRights `plist:",omitempty"`
	ServerCapabilities      []string
	AssignedManagedAppleID  string         `plist:",omitempty"`
	EnrollmentMode          EnrollmentMode `plist:",omitempty"`
	Prompt                  bool           `plist:"PromptUserToAllowBootstrapTokenForAuthentication,omitempty"`
}

func (e Enrollment) mdmPayload(identity string) mdmPayload {
	p := mdmPayload{
		payload:                 e.part("com.apple.mdm", "mdm", "Device management"),
		IdentityCertificateUUID: identity,
		Topic:                   e.Topic,
		ServerURL:               e.ServerURL,
		CheckInURL:              e.CheckInURL,
		SignMessage:             e.SignMessage,
		CheckOutWhenRemoved:     true,
		AccessRights:            e.AccessRights,
		ServerCapabilities:      []string{"com.apple.mdm.per-user-connections", "com.apple.mdm.bootstraptoken", "com.apple.mdm.token"},
		Prompt:                  e.PromptUserToAllowBootstrapTokenForAuthentication,
	}
	if e.User != nil {
		p.AccessRights = 0 // user enrolment ignores them
		p.AssignedManagedAppleID, p.EnrollmentMode = e.User.AssignedManagedAppleID, e.User.EnrollmentMode
	}
	return p
}

type scepPayload struct {
	payload
	Content scepContent `plist:"PayloadContent"`
}

type scepContent struct {
	URL              string
	Challenge        string
	Subject          [][][]string
	KeyType          string `plist:"Key Type"`
	KeyUsage         int    `plist:"Key Usage"`
	Keysize          int
	KeyIsExtractable bool
}

// signAndEncrypt is SCEP's Key Usage: 1 signs requests, 4 decrypts the answer.
const signAndEncrypt = 1 | 4

func (e Enrollment) scepPayload() scepPayload {
	subject := [][][]string{{{"CN", e.SCEP.CommonName}}}
	if e.SCEP.Organization != "" {
		subject = append([][][]string{{{"O", e.SCEP.Organization}}}, subject...)
	}
	return scepPayload{
		payload: e.part("com.apple.security.scep", "scep", "Device identity"),
		Content: scepContent{
			URL: e.SCEP.URL, Challenge: e.SCEP.Challenge, Subject: subject,
			KeyType: "RSA", KeyUsage: signAndEncrypt, Keysize: pki.KeyBits,
		},
	}
}

type rootPayload struct {
	payload
	FileName string `plist:"PayloadCertificateFileName"`
	Content  []byte `plist:"PayloadContent"`
}

func (e Enrollment) rootPayload(root *x509.Certificate) rootPayload {
	digest := sha256.Sum256(root.Raw)
	name := hex.EncodeToString(digest[:8])
	return rootPayload{
		payload:  e.part("com.apple.security.root", "root."+name, "Trusted certificate: "+root.Subject.CommonName),
		FileName: name + ".cer",
		Content:  root.Raw,
	}
}

func (e Enrollment) part(kind, name, title string) payload {
	return payload{
		Type: kind, Version: payloadVersion, Identifier: e.Identifier + "." + name, UUID: derive(e.Identifier, name),
		DisplayName: title, Organization: e.Organization,
	}
}

// derive makes the UUID of a part of a profile, always the same.
func derive(identifier, part string) string {
	return strings.ToUpper(uuid.NewSHA1(namespace, []byte(identifier+"\x00"+part)).String())
}

func marshal(document any) ([]byte, error) {
	data, err := plist.MarshalIndent(document, "\t")
	if err != nil {
		return nil, fmt.Errorf("profile: encode: %w", err)
	}
	return data, nil
}
