// Package outbound is the one client for calls to addresses that a host's
// configuration, or somebody who may write to it, names: webhooks and services
// over HTTP.
//
// It guards the caller's own network: an address is looked at when it is
// dialed, after the name was resolved, so that a name which resolves to another
// address the next time gains nothing. Everything is bounded: each step in
// time, the answer in size, redirects in number. Errors name a method and an
// origin and what went wrong, never a path, a query, a header or a body.
package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options tune a client. Durations and sizes of 0 stand for the defaults.
type Options struct {
	// Timeout bounds a whole call, from the look-up of the name to the last
	// byte of the answer. Defaults to 30 seconds.
	Timeout time.Duration
	// DialTimeout bounds the look-up and the connection, TLSTimeout the
	// handshake. They default to 10 seconds each.
	DialTimeout, TLSTimeout time.Duration
	// HeaderTimeout bounds the wait for the answer to begin. Defaults to
	// Timeout.
	HeaderTimeout time.Duration
	// MaxBody is how many bytes an answer may have. Defaults to 1 MiB.
	MaxBody int64
	// Allow lists addresses that may be called although they are not public.
	// IPv4 addresses are compared as such, however they were written.
	// Defaults to none.
	Allow []netip.Prefix
	// Insecure permits http. Defaults to https only.
	Insecure bool
	// Redirects is how many redirects a GET or HEAD follows, each of them
	// guarded like the first address, and none from https to http. Defaults
	// to none. Calls with another method are never redirected.
	Redirects int
	// Proxy makes all calls, over http, https or socks5. The guard then sees
	// addresses that stand in a URL but not what names resolve to: that is
	// the proxy's to guard. Defaults to none, whatever the environment says.
	Proxy *url.URL
	// TLS holds certificates and the like. Defaults to the system's.
	TLS *tls.Config
	// Resolver looks names up. Defaults to the system's.
	Resolver *net.Resolver
	// Dial makes connections in the place of the guarded dialer, in tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// UserAgent defaults to "dsr".
	UserAgent string
}

// Client makes calls. It may be used by many at once.
type Client struct {
	opts Options
	http *http.Client
}

// Response is an answer of any status but a redirect.
type Response struct {
	Status int
	Header http.Header
	// Body is the whole body; nil after [Client.Send].
	Body []byte
	// method and origin are what errors name.
	method, origin string
}

const (
	defaultTimeout = 30 * time.Second
	defaultStep    = 10 * time.Second
	defaultMaxBody = 1 << 20
	maxHeader      = 64 << 10 // bytes that the headers of an answer may have
)

