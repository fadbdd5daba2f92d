package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
)

// run is one Advance of one request: the only holder of its lease.
type run struct {
	engine *Engine
	gen    *generation // that the request was planned with, or the present one
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
	shown   *shownNames // while packages are written
	answers *papers     // likewise
	manual  []*manualCollection
	fresh   bool        // schemas are asked for anew, whatever is remembered
	yield   func() bool // whether to come to a stopping place; may be nil

	tasksMu sync.Mutex
	tasks   map[string]*paperTask // that people are to be asked, not stored yet

	partsMu   sync.Mutex
	small     map[string]smallEntry
	smallSize int

	progressMu sync.Mutex // guards what follows
	collected  int64      // collections
	rows       int64      // read from them
}

func newRun(e *Engine, rec *Record) *run {
	return &run{engine: e, gen: e.present(), id: rec.ID, rec: rec, keys: map[string][]byte{}, index: map[graph.Address]*step{}, small: map[string]smallEntry{}}
}

// Advance takes a request as far as it can go now and returns it. When the
// request waits for something its status says so, or Request.Waiting; when it
// stopped with an error, now or before, the error is a [*FailedError]. While
// another process holds the request, also one that died less than Config.Lease
// ago, it is [ErrLeased]; so it is while another request of the same data
// subject comes first. When ctx ends, the request is left as it is and goes on
// with the next call. A panic in a connector or another part of the
// configuration ends the request like any failure, with a [*graph.PanicError].
// When a verb such as Cancel or Pause comes in between, the work stops and
// Advance is [ErrConflict]: the verb has been carried out.
//
// What else comes due is done here as well: rules of [Retention], and canceling
// what was never verified. In a process that does not Run, what is due of the
// request in the outbox is sent besides: its hooks are called, those that
// approve before all else, and its notices sent.
func (r *Requests) Advance(ctx context.Context, id string) (*Request, error) {
	return r.advance(ctx, id, nil)
}

// advance is Advance for somebody who may want the request to come to a
// stopping place.
func (r *Requests) advance(ctx context.Context, id string, yield func() bool) (req *Request, err error) {
	defer recovered(&err) // what is no part of the run: the store
	if err := r.engine.fits(ctx); err != nil {
		return nil, err
	}
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Status == StatusAwaitingPreApproval && !r.engine.runner.running.Load() {
		r.engine.sendOf(ctx, id) // hooks may approve it
		if rec, err = r.engine.config.Store.Request(ctx, id); err != nil {
			return nil, err
		}
	}
	state, err := rec.state()
	if err != nil {
		return nil, err
	}
	now := r.engine.config.Clock().UTC()
	switch {
	case len(state.Expired(now)) > 0:
		return r.expire(ctx, rec)
	case !rec.DeletedAt.IsZero():
		return rec.request(), nil
	case rec.Status == StatusUnverified && !rec.DueAt.IsZero() && !rec.DueAt.After(now):
		return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Lapse}, By{}, NoticeCanceled)
	case rec.Status == StatusError:
		return rec.request(), &FailedError{RequestID: id, Stage: rec.Stage, Err: errors.New(rec.Failure)}
	case rec.Status != StatusApproved && rec.Status != StatusInProcessing,
		(rec.Status == StatusApproved || state.Waits()) && rec.DueAt.After(now):
		return rec.request(), nil
	}
	ctx = context.WithValue(ctx, partyKey{}, id)
	run := newRun(r.engine, rec)
	gen, done, err := r.engine.take(ctx, rec.catalogue())
	if errors.Is(err, ErrNotFound) { // which would say that there is no such request
		err = fmt.Errorf("dsr: request %s was planned with a version of the catalogue that the store has lost", id)
	}
	if err != nil {
		return nil, err
	}
	defer done()
	run.gen = gen
	run.yield, run.fresh = yield, state.Fresh
	if err := run.lease(ctx); err != nil {
		return nil, err
	}
	work, stop := run.keepLease(ctx)
	defer stop()
	if err = run.advance(work); err != nil {
		req, err = run.fail(work, err)
	} else {
		req = run.record().show(&run.results)
	}
	if rec := run.record(); rec.LeaseUntil.IsZero() && rec.Status != StatusInProcessing {
		r.engine.letGo(context.WithoutCancel(ctx), rec)
	}
	r.engine.sendOf(context.WithoutCancel(ctx), id)
	return req, err
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
	if err := r.alone(ctx, false); err != nil {
		var held *heldError
		if errors.As(err, &held) {
			err = errors.Join(err, r.tellHeld(ctx, held))
		}
		return err
	}
	err = r.commit(ctx, func(d *draft) error {
		d.Record.Epoch++
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Begin}, By{}, nil)
	})
	if errors.Is(err, ErrConflict) {
		return ErrLeased
	}
	if err != nil {
		return err
	}
	return r.giveWay(ctx)
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
	return r.commit(ctx, func(*draft) error { return nil })
}

