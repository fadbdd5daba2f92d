package dsr

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/value"
)

// maxTaskValues is how many values a task may be about: more, nobody can look
// for.
const maxTaskValues = 1000

// visitAsker collects a step that people answer: from their answers, or by
// asking them.
func (r *run) visitAsker(ctx context.Context, s *step) graph.Outcome {
	out, err := r.askStep(ctx, s)
	if err != nil {
		return graph.Outcome{State: graph.Failed, Err: err, Message: err.Error()}
	}
	return out
}

func (r *run) askStep(ctx context.Context, s *step) (graph.Outcome, error) {
	out := graph.Outcome{State: graph.Done}
	s.loaded = true
	inputs, err := s.questionInputs(ctx)
	if err != nil {
		return out, err
	}
	if len(inputs) == 0 {
		out.State, out.Message = graph.Skipped, "nobody is asked: nothing was found that it refers to"
		return out, nil
	}
	p, err := r.papers(ctx)
	if err != nil {
		return out, err
	}
	if s.erases() {
		id := taskID(graph.Erasure, s.Address())
		if p.Tasks[id] == nil {
			t, _, err := r.question(ctx, s, graph.Erasure, inputs)
			if err != nil {
				return out, err
			}
			if t != nil {
				r.ownTask(id, t)
			}
		}
	}
	if len(s.Access) == 0 && !r.plan.Feeds(s.Address()) {
		out.Message = "people are asked to erase, not to hand over"
		return out, r.writeAnswer(ctx, s, nil, nil)
	}
	id := taskID(graph.Access, s.Address())
	t := p.Tasks[id]
	if t == nil {
		asked, skip, err := r.question(ctx, s, graph.Access, inputs)
		if err != nil {
			return out, err
		}
		if asked == nil {
			out.State, out.Message = graph.Skipped, skip
			return out, nil
		}
		t = asked
		r.ownTask(id, t)
	}
	switch t.State {
	case TaskOpen:
		out.State, out.Message = graph.Suspended, "waits for people"
	case TaskSkipped:
		out.Message = "skipped by a person, who gave a reason"
		err = r.writeAnswer(ctx, s, nil, nil)
	default:
		out.Rows = 1
		err = r.writeAnswer(ctx, s, t, p)
	}
	return out, err
}

// erases reports whether erasure rules reach the step.
func (s *step) erases() bool { return s.Erase != nil && (s.Erase.Delete || len(s.Erase.Fields) > 0) }

// ownTask remembers a new task until the next commit.
func (r *run) ownTask(id string, t *paperTask) {
	r.tasksMu.Lock()
	defer r.tasksMu.Unlock()
	if r.tasks == nil {
		r.tasks = map[string]*paperTask{}
	}
	r.tasks[id] = t
}

// question asks the asker what people are to do; why nothing, where the task is
// nil.
func (r *run) question(ctx context.Context, s *step, action graph.Action, inputs []QuestionInput) (*paperTask, string, error) {
	ids, err := r.identities(ctx)
	if err != nil {
		return nil, "", err
	}
	q := &Question{Collection: s.Collection, Action: action, Request: r.record().show(&results{}), Identities: ids, Inputs: inputs}
	if action == graph.Erasure {
		for _, f := range s.Erase.Fields {
			q.Fields = append(q.Fields, f.Path.String())
		}
	} else {
		q.Fields = slices.Clone(s.columns)
	}
	spec, err := ask(ctx, s.conn.asker, q)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.Address(), err)
	}
	if spec == nil {
		return nil, "", fmt.Errorf("%s: the connector neither asks anything nor says why not", s.Address())
	}
	if spec.Skip != "" {
		return nil, spec.Skip, nil
	}
	if err := spec.check(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.Address(), err)
	}
	return &paperTask{Action: action, Collection: s.Address(), State: TaskOpen, Spec: *spec, Inputs: inputs}, "", nil
}

