package dsr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/manual"
)

// Forms are the engine's verbs on manual requests: forms that people fill in
// for every request whose policy has a rule of the form's action, before
// anything is queried. What they upload goes into the package as it is.
//
// Definitions live in the engine: those of Config.Forms, and what Define adds.
// Processes that share a store must have the same.
type Forms struct {
	engine *Engine
	mu     sync.RWMutex
	forms  map[string]*manual.Form
}

// Forms returns the verbs on manual requests.
func (e *Engine) Forms() *Forms { return e.forms }

// Create is Define of a form that there is not yet; [*manual.ExistsError] where
// there is.
func (f *Forms) Create(ctx context.Context, form manual.Form) (*manual.Form, error) {
	made, err := f.checked(form)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forms[made.Key] != nil {
		return nil, &manual.ExistsError{Key: made.Key}
	}
	f.forms[made.Key] = made
	return cloneForm(made), nil
}

// Define adds a form, or replaces the one of the same key, and returns it as it
// is kept: with derived labels. Requests that wait for it have to be answered
// by what it asks for now. A [*manual.FaultError] names every fault.
func (f *Forms) Define(ctx context.Context, form manual.Form) (*manual.Form, error) {
	made, err := f.checked(form)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.forms[made.Key] = made
	f.mu.Unlock()
	if made.Disabled {
		return cloneForm(made), f.letGo(ctx, made.Key)
	}
	return cloneForm(made), nil
}

// checked makes a form, unless its key is taken for something else.
func (f *Forms) checked(form manual.Form) (*manual.Form, error) {
	made, err := manual.NewForm(form)
	if err != nil {
		return nil, err
	}
	if made.Key == attachmentsKey || made.Key == commentsKey {
		return nil, fmt.Errorf("dsr: form %q: packages keep files or comments under that key; choose another", made.Key)
	}
	return made, nil
}

// Get returns a form; [*manual.NoFormError] where there is none.
func (f *Forms) Get(key string) (*manual.Form, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	form := f.forms[key]
	if form == nil {
		return nil, &manual.NoFormError{Key: key}
	}
	return cloneForm(form), nil
}

// List returns all forms by key, disabled ones included.
func (f *Forms) List() []*manual.Form {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var list []*manual.Form
	for _, key := range slices.Sorted(maps.Keys(f.forms)) {
		list = append(list, cloneForm(f.forms[key]))
	}
	return list
}

// Disable keeps a form from being asked for, or lets it be asked for again.
// Requests that wait for it alone go on; those that wait for others too, wait
// for those.
func (f *Forms) Disable(ctx context.Context, key string, disabled bool) error {
	f.mu.Lock()
	form := f.forms[key]
	if form == nil {
		f.mu.Unlock()
		return &manual.NoFormError{Key: key}
	}
	changed := cloneForm(form)
	changed.Disabled = disabled
	f.forms[key] = changed
	f.mu.Unlock()
	if disabled {
		return f.letGo(ctx, key)
	}
	return nil
}

// Delete drops a form. Requests that wait for it alone go on. What was uploaded
// to it before still goes into the packages.
func (f *Forms) Delete(ctx context.Context, key string) error {
	f.mu.Lock()
	_, ok := f.forms[key]
	delete(f.forms, key)
	f.mu.Unlock()
	if !ok {
		return &manual.NoFormError{Key: key}
	}
	return f.letGo(ctx, key)
}

// awaitForm is how a request says that it waits for a form.
func awaitForm(action graph.Action, key string) string { return "form:" + paperKey(action, key) }

// letGo lets the requests go on that waited for a form alone.
func (f *Forms) letGo(ctx context.Context, key string) error {
	e := f.engine
	ours := func(await string) bool {
		of, isForm := strings.CutPrefix(await, "form:")
		_, form, _ := strings.Cut(of, "/")
		return isForm && form == key
	}
	var errs []error
	for rec, err := range e.records(ctx, RecordQuery{Status: []Status{StatusRequiresInput}}) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("dsr: find the requests that wait for form %q: %w", key, err))...)
		}
		if state, err := rec.state(); err != nil || !slices.ContainsFunc(state.Awaits, ours) {
			continue
		}
		d, err := e.requests.try(ctx, rec.ID, func(d *draft) error {
			if d.state.Status != lifecycle.RequiresInput || !slices.ContainsFunc(d.state.Awaits, ours) {
				return errOutdated
			}
			d.state.Awaits = slices.DeleteFunc(slices.Clone(d.state.Awaits), ours)
			d.event(Event{Kind: "form no longer asked for", Message: key})
			if len(d.state.Awaits) > 0 {
				return nil
			}
			return d.move(ctx, lifecycle.Event{Kind: lifecycle.GotAnswer}, By{}, map[string]string{"form": key, "answer": "no longer asked for"})
		})
		if err == nil {
			e.sendClaimed(ctx, d.claimed)
			err = e.hint(ctx, &d.Record)
		}
		if err != nil && !errors.Is(err, errOutdated) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// asked are the forms that are asked for under a policy, by key, each with the
