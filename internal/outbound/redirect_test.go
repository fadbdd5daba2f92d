package outbound_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/outbound"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// A redirect of what was sent is refused, wherever it leads and however many
// are allowed.
func TestRedirectsOfPosts(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	target := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target+"/?canary", status) })
		_, err := client(t, outbound.Options{Redirects: 5}).Do(post(t, server, "canary"))
		require.ErrorIs(t, err, outbound.ErrRedirect)
		require.False(t, outbound.Temporary(err))
		require.EqualError(t, err, "POST "+server+": it redirects, which is not followed: what was sent is not sent on to another address")
	}
	require.Zero(t, calls.Load())
}

// Redirects are guarded like the first address, by literal and by name.
func TestRedirectsToPrivateAddresses(t *testing.T) {
	t.Parallel()
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	inside.Start()
	t.Cleanup(inside.Close)
	port := parse(t, inside.URL).Port()
	for _, target := range []string{"http://127.0.0.9:" + port, "http://[::ffff:10.0.0.1]", "http://hooks.shop.example:" + port, "http://169.254.169.254/latest/meta-data"} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		c := outbound.New(&outbound.Options{
			Insecure: true, Redirects: 3, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: resolver("127.0.0.9"),
		})
		t.Cleanup(c.Close)
		_, err := c.Do(get(t, server))
		require.ErrorIs(t, err, outbound.ErrRefused, target)
		require.EqualError(t, err, "GET "+server+": it is refused: its address is not a public one; allow its network if it is meant")
	}
}

func TestRedirectsInNumber(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) < 4 {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}
	})
	res, err := client(t, outbound.Options{Redirects: 3}).Do(get(t, server+"/"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.Status)
	_, err = client(t, outbound.Options{Redirects: 2}).Do(get(t, server+"/"))
	require.EqualError(t, err, "GET "+server+": it redirects, which is not followed: only 2 are")
	_, err = client(t, outbound.Options{}).Do(get(t, server+"/"))
	require.EqualError(t, err, "GET "+server+": it redirects, which is not followed: only 0 are")
}

func TestRedirectsFromTLS(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain, http.StatusFound) }))
	t.Cleanup(server.Close)
	config := server.Client().Transport.(*http.Transport).TLSClientConfig
	_, err := client(t, outbound.Options{Redirects: 3, TLS: config}).Do(get(t, server.URL))
	require.EqualError(t, err, "GET "+server.URL+": it redirects, which is not followed: from https to another scheme")
}

// Secrets stay with the origin they were meant for, also when the call is led
// back to it.
func TestRedirectsCarryNoSecrets(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 3)
	var first, second string
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, first+"/away", http.StatusFound)
		case "/away":
			http.Redirect(w, r, second, http.StatusFound)
		}
	})
	second = serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		http.Redirect(w, r, first+"/back", http.StatusFound)
	})
	req := get(t, first+"/same?key=canary")
	req.Header.Set("Authorization", "Bearer canary")
	req.Header.Set("X-Api-Key", "canary")
	req.Header.Set("Accept", "application/json")
	res := make(chan error, 1)
	go func() {
		_, err := client(t, outbound.Options{Redirects: 5, UserAgent: "shop/1"}).Do(req)
		res <- err
	}()
	for hop, secret := range []string{"canary", "canary", "", ""} {
		header := <-got
		require.Equal(t, secret, header.Get("X-Api-Key"), hop)
		require.Equal(t, secret, strings.TrimPrefix(header.Get("Authorization"), "Bearer "), hop)
		require.Equal(t, "application/json", header.Get("Accept"))
		require.Equal(t, "shop/1", header.Get("User-Agent"))
		require.Empty(t, header.Get("Referer"))
	}
	require.NoError(t, <-res)
}

func get(t *testing.T, address string) *http.Request {
	t.Helper()
	req := post(t, address, "")
	req.Method, req.Body, req.ContentLength, req.GetBody = http.MethodGet, nil, 0, nil
	return req
}
