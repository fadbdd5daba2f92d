package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// attemptsToChange is how often a verb is tried again that lost against another
// change, such as the renewal of a lease.
const attemptsToChange = 20

// Approve lets a request go on that waits for a decision.
func (r *Requests) Approve(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Approve}, by, NoticeApproved)
}

// Deny ends a request that waits for a decision. It needs a reason, which the
// data subject has a right to know.
func (r *Requests) Deny(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Deny, Reason: by.Reason}, by, NoticeDenied)
}

// PreApproval takes the answer of one of the checks of [Flow.PreApproval].
func (r *Requests) PreApproval(ctx context.Context, id, check string, eligible bool, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Answer, Check: check, Right: eligible}, by, "")
}

// Cancel withdraws a request. Once its erasure has begun it is
// [ErrErasureBegun]. What was collected is shredded. Canceling a canceled request
// does nothing but empty its spool and remove its files, should that have failed.
func (r *Requests) Cancel(ctx context.Context, id string, by By) (*Request, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Status == StatusCanceled && rec.DeletedAt.IsZero() {
		d := &draft{engine: r.engine, StoreChange: &StoreChange{Record: *rec}, things: []lifecycle.Thing{lifecycle.Collected}, papersGone: true}
		return rec.request(), d.sweep(ctx)
	}
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Cancel}, by, NoticeCanceled)
}

// Pause stops the work on a request until Resume. Work that is under way stops
// at its next step; what was done stays done.
func (r *Requests) Pause(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Pause}, by, "")
}

// Resume lets a request go on that is paused, or waits for a person or another
// system.
func (r *Requests) Resume(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Resume}, by, "")
}

// Retry lets a request go on that stopped with [StatusError]. What was done
// stays done. Tables may have been altered meanwhile: their schemas are asked
// for anew.
func (r *Requests) Retry(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Retry}, by, "")
}

// Wake asks the executor to look at a request that is [StatusApproved] or
// [StatusInProcessing], in case its job was lost: any other status is
// [ErrConflict]. It changes nothing: a request that waits for its time goes on
// waiting, and one that is worked on is left alone. In a process that neither
// runs nor has a Config.Executor there is nobody to ask; one that runs finds the
// request by itself.
func (r *Requests) Wake(ctx context.Context, id string) (*Request, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	refused := &RefusedError{RequestID: id, Status: rec.Status, Verb: "wake"}
	switch {
	case !rec.DeletedAt.IsZero():
		refused.cause, refused.reason = ErrDeleted, "it was deleted"
		return nil, refused
	case rec.Status != StatusApproved && rec.Status != StatusInProcessing:
		refused.cause, refused.reason = ErrConflict, "it is "+string(rec.Status)
		return nil, refused
	case r.engine.config.Executor == nil && !r.engine.runner.running.Load():
		return rec.request(), nil
	}
	if err := r.engine.runner.executor.Enqueue(ctx, Job{RequestID: id}); err != nil {
		return nil, fmt.Errorf("dsr: request %s could not be enqueued: %w", id, err)
	}
	return rec.request(), nil
}

// Replan is Retry with the newest configuration: the work begins anew with a
// plan of what the [Catalogue] and Config say now, and what was collected is
// shredded. What people answered stays. Once its erasure has begun it is
// [ErrErasureBegun].
func (r *Requests) Replan(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Replan}, by, "")
}

// Resubmit begins a request anew, under the same ID and with the audit trail it
// has, through the flow as it is configured now. What was collected is shredded,
// a verified identity stays verified; one that is not gets a new code. Once its
// erasure has begun it is [ErrErasureBegun].
func (r *Requests) Resubmit(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Resubmit}, by, "")
}

// Finalize completes a request that waits with [StatusRequiresFinalization].
func (r *Requests) Finalize(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Finalize}, by, NoticeComplete)
}

// Extend moves the deadline of a request to a later time, as Article 12(3) GDPR
// allows by two months. It needs a reason, which the data subject is told.
func (r *Requests) Extend(ctx context.Context, id string, until time.Time, by By) (*Request, error) {
	until = until.UTC().Truncate(time.Microsecond)
	d, err := r.try(ctx, id, func(d *draft) error {
		if !until.After(d.Record.DeadlineAt) || !until.After(d.now) || until.Year() > 2200 {
			return fmt.Errorf("dsr: extend request %s: the new deadline must come after the present one, and after now", id)
		}
		event := lifecycle.Event{Kind: lifecycle.Extend, Reason: by.Reason}
		if err := d.move(ctx, event, by, map[string]string{"deadline": until.Format(time.RFC3339)}); err != nil {
			return err
		}
		d.Record.DeadlineAt = until
		return d.notify(ctx, Notice{Kind: NoticeExtended, Reason: by.Reason})
	})
	if err != nil {
		return nil, err
	}
	r.engine.sendNow(ctx, d.toSend)
	return d.Record.request(), nil
}

// Delete hides a request from lists and ends all work on it. Its record stays
// until [Retention] removes it. While its erasure is under way it is
// [ErrConflict].
func (r *Requests) Delete(ctx context.Context, id string, by By) (*Request, error) {
	return r.change(ctx, id, lifecycle.Event{Kind: lifecycle.Delete}, by, "")
}

// change applies one event to a stored request, whoever else changes it.
func (r *Requests) change(ctx context.Context, id string, event lifecycle.Event, by By, notice NoticeKind) (*Request, error) {
	return r.changeIf(ctx, id, event, by, notice, func(*draft) error { return nil })
}

