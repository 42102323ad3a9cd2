package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

// Device is a simulated device that is enrolled.
type Device struct {
	ID           string `json:"id"`
	Organization string `json:"organization"` // its id
	SerialNumber string `json:"serialNumber"`
	Name         string `json:"name"`
	Platform     string `json:"platform"`
}

const (
	// fleetWorkers is how many devices speak to the server at a time.
	fleetWorkers = 4
	// fleetKeys is how many keys all devices share: making one takes longer than
	// everything else that a device does.
	fleetKeys = 2
	// identityBits is how long the server wants them.
	identityBits = 2048
	// maxProfile bounds an enrolment profile, in bytes.
	maxProfile = 1 << 20
)

// devices are the simulated ones, from before there is a server that they can
// enrol with.
type devices struct {
	fleet  *simulator.Fleet
	keys   *simulator.Keyring
	config Config

	mu      sync.Mutex
	members []*member
}

// member is a device and how it comes into its organization.
type member struct {
	*simulator.Device

	organization Named
	link         string // of the enrolment
	transport    *http.Transport
}

func newDevices(c Config) (*devices, error) {
	fleet, err := simulator.NewFleet(fleetWorkers, c.Logger)
	if err != nil {
		return nil, err
	}
	return &devices{fleet: fleet, keys: simulator.NewKeyring(fleetKeys), config: c}, nil
}

// all returns the devices in the order in which the content has them.
func (d *devices) all() []*member {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*member(nil), d.members...)
}

// run lets devices connect when they are notified, until it is stopped. It
// makes their keys meanwhile.
func (d *devices) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.fleet.Run(ctx)
	}()
	go func() {
		for range fleetKeys {
			_, _ = d.keys.Key(ctx, identityBits) // what is missing is made when it is asked for
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// add makes a device of the content. It is the same one at every start.
func (d *devices) add(of device, organization Named, link string, transport *http.Transport) error {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(of.SerialNumber)) // a hash takes everything
	h := simulator.Generate(seed.Sum64(), of.Simulated.Kind)
	h.SerialNumber, h.DeviceName, h.OSVersion = of.SerialNumber, of.Name, of.OSVersion
	h.ModelName, h.Model, h.ProductName, h.BuildVersion = of.Simulated.Model, of.Simulated.Product, of.Simulated.Product, of.Simulated.Build
	made, err := simulator.New(simulator.Config{
		Hardware: h, Supervised: of.Simulated.Supervised, Transport: transport, Keys: d.keys.Key, Clock: d.config.Clock,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", of.Name, err)
	}
	d.fleet.Add(made)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members = append(d.members, &member{Device: made, organization: organization, link: link, transport: transport})
	return nil
}

// enroll installs the profile that the enrolment's link leads to.
func (m *member) enroll(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.link+"/profile", http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: m.transport, Timeout: callTimeout}).Do(request)
	if err != nil {
		return fmt.Errorf("download the enrolment profile: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	profile, err := io.ReadAll(io.LimitReader(response.Body, maxProfile))
	if err != nil {
		return fmt.Errorf("download the enrolment profile: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("download the enrolment profile: status %d", response.StatusCode)
	}
	return m.Enroll(ctx, profile)
}

// enroll enrols the devices of every organization that lets them in, and
// answers those that are enrolled then. Each start enrols them anew, as if
// somebody had set them up again, so that they know the server's address.
func (d *demo) enroll(ctx context.Context, as client) ([]Device, error) {
	links, err := enrollmentLinks(ctx, as)
	if err != nil {
		return nil, fmt.Errorf("find the enrolments of the simulated devices: %w", err)
	}
	transport := simulator.NewTransport(d.front.roots)
	for _, o := range d.content.Organizations {
		known, ok := links[o.Name]
		for _, of := range o.Devices {
			if !ok || of.Simulated == nil {
				continue
			}
			if err := d.devices.add(of, known.organization, known.link, transport); err != nil {
				return nil, fmt.Errorf("simulate a device: %w", err)
			}
		}
	}
	var group sync.WaitGroup
	for _, m := range d.devices.all() {
		group.Go(func() {
			if err := m.enroll(ctx); err != nil {
				d.devices.config.Logger.WarnContext(ctx, "a simulated device could not enrol", "name", m.Hardware().DeviceName, "error", err)
			}
		})
	}
	group.Wait()
	return d.enrolled(ctx, as)
}

// door is an organization and the link of the enrolment into it.
type door struct {
	organization Named
	link         string
}

// enrollmentLinks finds the links that the devices enrol by, by the name of the
// organization. Somebody may have revoked some.
func enrollmentLinks(ctx context.Context, as client) (map[string]door, error) {
	var answer struct {
		Enrollments struct {
			Edges []struct {
				Node struct {
					ID, Name     string
					RevokedAt    *time.Time
					Organization Named
				}
			}
		}
	}
	if err := as.do(ctx, `query Enrollments { enrollments(first: 100) { edges { node { id name revokedAt organization { id name } } } } }`, nil, &answer); err != nil {
		return nil, err
	}
	links := map[string]door{}
	for _, e := range answer.Enrollments.Edges {
		if e.Node.Name != enrollmentName || e.Node.RevokedAt != nil {
			continue
		}
		var revealed struct{ RevealEnrollmentLink struct{ Link string } }
		err := as.do(ctx, `mutation Link($id: ID!) { revealEnrollmentLink(input: {id: $id}) { link } }`, vars{"id": e.Node.ID}, &revealed)
		if err != nil {
			return nil, err
		}
		links[e.Node.Organization.Name] = door{e.Node.Organization, revealed.RevealEnrollmentLink.Link}
	}
	return links, nil
}

// enrolled asks the server which of the devices it manages.
func (d *demo) enrolled(ctx context.Context, as client) ([]Device, error) {
	all := []Device{}
	for _, m := range d.devices.all() {
		var answer struct {
			Devices struct {
				Edges []struct{ Node Device }
			}
		}
		serial := m.Hardware().SerialNumber
		err := as.with(organizationHeader, m.organization.ID).do(ctx, `query Enrolled($serial: String!) {
			devices(filter: {serialNumber: $serial, enrolled: true}) { edges { node { id name serialNumber platform } } } }`,
			vars{"serial": serial}, &answer)
		if err != nil {
			return nil, fmt.Errorf("look for the simulated device %s: %w", serial, err)
		}
		for _, e := range answer.Devices.Edges {
			e.Node.Organization = m.organization.ID
			all = append(all, e.Node)
		}
	}
	return all, nil
}

// errNoDevice is a device that no content has.
var errNoDevice = errors.New("there is no such device")

func (d *devices) find(serial string) (*member, error) {
	for _, m := range d.all() {
		if m.Hardware().SerialNumber == serial {
			return m, nil
		}
	}
	return nil, errNoDevice
}
