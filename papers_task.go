package dsr

import (
	"errors"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
)

// paperTask is a task as it is sealed.
type paperTask struct {
	Action     graph.Action          `json:"action"`
	Collection graph.Address         `json:"collection"`
	State      TaskState             `json:"state"`
	Revision   int                   `json:"revision,omitempty"`
	Spec       TaskSpec              `json:"spec"`
	AskedAt    time.Time             `json:"asked_at"`
	DueAt      time.Time             `json:"due_at,omitzero"`
	Inputs     []openInput           `json:"inputs,omitempty"`
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
func (t *paperTask) show(rec *Record, ids Identities) (*Task, error) {
	inputs, err := t.inputs()
	if err != nil {
		return nil, err
	}
	shown := &Task{
		ID: taskID(t.Action, t.Collection), RequestID: rec.ID, Action: t.Action, Collection: t.Collection, State: t.State,
		Revision: t.Revision, TaskSpec: t.Spec, AskedAt: t.AskedAt, DueAt: t.DueAt, DeadlineAt: rec.DeadlineAt, Inputs: inputs, Identities: ids,
		Answers: map[string]TaskAnswer{},
	}
	for key, a := range t.Answers {
		shown.Answers[key] = TaskAnswer{Value: a.value(t.field(key)), Skipped: a.Skipped, Reason: a.Reason, Actor: a.Actor, At: a.At}
	}
	return shown, nil
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

// openInput is a QuestionInput as it is sealed: its values keep their types.
type openInput struct {
	Field    string   `json:"field"`
	From     []string `json:"from,omitempty"`
	Identity string   `json:"identity,omitempty"`
	Values   [][]byte `json:"values"`
}

func (t *paperTask) setInputs(inputs []QuestionInput) error {
	t.Inputs = nil
	for _, in := range inputs {
		open := openInput{Field: in.Field, From: in.From, Identity: in.Identity}
		for _, v := range in.Values {
			b, err := value.Append(nil, v)
			if err != nil {
				return err
			}
			open.Values = append(open.Values, b)
		}
		t.Inputs = append(t.Inputs, open)
	}
	return nil
}

func (t *paperTask) inputs() ([]QuestionInput, error) {
	var inputs []QuestionInput
	for _, open := range t.Inputs {
		in := QuestionInput{Field: open.Field, From: open.From, Identity: open.Identity}
		for _, b := range open.Values {
			v, _, err := value.Decode(b)
			if err != nil {
				return nil, errors.New("dsr: the stored values of a task cannot be decoded")
			}
			in.Values = append(in.Values, v)
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// covers reports whether the task was asked for all of the values.
func (t *paperTask) covers(inputs []QuestionInput) bool {
	type asked struct{ field, identity, value string }
	had := map[asked]bool{}
	for _, in := range t.Inputs {
		for _, v := range in.Values {
			had[asked{in.Field, in.Identity, string(v)}] = true
		}
	}
	now := &paperTask{}
	if now.setInputs(inputs) != nil {
		return false
	}
	for _, in := range now.Inputs {
		for _, v := range in.Values {
			if !had[asked{in.Field, in.Identity, string(v)}] {
				return false
			}
		}
	}
	return true
}

// goOn takes over what became of a task that is asked anew.
func (t *paperTask) goOn(old *paperTask) {
	t.Revision, t.Spec.Assignees = old.Revision+1, old.Spec.Assignees
	for key, a := range old.Answers {
		if now, was := t.field(key), old.field(key); now != nil && was != nil && now.Type == was.Type {
			if t.Answers == nil {
				t.Answers = map[string]openAnswer{}
			}
			t.Answers[key] = a
		}
	}
}
