package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/seal"
)

// run is one Advance of one request: the only holder of its lease.
type run struct {
	engine *Engine
	id     string

	mu     sync.Mutex // guards rec and keys
	rec    *Record
	keys   map[string][]byte
	lost   error // what ended the lease
	closed bool  // the lease was given back

	plan    *graph.Plan
	steps   []*step
	index   map[graph.Address]*step
	results results
	fresh   bool // schemas are asked for anew, whatever is remembered

	partsMu   sync.Mutex
	small     map[string]smallEntry
	smallSize int

	progressMu sync.Mutex // guards what follows
	collected  int64      // collections
	rows       int64      // read from them
}

func newRun(e *Engine, rec *Record) *run {
	return &run{engine: e, id: rec.ID, rec: rec, keys: map[string][]byte{}, index: map[graph.Address]*step{}, small: map[string]smallEntry{}}
}

// Advance takes a request as far as it can go now and returns it. When the
// request waits for something its status says so; when it stopped with an
// error, now or before, the error is a [*FailedError]. While another process
// holds the request, also one that died less than Config.Lease ago, it is
// [ErrLeased]; so it is while another request of the same data subject is being
// advanced, if one of the two erases. When ctx ends, the request is left as it
// is and goes on with the next call. A panic in a connector or another part of
// the configuration ends the request like any failure, with a
// [*graph.PanicError].
func (r *Requests) Advance(ctx context.Context, id string) (*Request, error) {
	return r.advance(ctx, id, false)
}

func (r *Requests) advance(ctx context.Context, id string, fresh bool) (req *Request, err error) {
	defer recovered(&err) // what is no part of the run: the store
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	switch rec.Status {
	case StatusComplete, StatusCanceled, StatusRequiresInput:
		return rec.request(), nil
	case StatusError:
		return rec.request(), &FailedError{RequestID: id, Stage: rec.Stage, Err: errors.New(rec.Failure)}
	}
	run := newRun(r.engine, rec)
	run.fresh = fresh
	if err := run.lease(ctx); err != nil {
		return nil, err
	}
	ctx, stop := run.keepLease(ctx)
	defer stop()
	if err := run.advance(ctx); err != nil {
		return run.fail(ctx, err)
	}
	return run.record().show(&run.results), nil
}

func (r *run) record() *Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec
}

// lease takes the request for this run.
func (r *run) lease(ctx context.Context) error {
	now := r.engine.config.Clock()
	if until := r.rec.LeaseUntil; until.After(now) {
		return fmt.Errorf("%w until %s", ErrLeased, until.UTC().Format(time.RFC3339))
	}
	res, err := r.rec.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", r.id, err)
	}
	r.results = res
	if err := r.alone(ctx); err != nil {
		return err
	}
	err = r.commit(ctx, func(ch *StoreChange) error {
		ch.Record.Epoch++
		ch.Record.Status = StatusInProcessing
		return nil
	})
	if errors.Is(err, ErrConflict) {
		return ErrLeased
	}
	if err != nil {
		return err
	}
	// The other one may have taken its lease since it was looked for.
	if err := r.alone(ctx); err != nil {
		return errors.Join(err, r.commit(ctx, func(ch *StoreChange) error {
			ch.Record.LeaseUntil = time.Time{}
			return nil
		}))
	}
	return nil
}

// keepLease renews the lease until stop is called and ends ctx when it is
// lost.
func (r *run) keepLease(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(r.engine.config.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := r.renew(ctx); errors.Is(err, ErrConflict) {
				cancel(err)
				return
			}
		}
	})
	return ctx, func() { close(stopped); wg.Wait(); cancel(nil) }
}

func (r *run) renew(ctx context.Context) (err error) {
	defer recovered(&err)
	return r.commit(ctx, func(*StoreChange) error { return nil })
}

// recovered, deferred, turns a panic into an error. What it was about is left
// out, since it may quote a row.
func recovered(err *error) {
	if recover() != nil {
		*err = &graph.PanicError{Stack: string(debug.Stack())}
	}
}

// commit applies one change to the request: apply edits a copy of the record,
// and the copy counts once it is stored. It renews the lease.
func (r *run) commit(ctx context.Context, apply func(*StoreChange) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	if r.closed {
		return nil
	}
	now := r.engine.config.Clock().UTC()
	ch := &StoreChange{ExpectVersion: r.rec.Version, Record: *r.rec}
	ch.Record.Version++
	ch.Record.UpdatedAt = now
	ch.Record.LeaseUntil = now.Add(r.engine.config.Lease)
	if err := apply(ch); err != nil {
		return err
	}
	for i := range ch.Events {
		ch.Events[i].Time = now
	}
	err := r.engine.config.Store.Commit(ctx, ch)
	switch {
	case errors.Is(err, ErrConflict):
		r.lost = fmt.Errorf("%w: the lease of request %s was lost", ErrConflict, r.id)
		return r.lost
	case err != nil:
		return &storeError{err}
	}
	r.rec = &ch.Record
	r.closed = ch.Record.LeaseUntil.IsZero()
	return nil
}

