package dsr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// Vendor is somebody who holds data of people and erases it when asked by
// e-mail. All requests that wait for a vendor are asked in one message for each
// period, by way of Config.Notifier.
type Vendor struct {
	// Key names the vendor in requests, logs and the audit trail.
	Key string
	// Name is what the vendor is called, and Address where they are written
	// to.
	Name, Address string
	// Identities are the kinds by which the vendor knows people, such as
	// "email"; a request that has none of them is not sent to the vendor.
	// At least one.
	Identities []string
	// When says when messages go out. Defaults to Mondays at 12:00 UTC.
	When Schedule
	// AskedIsEnough lets a request be completed once the vendor was asked.
	// By default it waits, with StatusPendingExternal, until somebody says
	// with Vendors.Confirm that the vendor has answered.
	AskedIsEnough bool
	// Remind is how often operators are reminded of a request that the vendor
	// was asked about, until somebody says that it has answered. Defaults to
	// 30 days.
	Remind time.Duration
	// Policies restrict the vendor to some. Defaults to all that erase.
	Policies []string
}

// VendorOutcome tells what a vendor was asked. It says "asked", not "erased":
// what the vendor did, nobody can see from here.
type VendorOutcome struct {
	Vendor string `json:"vendor"`
	Name   string `json:"name"`
	// AskedAt is when the message was taken by the notifier, and Message its
	// ID; zero and empty while it waits for its time.
	AskedAt time.Time `json:"asked_at,omitzero"`
	Message string    `json:"message,omitempty"`
	// ConfirmedAt is when somebody said that the vendor has answered.
	ConfirmedAt time.Time `json:"confirmed_at,omitzero"`
	// Skipped says why the vendor is not asked; empty where it is.
	Skipped string `json:"skipped,omitempty"`
}

// Vendors are the engine's verbs on vendors that are asked by e-mail.
type Vendors struct {
	engine *Engine
}

// Vendors returns the verbs on vendors.
func (e *Engine) Vendors() *Vendors { return &Vendors{engine: e} }

func awaitVendor(key string) string { return "vendor:" + key }

func vendorLetter(key string) string { return "vendor." + key }

// vendor returns a vendor of the configuration, or nil.
func (e *Engine) vendor(key string) *Vendor {
	at := slices.IndexFunc(e.config.Vendors, func(v Vendor) bool { return v.Key == key })
	if at < 0 {
		return nil
	}
	return &e.config.Vendors[at]
}

// askVendors lets a request wait until all its vendors were asked, and for what
// they say.
func (r *run) askVendors(ctx context.Context) (waits bool, err error) {
	if err := r.missVendors(); err != nil {
		return false, err
	}
	rec := r.record()
	if len(r.engine.config.Vendors) == 0 || !slices.Contains(rec.Actions, graph.Erasure) {
		return false, nil
	}
	ids, err := r.identities(ctx)
	if err != nil {
		return false, err
	}
	var ask, confirm []string
	for i := range r.engine.config.Vendors {
		v := &r.engine.config.Vendors[i]
		if len(v.Policies) > 0 && !slices.Contains(v.Policies, rec.Policy) {
			continue
		}
		out := r.results.vendor(v)
		out.Skipped = ""
		switch {
		case out.AskedAt.IsZero() && len(v.knows(ids)) == 0:
			out.Skipped = "it knows people by " + strings.Join(v.Identities, ", ") + ", and the request has nothing of that"
		case out.AskedAt.IsZero():
			ask = append(ask, awaitVendor(v.Key))
		case out.ConfirmedAt.IsZero() && !v.AskedIsEnough:
			confirm = append(confirm, awaitVendor(v.Key))
		}
	}
	kind, awaits, message := lifecycle.AskByEmail, ask, "vendors are to be asked by e-mail"
	if len(ask) == 0 {
		kind, awaits, message = lifecycle.AskOther, confirm, "vendors were asked by e-mail and have to answer"
	}
	if len(awaits) == 0 {
		return false, nil
	}
	return true, r.commitResults(ctx, func(d *draft) error {
		d.Record.Failure = ""
		d.event(Event{Kind: "waiting for others", Action: graph.Erasure, Status: logAwaiting, Message: message})
		if err := r.letGoOfRows(ctx, d); err != nil {
			return err
		}
		if err := d.move(ctx, lifecycle.Event{Kind: kind, Awaits: awaits}, By{}, nil); err != nil || kind != lifecycle.AskOther {
			return err
		}
		keys := strings.ReplaceAll(strings.Join(awaits, ", "), awaitVendor(""), "")
		return d.notify(ctx, Notice{Kind: NoticeInput, Message: "vendors were asked to erase and have to answer: " + keys + "; say so with Vendors.Confirm once they have"})
	})
}