// actions it is asked for.
func (f *Forms) asked(actions []graph.Action) []*paper {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var list []*paper
	for _, action := range []graph.Action{graph.Access, graph.Erasure} {
		if !slices.Contains(actions, action) {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(f.forms)) {
			if form := f.forms[key]; form.Asks(manual.Action(action)) {
				list = append(list, &paper{Form: key, Action: action})
			}
		}
	}
	return list
}

// gap is a form that has still to be filled in.
type gap struct {
	form   string
	action graph.Action
	err    error
}

// missing says what has still to be uploaded for a request, in order.
func (f *Forms) missing(rec *Record, p *papers) []gap {
	var list []gap
	for _, want := range f.asked(rec.Actions) {
		form, err := f.Get(want.Form)
		if err != nil {
			continue // deleted in this moment
		}
		var up *manual.Upload
		if got := p.Forms[paperKey(want.Action, want.Form)]; got != nil {
			up = got.Upload
		}
		if err := form.Missing(manual.Action(want.Action), rec.ID, up); err != nil {
			list = append(list, gap{want.Form, want.Action, err})
		}
	}
	return list
}

// Upload takes what somebody found for a request in the system of a form. It
// replaces what was uploaded before. No values at all confirm that there is
// nothing. The request must wait for input, else it is a [*manual.StatusError];
// what does not fit the form is a [*manual.FaultError].
func (f *Forms) Upload(ctx context.Context, requestID, key string, action graph.Action, values map[string]any, by By) (*Request, error) {
	return f.upload(ctx, requestID, key, action, by, func(form *manual.Form) (*manual.Upload, error) {
		return form.Accept(manual.Action(action), values)
	})
}

// UploadJSON is Upload of a JSON object.
func (f *Forms) UploadJSON(ctx context.Context, requestID, key string, action graph.Action, body []byte, by By) (*Request, error) {
	return f.upload(ctx, requestID, key, action, by, func(form *manual.Form) (*manual.Upload, error) {
		return form.Decode(manual.Action(action), body)
	})
}

