package dsr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const archivePackage = `{
  "desk:mailbox": [
    {"summary":"two mails"}
  ],
  "paper:letters": [
    {"found":true,"note":"three letters","scan":[{"content_type":"text/plain","file_name":"scan.txt","path":"attachments/scan.txt","size":8}]}
  ],
  "shop:boxes": [
    {"content":"diary"}
  ],
  "shop:customers": [
    {"email":"ada@example.com","id":9007199254740993,"name":"Ada"}
  ],
  "shop:orders": [
    {"item":"lamp"}
  ],
  "attachments": [
    {"file_name":"scan.txt","content_type":"text/plain","path":"attachments/scan.txt","content":"RGVhciBBZGE=","size":8}
  ]
}
`

// Collections that people answer are fed by others and feed others, and nothing
// is read twice because of them.
func TestPeopleAnswerACollection(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	req := h.asks(t, "access")
	require.Equal(t, []string{"task:" + mailboxTask, "task:" + lettersTask}, req.Awaits)
	questions := []string{
		"access/desk:mailbox summary address[]email[ada@example.com]",
		"access/paper:letters box,found,note,scan customer[shop:customers:id][9007199254740993]",
	}
	require.ElementsMatch(t, questions, h.questions())
	require.Equal(t, map[string]int{"customers": 1, "orders": 1}, h.db().readCounts(), "other branches go on")
	require.Equal(t, "waits for people", outcome(t, req, "paper:letters").Message)
	require.Equal(t, "waits for paper:letters", outcome(t, req, "shop:boxes").Message)

	task := h.task(t, lettersTask)
	require.Equal(t, dsr.TaskOpen, task.State)
	require.Equal(t, begin, task.AskedAt)
	require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, task.Identities)
	require.Equal(t, []dsr.QuestionInput{{Field: "customer", From: []string{"shop:customers:id"}, Values: []any{int64(9007199254740993)}}}, task.Inputs)

	answers := letterAnswers()
	answers["scan"] = []string{h.attach(t, "scan.txt", "Dear Ada")}
	delete(answers, "plan")
	require.Equal(t, dsr.TaskCompleted, h.answer(t, lettersTask, answers).State)
	require.Equal(t, []string{"r1 " + mailboxTask}, h.open(t, dsr.TaskFilter{}))
	h.requireStatus(t, "r1", dsr.StatusRequiresInput)
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	h.requireStatus(t, "r1", dsr.StatusInProcessing)
	h.advanced(t, "r1", dsr.StatusComplete)

	require.Equal(t, map[string]int{"customers": 1, "orders": 1, "boxes": 1}, h.db().readCounts(), "nothing is read again")
	require.ElementsMatch(t, questions, h.questions(), "nobody is asked again")
	require.Zero(t, h.touched.Load())
	require.Equal(t, archivePackage, h.packages.file("r1.json"))
	list, err := h.tasks.List(t.Context(), "r1")
	require.NoError(t, err)
	require.Empty(t, list, "what was answered is shredded")
	require.Equal(t, []string{
		"received", "started", "planned", "task asked", "task asked", "input required", "file attached",
		"task answered", "task answered", "answered", "collected", "delivered", "completed",
	}, h.actions(t, "r1"))
	h.sound(t)
}

func TestAnswersInOtherFormats(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format storage.Format
		check  func(t *testing.T, files map[string]string)
	}{
		"CSV": {storage.CSV{}, func(t *testing.T, files map[string]string) {
			require.Equal(t, "\ufeff\"found\",\"note\",\"scan\"\r\ntrue,\"three letters\","+
				"\"[{\"\"content_type\"\":\"\"text/plain\"\",\"\"file_name\"\":\"\"scan.txt\"\",\"\"path\"\":\"\"attachments/scan.txt\"\",\"\"size\"\":8}]\"\r\n",
				files["paper/letters.csv"])
		}},
		"HTML": {storage.HTML{}, func(t *testing.T, files map[string]string) {
			all := ""
			for _, text := range files {
				all += text
			}
			require.Contains(t, all, "three letters")
			require.Contains(t, all, "attachments/scan.txt")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(c *dsr.Config) {
				dest := c.Destinations["folder"]
				dest.Format = test.format
				c.Destinations["folder"] = dest
			})
			h.onlyLetters()
			h.asks(t, "access")
			answers := letterAnswers()
			delete(answers, "plan")
			answers["scan"] = []string{h.attach(t, "scan.txt", "Dear Ada")}
			h.answer(t, lettersTask, answers)
			req := h.advanced(t, "r1", dsr.StatusComplete)
			files, _ := zipped(t, h.packages.file(req.Packages[0].Name))
			require.Equal(t, "Dear Ada", files["attachments/scan.txt"])
			test.check(t, files)
		})
	}
}

