package dsr_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// manualPart is what people answered, of a package in JSON.
func (o *office) manualPart(t testing.TB, file string) string {
	t.Helper()
	var parts map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(o.packages.file(file)), &parts))
	for key := range parts {
		if strings.Contains(key, ":") {
			delete(parts, key)
		}
	}
	return asJSON(t, parts)
}

// The last upload counts, as a whole; what it leaves out is not in the package.
func TestUploadsReplace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		uploads    []string
		view, pack string
	}{
		{[]string{`{}`}, `{"checked":true,"fields":{"a":null,"b":null,"c":null}}`, `{}`},
		{[]string{`{"a":"1","b":"2"}`, `{"b":"3"}`}, `{"checked":true,"fields":{"a":null,"b":"3","c":null}}`, `{"crm":[{"b":"3"}]}`},
		{[]string{`{"a":"1"}`, `{}`}, `{"checked":true,"fields":{"a":null,"b":null,"c":null}}`, `{}`},
		{[]string{`{}`, `{"c":"","a":"x\n\"<é","b":null}`}, `{"checked":true,"fields":{"a":"x\n\"\u003cé","b":null,"c":""}}`, `{"crm":[{"a":"x\n\"\u003cé","c":""}]}`},
	} {
		o := newDesk(t, nil, textForm("crm", "a", "b", "c"))
		o.waiting(t, "access", "ada@example.com")
		require.Equal(t, `{"checked":false,"fields":{"a":null,"b":null,"c":null}}`, o.viewed(t, "r1", "crm", graph.Access))
		for _, body := range c.uploads {
			o.uploads(t, "r1", "crm", body)
		}
		require.Equal(t, c.view, o.viewed(t, "r1", "crm", graph.Access))
		o.resumed(t, "r1")
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Equal(t, c.pack, o.manualPart(t, "r1.json"))
		manifest := o.packages.manifest(t, "r1")
		require.Equal(t, "crm", manifest[0].Address, "a form is told of, also one without answers")
		require.Equal(t, "done", manifest[0].State)
	}
}

// Uploads of texts and lists are taken as values, too.
func TestUploadTakesValues(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("crm", "a", "b"))
	o.waiting(t, "access", "ada@example.com")
	values := map[string]any{"a": "1", "b": nil}
	_, err := o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, values, clerk)
	require.NoError(t, err)
	values["a"] = "changed later"
	require.Equal(t, `{"checked":true,"fields":{"a":"1","b":null}}`, o.viewed(t, "r1", "crm", graph.Access))
}

// A form that is changed while requests wait asks them for what is new; what
// it does not ask for any more holds nothing up, and is handed over.
func TestFormChangesWhileRequestsWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		after   manual.Form
		checked bool
		unset   []string
		pack    string
	}{
		{"same", textForm("crm", "b", "a"), true, nil, `{"crm":[{"a":"1","b":"2"}]}`},
		{"added", textForm("crm", "a", "b", "c", "d"), false, []string{"c", "d"}, ""},
		{"removed", textForm("crm", "b"), false, nil, `{"crm":[{"a":"1","b":"2"}]}`},
		{"exchanged", textForm("crm", "a", "c"), false, []string{"c"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newDesk(t, nil, textForm("crm", "a", "b"))
			o.waiting(t, "access", "ada@example.com")
			o.uploads(t, "r1", "crm", `{"a":"1","b":"2"}`)
			_, err := o.engine.Forms().Define(t.Context(), c.after)
			require.NoError(t, err)
			view, err := o.engine.Forms().View(t.Context(), "r1", "crm", graph.Access)
			require.NoError(t, err)
			require.Equal(t, c.checked, view.Checked)
			_, err = o.engine.Forms().Resume(t.Context(), "r1", clerk)
			if c.unset == nil {
				require.NoError(t, err)
				o.advanced(t, "r1", dsr.StatusComplete)
				require.Equal(t, c.pack, o.manualPart(t, "r1.json"))
				return
			}
			var missing *manual.MissingError
			require.ErrorAs(t, err, &missing)
			require.Equal(t, &manual.MissingError{RequestID: "r1", Form: "crm", Unset: c.unset}, missing)

			// Whoever lets it go on without asking comes back to the same point.
			o.done(t, o.Requests.Resume, "r1", dsr.StatusInProcessing)
			o.advanced(t, "r1", dsr.StatusRequiresInput)
			require.Empty(t, o.db().readCounts())
			o.uploads(t, "r1", "crm", `{}`)
			o.resumed(t, "r1")
			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, `{}`, o.manualPart(t, "r1.json"))
		})
	}
}

