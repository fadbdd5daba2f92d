package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// removedChecks are the pre-approval checks of a waiting request that the
// catalogue had when it was submitted, and has no more.
func (d *draft) removedChecks(ctx context.Context) ([]string, error) {
	if len(d.state.Flow.Removable) == 0 || d.state.Status != lifecycle.AwaitingPreApproval || !d.Record.DeletedAt.IsZero() {
		return nil, nil
	}
	there, err := d.engine.approvalHooks(ctx)
	return except(d.state.Flow.Removable, there), err
}

// approvalHooks are the keys of the pre-approval hooks that the catalogue has
// now, usable or not. No keyring is asked: one that is down keeps no removed hook.
func (e *Engine) approvalHooks(ctx context.Context) (keys []string, err error) {
	for entry, err := range e.entries(ctx, EntryQuery{Kind: string(CatalogueHook), Key: preApprovalKey}) {
		if err != nil {
			return nil, err
		}
		if entry.Plain {
			continue // another's, who took the same name
		}
		var hooks []HookDefinition
		if err := json.Unmarshal(entry.Data, &hooks); err != nil {
			return nil, fmt.Errorf("dsr: the pre-approval hooks of the catalogue cannot be read: %w", err)
		}
		for _, h := range hooks {
			keys = append(keys, h.Key)
		}
	}
	return keys, nil
}

// except returns what of a list is not in another one.
func except(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}

// removesHooks reports whether hooks of one list are not in the other any more.
func removesHooks(before, after []HookDefinition) bool {
	return slices.ContainsFunc(before, func(h HookDefinition) bool {
		return !slices.ContainsFunc(after, func(o HookDefinition) bool { return o.Key == h.Key })
	})
}

// recount lets the requests go on that waited alone for the answers of
// pre-approval hooks that were removed. One of which no other check has said yes
// waits for a person: nobody has looked at it.
func (e *Engine) recount(ctx context.Context) error {
	there, err := e.approvalHooks(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusAwaitingPreApproval}}) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("dsr: find the requests that wait for removed hooks: %w", err))...)
		}
		state, err := rec.state()
		if err != nil {
			e.passOver(ctx, rec.ID, "see whether it waits for removed hooks", err)
			continue
		}
		if approvedBy(&state, except(state.Flow.Removable, there)) == "" {
			continue
		}
		if _, err := e.recountOne(ctx, rec.ID); err != nil && !errors.Is(err, errOutdated) && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// recountOne lets one request go on; it is errOutdated that it does not wait for
// removed hooks alone.
func (e *Engine) recountOne(ctx context.Context, id string) (*Record, error) {
	d, err := e.requests.try(ctx, id, func(d *draft) error { return d.recount(ctx) })
	if err != nil {
		return nil, err
	}
	e.sendNow(ctx, d.toSend)
	return &d.Record, e.hint(ctx, &d.Record)
}

// recount approves a request that has a yes of each check that counts; others are
// errOutdated.
func (d *draft) recount(ctx context.Context) error {
	removed, err := d.removedChecks(ctx)
	if err != nil {
		return err
	}
	last := approvedBy(&d.state, removed)
	if last == "" {
		return errOutdated
	}
	// The last of them says again what it has said.
	event := lifecycle.Event{Kind: lifecycle.Answer, Check: last, Right: true, Removed: removed}
	return d.move(ctx, event, By{}, map[string]string{"removed": strings.Join(removed, ", ")})
}

// approvedBy returns the last check of those that count without the removed ones,
// if all of them have said yes; "" if not, and if none was removed, or all were.
func approvedBy(s *lifecycle.State, removed []string) string {
	left := except(s.Flow.PreApproval, removed)
	if len(removed) == 0 || len(left) == 0 || slices.ContainsFunc(left, func(check string) bool { return !s.Answers[check] }) {
		return ""
	}
	return left[len(left)-1]
}

// recountAnswered looks again at a request that has got an answer: whoever removed
// the hook that it waits for besides may have looked before the answer was stored.
func (e *Engine) recountAnswered(ctx context.Context, d *draft) *Record {
	if d.Record.Status != StatusAwaitingPreApproval || len(d.state.Flow.Removable) == 0 {
		return &d.Record
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	rec, err := e.recountOne(ctx, d.Record.ID)
	if err != nil && !errors.Is(err, errOutdated) && !errors.Is(err, ErrNotFound) {
		e.runner.recounted.Store(nil)
		e.config.Logger.WarnContext(ctx, "a request that waits for pre-approvals is looked at again later", "request", d.Record.ID, "error", err)
	}
	if rec == nil {
		return &d.Record
	}
	return rec
}

// recounted says for which version of the catalogue a process has looked for
// requests that wait for removed hooks alone, and when.
type recounted struct {
	version int64
	at      time.Time
}

// recountEvery is how often they are looked for while the catalogue stays as it
// is.
const recountEvery = 24 * time.Hour

// recountRound lets the requests go on that whoever removed their hooks did not
// get to, as when the process died. All that wait are read only where the
// catalogue has changed since the last time, and now and then.
func (e *Engine) recountRound(ctx context.Context) error {
	version, err := e.config.Store.CatalogueVersion(ctx)
	if err != nil {
		return fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	now, last := e.now(), e.runner.recounted.Load()
	if version == 0 || last != nil && last.version == version && now.Sub(last.at) < recountEvery {
		return nil
	}
	if err := e.recount(ctx); err != nil {
		return err
	}
	e.runner.recounted.CompareAndSwap(last, &recounted{version, now})
	return nil
}