// A package holds the files of the columns that its rule selects, and no others.
func TestFilesGoWhereTheirColumnGoes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	h.asks(t, "letters")
	answers := letterAnswers()
	answers["scan"], answers["plan"] = []string{h.attach(t, "scan.txt", "Dear Ada")}, []string{h.attach(t, "plan.txt", "second shelf")}
	h.answer(t, lettersTask, answers)
	h.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, h.packages.file("r1-content.json"), `"path":"attachments/scan.txt"`)
	require.NotContains(t, h.packages.file("r1-content.json"), "plan.txt")
	require.Contains(t, h.packages.file("r1-operations.json"), `"path":"attachments/plan.txt"`)
	require.NotContains(t, h.packages.file("r1-operations.json"), "scan.txt")
}

func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.specs[mailboxTask] = dsr.TaskSpec{Skip: "the mailbox is younger than the request"}
	h.submitted(t, submission("access", "nobody@example.com"))
	req := h.advanced(t, "r1", dsr.StatusComplete)
	mailbox, letters := outcome(t, req, "desk:mailbox"), outcome(t, req, "paper:letters")
	require.Equal(t, "skipped the mailbox is younger than the request", string(mailbox.State)+" "+mailbox.Message)
	require.Equal(t, "skipped nobody is asked: nothing was found that it refers to", string(letters.State)+" "+letters.Message)
	require.Contains(t, h.packages.file("r1.manifest.json"), "the mailbox is younger than the request")
	require.Equal(t, []string{"access/desk:mailbox summary address[]email[nobody@example.com]"}, h.questions())
}

// What hangs on a collection that nobody was asked for is not read again because
// of another task.
func TestNobodyIsAskedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.specs[lettersTask] = dsr.TaskSpec{Skip: "no letters"}
	h.asks(t, "access")
	before := h.db().readCounts()
	h.answer(t, mailboxTask, map[string]any{"summary": ""})
	h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, before, h.db().readCounts())
	require.Len(t, h.questions(), 2)
}

func TestTasksThatCannotBe(t *testing.T) {
	t.Parallel()
	text := dsr.TaskField{Key: "note", Type: dsr.TaskText}
	for name, test := range map[string]struct {
		ask  func(*dsr.Question) (*dsr.TaskSpec, error)
		want string
	}{
		"no fields": {func(*dsr.Question) (*dsr.TaskSpec, error) { return &dsr.TaskSpec{}, nil }, "its connector asks for a task that cannot be: it has no fields"},
		"everything": {func(*dsr.Question) (*dsr.TaskSpec, error) {
			return &dsr.TaskSpec{
				Fields: []dsr.TaskField{text, text, {Type: dsr.TaskText}, {Key: "n", Type: "number"}}, Due: -1, Assignees: []string{"a", "a"},
			}, nil
		}, "its connector asks for a task that cannot be: field 2 has no key, or one that is taken\nfield 3 has no key, or one that is taken\n" +
			"field \"n\" has the type \"number\"; it must be text, checkbox or file\nits Due or Remind is negative\n" +
			"assignee 2 has no name, one of more than 1000 bytes or invalid UTF-8, or is named before"},
		"crowd": {func(*dsr.Question) (*dsr.TaskSpec, error) {
			return &dsr.TaskSpec{Fields: []dsr.TaskField{text}, Assignees: make([]string, 101)}, nil
		}, "its connector asks for a task that cannot be: it has more than 100 assignees"},
		"nil":   {func(*dsr.Question) (*dsr.TaskSpec, error) { return nil, nil }, "its connector neither asks anything nor says why not"},
		"error": {func(*dsr.Question) (*dsr.TaskSpec, error) { return nil, errors.New("no key to the cellar") }, "what to ask people: no key to the cellar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			h.specs[mailboxTask] = dsr.TaskSpec{Skip: "not now"}
			h.ask = func(q *dsr.Question) (*dsr.TaskSpec, error) {
				if q.Collection.Name == "mailbox" {
					return &dsr.TaskSpec{Skip: "not now"}, nil
				}
				return test.ask(q)
			}
			h.submitted(t, submission("access", "ada@example.com"))
			_, err := h.Advance(t.Context(), "r1")
			require.EqualError(t, err, "dsr: request r1 failed at stage collect: collecting failed: paper:letters: "+test.want)

			h.ask = nil // mended
			h.onlyLetters()
			h.done(t, h.Retry, "r1", dsr.StatusInProcessing)
			h.advanced(t, "r1", dsr.StatusRequiresInput)
			require.Equal(t, map[string]int{"customers": 1, "orders": 1}, h.db().readCounts())
		})
	}
}

