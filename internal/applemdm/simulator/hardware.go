package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Kind is what a device is.
type Kind string

// The kinds.
const (
	MacAppleSilicon Kind = "MAC_APPLE_SILICON"
	MacIntel        Kind = "MAC_INTEL"
	IPhone          Kind = "IPHONE"
	IPad            Kind = "IPAD"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{MacAppleSilicon, MacIntel, IPhone, IPad} }

// Mac reports whether the kind runs macOS.
func (k Kind) Mac() bool { return k == MacAppleSilicon || k == MacIntel }

// Hardware is who a device is, in Apple's names. It does not change when the
// device enrols again.
type Hardware struct {
	Kind                   Kind
	UDID                   string // a UUID, or 00008020-000915083C80012E in newer iPhones and iPads
	ProvisioningUDID       string // Apple silicon Macs only
	SerialNumber           string
	DeviceName             string
	ModelName              string // as in "MacBook Air"
	Model                  string // as in "MLY33LL/A", or a Mac's ProductName
	ProductName            string // as in "Mac14,2"
	SoftwareUpdateDeviceID string
	OSVersion              string
	BuildVersion           string
	DeviceCapacity         float64 // GB
	WiFiMAC                string
	BluetoothMAC           string
	EthernetMAC            string // Macs only
	IMEI                   string // iPhones only
}

// model is one that a kind can be.
type model struct{ name, model, product, update, chip string }

var models = map[Kind][]model{
	MacAppleSilicon: {
		{"MacBook Air", "Mac14,2", "Mac14,2", "J413AP", ""},
		{"MacBook Pro", "Mac15,6", "Mac15,6", "J514sAP", ""},
		{"MacBook Pro", "MacBookPro18,3", "MacBookPro18,3", "J314sAP", ""},
		{"Mac mini", "Macmini9,1", "Macmini9,1", "J274AP", ""},
	},
	MacIntel: {
		{"MacBook Pro", "MacBookPro16,1", "MacBookPro16,1", "Mac-E1008331FDC96864", ""},
		{"iMac", "iMac20,1", "iMac20,1", "Mac-CFF7D910A743CAAF", ""},
	},
	IPhone: {
		{"iPhone", "MLPF3LL/A", "iPhone14,5", "iPhone14,5", "00008110"},
		{"iPhone", "MQ0E3LL/A", "iPhone15,2", "iPhone15,2", "00008120"},
		{"iPhone", "MTUX3LL/A", "iPhone16,1", "iPhone16,1", "00008130"},
	},
	IPad: {
		{"iPad", "MHQR3LL/A", "iPad13,4", "iPad13,4", "00008103"},
		{"iPad", "MNXD3LL/A", "iPad14,3", "iPad14,3", "00008112"},
	},
}

// system is a version of a kind's operating system.
type system struct{ version, build string }

var systems = map[Kind][]system{
	MacAppleSilicon: {{"26.1", "25B78"}, {"15.7.1", "24G231"}, {"14.8.1", "23J30"}},
	MacIntel:        {{"15.7.1", "24G231"}, {"14.8.1", "23J30"}},
	IPhone:          {{"26.1", "23B85"}, {"18.7.1", "22H31"}},
	IPad:            {{"26.1", "23B85"}, {"18.7.1", "22H31"}},
}

var owners = []string{"Ada", "Ben", "Chen", "Dana", "Emil", "Fatma", "Grace", "Hugo", "Ines", "Jonas", "Kaya", "Lena"}

// serialLetters are those of Apple's randomized serial numbers.
const serialLetters = "0123456789CDFGHJKLMNPQRTVWXY"

// Generate makes up a device of one of the [Kinds]. The same seed and kind give
// the same device, and others another UDID and serial number.
func Generate(seed uint64, kind Kind) Hardware {
	number := slices.Index(Kinds(), kind)
	r := rand.New(rand.NewPCG(seed, uint64(number))) //nolint:gosec // nothing secret: the same seed has to give the same device
	m, s := pick(r, models[kind]), pick(r, systems[kind])
	owner := pick(r, owners)
	h := Hardware{
		Kind: kind, ModelName: m.name, Model: m.model, ProductName: m.product, SoftwareUpdateDeviceID: m.update,
		OSVersion: s.version, BuildVersion: s.build,
		DeviceName:     fmt.Sprintf("%s’s %s", owner, m.name),
		SerialNumber:   serialLetters[10+number:11+number] + serial(r, seed),
		DeviceCapacity: pick(r, []float64{128, 256, 512, 1024}),
		WiFiMAC:        mac(r), BluetoothMAC: mac(r),
	}
	if kind.Mac() {
		h.UDID = uuid(r)
		h.EthernetMAC = mac(r)
	} else {
		h.UDID = fmt.Sprintf("%s-%016X", m.chip, r.Uint64()>>12)
	}
	if kind == MacAppleSilicon {
		h.ProvisioningUDID = fmt.Sprintf("00008112-%016X", r.Uint64()>>12)
	}
	if kind == IPhone {
		h.IMEI = imei(r)
	}
	return h
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// serial ends in the seed, so that no two seeds below 28⁶ share one. The factor
// has none in common with 28, and scatters neighbours.
func serial(r *rand.Rand, seed uint64) string {
	var b [9]byte
	for i := range b {
		b[i] = serialLetters[r.IntN(len(serialLetters))]
	}
	const letters = uint64(len(serialLetters))
	const all = letters * letters * letters * letters * letters * letters
	seed = seed % all * 314_159_261 % all
	for i := 8; i > 2; i-- {
		b[i] = serialLetters[seed%letters]
		seed /= letters
	}
	return string(b[:])
}

func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08X-%04X-4%03X-%04X-%012X", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

func mac(r *rand.Rand) string {
	n := r.Uint64()
	return strings.ToLower(fmt.Sprintf("f0:18:98:%02x:%02x:%02x", n>>16&0xff, n>>8&0xff, n&0xff))
}

// imei ends in its Luhn digit, in the groups that devices report.
func imei(r *rand.Rand) string {
	digits := fmt.Sprintf("35%012d", r.Uint64N(1_000_000_000_000))
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	digits += string(rune('0' + (10-sum%10)%10))
	return digits[:2] + " " + digits[2:8] + " " + digits[8:14] + " " + digits[14:]
}
