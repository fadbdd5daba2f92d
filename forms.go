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
// Definitions are those of Config.Forms, and what is defined at run time, which
// the [Catalogue] keeps and which comes before those of the same key in
// Config.Forms. Requests that wait for a form that is gone from there keep
// waiting, and operators are told of each once a start. Another process sees a
// change when it looks for work, takes on a request, or somebody uploads.
//
// An upload does not let a request go on: Resume does. Answers to [Tasks] go on
// by themselves.
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
	err = f.update(ctx, func(forms map[string]*FormDefinition) error {
		if forms[made.Key] != nil {
			return &manual.ExistsError{Key: made.Key}
		}
		forms[made.Key] = &FormDefinition{Form: *cloneForm(made)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cloneForm(made), nil
}

// update changes the forms in the catalogue.
func (f *Forms) update(ctx context.Context, edit func(map[string]*FormDefinition) error) error {
	_, err := f.engine.Catalogue().Update(ctx, func(d *Definitions) error { return edit(d.Forms) })
	return err
}

// refresh takes over what another process, or one before this, defined.
func (f *Forms) refresh(ctx context.Context) error {
	_, done, err := f.engine.take(ctx, newest)
	if err != nil {
		return err
	}
	done()
	return nil
}

// replace takes over the forms of a generation.
func (f *Forms) replace(g *generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forms = maps.Clone(g.forms)
}

// Define adds a form, or replaces the one of the same key, and returns it as it
// is kept: with derived labels. Requests that wait for it have to be answered
// by what it asks for now; where it is not asked for any more, it is as with
// Disable. A [*manual.FaultError] names every fault.
func (f *Forms) Define(ctx context.Context, form manual.Form) (*manual.Form, error) {
	made, err := f.checked(form)
	if err != nil {
		return nil, err
	}
	replaced := false
	err = f.update(ctx, func(forms map[string]*FormDefinition) error {
		def := forms[made.Key]
		if replaced = def != nil; !replaced {
			def = &FormDefinition{}
			forms[made.Key] = def
		}
		def.Form = *cloneForm(made)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !replaced {
		return cloneForm(made), nil
	}
	return cloneForm(made), f.letGo(ctx, made.Key)
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
// for those. Where some could not be told, calling it again tells them.
func (f *Forms) Disable(ctx context.Context, key string, disabled bool) error {
	err := f.update(ctx, func(forms map[string]*FormDefinition) error {
		if forms[key] == nil {
			return &manual.NoFormError{Key: key}
		}
		forms[key].Disabled = disabled
		return nil
	})
	if err != nil {
		return err
	}
	if disabled {
		return f.letGo(ctx, key)
	}
	return nil
}

// Delete drops a form. Requests that wait for it alone go on. What was uploaded
// to it before still goes into the packages. Of a form that there is not it is a
// [*manual.NoFormError], but lets go what still waits for it, as for one that
// left Config.Forms.
func (f *Forms) Delete(ctx context.Context, key string) error {
	there := false
	err := f.update(ctx, func(forms map[string]*FormDefinition) error {
		there = forms[key] != nil
		delete(forms, key)
		return nil
	})
	if err != nil {
		return err
	}
	err = f.letGo(ctx, key)
	if !there {
		err = errors.Join(&manual.NoFormError{Key: key}, err)
	}
	return err
}

// awaitForm is how a request says that it waits for a form.
func awaitForm(action graph.Action, key string) string { return "form:" + paperKey(action, key) }

// asks reports whether a form is asked for, for an action, as it is now.
func (f *Forms) asks(action graph.Action, key string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	form := f.forms[key]
	return form != nil && form.Asks(manual.Action(action))
}

// name is what people call a form: its key, where it has no name or is gone.
func (f *Forms) name(key string) string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if form := f.forms[key]; form != nil && form.Name != "" {
		return form.Name
	}
	return key
}

// letGo lets the requests go on that waited alone for a form that is not asked
// for any more.
func (f *Forms) letGo(ctx context.Context, key string) error {
	e := f.engine
	if err := f.refresh(ctx); err != nil {
		return fmt.Errorf("dsr: let the requests go that wait for form %q: %w", key, err)
	}
	ours := func(await string) bool {
		of, isForm := strings.CutPrefix(await, "form:")
		action, form, _ := strings.Cut(of, "/")
		return isForm && form == key && !f.asks(graph.Action(action), key)
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
			if !d.Record.DeletedAt.IsZero() || d.state.Status != lifecycle.RequiresInput || !slices.ContainsFunc(d.state.Awaits, ours) {
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
			e.sendNow(ctx, d.toSend)
			err = e.hint(ctx, &d.Record)
		}
		if err != nil && !errors.Is(err, errOutdated) && !errors.Is(err, ErrNotFound) {
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
