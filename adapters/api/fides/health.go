package fides

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const tagHealth = "Health"

// healthRoutes tell everybody that there is a service, and nothing else.
func (d *Door) healthRoutes() []route {
	const public = "It says whether the service is up, and holds no data."
	return []route{
		{
			method: "GET", path: "/health", public: public, id: "health", summary: "The service is up", tag: tagHealth, call: typed(d.health),
		},
		{
			method: "GET", path: "/ready", aliases: []place{{"GET", "/health/database"}}, public: public,
			id: "ready", summary: "The store of the service answers; 503 where it does not", tag: tagHealth, call: typed(d.ready),
		},
		{
			method: "GET", path: "/id-verification/config", public: "Whoever asks for their data has to know whether a code will be sent to them.",
			id: "get_id_verification_config", summary: "Whether a code is sent to the data subject", tag: tagRequests, call: typed(d.verification),
		},
	}
}

// healthView says how the service is.
type healthView struct {
	Webserver string `json:"webserver" enum:"healthy"`
	Version   string `json:"version"`
	Database  string `json:"database" enum:"healthy,unhealthy"`
}

// storeTimeout is how long a store may take to answer a question about nothing.
const storeTimeout = 3 * time.Second

// health is 200 whatever the store does: a restart would not mend that.
func (d *Door) health(ctx context.Context, _ *struct{}) (*healthView, error) {
	v := &healthView{Webserver: "healthy", Version: version(), Database: "healthy"}
	if err := d.asksStore(ctx); err != nil {
		callOf(ctx).note(err)
		v.Database = "unhealthy"
	}
	return v, nil
}

func (d *Door) ready(ctx context.Context, _ *struct{}) (*healthView, error) {
	if err := d.asksStore(ctx); err != nil {
		return nil, &failure{status: http.StatusServiceUnavailable, detail: "The database is unhealthy", cause: err}
	}
	return &healthView{Webserver: "healthy", Version: version(), Database: "healthy"}, nil
}

// asksStore asks the store for a request that there cannot be.
func (d *Door) asksStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if _, err := d.engine.Requests().Get(ctx, "-"); !errors.Is(err, dsr.ErrNotFound) {
		return err
	}
	return nil
}

// version is that of the module in the program.
var version = sync.OnceValue(func() string {
	const module = "github.com/godsr/dsr"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" {
			return m.Version
		}
	}
	return "unknown"
})

// verificationView tells whether identities are verified.
type verificationView struct {
	Required        bool `json:"identity_verification_required"`
	ConsentDisabled bool `json:"disable_consent_identity_verification"`
	EmailConfigured bool `json:"valid_email_config_exists"`
}

// verification is of all policies together: where one of them sends a code, a
// page has to have a place for it. Only an engine with a notifier has such
// policies.
func (d *Door) verification(context.Context, *struct{}) (*verificationView, error) {
	verified := slices.ContainsFunc(d.engine.Policies(), func(p graph.Policy) bool { return d.engine.Flow(p.Key).VerifyIdentity })
	return &verificationView{Required: verified, ConsentDisabled: true, EmailConfigured: verified}, nil
}
