package profile

import (
	"encoding/json"
	"errors"
	"fmt"
)

// WellKnown is the path at which a device that a person signs in to looks for
// its server, on the domain of the account (Apple: account-driven enrolment).
// Its query names the account and the device: user-identifier, model-family.
const WellKnown = "/.well-known/com.apple.remotemanagement"

// The kinds of enrolment that a server offers in its discovery document.
const (
	VersionBYOD = "mdm-byod" // user enrolment
	VersionADDE = "mdm-adde" // device enrolment
)

// Server is where a kind of account-driven enrolment begins.
type Server struct {
	Version string `json:"Version"`
	BaseURL string `json:"BaseURL"` // https
}

// DiscoveryRefused writes the document that says, with status 403, that a
// person cannot enrol here: Apple's mdm/errors/well-known.failed. The device may
// show the message (iOS 17.5, macOS 14.5); earlier ones go by the status.
func DiscoveryRefused(message string) []byte {
	document, _ := json.Marshal(map[string]string{"code": "com.apple.well-known.failed", "message": message}) // texts always encode
	return document
}

// Discovery writes the document that is served at WellKnown, as
// application/json.
func Discovery(servers ...Server) ([]byte, error) {
	if len(servers) == 0 {
		return nil, errors.New("profile: discovery without a server")
	}
	for _, s := range servers {
		if s.Version != VersionBYOD && s.Version != VersionADDE {
			return nil, fmt.Errorf("profile: discovery: unknown version %q", s.Version)
		}
		if err := https("BaseURL", s.BaseURL); err != nil {
			return nil, err
		}
	}
	document, err := json.Marshal(struct{ Servers []Server }{servers})
	if err != nil {
		return nil, fmt.Errorf("profile: discovery: %w", err)
	}
	return document, nil
}
