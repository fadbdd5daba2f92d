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
	// Revision counts its changes. Who answers gives the one they saw.
	Revision int

	TaskSpec
	AskedAt time.Time
	// DueAt is when it should be done; zero for never. Nothing happens by
	// itself when it has passed; see [TaskFilter.Overdue].
	DueAt time.Time
	// DeadlineAt is when the request has to be answered; zero for never.
	DeadlineAt time.Time
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

// LogValue implements [slog.LogValuer] without what was answered.
func (a TaskAnswer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without what was answered.
func (a TaskAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// TaskFilter selects tasks. Zero fields select all that are open.
type TaskFilter struct {
	// Assignee keeps to those of a person or group.
	Assignee string
	// Overdue keeps to those that are due before a time.
	Overdue time.Time
}

// Open goes through the tasks that wait for an answer, over all requests.
func (t *Tasks) Open(ctx context.Context, filter TaskFilter) iter.Seq2[*Task, error] {
	return t.open(ctx, filter, func(_ string, err error) error { return err })
}

// open is Open; failed is told of a request that cannot be read, which it may
// pass over.
func (t *Tasks) open(ctx context.Context, filter TaskFilter, failed func(requestID string, err error) error) iter.Seq2[*Task, error] {
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
				if err = failed(rec.ID, err); err != nil {
					yield(nil, err)
					return
				}
				continue
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

// List returns the tasks that people were asked for a request, by ID. Once the
// request has ended there are none: what people answered was shredded.
func (t *Tasks) List(ctx context.Context, requestID string) ([]*Task, error) {
	rec, err := t.engine.config.Store.Request(ctx, requestID)
	if err != nil {
		return nil, err
	}
	r := newRun(t.engine, rec)
	p, err := r.papers(ctx)
	if err != nil || len(p.Tasks) == 0 || !rec.DeletedAt.IsZero() {
		return nil, err
	}
	ids, err := r.identities(ctx)
	if err != nil {
		return nil, err
	}
	var list []*Task
	for _, id := range slices.Sorted(maps.Keys(p.Tasks)) {
		if p.Tasks[id].AskedAt.IsZero() { // its time has not come
			continue
		}
		task, err := p.Tasks[id].show(rec, ids)
		if err != nil {
			return nil, fmt.Errorf("dsr: task %s of request %s: %w", id, requestID, err)
		}
		list = append(list, task)
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

// ErrAnswer: what was answered does not fit the task.
var ErrAnswer = errors.New("dsr: the answer does not fit the task")

// Answer takes answers to fields of a task: a string for text, a bool for a
// checkbox, the IDs of attached files ([]string) for a file. Fields that are not
// named keep what they have. Revision is that of the task that was looked at: it
// is [ErrConflict] where somebody else changed the task since. Once every field
// is answered or skipped the task is done, and the request goes on when it waits
// for nothing else; while it waits for others, the task may be answered anew.
// What does not fit is an [ErrAnswer] that names every fault.
//
// Where the answer was stored and only the executor failed, the task is returned
// beside the error.
func (t *Tasks) Answer(ctx context.Context, requestID, taskID string, revision int, values map[string]any, by By) (*Task, error) {
	return t.change(ctx, requestID, taskID, revision, by, "task answered", func(d *draft, p *papers, task *paperTask) error {
		var errs []error
		for _, key := range slices.Sorted(maps.Keys(values)) {
			a := openAnswer{Actor: by.Actor, At: d.now}
			if err := a.set(task.field(key), key, values[key]); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := p.checkFiles(a.Files); err != nil {
				errs = append(errs, fmt.Errorf("field %q: %w", key, err))
			}
			task.Answers[key] = a
		}
		if len(values) == 0 {
			errs = append(errs, errors.New("no field is answered"))
		}
		return misfit(requestID, taskID, errs)
	})
}

// misfit makes one error of all that is wrong with an answer; nil for nothing.
func misfit(requestID, taskID string, errs []error) error {
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: task %s of request %s: %w", ErrAnswer, taskID, requestID, err)
	}
	return nil
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
// answered where none is named. It needs a reason, which is kept with the task.
// Revision and errors are as with Answer.
func (t *Tasks) Skip(ctx context.Context, requestID, taskID string, revision int, fields []string, by By) (*Task, error) {
	if strings.TrimSpace(by.Reason) == "" {
		return nil, fmt.Errorf("%w: to skip task %s of request %s", ErrNoReason, taskID, requestID)
	}
	return t.change(ctx, requestID, taskID, revision, by, "task skipped", func(d *draft, _ *papers, task *paperTask) error {
		skip := fields
		if len(fields) == 0 {
			for _, f := range task.Spec.Fields {
				if _, ok := task.Answers[f.Key]; !ok {
					skip = append(skip, f.Key)
				}
			}
		}
		var errs []error
		for _, key := range skip {
			if task.field(key) == nil {
				errs = append(errs, fmt.Errorf("it has no field %q", key))
			}
			task.Answers[key] = openAnswer{Skipped: true, Reason: by.Reason, Actor: by.Actor, At: d.now}
		}
		if len(skip) == 0 {
			errs = append(errs, errors.New("every field is answered already; name those to be skipped"))
		}
		return misfit(requestID, taskID, errs)
	})
}

// Assign gives a task that is open to other people and groups, and tells those
// who had it not. Revision is as with Answer.
func (t *Tasks) Assign(ctx context.Context, requestID, taskID string, revision int, assignees []string, by By) (*Task, error) {
	if err := checkAssignees(assignees); err != nil {
		return nil, misfit(requestID, taskID, []error{err})
	}
	return t.change(ctx, requestID, taskID, revision, by, "task assigned", func(d *draft, _ *papers, task *paperTask) error {
		if task.State != TaskOpen {
			return fmt.Errorf("%w: task %s of request %s is %s, so that there is nothing left to assign", ErrConflict, taskID, requestID, task.State)
		}
		had := task.Spec.Assignees
		task.Spec.Assignees = slices.Clone(assignees)
		fresh := slices.DeleteFunc(slices.Clone(assignees), func(a string) bool { return slices.Contains(had, a) })
		if len(fresh) == 0 && (len(assignees) > 0 || len(had) == 0) {
			return nil
		}
		return d.tellTask(ctx, NoticeTask, task, fresh)
	})
}
