package data

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"go.jetify.com/typeid"
)

// epoch is when the first row was created. It is fixed, so that the rows do
// not depend on the day.
var epoch = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// Words begin the devices' names. A search by one of them finds an eighth of
// all devices, in every organization.
var Words = [...]string{"amber", "birch", "cedar", "delta", "ember", "frost", "grove", "haven"}

// platforms of ten devices: six of ten are the one that query B asks for.
var platforms = [...]struct{ name, model, version string }{
	{"MACOS", "MacBook Pro", "15.3"}, {"MACOS", "MacBook Air", "15.2"}, {"WINDOWS", "Latitude 7450", "11.26100"},
	{"MACOS", "Mac mini", "14.7"}, {"MACOS", "MacBook Pro", "15.1"}, {"IOS", "iPhone 16", "18.3"},
	{"MACOS", "iMac", "15.3"}, {"WINDOWS", "ThinkPad X1", "11.22631"}, {"MACOS", "MacBook Air", "14.6"},
	{"LINUX", "Framework 13", "6.12"},
}

var alertTypes = [...]struct{ key, severity, title string }{
	{"DEVICE_MISSING", "MEDIUM", "The device has not checked in"},
	{"DISK_ENCRYPTION_OFF", "HIGH", "Disk encryption is off"},
	{"OS_UPDATE_FAILED", "LOW", "An update of the operating system failed"},
}

// source makes ids and other values, the same for the same seed.
type source struct {
	random *rand.Rand
	clock  time.Time
}

func newSource(seed uint64) *source {
	return &source{random: rand.New(rand.NewPCG(seed, seed)), clock: epoch}
}

// id is a TypeID, later than those before it.
func (s *source) id(prefix string) (string, error) {
	s.clock = s.clock.Add(time.Millisecond)
	var uuid [16]byte
	binary.BigEndian.PutUint64(uuid[:], uint64(s.clock.UnixMilli())<<16|s.random.Uint64()&0xFFFF)
	binary.BigEndian.PutUint64(uuid[8:], s.random.Uint64())
	uuid[6] = uuid[6]&0x0F | 0x70 // version 7
	uuid[8] = uuid[8]&0x3F | 0x80 // variant
	id, err := typeid.FromUUIDBytesWithPrefix(prefix, uuid[:])
	if err != nil {
		return "", fmt.Errorf("id of %s: %w", prefix, err)
	}
	return id.String(), nil
}

// tenant is a provider being written.
type tenant struct {
	*source
	size          Size
	provider      string
	organizations []string
	users         [][]string // of each organization
	devices       []string
}

func (t *tenant) organizationOf(device int) int { return device % t.size.Organizations }

func (t *tenant) provide(row func(...any) error, name string) (err error) {
	if t.provider, err = t.id("prov"); err != nil {
		return err
	}
	return row(t.provider, t.clock, t.clock, name, false)
}

func (t *tenant) organize(row func(...any) error) error {
	for i := range t.size.Organizations {
		id, err := t.id("org")
		if err != nil {
			return err
		}
		t.organizations = append(t.organizations, id)
		users := t.size.Devices / t.size.Organizations / devicesPerUser
		// The name does not follow the id, so that an order by name is one.
		name := fmt.Sprintf("Customer %08x %05d", t.random.Uint32(), i)
		if err := row(id, t.clock, t.clock, name, users, "ACTIVE", t.provider); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenant) staff(row func(...any) error) error {
	t.users = make([][]string, t.size.Organizations)
	for o, organization := range t.organizations {
		for i := range t.size.Devices / t.size.Organizations / devicesPerUser {
			id, err := t.id("usr")
			if err != nil {
				return err
			}
			t.users[o] = append(t.users[o], id)
			login := fmt.Sprintf("user.%08x", t.random.Uint32())
			email := fmt.Sprintf("%s@customer%d.example", login, o)
			if err := row(id, t.provider, t.clock, t.clock, login, email, "First", fmt.Sprintf("Last %d", i), "ACTIVE", organization); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tenant) equip(row func(...any) error) error {
	for i := range t.size.Devices {
		id, err := t.id("dev")
		if err != nil {
			return err
		}
		t.devices = append(t.devices, id)
		o := t.organizationOf(i)
		nth := i / t.size.Organizations // within the organization
		platform := platforms[nth%len(platforms)]
		name := fmt.Sprintf("%s-%08x", Words[t.random.IntN(len(Words))], t.random.Uint32())
		serial := fmt.Sprintf("C0%010X", uint64(i)*2654435761%(1<<40))
		var user any
		if users := t.users[o]; len(users) > 0 && nth%devicesPerUser != 0 {
			user = users[nth%len(users)]
		}
		seen := epoch.Add(time.Duration(t.random.IntN(86400*90)) * time.Second)
		if err := row(id, t.provider, t.clock, t.clock, name, serial, platform.name, platform.model, platform.version,
			nth%5 != 0, seen, t.organizations[o], user); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenant) alarm(row func(...any) error) error {
	for i := range 2 * t.size.Alerts {
		id, err := t.id("alert")
		if err != nil {
			return err
		}
		// A prime step visits the organizations in turn, and other devices each time.
		device := int(uint64(i) * 7919 % uint64(len(t.devices)))
		kind := alertTypes[i%len(alertTypes)]
		last := epoch.Add(time.Duration(t.random.IntN(86400*90)) * time.Second).Add(time.Duration(i) * time.Microsecond)
		status, resolved := "OPEN", any(nil)
		if i%2 == 1 {
			status, resolved = "RESOLVED", last.Add(time.Hour)
		}
		if err := row(id, t.provider, t.clock, t.clock, kind.key, kind.severity, status, kind.title,
			fmt.Sprintf("condition-%d", i), "DEVICE", last, last, resolved,
			t.organizations[t.organizationOf(device)], t.devices[device]); err != nil {
			return err
		}
	}
	return nil
}
