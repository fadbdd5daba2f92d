package dsr

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godsr/dsr/internal/audit"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
)

// draft is a change of a request in the making. Every change of status goes
// through move, so that the lifecycle has agreed to it and the audit trail
// knows of it.
type draft struct {
	*StoreChange
	engine *Engine
	now    time.Time
	state  lifecycle.State
	things []lifecycle.Thing // that go once the change is stored

	letters    string    // what its letters are numbered after; defaults to the request and its version
	toSend     []Message // notices of the change, for who makes it to send
	papersGone bool      // what people answered goes, and its files
	filesGone  bool      // they are removed already
	removal    *Message  // that removes them otherwise
}

// draft begins a change of a stored request; of a new one where its version is
// 0.
func (e *Engine) draft(rec *Record) (*draft, error) {
	d := &draft{
		engine: e, now: e.config.Clock().UTC().Truncate(time.Microsecond),
		StoreChange: &StoreChange{ExpectVersion: rec.Version, Record: *rec},
	}
	d.Record.Version++
	d.Record.UpdatedAt = d.now
	var err error
	d.state, err = rec.state()
	return d, err
}

// state is what the lifecycle knows of a record.
func (rec *Record) state() (lifecycle.State, error) {
	var s lifecycle.State
	if len(rec.State) > 0 {
		if err := json.Unmarshal(rec.State, &s); err != nil {
			return s, fmt.Errorf("dsr: the stored state of request %s cannot be read: %w", rec.ID, err)
		}
	}
	s.Status, s.DueAt = lifecycle.Status(rec.Status), rec.DueAt
	return s, nil
}

// move applies an event, or says why it cannot be.
func (d *draft) move(ctx context.Context, e lifecycle.Event, by By, details map[string]string) error {
	if err := by.check(); err != nil {
		return fmt.Errorf("dsr: request %s: %w", d.Record.ID, err)
	}
	e.At = d.now
	// All times of a change are whole microseconds: at the time when it is due,
	// a request must not find that it is still too early.
	if until := e.Until.Truncate(time.Microsecond); until.Before(e.Until) {
		e.Until = until.Add(time.Microsecond)
	}
	ch, err := lifecycle.Next(d.state, e)
	if err != nil {
		return refused(d.Record.ID, err)
	}
	d.state = ch.State
	rec, before := &d.Record, d.Record.Status
	rec.Status, rec.DueAt = Status(ch.State.Status), ch.State.DueAt
	rec.StartedAt, rec.FailedAt, rec.FinishedAt, rec.DeletedAt = ch.State.StartedAt, ch.State.FailedAt, ch.State.EndedAt, ch.State.DeletedAt
	if rec.Status != StatusInProcessing || !rec.DeletedAt.IsZero() {
		rec.LeaseUntil = time.Time{}
	}
	if ch.State.Status.Ended() {
		rec.Stage = StageDone
	}
	for _, thing := range ch.Things {
		d.forget(thing)
	}
	if slices.Contains(ch.Things, lifecycle.Collected) && e.Kind != lifecycle.Expire && e.Kind != lifecycle.Replan {
		d.forgetPapers()
	}
	if ch.Restart {
		if err := d.restart(e.Kind == lifecycle.Expire || e.Kind == lifecycle.Replan); err != nil {
			return err
		}
	}
	if by != (By{}) {
		if err := d.remark(ctx, ch.Action, by); err != nil {
			return err
		}
	}
	if rec.Status == StatusAwaitingPreApproval && (before != rec.Status || ch.Restart) {
		if err := d.askApproval(ctx); err != nil {
			return err
		}
	}
	if ch.Action == "" {
		return nil
	}
	if len(ch.Things) > 0 && e.Kind == lifecycle.Expire {
		details = maps.Clone(details)
		if details == nil {
			details = map[string]string{}
		}
		for _, thing := range ch.Things {
			if details[string(thing)] == "" {
				details[string(thing)] = "gone"
			}
		}
	}
	return d.note(ctx, ch.Action, by.Actor, details)
}

// restart takes the work back to its beginning: a journal that was begun holds
// collected rows, and goes with them. What was delivered is not forgotten, since
// it has to be removed some day.
func (d *draft) restart(goesOn bool) error {
	d.forget(lifecycle.Journal)
	rec := &d.Record
	res, err := rec.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	rec.Stage, rec.Plan, rec.Outcomes, rec.Failure = StagePlan, nil, nil, ""
	kept := results{Former: append(res.Former, res.Packages...), Files: res.Files}
	if goesOn { // what others were told and asked is not forgotten
		kept.Hooks = res.Hooks
	}
	if len(kept.Former)+len(kept.Files)+len(kept.Hooks) > 0 {
		rec.Outcomes, err = json.Marshal(&kept)
	}
	return err
}

// forget shreds what a thing was sealed with, and drops it from the change.
func (d *draft) forget(thing lifecycle.Thing) {
	rec, shred := &d.Record, d.shred
	switch thing {
	case lifecycle.Collected:
		shred(keyInputs, keySpool)
	case lifecycle.Journal:
		shred(keyJournal)
		d.DropJournal = true
	case lifecycle.Identities:
		shred(keyIdentity)
		rec.Identity, rec.Details, rec.Lookup = nil, nil, nil
	case lifecycle.Log:
		d.DropEvents = true
	case lifecycle.Request:
		d.Remove, d.papersGone = true, true // a file may have come after the end
	}
	if !slices.Contains(d.things, thing) {
		d.things = append(d.things, thing)
	}
}