// hold makes sure that the lease is still this run's before it writes to a
// database: a process that stood still past it may have been overtaken.
func (r *run) hold(ctx context.Context) error {
	if r.record().LeaseUntil.After(r.engine.config.Clock()) {
		return nil
	}
	return r.renew(ctx)
}

// recovered, deferred, turns a panic into an error. What it was about is left
// out, since it may quote a row.
func recovered(err *error) {
	if recover() != nil {
		*err = &graph.PanicError{Stack: string(debug.Stack())}
	}
}

// commit applies one change to the request: apply edits a draft, and it counts
// once it is stored. It renews the lease.
func (r *run) commit(ctx context.Context, apply func(*draft) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	if r.closed {
		return nil
	}
	d, err := r.engine.draft(r.rec)
	if err != nil {
		return err
	}
	d.Record.LeaseUntil = d.now.Add(r.engine.config.Lease)
	if err := apply(d); err != nil {
		return err
	}
	err = d.commit(ctx)
	switch {
	case errors.Is(err, ErrConflict):
		r.lost = fmt.Errorf("%w: the lease of request %s was lost", ErrConflict, r.id)
		return r.lost
	case err != nil:
		return &storeError{err}
	}
	r.rec = &d.Record
	r.closed = d.Record.LeaseUntil.IsZero()
	return nil
}

// commitResults is commit for a change that writes the results as well: when it
// fails they are what they were, so that nothing counts as done that is stored
// nowhere. What they point at must be replaced, not changed.
func (r *run) commitResults(ctx context.Context, apply func(*draft) error) error {
	was := r.results
	err := r.commit(ctx, apply)
	if err != nil {
		r.results = was
	}
	return err
}

// storeError marks a failure of the store, which is not the request's.
type storeError struct{ err error }