// A form that is defined while a request waits is asked for, too; once
// databases were queried it comes too late.
func TestFormDefinedWhileRequestsWait(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("crm", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.uploads(t, "r1", "crm", `{"a":"1"}`)
	_, err := o.engine.Forms().Create(t.Context(), textForm("hr", "salary"))
	require.NoError(t, err)
	_, err = o.engine.Forms().Resume(t.Context(), "r1", clerk)
	require.EqualError(t, err, "Cannot resume privacy request. No data cached for privacy_request_id 'r1' for connection config 'hr'")
	o.uploads(t, "r1", "hr", `{"salary":"0"}`)
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, `{"crm":[{"a":"1"}],"hr":[{"salary":"0"}]}`, o.manualPart(t, "r1.json"))
}

// An answer after the end, or before the beginning, of the work is refused.
func TestUploadOnlyWhileWaiting(t *testing.T) {
	t.Parallel()
	o := newDesk(t, func(c *dsr.Config) { c.Flow.Approval = true }, textForm("crm", "a"))
	refused := func(id string, status dsr.Status) {
		t.Helper()
		commits := o.commits.Load()
		_, err := o.engine.Forms().Upload(t.Context(), id, "crm", graph.Access, nil, clerk)
		require.Equal(t, &manual.StatusError{RequestID: id, Action: manual.Access, Status: string(status)}, err)
		_, err = o.engine.Forms().Resume(t.Context(), id, clerk)
		require.Equal(t, &manual.ResumeStatusError{RequestID: id, Status: string(status)}, err)
		require.Equal(t, commits, o.commits.Load())
	}
	for _, email := range []string{"ada@example.com", "bob@example.com", "cid@example.com"} {
		o.submitted(t, submission("access", email))
	}
	refused("r1", dsr.StatusPending)
	o.done(t, o.Deny, "r1", dsr.StatusDenied)
	refused("r1", dsr.StatusDenied)
	for _, id := range []string{"r2", "r3"} {
		o.done(t, o.Approve, id, dsr.StatusApproved)
		refused(id, dsr.StatusApproved)
		o.advanced(t, id, dsr.StatusRequiresInput)
		o.uploads(t, id, "crm", `{"a":"1"}`)
	}
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	refused("r2", dsr.StatusCanceled)
	o.resumed(t, "r3")
	refused("r3", dsr.StatusInProcessing)
	o.advanced(t, "r3", dsr.StatusComplete)
	refused("r3", dsr.StatusComplete)
}

// Disabling a form lets exactly those requests go on that waited for it alone.
func TestFormLetsGoWhoWaitedForItAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		letGo  func(context.Context, *dsr.Forms) error
		listed []string
	}{
		{"disable", func(ctx context.Context, f *dsr.Forms) error { return f.Disable(ctx, "one", true) }, []string{"one", "two"}},
		{"delete", func(ctx context.Context, f *dsr.Forms) error { return f.Delete(ctx, "one") }, []string{"two"}},
		{"define as disabled", func(ctx context.Context, f *dsr.Forms) error {
			form := textForm("one", "a")
			form.Disabled = true
			_, err := f.Define(ctx, form)
			return err
		}, []string{"one", "two"}},
		{"define for others", func(ctx context.Context, f *dsr.Forms) error {
			form := textForm("one", "a")
			form.Actions = []manual.Action{manual.Erasure}
			_, err := f.Define(ctx, form)
			return err
		}, []string{"one", "two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newDesk(t, nil, textForm("one", "a"), textForm("two", "b"))
			for _, email := range []string{"a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org"} {
				o.waiting(t, "access", email)
			}
			o.uploads(t, "r1", "two", `{"b":"of r1"}`)
			o.uploads(t, "r3", "one", `{"a":"of r3"}`)
			o.uploads(t, "r4", "one", `{"a":"of r4"}`)
			o.uploads(t, "r4", "two", `{}`)
			o.uploads(t, "r5", "two", `{}`)
			o.done(t, o.Requests.Delete, "r5", dsr.StatusRequiresInput)
			commits := o.commits.Load()

			require.NoError(t, c.letGo(t.Context(), o.engine.Forms()))
			require.Equal(t, commits+2, o.commits.Load(), "r1 goes on, r2 waits for less")
			for id, want := range map[string]dsr.Status{
				"r1": dsr.StatusInProcessing, "r2": dsr.StatusRequiresInput, "r3": dsr.StatusRequiresInput, "r4": dsr.StatusRequiresInput, "r5": dsr.StatusRequiresInput,
			} {
				o.requireStatus(t, id, want)
			}
			require.Equal(t, []string{"received", "started", "input required", "form filled in", "answered"}, o.actions(t, "r1"))
			require.Empty(t, o.db().readCounts())
			var keys []string
			for _, form := range o.engine.Forms().List() {
				keys = append(keys, form.Key)
			}
			require.Equal(t, c.listed, keys)

			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, `{"two":[{"b":"of r1"}]}`, o.manualPart(t, "r1.json"))
			o.uploads(t, "r2", "two", `{}`)
			o.resumed(t, "r2")
			o.uploads(t, "r3", "two", `{"b":"of r3"}`)
			o.resumed(t, "r3")
			o.advanced(t, "r3", dsr.StatusComplete)
			require.Equal(t, `{"one":[{"a":"of r3"}],"two":[{"b":"of r3"}]}`, o.manualPart(t, "r3.json"), "what was uploaded before is handed over")
			o.resumed(t, "r4")
			require.NoError(t, o.engine.Forms().Disable(t.Context(), "two", true))
			require.Equal(t, dsr.StatusComplete, o.advanced(t, "r2", dsr.StatusComplete).Status)
		})
	}
}

