// Package simulator is an Apple device, as far as an MDM server can tell: it
// enrols from a .mobileconfig by SCEP, checks in over HTTPS with signed
// messages or a client certificate, obeys commands and declarations, and can
// be told to misbehave. It serves tests and demonstrations; thousands fit into
// one process.
package simulator

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

const defaultTimeout = 30 * time.Second

// Renewal is what a device does after an enrolment profile that was sent to it
// again has given it a new identity. Systems differ; a server copes with all.
type Renewal string

// The ways to go on with a new identity.
const (
	RenewQuietly      Renewal = ""             // the next report is signed with it, and that is all
	RenewTokenUpdate  Renewal = "TOKEN_UPDATE" // a TokenUpdate comes first
	RenewAuthenticate Renewal = "AUTHENTICATE" // an Authenticate and a TokenUpdate come first
)

// Config says what a device is and how it reaches the server.
type Config struct {
	Hardware   Hardware
	Supervised bool
	Renewal    Renewal
	// Transport trusts the server's certificate. Devices may share one; a device
	// that authenticates with a client certificate works with a copy.
	Transport *http.Transport
	// Header adds to every MDM request what a proxy adds that has checked the
	// client certificate. Optional.
	Header func(*x509.Certificate) http.Header
	// Keys generates the identity's RSA key of so many bits. Optional: see
	// [Keyring] for fleets.
	Keys    func(ctx context.Context, bits int) (*rsa.PrivateKey, error)
	Timeout time.Duration // for one request; 30 s if zero
	Clock   func() time.Time
}

// Validate reports what is missing.
func (c Config) Validate() error {
	switch {
	case c.Transport == nil || c.Clock == nil:
		return errors.New("simulator: transport or clock is missing")
	case !slices.Contains(Kinds(), c.Hardware.Kind) || c.Hardware.UDID == "" || c.Hardware.SerialNumber == "":
		return errors.New("simulator: hardware has no kind, UDID or serial number")
	case c.Timeout < 0:
		return errors.New("simulator: timeout is negative")
	}
	return nil
}

// Device is one simulated device. Its methods may be called concurrently; it
// speaks to the server in one session at a time.
type Device struct {
	config Config
	plain  *http.Client // without a client certificate

	session sync.Mutex // held by who speaks to the server

	mu           sync.Mutex // guards what follows
	enrolment    *enrolment
	profiles     []*Profile
	state        State
	updates      []*Update
	scripts      []*script
	log          []Obeyed
	late         [][]byte
	last         *sent
	declarations declarations
	enrolments   int
	random       *mathrand.Rand
}

// enrolment is what ties a device to a server.
type enrolment struct {
	profile     *Profile
	identity    Identity
	client      *http.Client
	id          string // EnrollmentID; empty unless it is a user enrolment
	token       []byte // push token
	magic       string // PushMagic
	unlockToken []byte // iPhones and iPads only
	bypassCode  string // of activation lock
}

// State is what has been done to a device, and what an owner would see.
type State struct {
	Enrolled     bool
	Locked       bool // until Unlock; a Mac does not connect meanwhile
	LockPIN      string
	LockMessage  string
	LockPhone    string
	PoweredOff   bool // until PowerOn
	Erased       bool // until it enrols again
	ErasePIN     string
	HasPasscode  bool
	Restarts     int
	OSVersion    string
	BuildVersion string
}

// New returns a device fresh from the box.
func New(config Config) (*Device, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Keys == nil {
		config.Keys = func(_ context.Context, bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	seed := sha256.Sum256([]byte(config.Hardware.UDID))
	d := &Device{
		config: config,
		plain:  &http.Client{Transport: config.Transport, CheckRedirect: stay},
		random: mathrand.New(mathrand.NewChaCha8(seed)), //nolint:gosec // nothing secret: the same device makes up the same
	}
	d.state = State{OSVersion: config.Hardware.OSVersion, BuildVersion: config.Hardware.BuildVersion, HasPasscode: true}
	d.updates = nextUpdates(config.Hardware)
	return d, nil
}

// stay keeps a client from following redirects, as devices do.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// NewTransport returns a transport that many devices share.
func NewTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: defaultTimeout,
		ForceAttemptHTTP2:   true,
	}
}

// Hardware returns who the device is.
func (d *Device) Hardware() Hardware { return d.config.Hardware }

// State returns a copy of the device's state.
func (d *Device) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Identity returns the current identity; the zero value if not enrolled.
func (d *Device) Identity() Identity {
	if e := d.current(); e != nil {
		return e.identity
	}
	return Identity{}
}

// EnrollmentID returns what a user enrolment is known by, and "" for others.
func (d *Device) EnrollmentID() string {
	if e := d.current(); e != nil {
		return e.id
	}
	return ""
}

// Push returns the push token and PushMagic of the last TokenUpdate; nil and ""
// if not enrolled.
func (d *Device) Push() (token []byte, magic string) {
	if e := d.current(); e != nil {
		return e.token, e.magic
	}
	return nil, ""
}

