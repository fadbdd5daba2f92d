package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// Tasks are the engine's verbs on what people are asked by an [Asker], in the
// midst of a request.
type Tasks struct {
	engine *Engine
}

// Tasks returns the verbs on tasks.
func (e *Engine) Tasks() *Tasks { return &Tasks{engine: e} }

// TaskState is where a task stands.
type TaskState string

// The states.
const (
	TaskOpen      TaskState = "open"
	TaskCompleted TaskState = "completed"
	// TaskSkipped: every field was skipped, or the task as a whole.
	TaskSkipped TaskState = "skipped"
)

// Task is what people are asked for a request. It prints without what is
// personal.
type Task struct {
	// ID is its own within the request: the action and the collection.
	ID        string
	RequestID string
	Action    graph.Action
	// Collection is the one whose rows or whose erasure it stands for.
	Collection graph.Address
	State      TaskState
	// Revision counts its answers. Who answers gives the one they saw.
	Revision int

	TaskSpec
	AskedAt time.Time
	// DueAt is when it should be done; zero for never.
	DueAt time.Time
	// Inputs are the values that it is about, and Identities whom.
	Inputs     []QuestionInput
	Identities Identities
	// Answers are by field.
	Answers map[string]TaskAnswer
}

// TaskAnswer is what was answered to a field.
type TaskAnswer struct {
	// Value is a string for text, a bool for a checkbox, and []string of
	// the IDs of attached files for a file field.
	Value any
	// Skipped says that the field was skipped, for Reason.
	Skipped bool
	Reason  string
	Actor   string
	At      time.Time
}

// Format implements [fmt.Formatter] for every verb without what is personal.
func (t Task) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s of request %s}", t.ID, t.RequestID) }

// LogValue implements [slog.LogValuer] without what is personal.
func (t Task) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON implements [json.Marshaler] without what is personal.
func (t Task) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(t)) }

