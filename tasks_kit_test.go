package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// archiveYAML has a shop, letters on paper that hang on it, boxes in the shop
// that hang on the letters, and a mailbox that hangs on nothing.
const archiveYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
      - name: orders
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - name: customer
            fides_meta: {data_type: integer, references: [{dataset: shop, field: customers.id, direction: from}]}
          - {name: item, data_categories: [user.content], fides_meta: {data_type: string}}
      - name: boxes
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - name: code
            fides_meta: {data_type: string, references: [{dataset: paper, field: letters.box, direction: from}]}
          - {name: content, data_categories: [user.content], fides_meta: {data_type: string}}
  - fides_key: paper
    collections:
      - name: letters
        fields:
          - name: customer
            fides_meta: {data_type: integer, references: [{dataset: shop, field: customers.id, direction: from}]}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
          - {name: found, data_categories: [user.content], fides_meta: {data_type: boolean}}
          - {name: scan, data_categories: [user.content]}
          - {name: plan, data_categories: [system.operations]}
          - {name: box, data_categories: [system.operations], fides_meta: {data_type: string}}
  - fides_key: desk
    collections:
      - name: mailbox
        fields:
          - {name: address, fides_meta: {identity: email, data_type: string}}
          - {name: summary, data_categories: [user.content], fides_meta: {data_type: string}}
