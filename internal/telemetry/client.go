package telemetry

import (
	"net/netip"
	"strings"
)

// maxHops bounds how far back a chain of proxies is followed.
const maxHops = 32

// ResolveClient finds the address of the client. The peer's address is the
// truth unless it is a trusted proxy's: then X-Forwarded-For is read from the
// right, where the nearest proxy wrote, to the first address that is not a
// trusted proxy's. What stands further left anyone can have written. An entry
// that is not an address ends the search at the proxy that wrote it.
//
// The result is not valid if the peer has no IP address, as on a Unix socket.
func ResolveClient(trusted []netip.Prefix, remoteAddr string, forwardedFor []string) netip.Addr {
	client, ok := parseHop(remoteAddr)
	if !ok {
		return netip.Addr{}
	}
	for i, hops := len(forwardedFor)-1, 0; i >= 0; i-- {
		rest := forwardedFor[i]
		for more := true; more; hops++ {
			if hops == maxHops || !isTrusted(trusted, client) {
				return client
			}
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				hop, more = rest, false
			}
			addr, ok := parseHop(hop)
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// FromTrusted reports whether a request's peer, by its address, is one of the
// trusted networks.
func FromTrusted(trusted []netip.Prefix, remoteAddr string) bool {
	peer, ok := parseHop(remoteAddr)
	return ok && isTrusted(trusted, peer)
}

func isTrusted(trusted []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port. IPv4 mapped into IPv6 is
// IPv4, and zones mean nothing beyond the machine that wrote them.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}
