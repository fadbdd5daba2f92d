package outbound

import (
	"context"
	"net/netip"
	"slices"
	"syscall"
)

// guard refuses addresses that are not public, but for those it holds.
type guard []netip.Prefix

// control looks at each address that is dialed, after resolution.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil { // not an address of the Internet at all
		return refuse(ErrRefused, "its address is of an unknown form")
	}
	return g.check(at.Addr())
}

// check refuses an address that is not public. It does not say which one it is:
// that would tell the map of a network to who chose the name.
func (g guard) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(g, func(p netip.Prefix) bool { return p.Contains(addr) }) || public(addr) {
		return nil
	}
	return refuse(ErrRefused, "its address is not a public one; allow its network if it is meant")
}

// notPublic returns what the IANA registries of special-purpose addresses call
// not globally reachable, RFC 6890 and its successors, with multicast.
func notPublic() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network; 0.0.0.0 reaches the machine itself
		netip.MustParsePrefix("10.0.0.0/8"),      // private, RFC 1918
		netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers, RFC 6598; some clouds serve metadata there
		netip.MustParsePrefix("127.0.0.0/8"),     // loopback
		netip.MustParsePrefix("169.254.0.0/16"),  // link-local; clouds serve metadata there
		netip.MustParsePrefix("172.16.0.0/12"),   // private, RFC 1918
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation
		netip.MustParsePrefix("192.88.99.0/24"),  // relays from 6to4
		netip.MustParsePrefix("192.168.0.0/16"),  // private, RFC 1918
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"), // documentation
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation
		netip.MustParsePrefix("224.0.0.0/4"),     // multicast
		netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
		netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
		netip.MustParsePrefix("2001:db8::/32"),   // documentation
		netip.MustParsePrefix("3fff::/20"),       // documentation
	}
}

// public reports whether an address, not a mapped one, is one of the public
// Internet. Of IPv6 that is global unicast, 2000::/3, and what NAT64 translates
// to public IPv4; ULA, link-local, loopback and multicast lie outside of it.
func public(addr netip.Addr) bool {
	if slices.ContainsFunc(notPublic(), func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return false
	}
	if addr.Is4() {
		return true
	}
	bytes := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr): // NAT64, RFC 6052
		return public(netip.AddrFrom4([4]byte(bytes[12:])))
	case netip.MustParsePrefix("2002::/16").Contains(addr): // 6to4, RFC 3056
		return public(netip.AddrFrom4([4]byte(bytes[2:6])))
	}
	return netip.MustParsePrefix("2000::/3").Contains(addr)
}