func ask(ctx context.Context, asker Asker, q *Question) (spec *TaskSpec, err error) {
	defer recovered(&err)
	return asker.Ask(ctx, q)
}

// check names what is wrong with a task.
func (s *TaskSpec) check() error {
	seen := map[string]bool{}
	for i, f := range s.Fields {
		switch {
		case f.Key == "" || seen[f.Key]:
			return fmt.Errorf("field %d of the task has no key, or one that is taken", i+1)
		case f.Type != TaskText && f.Type != TaskCheckbox && f.Type != TaskFile:
			return fmt.Errorf("field %q of the task has the type %q; it must be text, checkbox or file", f.Key, f.Type)
		}
		seen[f.Key] = true
	}
	switch {
	case len(s.Fields) == 0:
		return fmt.Errorf("the task has no fields")
	case len(s.Assignees) > maxAssignees:
		return fmt.Errorf("the task has more than %d assignees", maxAssignees)
	case s.Due < 0 || s.Remind < 0:
		return fmt.Errorf("the task's Due or Remind is negative")
	}
	return nil
}

// questionInputs are the values that were fed to a step.
func (s *step) questionInputs(ctx context.Context) ([]QuestionInput, error) {
	var inputs []QuestionInput
	total := 0
	for _, i := range s.inputs {
		in := QuestionInput{Identity: i.Identity}
		var names []string
		for _, f := range i.Fields {
			names = append(names, f.String())
		}
		in.Field = strings.Join(names, ",")
		for _, src := range i.Sources {
			for _, f := range src.Fields {
				in.From = append(in.From, src.From.String()+":"+f.String())
			}
		}
		if i.set != nil {
			if err := i.set.Finish(); err != nil {
				return nil, err
			}
		}
		for b, err := range i.all() {
			if err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			tuple, err := i.decode(b)
			if err != nil {
				return nil, err
			}
			if total++; total > maxTaskValues {
				return nil, fmt.Errorf("%s: people would have to look for more than %d values; have its references narrowed", s.Address(), maxTaskValues)
			}
			if len(tuple) == 1 {
				in.Values = append(in.Values, tuple[0])
			} else {
				in.Values = append(in.Values, tuple)
			}
		}
		if len(in.Values) > 0 {
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

// writeAnswer spools what people answered as the row of the step, and feeds it
// to others; nothing where there is no task.
func (r *run) writeAnswer(ctx context.Context, s *step, t *paperTask, p *papers) (err error) {
	w := newRowWriter(r.create(ctx, rowsPart(s, 0), keySpool))
	s.spooled.Rounds = 1
	s.rows = 0
	defer func() {
		if e := w.close(); err == nil {
			err = e
		}
	}()
	if t == nil {
		return nil
	}
	if err := w.record(nil); err != nil {
		return err
	}
	s.batch++
	row := make([]any, len(s.columns))
	for i, column := range s.columns {
		if a, ok := t.Answers[column]; ok {
			row[i] = p.fieldValue(t.field(column), &a)
			continue
		}
		for _, in := range t.Inputs { // what it was asked by
			if in.Field == column && len(in.Values) == 1 {
				row[i] = in.Values[0]
			}
		}
	}
	var buf []byte
	for i, v := range row {
		if buf, err = value.Append(buf, v); err != nil {
			return fmt.Errorf("column %s: %w", s.columns[i], err)
		}
	}
	if err := w.record(buf); err != nil {
		return err
	}
	s.rows = 1
	return s.feed(row)
}

// fieldValue is an answer as a value of a row. A file is an object whose path is
// filled in when it is put into a package.
func (p *papers) fieldValue(f *TaskField, a *openAnswer) any {
	if f.Type != TaskFile || a.Skipped {
		return a.value(f)
	}
	files := make([]any, 0, len(a.Files))
	for _, id := range a.Files {
		if file := p.file(id); file != nil {
			files = append(files, file.row(id))
		}
	}
	return files
}

// row is a file as packages tell of it.
func (f *paperFile) row(path string) map[string]any {
	return map[string]any{"file_name": f.Name, "content_type": f.Type, "size": f.Size, "path": path}
}

// keepTasks puts new tasks into a change. Those that are asked now get their
// times, and those who have them are told.
func (r *run) keepTasks(ctx context.Context, d *draft, asking func(*paperTask) bool) (awaits []string, err error) {
	r.tasksMu.Lock()
	defer r.tasksMu.Unlock()
	p, err := d.papers(ctx)
	if err != nil {
		return nil, err
	}
	changed := len(r.tasks) > 0
	if p.Tasks == nil {
		p.Tasks = map[string]*paperTask{}
	}
	for id, t := range r.tasks {
		if p.Tasks[id] == nil {
			own := *t
			p.Tasks[id] = &own
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Tasks)) {
		t := p.Tasks[id]
		if !asking(t) || t.State != TaskOpen {
			continue
		}
		awaits = append(awaits, awaitTask(id))
		if !t.AskedAt.IsZero() {
			continue
		}
		changed = true
		t.AskedAt = d.now
		if t.Spec.Due > 0 {
			t.DueAt = d.now.Add(t.Spec.Due)
		}
		if err := d.tellTask(ctx, NoticeTask, t, t.Spec.Assignees); err != nil {
			return nil, err
		}
		if t.Spec.Remind > 0 && d.engine.config.Notifier != nil {
			if err := d.post(ctx, &letter{Kind: letterReminder, Task: id, Every: t.Spec.Remind}, letterSecret{}, d.now.Add(t.Spec.Remind)); err != nil {
				return nil, err
			}
		}
		if err := d.note(ctx, "task asked", "", map[string]string{"task": id}); err != nil {
			return nil, err
		}
		d.event(Event{Kind: "task asked", Collection: t.Collection.String(), Action: t.Action, Status: logAwaiting})
	}
	if !changed {
		return awaits, nil
	}
	return awaits, d.setPapers(ctx, p)
}

// askErasures lets people erase what they hold, once the databases are done.
func (r *run) askErasures(ctx context.Context) (waits bool, err error) {
	if r.plan == nil || !slices.ContainsFunc(r.steps, func(s *step) bool { return s.conn.asker != nil && s.erases() }) {
		return false, nil
	}
	p, err := r.papers(ctx)
	if err != nil {
		return false, err
	}
	open := false
	for id, t := range p.Tasks {
		if t.Action != graph.Erasure {
			continue
		}
		open = open || t.State == TaskOpen
		if out := r.results.collection(t.Collection); out != nil && t.State != TaskOpen {
			out.Targeted, out.Masked, out.Message = 1, 0, "answered by a person, but not confirmed as erased: task "+id
			if t.confirmed() {
				out.Masked, out.Message = 1, "erased by a person"
			}
		}
	}
	if !open {
		return false, nil
	}
	return true, r.commit(ctx, func(d *draft) error {
		awaits, err := r.keepTasks(ctx, d, func(t *paperTask) bool { return t.Action == graph.Erasure })
		if err != nil {
			return err
		}
		if err := r.letGoOfRows(d); err != nil {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.AskPerson, Awaits: awaits}, By{}, nil)
	})
}

// confirmed reports whether a person says that all is erased.
func (t *paperTask) confirmed() bool {
	yes := t.State == TaskCompleted
	for key, a := range t.Answers {
		if f := t.field(key); f != nil && f.Type == TaskCheckbox && (a.Skipped || !a.Checked) {
			yes = false
		}
	}
	return yes
}

// letGoOfRows shreds what only the databases were for, before a request waits
// for others at its end.
func (r *run) letGoOfRows(d *draft) error {
	d.shred(keyInputs, keySpool)
	if d.state.Flow.Keep.Journal == 0 {
		d.forget(lifecycle.Journal)
	}
	return r.setResults(d)
}