// New returns a client. Nil stands for all defaults.
func New(opts *Options) *Client {
	c := &Client{}
	if opts != nil {
		c.opts = *opts
		c.opts.Allow = slices.Clone(opts.Allow)
	}
	o := &c.opts
	orElse(&o.Timeout, defaultTimeout)
	orElse(&o.DialTimeout, defaultStep)
	orElse(&o.TLSTimeout, defaultStep)
	orElse(&o.HeaderTimeout, o.Timeout)
	orElse(&o.MaxBody, defaultMaxBody)
	orElse(&o.UserAgent, "dsr")
	transport := &http.Transport{
		DialContext:            o.Dial,
		TLSClientConfig:        o.TLS.Clone(),
		TLSHandshakeTimeout:    o.TLSTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// Nothing is unpacked, so that a small answer never becomes a large
		// one.
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     time.Minute,
	}
	if o.Dial == nil {
		dialer := &net.Dialer{Timeout: o.DialTimeout, Resolver: o.Resolver}
		if o.Proxy == nil {
			dialer.ControlContext = guard(o.Allow).control
		}
		transport.DialContext = dialer.DialContext
	}
	if o.Proxy != nil {
		transport.Proxy = http.ProxyURL(o.Proxy)
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.redirect}
	return c
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Close ends idle connections. The client may be used further.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// CheckURL reports what no call of the client would get past: another scheme,
// no host, no such port, credentials, an address that is guarded. It resolves no names.
func (c *Client) CheckURL(u *url.URL) error {
	switch {
	case u.Scheme == "http" && !c.opts.Insecure:
		return refuse(ErrRefused, "over http anybody on its way could read it")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse(ErrRefused, "only https can be called")
	case u.Hostname() == "":
		return refuse(ErrRefused, "the URL has no host")
	case !validPort(u.Port()):
		return refuse(ErrRefused, "the port is none from 1 to 65535")
	case u.User != nil:
		return refuse(ErrRefused, "credentials do not belong into a URL")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return guard(c.opts.Allow).check(addr)
	}
	return nil
}

// validPort reports whether there is such a port; none stands for the usual one.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// Do makes a call, once, and returns the answer whatever its status; see
// [Response.Err]. The error is an [*Error].
func (c *Client) Do(req *http.Request) (*Response, error) { return c.call(req, true) }

// Send is Do where nothing but the status matters: the body of the answer is
// not read.
func (c *Client) Send(req *http.Request) (*Response, error) { return c.call(req, false) }

func (c *Client) call(req *http.Request, read bool) (*Response, error) {
	if err := c.CheckURL(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as http.Client would
		}
		return nil, fault(req, err)
	}
	ctx, cancel := context.WithTimeout(req.Context(), c.opts.Timeout)
	defer cancel()
	sent := req.Clone(ctx)
	if sent.Header.Get("User-Agent") == "" {
		sent.Header.Set("User-Agent", c.opts.UserAgent)
	}
	resp, err := c.http.Do(sent)
	if err != nil {
		return nil, fault(req, err)
	}
	defer func() { _ = resp.Body.Close() }() // what was not read stays unread
	res := &Response{Status: resp.StatusCode, Header: resp.Header, method: req.Method, origin: Origin(req.URL)}
	if !read {
		return res, nil
	}
	if res.Body, err = io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxBody+1)); err != nil {
		return nil, fault(req, err)
	}
	if int64(len(res.Body)) > c.opts.MaxBody {
		return nil, fault(req, refuse(ErrTooLarge, fmt.Sprintf("it has more than %d bytes", c.opts.MaxBody)))
	}
	if resp.Header.Get("Content-Encoding") != "" && len(res.Body) > 0 {
		return nil, fault(req, refuse(ErrRefused, "its answer is compressed, which was not asked for"))
	}
	return res, nil
}

// carried are the headers that a redirect to another origin keeps; all others
// may hold secrets.
func carried(name string) bool {
	return name == "User-Agent" || name == "Accept" || strings.HasPrefix(name, "Accept-")
}

// redirect decides whether a redirect is followed.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet && first.Method != http.MethodHead:
		return refuse(ErrRedirect, "what was sent is not sent on to another address")
	case len(via) > c.opts.Redirects:
		return refuse(ErrRedirect, fmt.Sprintf("only %d are", c.opts.Redirects))
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
		return refuse(ErrRedirect, "from https to another scheme")
	}
	if err := c.CheckURL(req.URL); err != nil {
		return err
	}
	req.Header.Del("Referer") // it would tell the query
	// Once elsewhere, always elsewhere: who may redirect back would choose the
	// path that the secrets come to.
	elsewhere := func(hop *http.Request) bool { return Origin(hop.URL) != Origin(first.URL) }
	if elsewhere(req) || slices.ContainsFunc(via, elsewhere) {
		for name := range req.Header {
			if !carried(name) {
				req.Header.Del(name)
			}
		}
	}
	return nil
}

// Origin is the part of a URL that errors and logs may name: scheme and host.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// Err is nil for a status of 2xx. Any other is an [*Error]; it is temporary for
// 408, 425, 429 and 5xx, and then tells when the other side wants to be asked
// again, if it said so.
func (r *Response) Err() error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	e := &Error{Method: r.method, Origin: r.origin, Reason: fmt.Sprintf("it answered with status %d", r.Status)}
	if text := http.StatusText(r.Status); text != "" {
		e.Reason += " " + text
	}
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		e.temporary = true
	default:
		e.temporary = r.Status >= 500
	}
	if after := r.retryAfter(); e.temporary && after != "" {
		e.Reason += ", and asks to be called again " + after
	}
	return e
}

// retryAfter reads the header, which holds seconds or a time (RFC 9110, section
// 10.2.3), and nothing else of it is shown.
func (r *Response) retryAfter() string {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return "in " + (time.Duration(seconds) * time.Second).String()
	}
	if at, err := http.ParseTime(value); err == nil {
		return "after " + at.UTC().Format(time.RFC3339)
	}
	return ""
}