// A form that was disabled, and is enabled again, is asked for again; what was
// uploaded to it still stands.
func TestFormDisabledAndEnabledAgain(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"), textForm("two", "b"))
	forms, ctx := o.engine.Forms(), t.Context()
	o.waiting(t, "access", "ada@example.com")
	o.uploads(t, "r1", "one", `{"a":"1"}`)
	require.NoError(t, forms.Disable(ctx, "one", true))
	o.requireStatus(t, "r1", dsr.StatusRequiresInput)
	o.uploads(t, "r1", "one", `{"a":"2"}`) // taken, although it is not asked for
	require.NoError(t, forms.Disable(ctx, "two", true))
	o.requireStatus(t, "r1", dsr.StatusInProcessing)
	require.NoError(t, forms.Disable(ctx, "two", false))
	require.NoError(t, forms.Disable(ctx, "one", false))
	o.requireStatus(t, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusRequiresInput) // for two, which nobody filled in
	require.NoError(t, forms.Disable(ctx, "one", true))
	o.requireStatus(t, "r1", dsr.StatusRequiresInput)
	require.NoError(t, forms.Disable(ctx, "two", true))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, `{"one":[{"a":"2"}]}`, o.manualPart(t, "r1.json"))
	require.Equal(t, 2, strings.Count(strings.Join(o.notices(), "\n"), "r1 input"))
}

// Whoever waits for a form that left the configuration is let go by deleting it
// once more.
func TestFormThatLeftTheConfiguration(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.config.Forms = nil
	e := newEngine(t, o.config)
	var none *manual.NoFormError
	require.ErrorAs(t, e.Forms().Delete(t.Context(), "two"), &none)
	o.requireStatus(t, "r1", dsr.StatusRequiresInput)
	require.ErrorAs(t, e.Forms().Delete(t.Context(), "one"), &none)
	o.requireStatus(t, "r1", dsr.StatusInProcessing)
}

// hookedStore calls before each change that it stores, and after.
type hookedStore struct {
	dsr.Store
	mu     sync.Mutex
	before func(*dsr.StoreChange) error
}

func (s *hookedStore) set(before func(*dsr.StoreChange) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *hookedStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(ch); err != nil {
			return err
		}
	}
	return s.Store.Commit(ctx, ch)
}

// hook lets a desk call before each change that is stored.
func (o *office) hook(t testing.TB) *hookedStore {
	t.Helper()
	store := &hookedStore{Store: o.config.Store}
	o.config.Store = store
	o.engine = newEngine(t, o.config)
	o.Requests = o.engine.Requests()
	return store
}

// A form that is disabled while a request is about to wait for it does not keep
// that request.
func TestFormDisabledWhileARequestComesToWait(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(context.Context, *dsr.Forms) error{
		"disable": func(ctx context.Context, f *dsr.Forms) error { return f.Disable(ctx, "one", true) },
		"delete":  func(ctx context.Context, f *dsr.Forms) error { return f.Delete(ctx, "one") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newDesk(t, nil, textForm("one", "a"))
			store := o.hook(t)
			o.submitted(t, submission("access", "ada@example.com"))
			store.set(func(ch *dsr.StoreChange) error {
				if ch.Record.Status != dsr.StatusRequiresInput {
					return nil
				}
				store.set(nil)
				return change(t.Context(), o.engine.Forms())
			})
			_, err := o.Advance(t.Context(), "r1")
			require.NoError(t, err)
			o.requireStatus(t, "r1", dsr.StatusInProcessing)
			o.advanced(t, "r1", dsr.StatusComplete)
		})
	}
}

// Where some requests could not be told that a form is not asked for any more,
// doing it again tells them.
func TestFormLetsGoAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"))
	store := o.hook(t)
	o.waiting(t, "access", "ada@example.com")
	o.waiting(t, "access", "bob@example.com")
	store.set(func(ch *dsr.StoreChange) error {
		if ch.Record.ID == "r1" {
			return errors.New("the store is away")
		}
		return nil
	})
	require.EqualError(t, o.engine.Forms().Delete(t.Context(), "one"), "the store is away")
	o.requireStatus(t, "r1", dsr.StatusRequiresInput)
	o.requireStatus(t, "r2", dsr.StatusInProcessing)
	store.set(nil)
	var none *manual.NoFormError
	require.ErrorAs(t, o.engine.Forms().Delete(t.Context(), "one"), &none)
	o.requireStatus(t, "r1", dsr.StatusInProcessing)
}
