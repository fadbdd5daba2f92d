// Package fides is a front door that speaks the HTTP API of Fides: an
// [http.Handler] over one engine, to be mounted by a host.
//
//	door, err := fides.New(engine, &fides.Options{Verifier: verifier})
//	…
//	http.Handle("/api/v1/", door)
//
// Every route answers under /api/v1 and without it. Under a prefix of the host's
// own, the host takes the prefix away; [Options.Server] says it to callers:
//
//	http.Handle("/privacy/", http.StripPrefix("/privacy", door))
//
// Every route is in one table ([Door.Routes]) with the scopes that it
// needs; from the same table come the OpenAPI document at /openapi.json and
// /openapi.yaml, and its page at /docs.
//
// docs/fides.md is the guide, and tells where this door differs from Fides and
// why; docs/api-routes.md lists the routes.
package fides
