package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/storage"
)

// expire carries out the rules of retention whose time has come, in one change:
// each counts once. What lies outside of the store goes first, so that a crash
// in between leaves nothing behind.
func (r *Requests) expire(ctx context.Context, rec *Record) (*Request, error) {
	e := r.engine
	state, err := rec.state()
	if err != nil {
		return nil, err
	}
	things := state.Expired(e.config.Clock().UTC())
	var details map[string]string
	if slices.Contains(things, lifecycle.Packages) {
		left, err := e.removePackages(ctx, rec)
		if err != nil {
			return nil, err
		}
		if left != "" {
			details = map[string]string{string(lifecycle.Packages): left}
		}
	}
	if slices.Contains(things, lifecycle.Request) { // afterwards nobody knows their names
		if err := e.removeFiles(ctx, rec); err != nil {
			return nil, err
		}
	}
	d, err := r.try(ctx, rec.ID, func(d *draft) error {
		if err := d.move(ctx, lifecycle.Event{Kind: lifecycle.Expire}, By{}, details); err != nil {
			return err
		}
		return d.dropParked(ctx)
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), d.sweep(ctx)
}

// dropParked drops what was refused of the notices to a data subject who is
// forgotten, or whose time has come.
func (d *draft) dropParked(ctx context.Context) error {
	if d.Remove || !slices.Contains(d.things, lifecycle.Messages) && !slices.Contains(d.things, lifecycle.Identities) {
		return nil // they go with the request, or stay
	}
	list, err := d.engine.config.Store.Messages(ctx, MessageQuery{RequestID: d.Record.ID, Limit: 10_000})
	if err != nil {
		return err
	}
	for _, m := range list {
		var l letter
		if m.DueAt.Before(never) || json.Unmarshal(m.Data, &l) != nil || l.Notice == nil || l.Notice.Kind.Audience() != ToSubject {
			continue
		}
		m.Version++
		d.Messages = append(d.Messages, MessageChange{ExpectVersion: m.Version - 1, Message: m, Remove: true})
	}
	return nil
}

// removePackages removes what was delivered for a request from where it was
// delivered to, and says what is left at destinations that cannot remove it, or
// were removed themselves. While one cannot be used it is an error: what was not
// looked for is not gone.
func (e *Engine) removePackages(ctx context.Context, rec *Record) (left string, err error) {
	res, err := rec.results()
	if err != nil {
		return "", fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	var errs []error
	stay, lost := 0, 0
	for _, p := range append(res.Packages, res.Former...) {
		at, done, err := e.destinationOf(ctx, &p)
		if err != nil {
			errs = append(errs, fmt.Errorf("dsr: remove the expired package of request %s from %s: %w", rec.ID, p.Destination, err))
			continue
		}
		defer done()
		if at == nil {
			lost++
			e.config.Logger.WarnContext(ctx, "an expired package stays: its destination was removed", "request", rec.ID, "destination", p.Destination)
			continue
		}
		remover, ok := at.(storage.Remover)
		if !ok {
			stay++
			e.config.Logger.WarnContext(ctx, "an expired package stays: its destination cannot remove it", "request", rec.ID, "destination", p.Destination)
			continue
		}
		err = remover.Remove(ctx, p.Name)
		if err == nil {
			err = remover.Remove(ctx, p.Manifest)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("dsr: remove the expired package of request %s from %s: %w", rec.ID, p.Destination, err))
		}
	}
	var told []string
	if stay > 0 {
		told = append(told, fmt.Sprintf("%d left, whose destinations cannot remove them", stay))
	}
	if lost > 0 {
		told = append(told, fmt.Sprintf("%d left, whose destinations were removed", lost))
	}
	return strings.Join(told, "; "), errors.Join(errs...)
}