// changeIf is change of a request that passes a check.
func (r *Requests) changeIf(ctx context.Context, id string, event lifecycle.Event, by By, notice NoticeKind, check func(*draft) error) (*Request, error) {
	var details map[string]string
	if event.Check != "" {
		details = map[string]string{"check": event.Check, "eligible": strconv.FormatBool(event.Right)}
	}
	d, err := r.try(ctx, id, func(d *draft) error {
		if err := check(d); err != nil {
			return err
		}
		if event.Kind == lifecycle.Resubmit {
			var err error
			if event.Repeats, err = r.repeatsStored(ctx, d); err != nil {
				return err
			}
			g, done, err := r.engine.take(ctx, newest)
			if err != nil {
				return err
			}
			defer done()
			d.state.Flow = g.lifecycle(d.Record.Policy)
			if err := d.move(ctx, event, by, nil); err != nil || d.Record.Status != StatusUnverified {
				return err
			}
			return d.newCode(ctx, g.flow(d.Record.Policy), By{}, false)
		}
		if event.Kind == lifecycle.Retry || event.Kind == lifecycle.Replan || event.Kind == lifecycle.Resume {
			d.Record.Failure = ""
		}
		event := event
		if event.Kind == lifecycle.Answer {
			var err error
			if event.Removed, err = d.removedChecks(ctx); err != nil {
				return err
			}
			if slices.Contains(event.Removed, event.Check) {
				return d.refuse(string(event.Kind), "check "+event.Check+" was removed")
			}
		}
		if err := d.move(ctx, event, by, details); err != nil || notice == "" {
			return err
		}
		n := Notice{Kind: notice}
		switch notice {
		case NoticeDenied, NoticeExtended:
			n.Reason = by.Reason
		case NoticeComplete:
			res, err := d.Record.results()
			if err != nil {
				return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", id, err)
			}
			n = res.completion()
		}
		return d.notify(ctx, n)
	})
	if err != nil {
		return nil, err
	}
	rec := &d.Record
	err = errors.Join(d.sweep(ctx), r.engine.sendWithCode(ctx, d), r.engine.hint(ctx, rec))
	if event.Kind == lifecycle.Answer {
		rec = r.engine.recountAnswered(ctx, d)
	}
	return rec.request(), err
}

// try drafts a change again and again until nobody else was faster.
func (r *Requests) try(ctx context.Context, id string, apply func(*draft) error) (*draft, error) {
	if err := r.engine.fits(ctx); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		rec, err := r.engine.config.Store.Request(ctx, id)
		if err != nil {
			return nil, err
		}
		d, err := r.engine.draft(rec)
		if err != nil {
			return nil, err
		}
		if err := apply(d); err != nil {
			return nil, err
		}
		err = d.commit(ctx)
		if err == nil {
			return d, nil
		}
		if attempt == attemptsToChange || !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
}

// Identities returns what is known of the data subject; [ErrShredded] once that
// was forgotten.
func (r *Requests) Identities(ctx context.Context, id string) (Identities, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	return newRun(r.engine, rec).identities(ctx)
}

// Remarks returns what people did to the request and said about it, oldest
// first; [ErrShredded] once that was forgotten.
func (r *Requests) Remarks(ctx context.Context, id string) ([]Remark, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	key, err := newRun(r.engine, rec).key(ctx, keyIdentity)
	if err != nil {
		return nil, err
	}
	return openRemarks(rec, key)
}

// refused makes an error of the lifecycle one of the host's.
func refused(id string, err error) error {
	var refusal *lifecycle.RefusedError
	if !errors.As(err, &refusal) {
		return err
	}
	cause := ErrConflict
	switch refusal.Reason {
	case lifecycle.ErasureBegun:
		cause = ErrErasureBegun
	case lifecycle.IsDeleted:
		cause = ErrDeleted
	case lifecycle.NoReason:
		cause = ErrNoReason
	case lifecycle.CodeExpired, lifecycle.NoCode:
		cause = ErrCodeExpired
	case lifecycle.AttemptsUsedUp, lifecycle.TooManyCodes:
		cause = ErrTooManyAttempts
	case lifecycle.UnknownCheck:
		cause = ErrNotFound
	case lifecycle.Forgotten:
		cause = ErrShredded
	}
	return &RefusedError{RequestID: id, Status: Status(refusal.Status), Verb: string(refusal.Event), reason: refusal.Error(), cause: cause}
}

// RefusedError says that something cannot be done to a request as it is now.
type RefusedError struct {
	RequestID string
	// Status is what the request has.
	Status Status
	// Verb is what was asked for, such as "approve".
	Verb   string
	reason string
	cause  error
}

// Error says which request, what, and why not.
func (e *RefusedError) Error() string {
	verb := e.Verb
	if strings.Contains(verb, " ") { // such as "send code"
		verb += " for"
	}
	return "dsr: cannot " + verb + " request " + e.RequestID + ": " + e.reason
}

// Unwrap returns what a host branches on: [ErrConflict] for a status that does
// not allow it, of which [ErrErasureBegun] is one, [ErrDeleted], [ErrNoReason], [ErrCodeExpired],
// [ErrTooManyAttempts], [ErrNotFound] for a check that there is not, or
// [ErrShredded].
func (e *RefusedError) Unwrap() error { return e.cause }
