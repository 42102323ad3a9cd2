package psa

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"syscall"
)

// errAddress reports an address that Bailiwick must not call on a tenant's
// behalf.
var errAddress = errors.New("this address is not on the public internet")

// shared lists ranges that netip does not count as private but that lead
// inside a network all the same.
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),  // carrier-grade NAT, cloud metadata of some providers
	netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarking
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved, and broadcast
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64: an IPv4 address in disguise
	netip.MustParsePrefix("64:ff9b:1::/48"), // the same, local
	netip.MustParsePrefix("2002::/16"),      // 6to4: the same
}

// public reports whether an address may be called.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range shared {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// guardDial returns a dialer's Control. It sees the address that is really
// dialled, so that a name which resolves to the inside is refused as well.
func guardDial(allowLoopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errAddress, address)
		}
		if public(ap.Addr()) || (allowLoopback && ap.Addr().Unmap().IsLoopback()) {
			return nil
		}
		return errAddress
	}
}

// parseBase checks the root that calls go to.
func parseBase(base string, allowLoopback bool) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("base URL cannot be read")
	}
	switch {
	case u.Host == "" || u.Opaque != "":
		return nil, errors.New("base URL has no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("base URL has more than scheme, host and path")
	case u.Scheme == "https", u.Scheme == "http" && allowLoopback && loopbackHost(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("base URL is not https")
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