`

func archiveRows() map[string][]row {
	return map[string][]row{
		"customers": {{"id": 9007199254740993, "email": "ada@example.com", "name": "Ada"}, {"id": 2, "email": "bob@example.com", "name": "Bob"}},
		"orders":    {{"id": 10, "customer": 9007199254740993, "item": "lamp"}, {"id": 11, "customer": 2, "item": "rug"}},
		"boxes":     {{"id": 20, "code": "B-1", "content": "diary"}, {"id": 21, "code": "B-2", "content": "map"}},
	}
}

const (
	lettersTask  = "access/paper:letters"
	mailboxTask  = "access/desk:mailbox"
	lettersErase = "erasure/paper:letters"
	mailboxErase = "erasure/desk:mailbox"
)

// staff is a connector whose collections people answer.
type staff struct {
	mu      sync.Mutex
	specs   map[string]dsr.TaskSpec // by ID of the task
	ask     func(q *dsr.Question) (*dsr.TaskSpec, error)
	asked   []string
	touched atomic.Int64 // reads and changes
}

func newStaff() *staff {
	confirm := []dsr.TaskField{{Key: "erased", Type: dsr.TaskCheckbox}}
	return &staff{specs: map[string]dsr.TaskSpec{
		lettersTask: {Title: "Look for letters", Fields: []dsr.TaskField{
			{Key: "note", Type: dsr.TaskText}, {Key: "found", Type: dsr.TaskCheckbox}, {Key: "scan", Type: dsr.TaskFile},
			{Key: "plan", Type: dsr.TaskFile}, {Key: "box", Type: dsr.TaskText},
		}},
		mailboxTask:  {Title: "Look into the mailbox", Fields: []dsr.TaskField{{Key: "summary", Type: dsr.TaskText}}},
		lettersErase: {Title: "Burn the letters", Fields: confirm},
		mailboxErase: {Title: "Delete the mails", Fields: confirm},
	}}
}

func (s *staff) Ask(_ context.Context, q *dsr.Question) (*dsr.TaskSpec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("%s/%s", q.Action, q.Collection.Address)
	line := id + " " + strings.Join(q.Fields, ",")
	for _, in := range q.Inputs {
		line += fmt.Sprint(" ", in.Field, in.From, in.Identity, in.Values)
	}
	s.asked = append(s.asked, line)
	if s.ask != nil {
		return s.ask(q)
	}
	spec := s.specs[id]
	if q.Action == graph.Access { // as an asker that knows what is needed
		spec.Fields = slices.DeleteFunc(slices.Clone(spec.Fields), func(f dsr.TaskField) bool { return f.Key != "" && !slices.Contains(q.Fields, f.Key) })
	}
	return &spec, nil
}

func (s *staff) change(id string, change func(*dsr.TaskSpec)) {
	spec := s.specs[id]
	change(&spec)
	s.specs[id] = spec
}

func (s *staff) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *staff) Describe(_ context.Context, c *graph.Collection) (*dsr.Schema, error) {
	schema := &dsr.Schema{Table: c.Name, Keyless: true}
	kinds := map[string]dsr.ColumnKind{"found": dsr.ColumnBoolean, "scan": dsr.ColumnDocument, "plan": dsr.ColumnDocument, "customer": dsr.ColumnInteger}
	for _, f := range c.Fields {
		kind, ok := kinds[f.Name]
		if !ok {
			kind = dsr.ColumnText
		}
		schema.Columns = append(schema.Columns, dsr.Column{Name: f.Name, Kind: kind, Nullable: true})
	}
	return schema, nil
}

func (s *staff) Read(context.Context, *dsr.Query) iter.Seq2[dsr.Row, error] {
	s.touched.Add(1)
	return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errors.New("people are not read")) }
}

func (s *staff) Apply(context.Context, *dsr.Chunk) ([]dsr.RowResult, error) {
	s.touched.Add(1)
	return nil, errors.New("people are not written")
}

func (s *staff) Ping(context.Context) error { return nil }

// archiveHouse is an office over archiveYAML, with a place for files.
type archiveHouse struct {
	*office
	*staff
	tasks *dsr.Tasks
}

// newHouse opens a house; change may alter what it is made of.
func newHouse(t testing.TB, change func(*dsr.Config)) *archiveHouse {
	t.Helper()
	h := &archiveHouse{staff: newStaff()}
	w := newWorld(t, archiveYAML, map[string]*memory.Connector{"shop": memory.NewConnector(archiveRows(), nil)})
	h.office = &office{world: w, commits: &atomic.Int64{}}
	erase := erasureRule("string_rewrite", "user.name", "user.content")
	erase.Masking.Configuration = map[string]any{"rewrite_value": "masked"}
	h.config = w.config(nil,
		graph.Policy{Key: "access", Rules: []graph.Rule{accessRule()}},
		graph.Policy{Key: "erase", Rules: []graph.Rule{erase}},
		graph.Policy{Key: "both", Rules: []graph.Rule{accessRule(), erase}},
		graph.Policy{Key: "letters", Rules: []graph.Rule{
			{Key: "content", Action: graph.Access, Targets: []graph.Category{"user.content"}},
			{Key: "operations", Action: graph.Access, Targets: []graph.Category{"system.operations"}},
		}},
	)
	h.config.Connections = append(h.config.Connections, dsr.Connection{Key: "people", Connector: h.staff, Datasets: []string{"paper", "desk"}})
	h.config.Store = &countedStore{h.config.Store, h.commits}
	h.config.Files = storage.NewFolder(t.TempDir(), nil)
	var n atomic.Int64
	h.config.NewID = func() string { return fmt.Sprint("r", n.Add(1)) }
	if change != nil {
		change(&h.config)
	}
	h.restart(t)
	return h
}

// restart gives the house a new process.
func (h *archiveHouse) restart(t testing.TB) {
	t.Helper()
	h.engine = newEngine(t, h.config)
	h.Requests, h.tasks = h.engine.Requests(), h.engine.Tasks()
}

// onlyLetters leaves the mailbox alone.
func (h *archiveHouse) onlyLetters() {
	h.specs[mailboxTask] = dsr.TaskSpec{Skip: "no mailbox"}
	h.specs[mailboxErase] = dsr.TaskSpec{Skip: "no mailbox"}
}

// asks submits a request for ada and advances it until it waits for people.
func (h *archiveHouse) asks(t testing.TB, policy string) *dsr.Request {
	t.Helper()
	req := h.submitted(t, submission(policy, "ada@example.com"))
	return h.advanced(t, req.ID, dsr.StatusRequiresInput)
}

func (h *archiveHouse) task(t testing.TB, id string) *dsr.Task {
	t.Helper()
	task, err := h.tasks.Get(t.Context(), "r1", id)
	require.NoError(t, err)
	return task
}

// answer answers a task of r1 as it is now.
func (h *archiveHouse) answer(t testing.TB, id string, values map[string]any) *dsr.Task {
	t.Helper()
	task, err := h.tasks.Answer(t.Context(), "r1", id, h.task(t, id).Revision, values, clerk)
	require.NoError(t, err)
	return task
}

func (h *archiveHouse) skip(t testing.TB, id string, fields ...string) *dsr.Task {
	t.Helper()
	task, err := h.tasks.Skip(t.Context(), "r1", id, h.task(t, id).Revision, fields, clerk)
	require.NoError(t, err)
	return task
}

// open lists the tasks that are open, with the request of each.
func (h *archiveHouse) open(t testing.TB, filter dsr.TaskFilter) []string {
	t.Helper()
	lines := []string{}
	for task, err := range h.tasks.Open(t.Context(), filter) {
		require.NoError(t, err)
		lines = append(lines, task.RequestID+" "+task.ID)
	}
	return lines
}

// attach attaches a file to r1 and returns its ID.
func (h *archiveHouse) attach(t testing.TB, name, content string) string {
	t.Helper()
	info, err := h.engine.Attachments().Add(t.Context(), "r1", name, "text/plain", false, strings.NewReader(content), clerk)
	require.NoError(t, err)
	return info.ID
}

// letterAnswers are answers to all of lettersTask but its files.
func letterAnswers() map[string]any {
	return map[string]any{"note": "three letters", "found": true, "box": "B-1", "scan": []string{}, "plan": []string{}}
}