func (f *Forms) upload(ctx context.Context, requestID, key string, action graph.Action, by By, accept func(*manual.Form) (*manual.Upload, error)) (*Request, error) {
	if err := by.check(); err != nil {
		return nil, fmt.Errorf("dsr: request %s: %w", requestID, err)
	}
	d, err := f.engine.requests.try(ctx, requestID, func(d *draft) error {
		form, err := f.open(&d.Record, key, action)
		if err != nil {
			return err
		}
		up, err := accept(form)
		if err != nil {
			return err
		}
		p, err := d.papers(ctx)
		if err != nil {
			return err
		}
		if err := p.checkFiles(filesOf(up)); err != nil {
			return err
		}
		if p.Forms == nil {
			p.Forms = map[string]*paper{}
		}
		p.Forms[paperKey(action, key)] = &paper{Form: key, Action: action, Upload: up, By: openBy(by), At: d.now}
		d.state.Awaits = without(d.state.Awaits, awaitForm(action, key))
		if err := d.setPapers(ctx, p); err != nil {
			return err
		}
		d.event(Event{Kind: "form filled in", Action: action, Status: logComplete, Message: key})
		return d.note(ctx, "form filled in", by.Actor, map[string]string{"form": key, "action": string(action)})
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), nil
}

// open checks that a request takes an upload to a form.
func (f *Forms) open(rec *Record, key string, action graph.Action) (*manual.Form, error) {
	form, err := f.Get(key)
	if err != nil {
		return nil, err
	}
	switch {
	case !rec.DeletedAt.IsZero():
		return nil, fmt.Errorf("%w: request %s", ErrDeleted, rec.ID)
	case rec.Status != StatusRequiresInput:
		return nil, &manual.StatusError{RequestID: rec.ID, Action: manual.Action(action), Status: string(rec.Status)}
	}
	return form, nil
}

// filesOf are the IDs of files that an upload names.
func filesOf(up *manual.Upload) (ids []string) {
	for _, v := range up.Values {
		list, _ := v.([]any)
		for _, id := range list {
			ids = append(ids, fmt.Sprint(id))
		}
	}
	return ids
}

// cloneForm copies a form, which may be changed by whoever gets it.
func cloneForm(f *manual.Form) *manual.Form {
	c := *f
	c.Actions, c.Fields = slices.Clone(f.Actions), slices.Clone(f.Fields)
	for i := range c.Fields {
		c.Fields[i].DataCategories = slices.Clone(c.Fields[i].DataCategories)
		c.Fields[i].Types = slices.Clone(c.Fields[i].Types)
	}
	return &c
}

// View returns what was uploaded to a form for a request that waits for input,
// and whether that is complete against the form as it is now.
func (f *Forms) View(ctx context.Context, requestID, key string, action graph.Action) (*manual.View, error) {
	if _, err := f.Get(key); err != nil {
		return nil, err
	}
	rec, err := f.engine.config.Store.Request(ctx, requestID)
	if err != nil {
		return nil, err
	}
	form, err := f.open(rec, key, action)
	if err != nil {
		return nil, err
	}
	p, err := newRun(f.engine, rec).papers(ctx)
	if err != nil {
		return nil, err
	}
	var up *manual.Upload
	if got := p.Forms[paperKey(action, key)]; got != nil {
		up = got.Upload
	}
	view := form.View(manual.Action(action), up)
	return &view, nil
}

// Resume lets a request go on once all its forms are filled in. What is missing
// is a [*manual.MissingError]; of several, each.
func (f *Forms) Resume(ctx context.Context, requestID string, by By) (*Request, error) {
	rec, err := f.engine.config.Store.Request(ctx, requestID)
	if err != nil {
		return nil, err
	}
	if rec.DeletedAt.IsZero() && rec.Status != StatusRequiresInput {
		return nil, &manual.ResumeStatusError{RequestID: requestID, Status: string(rec.Status)}
	}
	p, err := newRun(f.engine, rec).papers(ctx)
	if err != nil {
		return nil, err
	}
	if missing := f.missing(rec, p); len(missing) > 0 && rec.DeletedAt.IsZero() {
		errs := make([]error, len(missing))
		for i, m := range missing {
			errs[i] = m.err
		}
		return nil, errors.Join(errs...)
	}
	return f.engine.requests.Resume(ctx, requestID, by)
}

// askForms stops a request that people have to fill in forms for.
func (r *run) askForms(ctx context.Context) (waits bool, err error) {
	forms := r.engine.forms
	if len(forms.asked(r.record().Actions)) == 0 {
		return false, nil
	}
	p, err := r.papers(ctx)
	if err != nil {
		return false, err
	}
	missing := forms.missing(r.record(), p)
	if len(missing) == 0 {
		return false, nil
	}
	var awaits, names []string
	for _, m := range missing {
		awaits = append(awaits, awaitForm(m.action, m.form))
		if !slices.Contains(names, m.form) {
			names = append(names, m.form)
		}
	}
	message := "forms are to be filled in: " + strings.Join(names, ", ")
	if err := r.ask(ctx, lifecycle.AskPerson, awaits, message); err != nil {
		return false, err
	}
	// A form that was disabled while the request came to wait for it was
	// looked for in vain.
	for _, name := range names {
		if form, err := forms.Get(name); err != nil || form.Disabled {
			if err := forms.letGo(context.WithoutCancel(ctx), name); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// ask lets the request wait for others, and says so to operators.
func (r *run) ask(ctx context.Context, kind lifecycle.Kind, awaits []string, message string) error {
	return r.commit(ctx, func(d *draft) error {
		d.Record.Failure = ""
		d.event(Event{Kind: "waiting for others", Status: logAwaiting, Message: message})
		if err := r.setResults(d); err != nil {
			return err
		}
		if err := d.move(ctx, lifecycle.Event{Kind: kind, Awaits: awaits}, By{}, nil); err != nil {
			return err
		}
		if kind != lifecycle.AskPerson {
			return nil
		}
		return d.notify(ctx, Notice{Kind: NoticeInput, Message: message})
	})
}
