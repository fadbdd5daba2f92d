package dsr_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// asking asks for a note for every collection.
type asking struct{ *memory.Connector }

func (asking) Ask(context.Context, *dsr.Question) (*dsr.TaskSpec, error) {
	return &dsr.TaskSpec{Fields: []dsr.TaskField{{Key: "note", Type: dsr.TaskText}}}, nil
}

const drawerYAML = `
dataset:
  - fides_key: drawer
    collections:
      - name: letters
        fields:
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
`

// A request that waits for a task has passed the forms: what happens to those
// does not move it, and one that is new comes too late for it.
func TestFormsLeaveARequestAloneThatWaitsForATask(t *testing.T) {
	t.Parallel()
	o := newDesk(t, func(c *dsr.Config) {
		c.Datasets = append(c.Datasets, load(t, drawerYAML)...)
		c.Connections = append(c.Connections, dsr.Connection{Key: "drawer", Connector: asking{memory.NewConnector(map[string][]row{"letters": nil}, nil)}, Datasets: []string{"drawer"}})
	}, textForm("one", "a"), textForm("two", "b"))
	ctx, forms := t.Context(), o.engine.Forms()
	o.waiting(t, "access", "ada@example.com")
	o.uploads(t, "r1", "one", `{"a":"1"}`)
	o.uploads(t, "r1", "two", `{}`)
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"task:access/drawer:letters"}, o.get(t, "r1").Awaits)
	reads := o.db().readCounts()

	commits := o.commits.Load()
	require.NoError(t, forms.Disable(ctx, "one", true))
	require.NoError(t, forms.Delete(ctx, "two"))
	_, err := forms.Define(ctx, textForm("three", "c"))
	require.NoError(t, err)
	require.Equal(t, commits, o.commits.Load())

	_, err = forms.Resume(ctx, "r1", clerk)
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.EqualError(t, err, "dsr: cannot resume forms for request r1: it waits for task:access/drawer:letters")
	require.Equal(t, commits, o.commits.Load(), "the task can still be answered and skipped")
	o.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"task:access/drawer:letters"}, o.get(t, "r1").Awaits)
	require.Equal(t, reads, o.db().readCounts())
	o.uploads(t, "r1", "one", `{"a":"2"}`) // still taken while it waits
	require.NoError(t, o.engine.Attachments().Comment(ctx, "r1", "access/drawer:letters", "of the task", true, clerk))
	_, err = o.engine.Tasks().Answer(ctx, "r1", "access/drawer:letters", 0, map[string]any{"note": "found"}, clerk)
	require.NoError(t, err)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, `{"comments":[{"comment":"of the task","time":"2030-01-02T03:04:05Z"}],"one":[{"a":"2"}]}`, o.manualPart(t, "r1.json"))
	require.Contains(t, o.packages.file("r1.json"), `{"email":"ada@example.com","note":"found"}`)
}

// With an executor, requests go on by themselves that a form lets go, and that
// somebody resumes.
func TestFormsWakeTheExecutor(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"))
	executor := &wakened{}
	o.config.Executor = executor
	o.engine = newEngine(t, o.config)
	o.Requests = o.engine.Requests()
	for _, email := range []string{"a@x.org", "b@x.org"} {
		o.waiting(t, "access", email)
	}
	executor.jobs = nil
	o.uploads(t, "r1", "one", `{}`)
	require.Empty(t, executor.jobs)
	o.resumed(t, "r1")
	require.Equal(t, []string{"r1"}, executor.jobs)
	require.NoError(t, o.engine.Forms().Disable(t.Context(), "one", true))
	require.Equal(t, []string{"r1", "r2"}, executor.jobs)
}

type wakened struct{ jobs []string }

func (w *wakened) Enqueue(_ context.Context, j dsr.Job) error {
	w.jobs = append(w.jobs, j.RequestID)
	return nil
}

func (w *wakened) Run(context.Context, dsr.Handler) error { return nil }

// A file that came when its request had already ended, by a process that died
// with it, goes at the latest with the record.
func TestLateFileGoesWithTheRequest(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, func(c *dsr.Config) { c.Retention.Requests = time.Hour }, textForm("crm", "a"))
	store := o.hook(t)
	o.waiting(t, "access", "ada@example.com")
	shelf.at("commit", func() error {
		require.NoError(t, o.engine.Forms().Disable(t.Context(), "crm", true))
		o.advanced(t, "r1", dsr.StatusComplete)
		store.set(func(*dsr.StoreChange) error { return errKilled })
		shelf.at("remove", func() error { return errKilled })
		return nil
	})
	_, err := o.engine.Attachments().Add(t.Context(), "r1", "n", "", false, strings.NewReader("CANARY"), clerk)
	require.ErrorIs(t, err, errKilled)
	store.set(nil)
	shelf.at("remove", nil)
	require.Len(t, shelf.names(), 1)
	o.clock.add(2 * time.Hour)
	_, err = o.Advance(t.Context(), "r1")
	require.NoError(t, err)
	_, err = o.Get(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrNotFound)
	require.Empty(t, shelf.names())
}

// A keyring that is away refuses what needs it, and changes nothing.
func TestFormsWithoutAKeyring(t *testing.T) {
	t.Parallel()
	keys := &flakyKeyring{}
	o := newDesk(t, func(c *dsr.Config) { keys.Keyring = c.Keyring; c.Keyring = keys }, textForm("crm", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.uploads(t, "r1", "crm", `{"a":"1"}`)
	commits := o.commits.Load()
	keys.err = errors.New("the keyring is away")
	_, err := o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, nil, clerk)
	require.EqualError(t, err, "dsr: unwrap the manual key of request r1: the keyring is away")
	_, err = o.engine.Forms().View(t.Context(), "r1", "crm", graph.Access)
	require.ErrorIs(t, err, keys.err)
	_, err = o.engine.Forms().Resume(t.Context(), "r1", clerk)
	require.ErrorIs(t, err, keys.err)
	keys.err = nil
	require.Equal(t, commits, o.commits.Load())
	require.Equal(t, `{"checked":true,"fields":{"a":"1"}}`, o.viewed(t, "r1", "crm", graph.Access))
}

// flakyKeyring fails to unwrap.
type flakyKeyring struct {
	dsr.Keyring
	err error
}

func (k *flakyKeyring) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.Keyring.Unwrap(ctx, wrapped, bound)
}
