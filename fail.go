package dsr

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// fail ends a run that did not come to a good end. A canceled context and a
// lost lease are not the request's fault: it stays as it is. What failed only
// for the moment is tried again later.
func (r *run) fail(ctx context.Context, err error) (*Request, error) {
	var store *storeError
	interrupted := ctx.Err() != nil
	yielded := errors.Is(err, errYield)
	if errors.Is(err, ErrConflict) || errors.Is(context.Cause(ctx), ErrConflict) {
		r.sweep(context.WithoutCancel(ctx))
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrLeased) || errors.As(err, &store) && !interrupted {
		return nil, err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	stage := r.record().Stage
	if !interrupted && !yielded && r.plan != nil {
		r.gen.forget(r.plan) // a table may have changed
	}
	if !interrupted && slices.Contains([]Stage{StageCollect, StageDeliver, StageJournal}, stage) {
		if keepErr := r.keepParts(cleanup); keepErr != nil {
			r.engine.config.Logger.WarnContext(cleanup, "what was collected is not kept for a retry", "request", r.id)
		}
	}
	waiting := false
	commitErr := r.commit(cleanup, func(d *draft) error {
		d.Record.LeaseUntil = time.Time{}
		if interrupted || yielded {
			return nil
		}
		if err := r.setResults(d); err != nil {
			return err
		}
		var until time.Time
		if until, waiting = r.engine.waits(&d.state, err, d.now); waiting {
			if d.state.Wait == nil { // it is told once
				d.event(r.failEvents(logRetrying, err)...)
			}
			return d.move(cleanup, lifecycle.Event{Kind: lifecycle.Wait, Until: until, Reason: err.Error()}, By{}, nil)
		}
		d.Record.Failure = err.Error()
		d.event(r.failEvents(logError, err)...)
		if err := d.notify(cleanup, Notice{Kind: NoticeFailed, Message: err.Error()}); err != nil {
			return err
		}
		return d.move(cleanup, lifecycle.Event{Kind: lifecycle.Fail}, By{}, map[string]string{"stage": string(stage)})
	})
	if errors.Is(commitErr, ErrConflict) {
		r.sweep(cleanup) // what was kept for a retry, too
	}
	switch {
	case interrupted:
		return nil, context.Cause(ctx)
	case yielded || waiting:
		return r.record().show(&r.results), commitErr
	}
	failed := &FailedError{RequestID: r.id, Stage: stage, Err: err}
	if commitErr != nil {
		return nil, errors.Join(failed, commitErr)
	}
	return r.record().show(&r.results), failed
}

// sweep empties the spool of a request that another process brought to its end
// while this one stood still and was still writing to it.
func (r *run) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rec, err := r.engine.config.Store.Request(ctx, r.id)
	if err == nil {
		if _, kept := rec.Keys[keySpool]; !kept { // it ended, was deleted, or begins anew
			err = r.engine.config.Spool.Remove(ctx, r.id)
		}
	}
	if err != nil {
		r.engine.config.Logger.WarnContext(ctx, "the spool may hold sealed rows of a request that was taken over", "request", r.id)
	}
}
