package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/outbound"
)

// Options tune a client.
type Options struct {
	// Personal sends what names a person or is secret as well: identities,
	// verification codes, reasons, links, rendered texts. Defaults to false,
	// for receivers that need to know only what happened to which request;
	// notices that are of no use without, dsr.NoticeVerify and
	// dsr.NoticeErase, are then refused with [dsr.ErrRejected], and hooks
	// get no identities. A client that stands for itself, without another
	// notifier beside it, needs it.
	Personal bool
	// Kinds are the notices that the receiver gets; for all others Notify
	// returns nil without a call. Defaults to all.
	Kinds []dsr.NoticeKind
	// ReplyTo is the URL below which the host serves Fides' API, such as
	// "https://privacy.shop.example/api/v1". Hooks that may answer later are
	// then told where, with their token. "/" sends the paths alone, as Fides
	// does: receivers that were written for it put the host and "/api/v1"
	// before them. Defaults to none: no token is sent.
	ReplyTo string
	// Header is added to each call, such as an Authorization. It cannot
	// replace what the client sets itself. Defaults to none.
	Header http.Header

	// Timeout bounds a whole call. Defaults to 20 seconds; the standard
	// advises 15 to 30.
	Timeout time.Duration
	// MaxAnswer is how many bytes the answer of a hook may have. Defaults to
	// 1 MiB.
	MaxAnswer int64
	// Allow lists networks that may be called although they are not public,
	// such as 10.0.0.0/8. Defaults to none.
	Allow []netip.Prefix
	// Insecure permits http, for tests and what stays in one machine.
	// Defaults to https only.
	Insecure bool
	// Proxy makes the calls, over http, https or socks5; it then has to
	// guard the network itself. Defaults to none, whatever the environment
	// says.
	Proxy *url.URL
	// TLS holds certificates and the like. Defaults to the system's.
	TLS *tls.Config
	// Clock says when a call is made. Defaults to time.Now.
	Clock func() time.Time
}

// Client sends notices and calls hooks. It may be used by many at once.
type Client struct {
	url      *url.URL
	keys     [][]byte
	opts     Options
	replies  bool // hooks are told where to answer later, below opts.ReplyTo
	secret   bool // the URL is one: no error names where it leads
	outbound *outbound.Client
}

var (
	_ dsr.Notifier = (*Client)(nil)
	_ dsr.Hook     = (*Client)(nil)
)

const defaultTimeout = 20 * time.Second

// New returns a client of a URL, which signs with all secrets: "whsec_" and 24
// to 64 bytes in base64 each, the newest first. Nil stands for default options.
// The error names every fault of what is given.
func New(address string, secrets []string, opts *Options) (*Client, error) {
	return newClient(address, secrets, true, opts)
}

// newClient returns a client that signs, or one that has no secrets.
func newClient(address string, secrets []string, signs bool, opts *Options) (*Client, error) {
	c := &Client{}
	if opts != nil {
		c.opts = *opts
		c.opts.Kinds = slices.Clone(opts.Kinds)
		c.opts.Header = opts.Header.Clone()
	}
	if c.opts.Timeout == 0 {
		c.opts.Timeout = defaultTimeout
	}
	if c.opts.Clock == nil {
		c.opts.Clock = time.Now
	}
	o := &c.opts
	c.outbound = outbound.New(&outbound.Options{
		Timeout: o.Timeout, MaxBody: o.MaxAnswer, Allow: o.Allow, Insecure: o.Insecure, Proxy: o.Proxy, TLS: o.TLS,
		UserAgent: "dsr-webhook",
	})
	var faults [4]error
	if c.url, faults[0] = url.Parse(address); faults[0] != nil {
		faults[0] = errors.New("the URL cannot be parsed") // that error would quote it
	} else if faults[0] = c.outbound.CheckURL(c.url); faults[0] != nil {
		faults[0] = fmt.Errorf("the URL cannot be called: %w", faults[0])
	}
	if signs {
		c.keys, faults[1] = parseSecrets(secrets)
	}
	if c.replies = o.ReplyTo != ""; c.replies && o.ReplyTo != "/" {
		if base, err := url.Parse(o.ReplyTo); err != nil || base.Host == "" || base.RawQuery != "" || base.User != nil {
			faults[2] = errors.New("Options.ReplyTo is neither the absolute URL of an API, without a query, nor \"/\"")
		}
	}
	for _, kind := range o.Kinds {
		if !slices.Contains(dsr.NoticeKinds(), kind) {
			faults[3] = errors.Join(faults[3], fmt.Errorf("Options.Kinds: there is no kind of notice %q", kind))
		}
	}
	if err := errors.Join(faults[:]...); err != nil {
		return nil, settingsError(err.Error())
	}
	o.ReplyTo = strings.TrimSuffix(o.ReplyTo, "/")
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.outbound.Close() }