// BypassCode returns the activation lock bypass code, as the device would show
// it; "" if there is none.
func (d *Device) BypassCode() string {
	if e := d.current(); e != nil {
		return e.bypassCode
	}
	return ""
}

// Profiles returns the installed profiles, the enrolment profile first.
func (d *Device) Profiles() []*Profile {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.profiles)
}

// PowerOn ends a shutdown.
func (d *Device) PowerOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.PoweredOff = false
}

// Unlock ends a lock, if the PIN is right. A lock without one ends with "".
func (d *Device) Unlock(pin string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if pin != d.state.LockPIN {
		return false
	}
	d.state.Locked, d.state.LockPIN, d.state.LockMessage, d.state.LockPhone = false, "", "", ""
	return true
}

func (d *Device) current() *enrolment {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.enrolment == nil {
		return nil
	}
	e := *d.enrolment
	return &e
}

// Errors of a device that does not speak to its server.
var (
	ErrNotEnrolled = errors.New("simulator: the device is not enrolled")
	ErrUnreachable = errors.New("simulator: the device is locked or switched off")
)

// Enroll installs an enrolment profile: an identity by SCEP, Authenticate,
// TokenUpdate. A device that is enrolled already enrols anew, wherever that
// profile leads, and tells the former server nothing.
func (d *Device) Enroll(ctx context.Context, profile []byte) error {
	d.session.Lock()
	defer d.session.Unlock()
	p, err := ParseProfile(profile)
	if err != nil {
		return err
	}
	if p.MDM == nil {
		return errors.New("simulator: not an enrolment profile")
	}
	identity, err := d.certify(ctx, *p.SCEP)
	if err != nil {
		return err
	}
	d.begin(p, identity)
	if err := d.authenticate(ctx); err != nil {
		d.unenroll()
		return err
	}
	if err := d.tokenUpdate(ctx); err != nil {
		d.unenroll()
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Enrolled, d.state.Erased, d.state.ErasePIN = true, false, ""
	return nil
}

// begin puts an enrolment in the place of the former.
func (d *Device) begin(p *Profile, identity Identity) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enrolments++
	e := &enrolment{profile: p, identity: identity, client: d.client(p, identity), token: d.bytes(32), magic: uuid(d.random)}
	if p.MDM.userEnrollment() {
		e.id = uuid(d.random)
	}
	if !d.config.Hardware.Kind.Mac() {
		e.unlockToken = d.bytes(64)
	}
	if d.config.Supervised {
		e.bypassCode = bypassCode(d.random)
	}
	d.enrolment, d.profiles = e, []*Profile{p}
	d.state.Enrolled = false
	d.late, d.last, d.declarations = nil, nil, declarations{}
}

// bytes makes up so many; the lock is held.
func (d *Device) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.random.Uint32())
	}
	return b
}

// client returns what MDM requests are sent with.
func (d *Device) client(p *Profile, identity Identity) *http.Client {
	if p.MDM.SignMessage || d.config.Header != nil {
		return d.plain
	}
	transport := d.config.Transport.Clone()
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport.TLSClientConfig.Certificates = []tls.Certificate{{
		Certificate: [][]byte{identity.Certificate.Raw}, PrivateKey: identity.Key, Leaf: identity.Certificate,
	}}
	transport.MaxIdleConnsPerHost = 1
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// unenroll forgets the server.
func (d *Device) unenroll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.enrolment != nil && d.enrolment.client != d.plain {
		d.enrolment.client.CloseIdleConnections()
	}
	d.enrolment, d.profiles, d.late = nil, nil, nil
	d.state.Enrolled = false
}

// bypassAlphabet is that of activation lock bypass codes.
const bypassAlphabet = "0123456789ACDEFGHJKLMNPQRTUVWXYZ"

func bypassCode(r *mathrand.Rand) string {
	var b []byte
	for i, n := range []int{5, 5, 4, 4, 4, 4} {
		if i > 0 {
			b = append(b, '-')
		}
		for range n {
			b = append(b, bypassAlphabet[r.IntN(len(bypassAlphabet))])
		}
	}
	return string(b)
}

// Keyring deals the same few keys to many devices, since making a key takes
// longer than everything else a device does. For load only: a server is right
// to find it odd.
type Keyring struct {
	mu   sync.Mutex
	size int
	next int
	keys map[int][]*rsa.PrivateKey
}

// NewKeyring returns a keyring of so many keys of each length.
func NewKeyring(size int) *Keyring {
	return &Keyring{size: max(1, size), keys: map[int][]*rsa.PrivateKey{}}
}

// Key returns the next key of so many bits: a value for Config.Keys.
func (k *Keyring) Key(_ context.Context, bits int) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys[bits]) < k.size {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, fmt.Errorf("simulator: keyring: %w", err)
		}
		k.keys[bits] = append(k.keys[bits], key)
		return key, nil
	}
	k.next++
	return k.keys[bits][k.next%k.size], nil
}