// Format implements [fmt.Formatter] for every verb without what was answered.
func (a TaskAnswer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON implements [json.Marshaler] without what was answered.
func (a TaskAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// paperTask is a task as it is sealed.
type paperTask struct {
	Action     graph.Action          `json:"action"`
	Collection graph.Address         `json:"collection"`
	State      TaskState             `json:"state"`
	Revision   int                   `json:"revision,omitempty"`
	Spec       TaskSpec              `json:"spec"`
	AskedAt    time.Time             `json:"asked_at"`
	DueAt      time.Time             `json:"due_at,omitzero"`
	Inputs     []QuestionInput       `json:"inputs,omitempty"`
	Answers    map[string]openAnswer `json:"answers,omitempty"`
}

// openAnswer is a TaskAnswer as it is sealed.
type openAnswer struct {
	Text    string    `json:"text,omitempty"`
	Checked bool      `json:"checked,omitempty"`
	Files   []string  `json:"files,omitempty"`
	Skipped bool      `json:"skipped,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	At      time.Time `json:"at"`
}

func taskID(action graph.Action, a graph.Address) string { return string(action) + "/" + a.String() }

// awaitTask is how a request says that it waits for a task.
func awaitTask(id string) string { return "task:" + id }

// named reports whether a field names a file.
func (p *papers) named(fileID string) bool {
	for _, t := range p.Tasks {
		for _, a := range t.Answers {
			if slices.Contains(a.Files, fileID) {
				return true
			}
		}
	}
	for _, paper := range p.Forms {
		for _, v := range paper.Upload.Values {
			if list, ok := v.([]any); ok && slices.Contains(list, any(fileID)) {
				return true
			}
		}
	}
	return false
}

// show returns a task for people.
func (t *paperTask) show(requestID string, ids Identities) *Task {
	shown := &Task{
		ID: taskID(t.Action, t.Collection), RequestID: requestID, Action: t.Action, Collection: t.Collection, State: t.State,
		Revision: t.Revision, TaskSpec: t.Spec, AskedAt: t.AskedAt, DueAt: t.DueAt, Inputs: t.Inputs, Identities: ids,
		Answers: map[string]TaskAnswer{},
	}
	for key, a := range t.Answers {
		shown.Answers[key] = TaskAnswer{Value: a.value(t.field(key)), Skipped: a.Skipped, Reason: a.Reason, Actor: a.Actor, At: a.At}
	}
	return shown
}

func (t *paperTask) field(key string) *TaskField {
	at := slices.IndexFunc(t.Spec.Fields, func(f TaskField) bool { return f.Key == key })
	if at < 0 {
		return nil
	}
	return &t.Spec.Fields[at]
}

// value is what a field was answered; nil for one that was skipped.
func (a *openAnswer) value(f *TaskField) any {
	switch {
	case a.Skipped || f == nil:
		return nil
	case f.Type == TaskCheckbox:
		return a.Checked
	case f.Type == TaskFile:
		return slices.Clone(a.Files)
	}
	return a.Text
}

// settled reports whether every field was answered or skipped.
func (t *paperTask) settled() bool {
	return !slices.ContainsFunc(t.Spec.Fields, func(f TaskField) bool { _, ok := t.Answers[f.Key]; return !ok })
}

// TaskFilter selects tasks. Zero fields select all that are open.
type TaskFilter struct {
	// Assignee keeps to those of a person or group.
	Assignee string
	// Overdue keeps to those that are due before a time.
	Overdue time.Time
}

// Open goes through the tasks that wait for an answer, over all requests.
func (t *Tasks) Open(ctx context.Context, filter TaskFilter) iter.Seq2[*Task, error] {
	return func(yield func(*Task, error) bool) {
		for rec, err := range t.engine.records(ctx, RecordQuery{Status: []Status{StatusRequiresInput}}) {
			if err != nil {
				yield(nil, err)
				return
			}
			state, err := rec.state()
			if err == nil && !slices.ContainsFunc(state.Awaits, func(a string) bool { return strings.HasPrefix(a, "task:") }) {
				continue
			}
			list, err := t.List(ctx, rec.ID)
			if errors.Is(err, ErrNotFound) {
				continue // removed in this moment
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, task := range list {
				if task.State == TaskOpen && (filter.Assignee == "" || slices.Contains(task.Assignees, filter.Assignee)) &&
					(filter.Overdue.IsZero() || !task.DueAt.IsZero() && task.DueAt.Before(filter.Overdue)) && !yield(task, nil) {
					return
				}
			}
		}
	}
}

// List returns the tasks of a request, by ID. Once the request has ended there
// are none: what people answered was shredded.
func (t *Tasks) List(ctx context.Context, requestID string) ([]*Task, error) {
	rec, err := t.engine.config.Store.Request(ctx, requestID)
	if err != nil {
		return nil, err
	}
	r := newRun(t.engine, rec)
	p, err := r.papers(ctx)
	if err != nil || len(p.Tasks) == 0 {
		return nil, err
	}
	ids, err := r.identities(ctx)
	if err != nil {
		return nil, err
	}
	var list []*Task
	for _, id := range slices.Sorted(maps.Keys(p.Tasks)) {
		list = append(list, p.Tasks[id].show(requestID, ids))
	}
	return list, nil
}

// Get returns a task, or [ErrNotFound].
func (t *Tasks) Get(ctx context.Context, requestID, taskID string) (*Task, error) {
	list, err := t.List(ctx, requestID)
	if err != nil {
		return nil, err
	}
	for _, task := range list {
		if task.ID == taskID {
			return task, nil
		}
	}
	return nil, fmt.Errorf("%w: request %s has no task %q", ErrNotFound, requestID, taskID)
}

// Answer takes answers to fields of a task: a string for text, a bool for a
// checkbox, the IDs of attached files ([]string) for a file. Fields that are not
// named keep what they have. Revision is that of the task that was looked at: it
// is [ErrConflict] where somebody else answered since. Once every field is
// answered or skipped the task is done, and the request goes on when it waits
// for nothing else.
func (t *Tasks) Answer(ctx context.Context, requestID, taskID string, revision int, values map[string]any, by By) (*Task, error) {
	return t.change(ctx, requestID, taskID, revision, by, "task answered", func(d *draft, p *papers, task *paperTask) error {
		var errs []error
		var files []string
		for _, key := range slices.Sorted(maps.Keys(values)) {
			a := openAnswer{Actor: by.Actor, At: d.now}
			if err := a.set(task.field(key), key, values[key]); err != nil {
				errs = append(errs, err)
				continue
			}
			files = append(files, a.Files...)
			task.Answers[key] = a
		}
		if len(values) == 0 {
			errs = append(errs, errors.New("no field is answered"))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("dsr: task %s of request %s: %w", taskID, requestID, err)
		}
		return p.checkFiles(files)
	})
}

// set takes the value of a field.
func (a *openAnswer) set(f *TaskField, key string, v any) error {
	if f == nil {
		return fmt.Errorf("it has no field %q", key)
	}
	var ok bool
	switch f.Type {
	case TaskCheckbox:
		a.Checked, ok = v.(bool)
	case TaskFile:
		a.Files, ok = v.([]string)
		a.Files = slices.Clone(a.Files)
	default:
		a.Text, ok = v.(string)
		if !utf8.ValidString(a.Text) {
			return fmt.Errorf("field %q: the text is not valid UTF-8", key)
		}
	}
	if !ok {
		want := map[TaskFieldType]string{TaskCheckbox: "true or false", TaskFile: "a list of IDs of attached files", TaskText: "a text"}[f.Type]
		return fmt.Errorf("field %q takes %s", key, want)
	}
	return nil
}

// Skip says why fields of a task are not answered; all that are not yet
// answered where none is named. It needs a reason. Revision is as with Answer.
func (t *Tasks) Skip(ctx context.Context, requestID, taskID string, revision int, fields []string, by By) (*Task, error) {
	if strings.TrimSpace(by.Reason) == "" {
		return nil, fmt.Errorf("%w: task %s of request %s can be skipped", ErrNoReason, taskID, requestID)
	}
	return t.change(ctx, requestID, taskID, revision, by, "task skipped", func(d *draft, _ *papers, task *paperTask) error {
		if len(fields) == 0 {
			for _, f := range task.Spec.Fields {
				if _, ok := task.Answers[f.Key]; !ok {
					fields = append(fields, f.Key)
				}
			}
		}
		for _, key := range fields {
			if task.field(key) == nil {
				return fmt.Errorf("dsr: task %s of request %s: it has no field %q", taskID, requestID, key)
			}
			task.Answers[key] = openAnswer{Skipped: true, Reason: by.Reason, Actor: by.Actor, At: d.now}
		}
		return nil
	})
}

// Assign gives a task to other people and groups.
func (t *Tasks) Assign(ctx context.Context, requestID, taskID string, revision int, assignees []string, by By) (*Task, error) {
	if len(assignees) > maxAssignees {
		return nil, fmt.Errorf("dsr: task %s of request %s: more than %d assignees", taskID, requestID, maxAssignees)
	}
	return t.change(ctx, requestID, taskID, revision, by, "task assigned", func(d *draft, _ *papers, task *paperTask) error {
		task.Spec.Assignees = slices.Clone(assignees)
		return d.tellTask(ctx, NoticeTask, task, assignees)
	})
}

const maxAssignees = 100

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
			return &RefusedError{
				RequestID: requestID, Status: d.Record.Status, Verb: "answer a task of", cause: ErrConflict,
				reason: "it is " + string(d.Record.Status) + "; tasks are answered while it is " + string(StatusRequiresInput),
			}
		case !ok:
			return fmt.Errorf("%w: request %s has no task %q", ErrNotFound, requestID, id)
		case task.Revision != revision:
			return fmt.Errorf("%w: task %s of request %s was answered since you looked at it; look again", ErrConflict, id, requestID)
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
		shown = task.show(requestID, ids)
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.sendClaimed(ctx, d.claimed)
	return shown, e.hint(ctx, &d.Record)
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
	if task.State == TaskOpen {
		if !slices.Contains(d.state.Awaits, await) { // answered anew
			d.state.Awaits = append(slices.Clone(d.state.Awaits), await)
		}
		return nil
	}
	had := slices.Contains(d.state.Awaits, await)
	d.state.Awaits = without(d.state.Awaits, await)
	if !had || len(d.state.Awaits) > 0 {
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
