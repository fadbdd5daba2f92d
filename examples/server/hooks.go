package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/webhook"
)

// hookType is the type of connections that are called over HTTP. They reach
// public addresses, and of others those that -allow names as networks, or
// "localhost" for this machine: what another name resolves to may change. Plain
// http goes no further than this machine. Receivers are told where to answer
// later as Fides does it, by the path below /api/v1 of this server.
func hookType(allow []string) (dsr.ConnectionType, error) {
	options := webhook.Options{Personal: true, ReplyTo: "/"}
	var faults []error
	for _, entry := range allow {
		switch network, err := netip.ParsePrefix(entry); {
		case err == nil:
			options.Allow = append(options.Allow, network.Masked())
		case strings.Contains(entry, "/"):
			faults = append(faults, fmt.Errorf("-allow holds %q, which is no network", entry))
		case strings.EqualFold(entry, "localhost"):
			options.Allow = append(options.Allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
		default:
			if addr, err := netip.ParseAddr(entry); err == nil {
				options.Allow = append(options.Allow, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	if len(faults) > 0 {
		return dsr.ConnectionType{}, errors.Join(faults...)
	}
	insecure := options
	insecure.Insecure = true
	anywhere, here := webhook.ConnectionType(&options), webhook.ConnectionType(&insecure)
	hooks := anywhere
	hooks.Hook = func(c dsr.ConnectionSettings) (dsr.Hook, error) {
		if thisMachine(c.Secrets["url"]) {
			return here.Hook(c)
		}
		return anywhere.Hook(c)
	}
	return hooks, nil
}

// thisMachine reports whether a URL names the machine that it is called from.
func thisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(u.Hostname(), "localhost")
}