// missVendors fails the request, once, for a vendor that it was to be asked of
// and that is not configured any more. When it is retried it goes on without.
func (r *run) missVendors() error {
	var missing []string
	for i := range r.results.Vendors {
		out := &r.results.Vendors[i]
		if out.AskedAt.IsZero() && out.Skipped == "" && r.engine.vendor(out.Vendor) == nil {
			out.Skipped = "it was not in Config.Vendors any more when its time came"
			missing = append(missing, out.Vendor)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("dsr: vendors were to be asked to erase and are not in Config.Vendors any more: %s; put them back and retry the request, or retry it as it is, and it goes on without them", strings.Join(missing, ", "))
}

// knows are the identities that a vendor may see.
func (v *Vendor) knows(ids Identities) Identities {
	known := Identities{}
	for _, kind := range v.Identities {
		if len(ids[kind]) > 0 {
			known[kind] = ids[kind]
		}
	}
	return known
}

// vendor is the outcome of a vendor, which is added if need be.
func (res *results) vendor(v *Vendor) *VendorOutcome {
	if out := res.vendorOf(v.Key); out != nil {
		return out
	}
	res.Vendors = append(res.Vendors, VendorOutcome{Vendor: v.Key, Name: v.Name})
	return &res.Vendors[len(res.Vendors)-1]
}

// vendorOf is the outcome of a vendor, or nil.
func (res *results) vendorOf(key string) *VendorOutcome {
	at := slices.IndexFunc(res.Vendors, func(o VendorOutcome) bool { return o.Vendor == key })
	if at < 0 {
		return nil
	}
	return &res.Vendors[at]
}

// Confirm says that a vendor has answered what a request asked, which may be
// before its other vendors were asked. The reason, if any, says what the vendor
// wrote. A vendor that was not asked about the request is [ErrNotFound], one that
// has answered already [ErrConflict].
func (v *Vendors) Confirm(ctx context.Context, requestID, vendor string, by By) (*Request, error) {
	d, err := v.engine.requests.try(ctx, requestID, func(d *draft) error {
		refuse := func(cause error, reason string) error {
			return &RefusedError{RequestID: requestID, Status: d.Record.Status, Verb: "confirm vendor " + vendor, cause: cause, reason: reason}
		}
		res, err := d.Record.results()
		if err != nil {
			return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", requestID, err)
		}
		out := res.vendorOf(vendor)
		switch {
		case out == nil || out.AskedAt.IsZero():
			return refuse(ErrNotFound, "that vendor was not asked about it")
		case !out.ConfirmedAt.IsZero():
			return refuse(ErrConflict, "that vendor has answered already")
		case d.Record.Status != StatusAwaitingEmail && d.Record.Status != StatusPendingExternal || !d.Record.DeletedAt.IsZero():
			return refuse(ErrConflict, "it is "+string(d.Record.Status)+" and waits for no vendor")
		}
		out.ConfirmedAt = d.now
		if d.Record.Outcomes, err = encode(&res); err != nil {
			return err
		}
		d.event(Event{Kind: "vendor answered", Action: graph.Erasure, Status: logComplete, Message: vendor})
		if err := d.note(ctx, "vendor answered", by.Actor, map[string]string{"vendor": vendor}); err != nil {
			return err
		}
		if by != (By{}) {
			if err := by.check(); err != nil {
				return fmt.Errorf("dsr: request %s: %w", requestID, err)
			}
			if err := d.remark(ctx, "vendor answered", by); err != nil {
				return err
			}
		}
		return d.answered(ctx, awaitVendor(vendor), map[string]string{"vendor": vendor})
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), v.engine.hint(ctx, &d.Record)
}

// answered takes what has answered from what the request waits for. It goes on
// once that was the last.
func (d *draft) answered(ctx context.Context, await string, details map[string]string) error {
	if !slices.Contains(d.state.Awaits, await) {
		return nil
	}
	if d.state.Awaits = without(d.state.Awaits, await); len(d.state.Awaits) > 0 {
		return nil
	}
	return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, By{}, details)
}
