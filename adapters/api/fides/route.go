package fides

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// route is one line of the table: what answers where, to whom, and within which
// limits. The router, the guard, the OpenAPI document and the list in the docs
// are made of it.
type route struct {
	// method and path, without the prefix; {names} in it are fields of Path.
	method, path string
	// aliases are other places that do the same, with the same names.
	aliases []place
	// scopes that the caller needs, all of them.
	scopes []string
	// or are scopes of which any one will do instead.
	or []string
	// public says why no token of a client is needed; for routes without
	// scopes, and only for these.
	public string
	// hook says that the token of a hook's call is needed, which the handler
	// takes from bearerOf(ctx); public says so as well.
	hook bool
	// credentials says that the handler takes those of a client, and counts
	// them by client and address, see Limits.TokensPerMinute.
	credentials bool
	// acts says of a GET that it does something, so that HEAD, which must not,
	// is refused there.
	acts bool
	// phase is that of the hook, for routes about a request: a token that is
	// not one of its calls is refused before the body is read.
	phase dsr.HookPhase
	// id, summary and tag describe it in the OpenAPI document.
	id, summary, tag string
	// description says what the summary cannot: plain text, its paragraphs
	// parted by empty lines, code between backquotes. May be empty.
	description string
	// status of the answer. Defaults to 200.
	status int
	// body is how large a body may be. Defaults to Limits.BodyBytes.
	body int64
	// timeout is how long it may take. Defaults to Limits.Timeout.
	timeout time.Duration
	// accepts are the media types of the body. Defaults to application/json.
	accepts []string
	// also are statuses that a responder answers with, without a body.
	also []int
	// errors are the statuses that the handler refuses with, besides those
	// that follow from the rest of the route.
	errors []int
	// form describes the body of handlers that read it themselves: a value of
	// a struct that has its fields.
	form any
	// optional says that such a body may be left out.
	optional bool
	// malformed is the status for a body that is missing, no JSON, or no object.
	// Defaults to 422.
	malformed int
	// view is a value of the type that the objects of the body are shown as: what
	// was shown may come back, by keys that the body knows as read-only. Nil
	// where nothing may.
	view any
	// self are such a key and the name in the path that it must agree with, if
	// there is one.
	self [2]string
	// media are the media types of an answer by a responder, and answer a
	// value of the type that it answers as JSON, if it does.
	media  []string
	answer any
	// call is the handler, see typed.
	call endpoint

	schemas map[string]*huma.Schema // of Path, Query and Body
}

// place is a method and a path.
type place struct{ method, path string }

// places are all that answer: the route's own first.
func (rt *route) places() []place {
	return append([]place{{rt.method, rt.path}}, rt.aliases...)
}

// endpoint is a typed handler as the table holds it.
type endpoint struct {
	in, out reflect.Type
	serve   func(ctx context.Context, read func(in any) error) (any, error)
}

// typed makes an endpoint of a handler. I is a struct that may have the fields
//
//	Path    a struct of strings: the names in the path, by their json tags
//	Query   a struct: the parameters of the query, likewise; lists are repeated
//	Page    paging: further parameters of the query
//	Body    what the JSON body is read into; a pointer if it may be left out, or
//	        be null
//	Request *http.Request: for handlers that read the body themselves
//
// Everything in it is validated against the schema that the OpenAPI document
// has, and by the method check() []fault of *I, if there is one, before the
// handler is called. O is what is answered as JSON, null if it is nil; or it has
// the methods of responder.
func typed[I, O any](handle func(ctx context.Context, in *I) (*O, error)) endpoint {
	return endpoint{
		in: reflect.TypeFor[I](), out: reflect.TypeFor[O](),
		serve: func(ctx context.Context, read func(in any) error) (any, error) {
			in := new(I)
			if err := read(in); err != nil {
				return nil, err
			}
			if c, ok := any(in).(interface{ check() []fault }); ok {
				if err := invalid(c.check()...); err != nil {
					return nil, err
				}
			}
			out, err := handle(ctx, in)
			if err != nil || out == nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// responder is an answer that is not JSON, or not always. Its route tells the
// document what it is by media and answer.
type responder interface {
	// respond answers. It may fail only before it has written anything.
	respond(w http.ResponseWriter, r *http.Request) error
}

// RouteInfo is a route for people to read.
type RouteInfo struct {
	Method, Path string
	// AliasOf is the method and path of the route that this one is another
	// place of; empty for the route itself.
	AliasOf string
	// Scopes that the caller needs, all of them, unless it has one of Or; for
	// none, Public says why.
	Scopes, Or []string
	Public     string
	// Hook says that it takes the token of a hook's call.
	Hook bool
	// Acts says of a GET that it does something each time, so that HEAD is
	// refused there; wherever else GET is answered, HEAD is.
	Acts bool
	// BodyBytes is how large a body may be; 0 where none is read.
	BodyBytes int64
	// Timeout is how long it may take.
	Timeout time.Duration
	// PerMinute is how many calls there may be in any minute, and LimitedBy
	// whose: of a client, from an address, or of a client from an address.
	PerMinute int
	LimitedBy string
	// Summary says what it does.
	Summary string
}

// Routes returns the table, sorted by path and method. Each route answers under
// /api/v1 and without it.
func (d *Door) Routes() []RouteInfo {
	var infos []RouteInfo
	for i := range d.routes {
		rt := &d.routes[i]
		info := RouteInfo{
			Scopes: slices.Clone(rt.scopes), Or: slices.Clone(rt.or), Public: rt.public, Hook: rt.hook, Acts: rt.acts, Timeout: rt.timeout, Summary: rt.summary,
			PerMinute: d.options.Limits.PerMinute, LimitedBy: "client",
		}
		if rt.reads() {
			info.BodyBytes = rt.body
		}
		if rt.limiter(d) == d.public {
			info.PerMinute = d.options.Limits.PublicPerMinute
		}
		if len(rt.scopes) == 0 {
			info.LimitedBy = "address"
		}
		if rt.credentials {
			info.PerMinute, info.LimitedBy = d.options.Limits.TokensPerMinute, "client and address"
		}
		for n, p := range rt.places() {
			if info.Method, info.Path = p.method, p.path; n > 0 {
				info.AliasOf = rt.method + " " + rt.path
			}
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b RouteInfo) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return infos
}

// reads reports whether the route takes a body.
func (rt *route) reads() bool {
	_, body := rt.call.in.FieldByName("Body")
	_, raw := rt.call.in.FieldByName("Request")
	return body || raw && rt.method != http.MethodGet
}

// prepare sets defaults and says what is wrong with the route itself.
func (rt *route) prepare(d *Door) error {
	defaultTo(&rt.status, http.StatusOK)
	defaultTo(&rt.body, d.options.Limits.BodyBytes)
	defaultTo(&rt.malformed, http.StatusUnprocessableEntity)
	defaultTo(&rt.timeout, d.options.Limits.Timeout)
	if len(rt.accepts) == 0 {
		rt.accepts = []string{"application/json"}
	}
	at := rt.method + " " + rt.path + ": "
	switch {
	case (len(rt.scopes) == 0) == (rt.public == ""):
		return errors.New("fides: " + at + "it needs scopes, or a reason to be public, and not both")
	case rt.acts && slices.ContainsFunc(rt.places(), func(p place) bool { return p.method != http.MethodGet }):
		return errors.New("fides: " + at + "acts is said of GET only: other methods always do something")
	case rt.call.serve == nil || rt.id == "" || rt.summary == "" || rt.tag == "":
		return errors.New("fides: " + at + "it needs id, summary, tag and call")
	}
	return nil
}