// shred drops keys from the record.
func (d *draft) shred(purposes ...string) {
	d.Record.Keys = maps.Clone(d.Record.Keys)
	for _, purpose := range purposes {
		delete(d.Record.Keys, purpose)
	}
}

// note adds an entry to the audit trail. It must hold no personal value.
func (d *draft) note(ctx context.Context, action, actor string, details map[string]string) error {
	if actor != "" {
		var err error
		if actor, err = d.engine.pseudonym(ctx, actor); err != nil {
			return err
		}
	}
	rec := &d.Record
	entry, err := audit.Next(rec.ID, rec.AuditSeq+1, rec.AuditHash, d.now, action, actor, details, d.engine.auditMAC(ctx))
	if err != nil {
		return fmt.Errorf("dsr: audit trail of request %s: %w", rec.ID, err)
	}
	rec.AuditSeq, rec.AuditHash = entry.Seq, entry.Hash
	d.Audit = append(d.Audit, AuditEntry(entry))
	return nil
}

// event adds a line to the execution log.
func (d *draft) event(events ...Event) {
	d.Events = append(d.Events, events...)
}

// remark seals what a person did and said beside the identities.
func (d *draft) remark(ctx context.Context, action string, by By) error {
	rec := &d.Record
	wrapped, ok := rec.Keys[keyIdentity]
	if !ok {
		return nil // they were shredded, and remarks with them
	}
	key, err := d.engine.config.Keyring.Unwrap(ctx, wrapped, bound(rec.ID, keyIdentity))
	if err != nil {
		return fmt.Errorf("dsr: unwrap the identity key of request %s: %w", rec.ID, err)
	}
	remarks, err := openRemarks(rec, key)
	if err != nil {
		return err
	}
	remarks = append(remarks, Remark{Time: d.now, Action: action, Actor: by.Actor, Reason: by.Reason})
	open := make([]openRemark, len(remarks))
	for i, m := range remarks {
		open[i] = openRemark(m)
	}
	plain, err := json.Marshal(open)
	if err != nil {
		return errors.New("dsr: what was said of the request cannot be encoded")
	}
	if rec.Details, err = seal.Seal(d.engine.config.Random, key, plain, bound(rec.ID, "details")); err != nil {
		return fmt.Errorf("dsr: seal what was said of request %s: %w", rec.ID, err)
	}
	return nil
}

func openRemarks(rec *Record, key []byte) ([]Remark, error) {
	if len(rec.Details) == 0 {
		return nil, nil
	}
	plain, err := seal.Open(key, rec.Details, bound(rec.ID, "details"))
	if err != nil {
		return nil, fmt.Errorf("dsr: open what was said of request %s: %w", rec.ID, err)
	}
	var remarks []Remark
	if err := json.Unmarshal(plain, &remarks); err != nil {
		return nil, errors.New("dsr: what was said of the request cannot be decoded")
	}
	return remarks, nil
}

// commit stores the change.
func (d *draft) commit(ctx context.Context) error {
	rec := &d.Record
	if !rec.LeaseUntil.IsZero() {
		rec.DueAt = rec.LeaseUntil // when to look for what a crash left
	} else if rec.Status == StatusInProcessing && !d.state.Waits() && rec.DeletedAt.IsZero() {
		rec.DueAt = d.now
	}
	var err error
	if rec.State, err = json.Marshal(&d.state); err != nil {
		return fmt.Errorf("dsr: encode the state of request %s: %w", rec.ID, err)
	}
	for i := range d.Events {
		d.Events[i].Time = d.now
	}
	if d.papersGone && !d.filesGone && !d.Remove {
		if err := d.removeLater(ctx); err != nil {
			return err
		}
	}
	if err := d.engine.config.Store.Commit(ctx, d.StoreChange); err != nil {
		return err
	}
	d.engine.wake(rec.DueAt)
	if len(d.Messages) > len(d.toSend) {
		d.engine.wakeOutbox()
	}
	return nil
}

// sweep removes what lies outside of the store and whose key is shredded.
func (d *draft) sweep(ctx context.Context) error {
	if d.papersGone {
		if err := d.engine.removeFiles(ctx, &d.Record); err != nil {
			return err
		}
		if m := d.removal; m != nil {
			done := *m
			done.Version++
			err := d.engine.config.Store.SaveMessages(ctx, []MessageChange{{ExpectVersion: m.Version, Message: done, Remove: true}})
			if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
	}
	if !slices.Contains(d.things, lifecycle.Collected) {
		return nil
	}
	if err := d.engine.config.Spool.Remove(ctx, d.Record.ID); err != nil {
		return fmt.Errorf("dsr: request %s: its key is shredded, but its spool was not emptied: %w", d.Record.ID, err)
	}
	return nil
}

// pseudonym names a person in the audit trail: the same one always alike, and
// nobody without the keyring.
func (e *Engine) pseudonym(ctx context.Context, actor string) (string, error) {
	hash, err := e.config.Keyring.Lookup(ctx, []byte("actor\x00"+actor))
	if err != nil {
		return "", fmt.Errorf("dsr: make a pseudonym: %w", err)
	}
	return hex.EncodeToString(hash[:min(16, len(hash))]), nil
}

func (e *Engine) auditMAC(ctx context.Context) audit.MAC {
	return func(hash []byte) ([]byte, error) {
		return e.config.Keyring.Lookup(ctx, append([]byte("audit\x00"), hash...))
	}
}
