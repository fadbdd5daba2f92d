package dsr

import (
	"context"
	"fmt"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// change changes a task that is awaited.
func (t *Tasks) change(ctx context.Context, requestID, id string, revision int, by By, action string, change func(*draft, *papers, *paperTask) error) (*Task, error) {
	e := t.engine
	if err := by.check(); err != nil {
		return nil, fmt.Errorf("dsr: request %s: %w", requestID, err)
	}
	var shown *Task
	d, err := e.requests.try(ctx, requestID, func(d *draft) error {
		p, err := d.papers(ctx)
		if err != nil {
			return err
		}
		task, ok := p.Tasks[id]
		switch {
		case !d.Record.DeletedAt.IsZero():
			return fmt.Errorf("%w: request %s", ErrDeleted, requestID)
		case d.Record.Status != StatusRequiresInput:
			return t.refuse(&d.Record, "it is "+string(d.Record.Status)+"; tasks are answered while it is "+string(StatusRequiresInput))
		case !ok || task.AskedAt.IsZero():
			return fmt.Errorf("%w: request %s has no task %q", ErrNotFound, requestID, id)
		case task.Action == graph.Access && d.Record.Stage != StagePlan && d.Record.Stage != StageCollect:
			return t.refuse(&d.Record, "what was answered to task "+id+" was handed over already")
		case task.Revision != revision:
			return fmt.Errorf("%w: task %s of request %s was changed since you looked at it, from revision %d to %d; get it again and change what it holds now",
				ErrConflict, id, requestID, revision, task.Revision)
		}
		if task.Answers == nil {
			task.Answers = map[string]openAnswer{}
		}
		if err := change(d, p, task); err != nil {
			return err
		}
		task.Revision++
		if err := d.noteTask(ctx, p, id, task, action, by); err != nil {
			return err
		}
		ids, err := newRun(e, &d.Record).identities(ctx)
		if err != nil {
			return err
		}
		shown, err = task.show(&d.Record, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.sendNow(ctx, d.toSend)
	return shown, e.hint(ctx, &d.Record)
}

// refuse says why tasks of a request cannot be changed now.
func (t *Tasks) refuse(rec *Record, reason string) error {
	return &RefusedError{RequestID: rec.ID, Status: rec.Status, Verb: "change a task", cause: ErrConflict, reason: reason}
}

// noteTask settles a task that was changed, and lets the request go on once
// nothing else is awaited.
func (d *draft) noteTask(ctx context.Context, p *papers, id string, task *paperTask, action string, by By) error {
	task.State = TaskOpen
	if task.settled() {
		task.State = TaskSkipped
		for _, a := range task.Answers {
			if !a.Skipped {
				task.State = TaskCompleted
			}
		}
	}
	if err := d.setPapers(ctx, p); err != nil {
		return err
	}
	d.event(Event{Kind: action, Collection: task.Collection.String(), Action: task.Action, Message: string(task.State)})
	if err := d.note(ctx, action, by.Actor, map[string]string{"task": id, "state": string(task.State)}); err != nil {
		return err
	}
	await := awaitTask(id)
	if task.State == TaskOpen || !slices.Contains(d.state.Awaits, await) { // not done, or done before
		return nil
	}
	if d.state.Awaits = without(d.state.Awaits, await); len(d.state.Awaits) > 0 {
		return nil
	}
	return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, By{}, map[string]string{"task": id})
}

// tellTask puts a notice to each assignee into the change; to operators where
// there is none.
func (d *draft) tellTask(ctx context.Context, kind NoticeKind, t *paperTask, assignees []string) error {
	id := taskID(t.Action, t.Collection)
	ref := TaskRef{RequestID: d.Record.ID, Task: id, Title: t.Spec.Title, Due: t.DueAt}
	if len(assignees) == 0 {
		return d.notify(ctx, Notice{Kind: NoticeInput, Message: "a task is open that nobody is assigned to: " + id, Tasks: []TaskRef{ref}})
	}
	for _, assignee := range assignees {
		if err := d.notify(ctx, Notice{Kind: kind, Assignee: assignee, Tasks: []TaskRef{ref}}); err != nil {
			return err
		}
	}
	return nil
}
