package simulator

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"github.com/smallstep/pkcs7"
)

// maxProfile is the longest configuration profile that is read, in bytes.
const maxProfile = 1 << 20

// Payload types that a simulated device acts upon.
const (
	payloadMDM  = "com.apple.mdm"
	payloadSCEP = "com.apple.security.scep"
	payloadRoot = "com.apple.security.root"
	payloadCert = "com.apple.security.pkcs1"
)

// Profile is a configuration profile, as far as a device's behaviour depends
// on it. Names are Apple's.
type Profile struct {
	PayloadIdentifier   string
	PayloadUUID         string
	PayloadDisplayName  string
	PayloadOrganization string
	RemovalDisallowed   bool
	Payloads            []Payload
	Signers             []*x509.Certificate // empty if it is not signed

	MDM          *MDM  // nil unless it is an enrolment profile
	SCEP         *SCEP // the identity that MDM refers to
	Certificates []*x509.Certificate
}

// Payload is what is common to all payloads.
type Payload struct {
	PayloadType        string
	PayloadIdentifier  string
	PayloadUUID        string
	PayloadDisplayName string
}

// MDM is the com.apple.mdm payload.
type MDM struct {
	ServerURL              string
	CheckInURL             string // ServerURL if the payload has none
	Topic                  string
	AccessRights           int
	SignMessage            bool
	CheckOutWhenRemoved    bool
	ServerCapabilities     []string
	EnrollmentMode         string // BYOD or ADDE; empty for device enrolment
	AssignedManagedAppleID string
}

// userEnrollment reports whether the device hides its identity from the server.
func (m MDM) userEnrollment() bool {
	return m.EnrollmentMode == "BYOD" || (m.EnrollmentMode == "" && m.AssignedManagedAppleID != "")
}

// SCEP is the com.apple.security.scep payload's PayloadContent.
type SCEP struct {
	URL           string
	Name          string
	Challenge     string
	Subject       [][2]string // attribute and value, as in "CN", "Some Name"
	KeySize       int         // bits
	CAFingerprint []byte
}

// ParseProfile reads a .mobileconfig, signed or not. A signature has to fit
// the content; who signed is told, and not judged.
func ParseProfile(data []byte) (*Profile, error) {
	if len(data) > maxProfile {
		return nil, fmt.Errorf("profile: longer than %d bytes", maxProfile)
	}
	var signers []*x509.Certificate
	if len(data) > 0 && data[0] == 0x30 { // DER: a CMS around the profile
		signed, err := pkcs7.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("profile: parse signature: %w", err)
		}
		if err := signed.Verify(); err != nil {
			return nil, fmt.Errorf("profile: verify signature: %w", err)
		}
		data, signers = signed.Content, signed.Certificates
	}
	top, err := decodePlist(data)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if get[string](top, "PayloadType") != "Configuration" {
		return nil, errors.New("profile: PayloadType is not Configuration")
	}
	p := &Profile{
		PayloadIdentifier:   get[string](top, "PayloadIdentifier"),
		PayloadUUID:         get[string](top, "PayloadUUID"),
		PayloadDisplayName:  get[string](top, "PayloadDisplayName"),
		PayloadOrganization: get[string](top, "PayloadOrganization"),
		RemovalDisallowed:   get[bool](top, "PayloadRemovalDisallowed"),
		Signers:             signers,
	}
	if p.PayloadIdentifier == "" || p.PayloadUUID == "" {
		return nil, errors.New("profile: PayloadIdentifier or PayloadUUID is missing")
	}
	if err := p.read(each[dict](top, "PayloadContent")); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return p, nil
}

func (p *Profile) read(contents []dict) error {
	identity, scep := "", map[string]*SCEP{}
	for _, c := range contents {
		payload := Payload{
			PayloadType: get[string](c, "PayloadType"), PayloadIdentifier: get[string](c, "PayloadIdentifier"),
			PayloadUUID: get[string](c, "PayloadUUID"), PayloadDisplayName: get[string](c, "PayloadDisplayName"),
		}
		p.Payloads = append(p.Payloads, payload)
		switch payload.PayloadType {
		case payloadMDM:
			if p.MDM != nil {
				return errors.New("more than one MDM payload")
			}
			m, err := mdmOf(c)
			if err != nil {
				return err
			}
			p.MDM, identity = m, get[string](c, "IdentityCertificateUUID")
		case payloadSCEP:
			scep[payload.PayloadUUID] = scepOf(get[dict](c, "PayloadContent"))
		case payloadRoot, payloadCert:
			certificate, err := x509.ParseCertificate(get[[]byte](c, "PayloadContent"))
			if err != nil {
				return fmt.Errorf("certificate payload: %w", err)
			}
			p.Certificates = append(p.Certificates, certificate)
		}
	}
	if p.MDM == nil {
		return nil
	}
	if p.SCEP = scep[identity]; p.SCEP == nil || p.SCEP.URL == "" {
		return errors.New("IdentityCertificateUUID names no SCEP payload with a URL")
	}
	return nil
}

func mdmOf(c dict) (*MDM, error) {
	m := &MDM{
		ServerURL:              get[string](c, "ServerURL"),
		CheckInURL:             get[string](c, "CheckInURL"),
		Topic:                  get[string](c, "Topic"),
		AccessRights:           number(c, "AccessRights"),
		SignMessage:            get[bool](c, "SignMessage"),
		CheckOutWhenRemoved:    get[bool](c, "CheckOutWhenRemoved"),
		ServerCapabilities:     each[string](c, "ServerCapabilities"),
		EnrollmentMode:         get[string](c, "EnrollmentMode"),
		AssignedManagedAppleID: get[string](c, "AssignedManagedAppleID"),
	}
	if m.CheckInURL == "" {
		m.CheckInURL = m.ServerURL
	}
	for _, address := range []string{m.ServerURL, m.CheckInURL} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%q is not an https URL", address)
		}
	}
	if m.Topic == "" {
		return nil, errors.New("the MDM payload has no Topic")
	}
	return m, nil
}

func scepOf(c dict) *SCEP {
	s := &SCEP{
		URL: get[string](c, "URL"), Name: get[string](c, "Name"), Challenge: get[string](c, "Challenge"),
		KeySize: number(c, "Keysize"), CAFingerprint: get[[]byte](c, "CAFingerprint"),
	}
	for _, set := range each[[]any](c, "Subject") {
		for _, item := range set {
			if pair, ok := item.([]any); ok && len(pair) == 2 {
				name, _ := pair[0].(string) // an empty name is passed over below
				value, _ := pair[1].(string)
				s.Subject = append(s.Subject, [2]string{name, value})
			}
		}
	}
	return s
}