func (e *storeError) Error() string { return "dsr: the store failed: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// setResults stores the results in a change.
func (r *run) setResults(d *draft) error {
	data, err := json.Marshal(&r.results)
	if err != nil {
		return fmt.Errorf("dsr: encode outcomes: %w", err)
	}
	d.Record.Outcomes = data
	return nil
}

// stage ends one stage and begins the next in one commit. The audit trail is
// told of the facts.
func (r *run) stage(ctx context.Context, next Stage, facts []fact, events ...Event) error {
	fault.Point(ctx, "before "+string(next))
	err := r.commit(ctx, func(d *draft) error {
		for _, f := range facts {
			if err := d.note(ctx, f.action, "", f.details); err != nil {
				return err
			}
		}
		kind := lifecycle.Progress
		if next == StageErase {
			kind = lifecycle.Erase
		}
		if err := d.move(ctx, lifecycle.Event{Kind: kind}, By{}, nil); err != nil {
			return err
		}
		if len(r.tasks) > 0 {
			if _, err := r.keepTasks(ctx, d, func(*paperTask) bool { return false }); err != nil {
				return err
			}
		}
		d.Record.Stage, d.Record.Failure = next, ""
		d.event(events...)
		return r.setResults(d)
	})
	if err == nil {
		fault.Point(ctx, "at "+string(next))
	}
	return err
}

// fact is something that the audit trail is told besides changes of status.
type fact struct {
	action  string
	details map[string]string
}

// errYield stops a run where it can go on later.
var errYield = errors.New("dsr: others come first")

// stopping is errYield when others are to have their turn.
func (r *run) stopping() error {
	if r.yield != nil && r.yield() {
		return errYield
	}
	return nil
}

// advance runs the stages from the one the request is at.
func (r *run) advance(ctx context.Context) (err error) {
	defer recovered(&err)
	again := false
	for first := true; ; first = false {
		stage := r.record().Stage
		do, ok := map[Stage]func(context.Context) error{
			StagePlan: r.planStage, StageCollect: r.collectStage, StageDeliver: r.deliverStage,
			StageJournal: r.journalStage, StageErase: r.eraseStage, StageFinish: r.finishStage,
		}[stage]
		if !ok {
			return nil
		}
		if err := r.stopping(); err != nil && !first { // a turn gets something done
			return err
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
			err = r.stage(ctx, StageCollect, nil, Event{Kind: "collecting again", Message: "not all that was collected is there any more; small results live in memory until the journal is whole"})
		}
		if err != nil {
			return err
		}
		if r.record().Status != StatusInProcessing {
			return nil
		}
	}
}

// planStage freezes the plan after everything it needs was checked. What people
// have to fill in and hooks have to say comes before.
func (r *run) planStage(ctx context.Context) error {
	if waits, err := r.askForms(ctx); waits || err != nil {
		return err
	}
	if waits, err := r.callHooks(ctx, HookBefore); waits || err != nil {
		return err
	}
	sub, err := r.subject(ctx)
	if err != nil {
		return err
	}
	frozen, err := r.gen.freeze(r.record().Policy, r.gen.kinds(sub.Identities, sub.all()))
	if err != nil {
		return err
	}
	plan := frozen.plan
	if err := r.layout(ctx, plan); err != nil {
		return err
	}
	fault.Point(ctx, "before "+string(StageCollect))
	err = r.commitResults(ctx, func(d *draft) error {
		d.Record.Plan, d.Record.Stage, r.results.Catalogue = frozen.json, StageCollect, r.gen.version
		if r.gen.version > 0 {
			r.results.Destination = r.gen.standard
		}
		if err := r.setResults(d); err != nil {
			return err
		}
		for _, purpose := range []string{keyInputs, keySpool, keyJournal} {
			if err := r.engine.newKey(ctx, &d.Record, purpose, make([]byte, seal.KeySize)); err != nil {
				return err
			}
		}
		d.event(Event{Kind: "planned", Message: fmt.Sprintf("%d collections, %d skipped", len(plan.Steps), len(plan.Skipped))})
		if err := d.note(ctx, "planned", "", map[string]string{
			"collections": strconv.Itoa(len(plan.Steps)), "skipped": strconv.Itoa(len(plan.Skipped)), "plan": digest(frozen.json),
		}); err != nil {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Progress}, By{}, nil)
	})
	if err == nil {
		fault.Point(ctx, "at "+string(StageCollect))
	}
	return err
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
	schemas, err := r.gen.preflight(ctx, plan, r.fresh)
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

// finishStage forgets what was only needed on the way and completes the
// request.
func (r *run) finishStage(ctx context.Context) error {
	if err := r.engine.config.Spool.Remove(ctx, r.id); err != nil {
		return fmt.Errorf("dsr: empty the spool: %w", err)
	}
	for _, others := range []func(context.Context) (bool, error){
		r.askErasures, r.askVendors,
		func(ctx context.Context) (bool, error) { return r.callHooks(ctx, HookAfter) },
	} {
		if waits, err := others(ctx); waits || err != nil {
			return err
		}
	}
	if err := r.engine.removeFiles(ctx, r.record()); err != nil {
		return err
	}
	unconfirmed, err := r.unconfirmed(ctx)
	if err != nil {
		return err
	}
	fault.Point(ctx, "before done")
	err = r.commitResults(ctx, func(d *draft) error {
		d.Record.Failure, r.results.Unconfirmed, d.filesGone = "", unconfirmed, true
		d.event(Event{Kind: "complete"})
		if len(unconfirmed) > 0 {
			if err := r.tellPackages(ctx, d); err != nil {
				return err
			}
		}
		if err := r.setResults(d); err != nil {
			return err
		}
		if err := d.move(ctx, lifecycle.Event{Kind: lifecycle.Finish, Unconfirmed: len(unconfirmed) > 0}, By{}, nil); err != nil {
			return err
		}
		if d.Record.Status == StatusRequiresFinalization {
			return d.notify(ctx, Notice{Kind: NoticeFinalize, Unconfirmed: unconfirmed})
		}
		return d.notify(ctx, r.results.completion())
	})
	if err != nil {
		return err
	}
	fault.Point(ctx, "at done")
	return nil
}
