// Package openapitest sends an HTTP API what its OpenAPI 3.1 document allows
// and much that it does not, and holds every answer against the document: no
// 5xx, no panic, no silence, only listed statuses, content types and headers,
// only bodies that their schemas admit, and no success where the document
// demands a refusal.
//
// Values found in answers (ids, keys) are fed into later requests, so that
// what was created is read, changed and deleted. It is for tests.
package openapitest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Operation names one operation of the document.
type Operation struct {
	// ID is the operationId, or "METHOD /path" where the document has none.
	ID string
	// Method is in capitals.
	Method string
	// Path is the pattern as the document writes it, without Config.Prefix.
	Path string
}

// Caller is somebody on whose behalf a request is sent.
type Caller struct {
	// Name stands in reports in place of the headers.
	Name string
	// Header is added to each request. Reports never show its values.
	Header http.Header
	// Denied says that the operation must not succeed for this caller: a 2xx
	// is then a fault.
	Denied bool
}

// Config says what to send where. Exactly one of Handler and BaseURL is set.
type Config struct {
	// Document is the OpenAPI 3.1 document in JSON. What it refers to must be
	// in it.
	Document []byte

	// Handler is called in process, with requests that were written and read
	// again as they are on a wire. A panic and a body after 204 are seen.
	Handler http.Handler
	// BaseURL is the scheme and host of a running server, without a path.
	BaseURL string
	// Client sends to BaseURL. Redirects are not followed. Defaults to a
	// client of its own.
	Client *http.Client
	// Prefix is put before every path of the document. Defaults to nothing.
	Prefix string

	// Seed makes a run repeatable, as far as the API answers alike.
	Seed uint64
	// Count is how many requests are sent, Duration how long they are sent;
	// at least one is set, and the first to be reached ends the run. Requests
	// that make a failing one smaller do not count.
	Count    int
	Duration time.Duration
	// Timeout is how long one answer may take. Defaults to ten seconds.
	Timeout time.Duration

	// Callers tells who calls an operation. The first is used for most
	// requests and should succeed, each other for a few. Defaults to one
	// caller without headers.
	Callers func(Operation) []Caller
	// Known holds good values for parameters and body fields, by name.
	Known map[string][]string
	// Example gives a request that should succeed for an operation that random
	// words hardly ever fit, or nil. It is asked before a third of the requests
	// of an operation, and more often until one has succeeded; what it gives may
	// be broken before it is sent. Defaults to none.
	Example func(Operation) *Example
	// Required holds headers that an answer must have by its status, beyond
	// what the document requires. Defaults to WWW-Authenticate on 401 and
	// Retry-After on 429.
	Required map[int][]string
	// Lenient lets the API accept what its document forbids.
	Lenient bool

	// Excuse holds, by operation ID, the reason why an operation need not
	// succeed. Every other one must give a 2xx at least once.
	Excuse map[string]string
	// Partial asks for no success at all, for short runs.
	Partial bool
}

// complete fills in defaults and tells every fault.
func (c *Config) complete(d *document) error {
	var faults []error
	fault := func(format string, values ...any) { faults = append(faults, fmt.Errorf(format, values...)) }
	if (c.Handler == nil) == (c.BaseURL == "") {
		fault("set exactly one of Handler and BaseURL")
	}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || base.Scheme == "" || base.Host == "" || strings.Trim(base.Path, "/") != "" {
			fault("BaseURL must be a scheme and a host; a path belongs into Prefix")
		}
		c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	}
	if c.Count < 0 || c.Duration < 0 || c.Timeout < 0 {
		fault("Count, Duration and Timeout must not be negative")
	}
	if c.Count == 0 && c.Duration == 0 {
		fault("set Count or Duration")
	}
	if c.Prefix != "" && !strings.HasPrefix(c.Prefix, "/") {
		fault("Prefix must begin with /")
	}
	c.Prefix = strings.TrimRight(c.Prefix, "/")
	for id, reason := range c.Excuse {
		if !slices.ContainsFunc(d.operations, func(o *operation) bool { return o.ID == id }) {
			fault("Excuse names the operation %q, which the document does not have", id)
		} else if strings.TrimSpace(reason) == "" {
			fault("Excuse gives no reason for %q", id)
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Callers == nil {
		c.Callers = func(Operation) []Caller { return []Caller{{Name: "anybody"}} }
	}
	if c.Required == nil {
		c.Required = map[int][]string{
			http.StatusUnauthorized:    {"WWW-Authenticate"},
			http.StatusTooManyRequests: {"Retry-After"},
		}
	}
	return errors.Join(faults...)
}
