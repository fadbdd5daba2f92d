package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/manual"
)

// gap is a form that has still to be filled in.
type gap struct {
	form   string
	action graph.Action
	err    error
}

// missing says what has still to be uploaded for a request, in order.
func (f *Forms) missing(rec *Record, p *papers) []gap {
	var list []gap
	if rec.Stage != StagePlan {
		return nil // databases were queried already: it is too late to ask
	}
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
	if err := f.refresh(ctx); err != nil {
		return nil, err
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
		details := map[string]string{"form": key, "action": string(action)}
		if action == graph.Erasure {
			details["erased"] = confirmed(up)
		}
		return d.note(ctx, "form filled in", by.Actor, details)
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), nil
}

// confirmed counts what somebody says to have erased, which outlives the upload
// in the audit trail.
func confirmed(up *manual.Upload) string {
	n := 0
	for _, v := range up.Values {
		if v == true {
			n++
		}
	}
	return fmt.Sprintf("%d of %d", n, len(up.Labels))
}

// open checks that a request takes an upload to a form, in the order of Fides.
func (f *Forms) open(rec *Record, key string, action graph.Action) (*manual.Form, error) {
	if !rec.DeletedAt.IsZero() {
		return nil, fmt.Errorf("%w: request %s", ErrDeleted, rec.ID)
	}
	form, err := f.Get(key)
	if err != nil {
		return nil, err
	}
	if rec.Status != StatusRequiresInput {
		return nil, &manual.StatusError{RequestID: rec.ID, Action: manual.Action(action), Status: string(rec.Status)}
	}
	if !form.Takes(manual.Action(action)) {
		return nil, &manual.ActionError{Form: key, Action: manual.Action(action)}
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

// View returns what was uploaded to a form for a request that waits for input,
// and whether that is complete against the form as it is now.
func (f *Forms) View(ctx context.Context, requestID, key string, action graph.Action) (*manual.View, error) {
	if err := f.refresh(ctx); err != nil {
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
// is a [*manual.MissingError]; of several, each. A request that does not wait for
// input is a [*manual.ResumeStatusError], one that waits for a task [ErrConflict].
func (f *Forms) Resume(ctx context.Context, requestID string, by By) (*Request, error) {
	e := f.engine
	if err := f.refresh(ctx); err != nil {
		return nil, err
	}
	d, err := e.requests.try(ctx, requestID, func(d *draft) error {
		rec := &d.Record
		switch {
		case !rec.DeletedAt.IsZero():
			return fmt.Errorf("%w: request %s", ErrDeleted, requestID)
		case rec.Status != StatusRequiresInput:
			return &manual.ResumeStatusError{RequestID: requestID, Status: string(rec.Status)}
		}
		isForm := func(await string) bool { return strings.HasPrefix(await, "form:") }
		if others := slices.DeleteFunc(slices.Clone(d.state.Awaits), isForm); len(others) > 0 {
			return &RefusedError{RequestID: requestID, Status: rec.Status, Verb: "resume forms", cause: ErrConflict, reason: "it waits for " + strings.Join(others, ", ")}
		}
		p, err := d.papers(ctx)
		if err != nil {
			return err
		}
		var errs []error
		for _, m := range f.missing(rec, p) {
			errs = append(errs, m.err)
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		rec.Failure = ""
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.Resume}, by, nil)
	})
	if err != nil {
		return nil, err
	}
	return d.Record.request(), e.hint(ctx, &d.Record)
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
	// Whoever disabled a form while the request came to wait for it did not
	// find that request.
	for _, m := range missing {
		if !forms.asks(m.action, m.form) {
			if err := forms.letGo(context.WithoutCancel(ctx), m.form); err != nil {
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
