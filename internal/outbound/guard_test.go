package outbound_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/outbound"
)

func TestGuardedAddresses(t *testing.T) {
	t.Parallel()
	for address, public := range map[string]bool{
		"8.8.8.8": true, "172.15.255.255": true, "172.32.0.0": true, "100.128.0.0": true, "223.255.255.255": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "127.0.0.1": false, "127.9.9.9": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.170": false, "192.168.1.1": false,
		"198.19.0.1": false, "203.0.113.7": false, "224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"[2606:4700::1111]": true, "[2a00:1450::1]": true,
		"[::]": false, "[::1]": false, "[::7f00:1]": false, "[fe80::1]": false, "[fe80::1%25eth0]": false, "[fec0::1]": false,
		"[fc00::1]": false, "[fd12:3456::1]": false, "[ff02::1]": false, "[ff0e::1]": false, "[100::1]": false,
		"[2001:db8::1]": false, "[2001:0:1::1]": false, "[3fff::1]": false, "[4000::1]": false,
		"[::ffff:8.8.8.8]": true, "[::ffff:127.0.0.1]": false, "[::ffff:10.1.2.3]": false, "[::ffff:169.254.169.254]": false,
		"[64:ff9b::8.8.8.8]": true, "[64:ff9b::10.0.0.1]": false, "[64:ff9b::7f00:1]": false, "[64:ff9b:1::8.8.8.8]": false,
		"[2002:808:808::1]": true, "[2002:a00:1::1]": false, "[2002:7f00:1::]": false,
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			err := outbound.New(nil).CheckURL(parse(t, "https://"+address+"/"))
			if public {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, outbound.ErrRefused)
			require.EqualError(t, err, "it is refused: its address is not a public one; allow its network if it is meant")
		})
	}
}

func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	c := outbound.New(&outbound.Options{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}})
	for address, allowed := range map[string]bool{
		"10.1.2.3": true, "[::ffff:10.1.2.3]": true, "[fd00:1::5]": true, "10.2.0.1": false, "[fd00:2::5]": false, "127.0.0.1": false,
	} {
		require.Equal(t, allowed, c.CheckURL(parse(t, "https://"+address)) == nil, address)
	}
}

func TestURLsThatAreNotCalled(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://shop.example":               "over http anybody on its way could read it",
		"ftp://shop.example":                "only https can be called",
		"file:///etc/passwd":                "only https can be called",
		"https:///path":                     "the URL has no host",
		"https://shop.example:65536":        "the port is none from 1 to 65535",
		"https://shop.example:0/":           "the port is none from 1 to 65535",
		"https://user:canary@shop.example/": "credentials do not belong into a URL",
	} {
		require.EqualError(t, outbound.New(nil).CheckURL(parse(t, address)), "it is refused: "+want, address)
		_, err := outbound.New(nil).Do(post(t, address, "body"))
		require.ErrorIs(t, err, outbound.ErrRefused)
		require.NotContains(t, err.Error(), "canary")
	}
}

// A name that looks public is judged by what it resolves to when it is dialed.
func TestGuardAfterResolution(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(server.Close)
	address := "http://hooks.shop.example:" + parse(t, server.URL).Port() + "/in?key=canary"

	c := outbound.New(&outbound.Options{Insecure: true, Resolver: resolver("127.0.0.1")})
	t.Cleanup(c.Close)
	_, err := c.Do(post(t, address, "canary"))
	require.ErrorIs(t, err, outbound.ErrRefused)
	require.False(t, outbound.Temporary(err))
	require.EqualError(t, err, "POST http://hooks.shop.example:"+parse(t, server.URL).Port()+
		": it is refused: its address is not a public one; allow its network if it is meant")
	require.Zero(t, calls.Load())

	allowed := outbound.New(&outbound.Options{Insecure: true, Resolver: resolver("127.0.0.1"), Allow: loopback()})
	t.Cleanup(allowed.Close)
	_, err = allowed.Do(post(t, address, "canary"))
	require.NoError(t, err)
	require.EqualValues(t, 1, calls.Load())
}

// A name that resolves to a public address first and to a private one later is
// refused when the second is dialed.
func TestGuardAgainstRebinding(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	t.Cleanup(server.Close)
	address := "http://hooks.shop.example:" + parse(t, server.URL).Port()
	c := outbound.New(&outbound.Options{
		Insecure: true, Resolver: resolver("127.0.0.1", "127.0.0.2"), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	t.Cleanup(c.Close)
	_, err := c.Do(post(t, address, ""))
	require.NoError(t, err)
	_, err = c.Do(post(t, address, ""))
	require.ErrorIs(t, err, outbound.ErrRefused)
}

// With a proxy the guard still sees what stands in the URL, and the proxy's own
// address is the host's choice.
func TestGuardWithProxy(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store(r.RequestURI) }))
	t.Cleanup(proxy.Close)
	c := outbound.New(&outbound.Options{Insecure: true, Proxy: parse(t, proxy.URL)})
	t.Cleanup(c.Close)
	_, err := c.Do(post(t, "http://hooks.shop.example/in", ""))
	require.NoError(t, err)
	require.Equal(t, "http://hooks.shop.example/in", asked.Load())
	_, err = c.Do(post(t, "http://10.0.0.1/in", ""))
	require.ErrorIs(t, err, outbound.ErrRefused)
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// resolver answers every question for an IPv4 address with the next of the
// given ones, then with the last, and knows of no IPv6.
func resolver(addresses ...string) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				query, err := readMessage(theirs)
				if err != nil {
					return
				}
				const header = 12
				end := header
				for query[end] != 0 {
					end += int(query[end]) + 1
				}
				question := query[header : end+5] // its name, type and class
				answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
				if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 { // an A record
					answer[7] = 1
					next := addresses[min(int(asked.Add(1)), len(addresses))-1]
					answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					answer = append(answer, netip.MustParseAddr(next).AsSlice()...)
				}
				if _, err := theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
		return mine, nil
	}}
}

// readMessage reads a message of DNS as it goes over streams.
func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, message)
	return message, err
}
