package dsr

import (
	"context"
	"errors"
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
}

// Vendors are the engine's verbs on vendors that are asked by e-mail.
type Vendors struct {
	engine *Engine
}

// Vendors returns the verbs on vendors.
func (e *Engine) Vendors() *Vendors { return &Vendors{engine: e} }

// letterBatch is a message to a vendor: the one that is being sent, while it
// has requests.
type letterBatch struct {
	Key      string   `json:"key"`
	Number   int      `json:"number"`
	Requests []string `json:"requests,omitempty"`
}

// maxBatch is how many people one message to a vendor names.
const maxBatch = 1000

func awaitVendor(key string) string { return "vendor:" + key }

func vendorLetter(key string) string {
	return "vendor." + strings.TrimPrefix(letterID(key, 0, 0), "")
}

// vendorsOf are the vendors that a request is for.
func (r *run) vendorsOf(ids Identities) []*Vendor {
	rec := r.record()
	if !slices.Contains(rec.Actions, graph.Erasure) {
		return nil
	}
	var list []*Vendor
	for i := range r.engine.config.Vendors {
		v := &r.engine.config.Vendors[i]
		if len(v.Policies) > 0 && !slices.Contains(v.Policies, rec.Policy) {
			continue
		}
		if slices.ContainsFunc(v.Identities, func(kind string) bool { return len(ids[kind]) > 0 }) {
			list = append(list, v)
		}
	}
	return list
}

// askVendors lets a request wait until all its vendors were asked, and for what
// they say.
func (r *run) askVendors(ctx context.Context) (waits bool, err error) {
	if len(r.engine.config.Vendors) == 0 {
		return false, nil
	}
	ids, err := r.identities(ctx)
	if err != nil {
		return false, err
	}
	var ask, confirm []string
	for _, v := range r.vendorsOf(ids) {
		out := r.results.vendor(v)
		switch {
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
	return true, r.commit(ctx, func(d *draft) error {
		d.Record.Failure = ""
		d.event(Event{Kind: "waiting for others", Action: graph.Erasure, Status: logAwaiting, Message: message})
		if err := r.letGoOfRows(ctx, d); err != nil {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: kind, Awaits: awaits}, By{}, nil)
	})
}

// vendor is the outcome of a vendor, which is added if need be.
func (res *results) vendor(v *Vendor) *VendorOutcome {
	for i := range res.Vendors {
		if res.Vendors[i].Vendor == v.Key {
			return &res.Vendors[i]
		}
	}
	res.Vendors = append(res.Vendors, VendorOutcome{Vendor: v.Key, Name: v.Name})
	return &res.Vendors[len(res.Vendors)-1]
}

// Confirm says that a vendor has answered what a request asked. The reason, if
// any, says what the vendor wrote.
func (v *Vendors) Confirm(ctx context.Context, requestID, vendor string, by By) (*Request, error) {
	at := slices.IndexFunc(v.engine.config.Vendors, func(o Vendor) bool { return o.Key == vendor })
	if at < 0 {
		return nil, fmt.Errorf("%w: vendor %q is not in Config.Vendors", ErrNotFound, vendor)
	}
	d, err := v.engine.requests.try(ctx, requestID, func(d *draft) error {
		await := awaitVendor(vendor)
		if d.Record.Status != StatusPendingExternal || !slices.Contains(d.state.Awaits, await) {
			return &RefusedError{
				RequestID: requestID, Status: d.Record.Status, Verb: "confirm vendor " + vendor + " for", cause: ErrConflict,
				reason: "it is " + string(d.Record.Status) + " and does not wait for an answer of that vendor",
			}
		}
		err := d.editResults(func(res *results) { res.vendor(&v.engine.config.Vendors[at]).ConfirmedAt = d.now })
		if err != nil {
			return err
		}
		d.event(Event{Kind: "vendor answered", Action: graph.Erasure, Status: logComplete, Message: vendor})
		if err := d.note(ctx, "vendor answered", by.Actor, map[string]string{"vendor": vendor}); err != nil {
			return err
		}
		d.state.Awaits = without(d.state.Awaits, await)
		if len(d.state.Awaits) > 0 {
			if by != (By{}) {
				return d.remark(ctx, "vendor answered", by)
			}
			return nil
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, by, map[string]string{"vendor": vendor})
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), v.engine.hint(ctx, &d.Record)
}

// askVendor sends one message to a vendor for all requests that wait for it. The
// requests are written down before it is sent, so that one that was sent and not
// ticked off goes out again as the same message.
func (e *Engine) askVendor(ctx context.Context, m *Message, l *letter) (handled, error) {
	at := slices.IndexFunc(e.config.Vendors, func(o Vendor) bool { return o.Key == l.Vendor.Key })
	if at < 0 {
		return handled{}, errOutdated
	}
	v := &e.config.Vendors[at]
	more := false
	if len(l.Vendor.Requests) == 0 {
		ids, err := e.awaiting(ctx, v)
		if err != nil {
			return handled{}, err
		}
		if len(ids) == 0 {
			return handled{again: v.When(e.now())}, nil
		}
		more = len(ids) > maxBatch
		l.Vendor.Number++
		l.Vendor.Requests = ids[:min(len(ids), maxBatch)]
		if err := e.saveLetter(ctx, m, l); err != nil {
			return handled{}, err
		}
	}
	n := &Notice{
		ID: fmt.Sprintf("%s.%d", m.ID, l.Vendor.Number), Kind: NoticeErase, At: e.now(),
		Vendor: &NoticeVendor{Key: v.Key, Name: v.Name, Address: v.Address},
	}
	var asked []string
	for _, id := range l.Vendor.Requests {
		ids, err := e.peopleOf(ctx, id, v)
		if err != nil {
			return handled{}, err
		}
		if len(ids) > 0 {
			n.People = append(n.People, ids)
			asked = append(asked, id)
		}
	}
	if len(asked) > 0 {
		if err := e.sendNotice(ctx, n); err != nil {
			return handled{}, err
		}
	}
	for _, id := range asked {
		if err := e.markAsked(ctx, id, v, n.ID); err != nil {
			return handled{}, err
		}
	}
	l.Vendor.Requests = nil
	if more {
		return handled{again: e.now()}, nil
	}
	return handled{again: v.When(e.now())}, nil
}

// awaiting are the requests that wait for a vendor to be asked, oldest first.
func (e *Engine) awaiting(ctx context.Context, v *Vendor) ([]string, error) {
	var ids []string
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingEmail}}) {
		if err != nil {
			return nil, err
		}
		state, err := rec.state()
		if err != nil {
			return nil, err
		}
		if slices.Contains(state.Awaits, awaitVendor(v.Key)) {
			ids = append(ids, rec.ID)
		}
		if len(ids) > maxBatch {
			break
		}
	}
	return ids, nil
}