// storeError marks a failure of the store, which is not the request's.
type storeError struct{ err error }

func (e *storeError) Error() string { return "dsr: the store failed: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// setResults stores the results in a change.
func (r *run) setResults(ch *StoreChange) error {
	data, err := json.Marshal(&r.results)
	if err != nil {
		return fmt.Errorf("dsr: encode outcomes: %w", err)
	}
	ch.Record.Outcomes = data
	return nil
}

// stage ends one stage and begins the next in one commit.
func (r *run) stage(ctx context.Context, next Stage, events ...Event) error {
	fault.Point(ctx, "before "+string(next))
	err := r.commit(ctx, func(ch *StoreChange) error {
		ch.Record.Stage = next
		ch.Events = events
		return r.setResults(ch)
	})
	if err == nil {
		fault.Point(ctx, "at "+string(next))
	}
	return err
}

// advance runs the stages from the one the request is at.
func (r *run) advance(ctx context.Context) (err error) {
	defer recovered(&err)
	again := false
	for {
		stage := r.record().Stage
		do, ok := map[Stage]func(context.Context) error{
			StagePlan: r.planStage, StageCollect: r.collectStage, StageDeliver: r.deliverStage,
			StageJournal: r.journalStage, StageErase: r.eraseStage, StageFinish: r.finishStage,
		}[stage]
		if !ok {
			return nil
		}
		if stage != StagePlan {
			if err := r.restore(ctx); err != nil {
				return err
			}
		}
		err := do(ctx)
		if errors.Is(err, errLost) && !again && (stage == StageDeliver || stage == StageJournal) {
			again = true
			r.plan = nil // the steps begin anew
			err = r.stage(ctx, StageCollect, Event{Kind: "collecting again", Message: "not all that was collected is there any more; small results live in memory until the journal is whole"})
		}
		if err != nil {
			return err
		}
		if r.record().Status == StatusRequiresInput {
			return nil
		}
	}
}

// planStage freezes the plan after everything it needs was checked.
func (r *run) planStage(ctx context.Context) error {
	ids, err := r.identities(ctx)
	if err != nil {
		return err
	}
	frozen, err := r.engine.freeze(r.record().Policy, ids.Kinds())
	if err != nil {
		return err
	}
	plan := frozen.plan
	if err := r.layout(ctx, plan); err != nil {
		return err
	}
	return r.commit(ctx, func(ch *StoreChange) error {
		ch.Record.Plan, ch.Record.Stage = frozen.json, StageCollect
		for _, purpose := range []string{keyInputs, keySpool, keyJournal} {
			if err := r.engine.newKey(ctx, &ch.Record, purpose, make([]byte, seal.KeySize)); err != nil {
				return err
			}
		}
		ch.Events = []Event{{Kind: "planned", Message: fmt.Sprintf("%d collections, %d skipped", len(plan.Steps), len(plan.Skipped))}}
		return nil
	})
}

// restore brings back the frozen plan when this run did not make it.
func (r *run) restore(ctx context.Context) error {
	if r.plan != nil {
		return nil
	}
	plan := &graph.Plan{}
	if err := json.Unmarshal(r.record().Plan, plan); err != nil {
		return fmt.Errorf("dsr: the stored plan of request %s cannot be read: %w", r.id, err)
	}
	return r.layout(ctx, plan)
}

// layout prepares the steps of a plan.
func (r *run) layout(ctx context.Context, plan *graph.Plan) error {
	schemas, err := r.engine.preflight(ctx, plan, r.fresh)
	if err != nil {
		return err
	}
	r.plan = plan
	if err := r.makeSteps(ctx, schemas); err != nil {
		return err
	}
	_, err = r.eraseOrder()
	return err
}

func (r *run) identities(ctx context.Context) (Identities, error) {
	key, err := r.key(ctx, keyIdentity)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(key, r.record().Identity, bound(r.id, keyIdentity))
	if err != nil {
		return nil, fmt.Errorf("dsr: open the identities of request %s: %w", r.id, err)
	}
	var ids Identities
	if err := json.Unmarshal(plain, (*map[string][]string)(&ids)); err != nil {
		return nil, errors.New("dsr: the stored identities cannot be decoded")
	}
	return ids, nil
}

// finishStage forgets what was only needed on the way and completes the
// request.
func (r *run) finishStage(ctx context.Context) error {
	if err := r.engine.config.Spool.Remove(ctx, r.id); err != nil {
		return fmt.Errorf("dsr: empty the spool: %w", err)
	}
	fault.Point(ctx, "before done")
	err := r.commit(ctx, func(ch *StoreChange) error {
		ch.Record.Keys = maps.Clone(ch.Record.Keys)
		for _, purpose := range []string{keyInputs, keySpool, keyJournal} {
			delete(ch.Record.Keys, purpose)
		}
		ch.Record.Stage, ch.Record.Status = StageDone, StatusComplete
		ch.Record.LeaseUntil, ch.Record.FinishedAt = time.Time{}, ch.Record.UpdatedAt
		ch.Record.Failure = ""
		ch.DropJournal = true
		ch.Events = []Event{{Kind: "complete"}}
		return nil
	})
	if err != nil {
		return err
	}
	fault.Point(ctx, "at done")
	var names []string
	for _, p := range r.results.Packages {
		names = append(names, p.Name)
	}
	r.engine.notify(ctx, r.record(), Notice{Kind: NoticeComplete, Packages: names})
	return nil
}

// fail ends a run that did not come to a good end. A canceled context and a
// lost lease are not the request's fault: it stays as it is.
func (r *run) fail(ctx context.Context, err error) (*Request, error) {
	var store *storeError
	interrupted := ctx.Err() != nil
	if errors.Is(err, ErrConflict) || errors.Is(context.Cause(ctx), ErrConflict) {
		r.sweep(context.WithoutCancel(ctx))
	}
	if errors.Is(err, ErrConflict) || errors.As(err, &store) && !interrupted {
		return nil, err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	stage := r.record().Stage
	if !interrupted && r.plan != nil {
		r.engine.forget(r.plan) // a table may have changed
	}
	if !interrupted && slices.Contains([]Stage{StageCollect, StageDeliver, StageJournal}, stage) {
		if keepErr := r.keepParts(cleanup); keepErr != nil {
			r.engine.config.Logger.WarnContext(cleanup, "what was collected is not kept for a retry", "request", r.id)
		}
	}
	commitErr := r.commit(cleanup, func(ch *StoreChange) error {
		ch.Record.LeaseUntil = time.Time{}
		if interrupted {
			return nil
		}
		ch.Record.Status, ch.Record.Failure = StatusError, err.Error()
		ch.Events = []Event{{Kind: "failed", Message: err.Error()}}
		return r.setResults(ch)
	})
	if errors.Is(commitErr, ErrConflict) {
		r.sweep(cleanup) // what was kept for a retry, too
	}
	if interrupted {
		return nil, context.Cause(ctx)
	}
	failed := &FailedError{RequestID: r.id, Stage: stage, Err: err}
	if commitErr != nil {
		return nil, errors.Join(failed, commitErr)
	}
	r.engine.notify(cleanup, r.record(), Notice{Kind: NoticeFailed, Message: err.Error()})
	return r.record().show(&r.results), failed
}

// sweep empties the spool of a request that another process brought to its end
// while this one stood still and was still writing to it.
func (r *run) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rec, err := r.engine.config.Store.Request(ctx, r.id)
	if err == nil && (rec.Status == StatusComplete || rec.Status == StatusCanceled) {
		err = r.engine.config.Spool.Remove(ctx, r.id)
	}
	if err != nil {
		r.engine.config.Logger.WarnContext(ctx, "the spool may hold sealed rows of a request that was taken over", "request", r.id)
	}
}

// progress tells the host, one call at a time.
func (r *run) progress(ctx context.Context, p Progress) {
	r.progressMu.Lock()
	defer r.progressMu.Unlock()
	r.tell(ctx, p)
}

// collecting tells how far the walk is: of which step more rows were read, or
// how its visit ended.
func (r *run) collecting(ctx context.Context, s *step, state graph.State) {
	r.progressMu.Lock()
	defer r.progressMu.Unlock()
	if state != "" {
		r.collected++
	}
	r.rows += s.rows - s.told
	s.told = s.rows
	r.tell(ctx, Progress{Stage: StageCollect, Done: r.collected, Total: int64(len(r.steps)), Rows: r.rows, Collection: s.Address(), State: state})
}

func (r *run) tell(ctx context.Context, p Progress) {
	if r.engine.config.Progress == nil {
		return
	}
	p.RequestID = r.id
	r.engine.config.Progress(ctx, p)
}