// Notify implements [dsr.Notifier]: it posts the notice once, as an [Event],
// under the notice's ID. Only a status of 2xx is success. A status of 408, 425,
// 429 or 5xx and whatever the network does wrap [dsr.ErrUnavailable], with the
// time that the receiver asks for in the text; any other status, a redirect and
// an address that is guarded wrap [dsr.ErrRejected].
func (c *Client) Notify(ctx context.Context, n dsr.Notice) error {
	if len(c.opts.Kinds) > 0 && !slices.Contains(c.opts.Kinds, n.Kind) {
		return nil
	}
	body, err := encodeEvent(&n, c.opts.Personal)
	if err != nil {
		return &failure{fmt.Errorf("webhook: notice %s: %w: %w", n.ID, dsr.ErrRejected, err)}
	}
	if _, err = c.post(ctx, n.ID, body, nil, false); err != nil {
		kind := dsr.ErrRejected
		if outbound.Temporary(err) {
			kind = dsr.ErrUnavailable
		}
		return &failure{fmt.Errorf("webhook: notice %s: %w: %w", n.ID, kind, err)}
	}
	return nil
}

// failure is why a notice was not handed over. Its text is made here and in
// package outbound, of known words only.
type failure struct{ error }

// Reason implements [dsr.ReasonError]: the whole text can be shown.
func (f *failure) Reason() string { return f.Error() }

// Unwrap returns what it wraps.
func (f *failure) Unwrap() error { return f.error }

// Call implements [dsr.Hook]: it posts the call once, as a [Call], under the
// call's ID. The answer of a two-way hook, and of one that pre-approves, is read
// as an [Answer]; that of others is not. Errors are those of Notify, but that
// those which are final wrap nothing.
func (c *Client) Call(ctx context.Context, call *dsr.HookCall) (*dsr.HookAnswer, error) {
	body, header, err := c.encodeCall(call)
	if err != nil {
		return nil, fmt.Errorf("webhook: hook %s: %w", call.Hook, err)
	}
	awaited := call.TwoWay || call.Phase == dsr.HookPreApproval
	res, err := c.post(ctx, call.ID, body, header, awaited)
	switch {
	case outbound.Temporary(err):
		return nil, fmt.Errorf("webhook: hook %s: %w: %w", call.Hook, dsr.ErrUnavailable, err)
	case err != nil:
		return nil, fmt.Errorf("webhook: hook %s: %w", call.Hook, err)
	case !awaited || len(bytes.TrimSpace(res.Body)) == 0:
		return nil, nil //nolint:nilnil // the port's word for an answer without content
	}
	answer, err := decodeAnswer(res.Body)
	if err != nil {
		return nil, fmt.Errorf("webhook: hook %s: %w", call.Hook, err)
	}
	return answer, nil
}

// post signs and sends. The error is an *outbound.Error, but for an ID that no
// header may hold.
func (c *Client) post(ctx context.Context, id string, body []byte, header http.Header, read bool) (*outbound.Response, error) {
	if !validID(id) {
		return nil, fmt.Errorf("its ID is empty, longer than %d bytes, or has other characters than letters, digits, dots, dashes and underscores", maxID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // that error would quote the URL
	}
	for _, headers := range []http.Header{c.opts.Header, header} {
		for name, values := range headers {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	now := c.opts.Clock()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set(headerID, id)
	req.Header.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	if req.Header.Del(headerSignature); len(c.keys) > 0 {
		req.Header.Set(headerSignature, sign(c.keys, id, now, body))
	}
	send := c.outbound.Send
	if read {
		send = c.outbound.Do
	}
	res, err := send(req)
	if err == nil {
		err = res.Err()
	}
	var failed *outbound.Error
	if c.secret && errors.As(err, &failed) {
		failed.Origin = "its URL"
	}
	return res, err
}