// peopleOf are the identities of a request that a vendor may see; none where it
// is not to be asked about any more.
func (e *Engine) peopleOf(ctx context.Context, id string, v *Vendor) (Identities, error) {
	rec, err := e.config.Store.Request(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!rec.DeletedAt.IsZero() || rec.Status == StatusCanceled) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := newRun(e, rec).identities(ctx)
	if errors.Is(err, ErrShredded) {
		return nil, nil
	}
	ids := Identities{}
	for _, kind := range v.Identities {
		if len(all[kind]) > 0 {
			ids[kind] = all[kind]
		}
	}
	return ids, err
}

// markAsked lets a request go on that a vendor was asked for.
func (e *Engine) markAsked(ctx context.Context, id string, v *Vendor, message string) error {
	d, err := e.requests.try(ctx, id, func(d *draft) error {
		await := awaitVendor(v.Key)
		if d.Record.Status != StatusAwaitingEmail || !slices.Contains(d.state.Awaits, await) {
			return errOutdated
		}
		err := d.editResults(func(res *results) {
			out := res.vendor(v)
			out.AskedAt, out.Message = d.now, message
		})
		if err != nil {
			return err
		}
		d.event(Event{Kind: "asked", Action: graph.Erasure, Status: logComplete, Message: "vendor " + v.Key + " was asked to erase"})
		if err := d.note(ctx, "vendor asked", "", map[string]string{"vendor": v.Key, "message": message}); err != nil {
			return err
		}
		d.state.Awaits = without(d.state.Awaits, await)
		if len(d.state.Awaits) > 0 {
			return nil
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, By{}, map[string]string{"vendor": v.Key})
	})
	if errors.Is(err, errOutdated) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrDeleted) {
		return nil
	}
	if err != nil {
		return err
	}
	e.sendClaimed(ctx, d.claimed)
	return e.hint(ctx, &d.Record)
}

// editResults changes the outcomes of a request that nobody works on.
func (d *draft) editResults(edit func(*results)) error {
	res, err := d.Record.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", d.Record.ID, err)
	}
	edit(&res)
	d.Record.Outcomes, err = encode(&res)
	return err
}
