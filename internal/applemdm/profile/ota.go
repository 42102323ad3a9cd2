package profile

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/cms"
)

// Service is the first document of over-the-air enrolment (Apple: "Over-the-Air
// Profile Delivery and Configuration"): it asks a device to identify itself at
// URL, in a message signed with the certificate it was born with.
type Service struct {
	Identifier   string // reverse-DNS, unique to the organization
	DisplayName  string
	Organization string
	URL          string // https; the device posts its answer there
	Challenge    string // one-time; comes back in the answer
}

type serviceProfile struct {
	payload
	Content serviceContent `plist:"PayloadContent"`
}

type serviceContent struct {
	URL              string
	Challenge        string
	DeviceAttributes []string
}

// Marshal writes the document as an XML property list.
func (s Service) Marshal() ([]byte, error) {
	if err := https("URL", s.URL); err != nil {
		return nil, err
	}
	if s.Identifier == "" || s.Challenge == "" {
		return nil, errors.New("profile: identifier and challenge of a profile service are required")
	}
	return marshal(serviceProfile{
		payload: payload{
			Type: "Profile Service", Version: payloadVersion, Identifier: s.Identifier, UUID: derive(s.Identifier, "service"),
			DisplayName: s.DisplayName, Organization: s.Organization,
		},
		Content: serviceContent{
			URL: s.URL, Challenge: s.Challenge,
			DeviceAttributes: []string{"UDID", "SERIAL", "PRODUCT", "VERSION", "IMEI", "MEID"},
		},
	})
}

// DeviceAttributes is the property list in a device's answer.
type DeviceAttributes struct {
	UDID      string `plist:"UDID"`
	Serial    string `plist:"SERIAL"`
	Product   string `plist:"PRODUCT"` // model identifier, such as iPhone14,2
	Version   string `plist:"VERSION"` // build, such as 22F76
	IMEI      string `plist:"IMEI"`
	MEID      string `plist:"MEID"`
	Challenge string `plist:"CHALLENGE"`
}

// OpenAnswer checks a device's answer and returns the property list in it, for
// DeviceAttributes, and the certificate that signed it. roots are Apple's device
// CAs; the certificates they issued have SHA-1 signatures and pay no heed to the
// CA's own dates, so a zero time leaves dates alone (see cms.Signed.VerifyChain).
// In the last step, in which the device signs with the identity it was given,
// roots are the organization's authority and the time is now.
// An error means that the answer is not to be believed: 4xx.
func OpenAnswer(message []byte, roots []*x509.Certificate, at time.Time) (document []byte, signer *x509.Certificate, err error) {
	signed, err := cms.Verify(message)
	if err != nil {
		return nil, nil, err
	}
	if err := signed.VerifyChain(roots, at); err != nil {
		return nil, nil, err
	}
	return signed.Content, signed.Signer, nil
}
