package fides

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/adapters/api/internal/callid"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// Options configure a [Door].
type Options struct {
	// Verifier says who calls. Required, unless OAuth is given, which it then
	// defaults to.
	Verifier oauth.Verifier
	// OAuth has the clients and tokens that the routes below /oauth are about.
	// Defaults to none: there are no such routes.
	OAuth *oauth.Server
	// PublicIntake lets everybody create requests, without a token. Config.Flow
	// must then have VerifyIdentity, requests under a policy whose own flow has
	// not are refused one by one, and callers are limited by their address. A
	// request has one identity then, since a code proves no more than one: who
	// knows the data subject creates requests with several, with a token, at
	// /privacy-request/authenticated. Defaults to false: it takes
	// privacy-request:create.
	PublicIntake bool
	// AccessResults lets callers make links to packages, at
	// /privacy-request/{id}/access-results. Defaults to false, as in Fides.
	AccessResults bool
	// ManualTypes are the keys of Config.ConnectionTypes that stand for systems
	// which people search by hand: a connection of such a type has a form of
	// the same key. Defaults to manual_webhook and manual_request.
	ManualTypes []string
	// TaskTypes are the keys of Config.ConnectionTypes whose connections people
	// answer in the midst of requests: what they are asked is defined at
	// /plus/connection/{key}/manual-task. Their options are those of
	// adapters/manualtask. Defaults to manual_task.
	TaskTypes []string
	// Failures is the engine's notifier, or a part of it, that tells of
	// requests which failed as PUT /privacy-request/notification says.
	// Defaults to none: then that route takes no addresses.
	Failures *FailureNotices
	// Limits on what comes in.
	Limits Limits
	// Server is where the OpenAPI document says that the routes are, and where
	// links lead to: a path or a URL, whose last slashes are cut off. Defaults
	// to "/api/v1".
	Server string
	// Logger gets one line per request, and what went wrong on this side.
	// Neither holds a path, a query or a body; both hold the ID of the HTTP
	// request, see [LogHandler]. The errors of stores, verifiers and other
	// parts of the host are in it as they are: by their ports they hold
	// nothing personal. Defaults to nowhere.
	Logger *slog.Logger
	// Clock defaults to [time.Now].
	Clock func() time.Time
	// NewID makes the IDs of HTTP requests that bring none. Defaults to random
	// UUIDs.
	NewID func() string
	// ClientAddress says where an HTTP request comes from, for limits. Behind
	// a proxy it is required: it reads the header that the proxy sets, and
	// takes none from callers. Without it all callers are one address there,
	// and any of them locks the others out. Defaults to the address of the
	// connection, of IPv6 its /64.
	ClientAddress func(*http.Request) string
}

// Limits bound what comes in. What is zero is as by default.
type Limits struct {
	// BodyBytes is how large a body may be, where the route says nothing
	// else. Defaults to 1 MiB.
	BodyBytes int64
	// UploadBytes is how large a form with files may be. Defaults to 101 MiB,
	// a little more than what the engine takes of one file by default; change
	// it with Limits.FileBytes of the engine.
	UploadBytes int64
	// Timeout is how long a request may take, where the route says nothing
	// else. Callers have as long again, a minute at most, to read the answer;
	// then they are cut off. Defaults to 30 seconds.
	Timeout time.Duration
	// PerMinute is how many requests a client may make in any minute, and how
	// many without a good token may come from one address. Defaults to 1,200.
	PerMinute int
	// PublicPerMinute is how many requests one address may send in any minute
	// to a public route that writes. Each such route counts its own, those
	// that take the secret of a client together. Defaults to 30.
	PublicPerMinute int
	// TokensPerMinute is how many requests that bring a client's secret may
	// come in any minute for one client from one address. PublicPerMinute
	// counts them as well. Defaults to 10, as in Fides.
	TokensPerMinute int
}

func (o *Options) withDefaults() (*Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	var faults *multierror.Error
	if c.Verifier == nil && c.OAuth != nil {
		c.Verifier = c.OAuth
	}
	if c.Verifier == nil {
		faults = multierror.Append(faults, errors.New("fides: Verifier is missing, and OAuth as well: nobody could call"))
	}
	l := &c.Limits
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"BodyBytes", l.BodyBytes}, {"UploadBytes", l.UploadBytes}, {"Timeout", int64(l.Timeout)}, {"PerMinute", int64(l.PerMinute)},
		{"PublicPerMinute", int64(l.PublicPerMinute)}, {"TokensPerMinute", int64(l.TokensPerMinute)},
	} {
		if limit.value < 0 {
			faults = multierror.Append(faults, errors.New("fides: Limits."+limit.name+" is negative"))
		}
	}
	defaultTo(&l.BodyBytes, 1<<20)
	defaultTo(&l.UploadBytes, 101<<20)
	defaultTo(&l.Timeout, 30*time.Second)
	defaultTo(&l.PerMinute, 1200)
	defaultTo(&l.PublicPerMinute, 30)
	defaultTo(&l.TokensPerMinute, 10)
	if c.ManualTypes == nil {
		c.ManualTypes = []string{"manual_webhook", "manual_request"}
	}
	if c.TaskTypes == nil {
		c.TaskTypes = []string{"manual_task"}
	}
	for _, key := range c.TaskTypes {
		if slices.Contains(c.ManualTypes, key) {
			faults = multierror.Append(faults, fmt.Errorf("fides: type %q is among ManualTypes and TaskTypes: connections have a form or a task", key))
		}
	}
	defaultTo(&c.Server, prefix)
	c.Server = strings.TrimRight(c.Server, "/")
	defaultTo(&c.Logger, slog.New(slog.DiscardHandler))
	c.Logger = callid.Logger(c.Logger)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.ClientAddress == nil {
		c.ClientAddress = remoteAddress
	}
	return &c, faults.ErrorOrNil()
}

func defaultTo[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// remoteAddress is the address of the connection. Who has an IPv6 address has
// as many as they like of its /64.
func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || address.Unmap().Is4() {
		return host
	}
	network, err := address.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