func TestAskPanics(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ask = func(q *dsr.Question) (*dsr.TaskSpec, error) { panic(q.Inputs[0].Values[0]) }
	h.submitted(t, submission("access", "ada@example.com"))
	_, err := h.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "paper:letters: what to ask people: ")
	require.NotContains(t, err.Error(), "ada@example.com")
	h.requireStatus(t, "r1", dsr.StatusError)
}

func TestTooManyValuesForPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	var emails []string
	for i := range 1000 {
		emails = append(emails, addressOf(i))
	}
	h.submitted(t, submission("access", emails...))
	_, err := h.Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Len(t, h.task(t, mailboxTask).Inputs[0].Values, 1000)

	yaml := strings.Replace(archiveYAML, "{name: summary,", "{name: name, fides_meta: {identity: name, data_type: string}}\n          - {name: summary,", 1)
	h = newHouse(t, func(c *dsr.Config) { c.Datasets = load(t, yaml) })
	s := submission("access", emails[:999]...)
	s.Identities["name"] = []string{"Ada"}
	h.submitted(t, s)
	h.advanced(t, "r1", dsr.StatusRequiresInput)

	h = newHouse(t, func(c *dsr.Config) {
		c.Datasets = load(t, yaml)
		c.Identities = []graph.IdentityKind{{Name: "name", Forms: func(v string) []string { return []string{v, strings.ToUpper(v)} }}}
	})
	h.submitted(t, s)
	_, err = h.Advance(t.Context(), "r1")
	require.EqualError(t, err, "dsr: request r1 failed at stage collect: collecting failed: desk:mailbox: people would have to look for more than 1000 values; narrow its references")
}

func TestPeopleInACycle(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(archiveYAML, "{name: name, data_categories: [user.name], fides_meta: {data_type: string}}",
		"{name: name, data_categories: [user.name], fides_meta: {data_type: string, references: [{dataset: paper, field: letters.box, direction: from}]}}", 1)
	h := newHouse(t, func(c *dsr.Config) { c.Datasets = load(t, yaml) })
	err := h.engine.Check(t.Context(), "access", "email")
	require.ErrorContains(t, err, "paper:letters: people answer it, so it cannot be part of a cycle of references; remove a reference")
	h.submitted(t, submission("access", "ada@example.com"))
	_, err = h.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "people answer it, so it cannot be part of a cycle of references")
}

func TestPeopleMayNotErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *dsr.Config) { c.Connections[len(c.Connections)-1].ReadOnly = true })
	require.NoError(t, h.engine.Check(t.Context(), "access", "email"))
	err := h.engine.Check(t.Context(), "erase", "email")
	require.ErrorContains(t, err, `paper:letters: an erasure rule reaches it, but connection "people" is set to read-only`)
}

func TestDryRunOfPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	var b strings.Builder
	require.NoError(t, h.engine.DryRun(t.Context(), &b, "access", "email"))
	require.Contains(t, b.String(), "-- collect paper:letters (people)\n-- people are asked\n")
	require.Zero(t, h.touched.Load())
	require.Empty(t, h.questions())
}
