package dsr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
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

func (r *run) askStep(ctx context.Context, s *step) (out graph.Outcome, err error) {
	s.loaded = true
	defer func() { err = errors.Join(err, s.closeInputs()) }()
	inputs, err := s.questionInputs(ctx)
	if err != nil {
		return out, err
	}
	for _, i := range s.inputs {
		out.Uncastable += i.takeUncastable()
	}
	p, err := r.papers(ctx)
	if err != nil {
		return out, err
	}
	if len(inputs) == 0 {
		r.ownTask(taskID(graph.Access, s.Address()), nil)
		r.ownTask(taskID(graph.Erasure, s.Address()), nil)
		out.State, out.Message = graph.Skipped, "nobody is asked: nothing was found that it refers to"
		return out, nil
	}
	unasked := ""
	if s.erases() {
		var t *paperTask
		if t, unasked, err = r.task(ctx, s, p, graph.Erasure, inputs); err != nil {
			return out, err
		}
		if t == nil {
			out.Message = "nobody is asked to erase: " + unasked
		}
	}
	if len(s.Access) == 0 && !r.plan.Feeds(s.Address()) {
		if unasked != "" {
			out.State = graph.Skipped
			return out, nil
		}
		out.State, out.Message = graph.Done, "people are asked to erase, not to hand over"
		return out, r.writeAnswer(ctx, s, nil, nil)
	}
	t, skip, err := r.task(ctx, s, p, graph.Access, inputs)
	switch {
	case err != nil:
		return out, err
	case t == nil && s.erases() && unasked == "": // its outcome is that of the erasure
		out.State, out.Message = graph.Done, "nobody is asked to hand over: "+skip
		return out, r.writeAnswer(ctx, s, nil, nil)
	case t == nil:
		out.State, out.Message = graph.Skipped, skip
		return out, nil
	}
	switch t.State {
	case TaskOpen:
		out.State, out.Message = graph.Suspended, "waits for people"
	case TaskSkipped:
		out.State = graph.Done
		out.Message = strings.TrimSuffix("skipped by a person, who gave a reason; "+out.Message, "; ")
		err = r.writeAnswer(ctx, s, nil, nil)
	default:
		out.State, out.Rows = graph.Done, 1
		err = r.writeAnswer(ctx, s, t, p)
	}
	s.spooled.Revision = t.Revision
	return out, err
}

// closeInputs frees what the values of a step took.
func (s *step) closeInputs() error {
	var errs []error
	for _, i := range s.inputs {
		if i.set != nil {
			errs = append(errs, i.set.Close())
		}
	}
	return errors.Join(errs...)
}

// task is what people are asked of a step, or were asked before; why nothing,
// where it is nil. One that was asked for fewer values is asked anew, with what
// was answered: it has to be looked for the others, too.
func (r *run) task(ctx context.Context, s *step, p *papers, action graph.Action, inputs []QuestionInput) (*paperTask, string, error) {
	id := taskID(action, s.Address())
	old := p.Tasks[id]
	if old != nil && old.covers(inputs) {
		return old, "", nil
	}
	t, skip, err := r.question(ctx, s, action, inputs)
	if err != nil {
		return nil, "", err
	}
	if t != nil && old != nil {
		t.goOn(old)
	}
	if t != nil || old != nil {
		r.ownTask(id, t)
	}
	return t, skip, nil
}

// erases reports whether erasure rules reach the step.
func (s *step) erases() bool { return s.Erase != nil && (s.Erase.Delete || len(s.Erase.Fields) > 0) }

// ownTask remembers a new task until the next commit; nil for one that is to go.
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
		q.Fields = s.wanted()
	}
	spec, err := ask(ctx, s.conn.asker, q)
	if err != nil {
		return nil, "", fmt.Errorf("what to ask people: %w", err)
	}
	if spec == nil {
		return nil, "", errors.New("its connector neither asks anything nor says why not")
	}
	if spec.Skip != "" {
		return nil, spec.Skip, nil
	}
	if err := spec.check(); err != nil {
		return nil, "", fmt.Errorf("its connector asks for a task that cannot be: %w", err)
	}
	t := &paperTask{Action: action, Collection: s.Address(), State: TaskOpen, Spec: *spec}
	if err := t.setInputs(inputs); err != nil {
		return nil, "", err
	}
	return t, "", nil
}

// wanted are the columns that are handed over, or passed on to other
// collections. What is only erased nobody has to tell.
func (s *step) wanted() []string {
	return slices.DeleteFunc(slices.Clone(s.columns), func(column string) bool {
		is := func(path graph.Path) bool { return path.Column() == column }
		return !slices.ContainsFunc(s.Access, func(sel graph.Selection) bool { return slices.ContainsFunc(sel.Fields, is) }) &&
			!slices.ContainsFunc(s.feeds, func(f feed) bool { return slices.ContainsFunc(f.from, is) })
	})
}

func ask(ctx context.Context, asker Asker, q *Question) (spec *TaskSpec, err error) {
	defer recovered(&err)
	return asker.Ask(ctx, q)
}

// check names all that is wrong with a task.
func (s *TaskSpec) check() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[string]bool{}
	for i, f := range s.Fields {
		if f.Key == "" || seen[f.Key] {
			add("field %d has no key, or one that is taken", i+1)
		}
		if f.Type != TaskText && f.Type != TaskCheckbox && f.Type != TaskFile {
			add("field %q has the type %q; it must be text, checkbox or file", f.Key, f.Type)
		}
		seen[f.Key] = true
	}
	if len(s.Fields) == 0 {
		add("it has no fields")
	}
	if s.Due < 0 || s.Remind < 0 {
		add("its Due or Remind is negative")
	}
	return errors.Join(append(errs, checkAssignees(s.Assignees))...)
}

// maxAssignees bounds how many notices a task sends.
const maxAssignees = 100

func checkAssignees(assignees []string) error {
	if len(assignees) > maxAssignees {
		return fmt.Errorf("it has more than %d assignees", maxAssignees)
	}
	for i, a := range assignees {
		if strings.TrimSpace(a) == "" || len(a) > maxText || !utf8.ValidString(a) || slices.Contains(assignees[:i], a) {
			return fmt.Errorf("assignee %d has no name, one of more than %d bytes or invalid UTF-8, or is named before", i+1, maxText)
		}
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
				return nil, fmt.Errorf("people would have to look for more than %d values; narrow its references", maxTaskValues)
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
	asked, err := t.inputs()
	if err != nil {
		return err
	}
	s.batch++
	row := make([]any, len(s.columns))
	for i, column := range s.columns {
		if a, ok := t.Answers[column]; ok {
			row[i] = p.fieldValue(t.field(column), &a)
			continue
		}
		for _, in := range asked { // what it was asked by
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
		if delete(p.Tasks, id); t != nil {
			own := *t
			p.Tasks[id] = &own
		}
	}
	r.tasks = nil
	maps.DeleteFunc(p.Tasks, func(_ string, t *paperTask) bool { // of a map that has changed since
		s := r.index[t.Collection]
		gone := s == nil || s.conn.asker == nil
		changed = changed || gone
		return gone
	})
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
			if err := d.post(ctx, &letter{Kind: letterReminder, Task: id, Asked: t.AskedAt, Every: t.Spec.Remind}, letterSecret{}, d.now.Add(t.Spec.Remind)); err != nil {
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
