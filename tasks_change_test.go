package dsr_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestSkipFieldsOfATask(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	h.asks(t, "access")
	_, err := h.tasks.Skip(t.Context(), "r1", lettersTask, 0, nil, dsr.By{Actor: "clerk-7", Reason: " "})
	require.ErrorIs(t, err, dsr.ErrNoReason)
	require.EqualError(t, err, "dsr: a reason is needed: to skip task access/paper:letters of request r1")

	task := h.skip(t, lettersTask, "scan", "box")
	require.Equal(t, dsr.TaskOpen, task.State)
	require.Equal(t, 1, task.Revision)
	require.Equal(t, map[string]dsr.TaskAnswer{
		"scan": {Skipped: true, Reason: clerk.Reason, Actor: clerk.Actor, At: begin}, "box": {Skipped: true, Reason: clerk.Reason, Actor: clerk.Actor, At: begin},
	}, task.Answers)
	task = h.answer(t, lettersTask, map[string]any{"note": "one letter", "found": false})
	require.Equal(t, dsr.TaskCompleted, task.State)
	require.Equal(t, dsr.TaskAnswer{Value: false, Actor: clerk.Actor, At: begin}, task.Answers["found"])
	req := h.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, h.packages.file("r1.json"), `{"found":false,"note":"one letter","scan":null}`)
	require.Equal(t, int64(0), outcome(t, req, "shop:boxes").Rows)
}

func TestSkipATask(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	h.asks(t, "access")
	require.Equal(t, dsr.TaskSkipped, h.skip(t, lettersTask).State)
	req := h.advanced(t, "r1", dsr.StatusComplete)
	letters := outcome(t, req, "paper:letters")
	require.Equal(t, "done 0 skipped by a person, who gave a reason", fmt.Sprint(letters.State, " ", letters.Rows, " ", letters.Message))
	require.NotContains(t, h.packages.file("r1.json"), "paper:letters")
	require.Contains(t, h.packages.file("r1.manifest.json"), "skipped by a person, who gave a reason")
	require.NotContains(t, h.packages.file("r1.manifest.json"), clerk.Reason)
}

// What is answered anew counts, also where it led to others already: those are
// looked for again, and people who were asked for less are asked for the rest.
func TestAnswerAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.asks(t, "access")
	answers := letterAnswers()
	delete(answers, "plan")
	h.answer(t, lettersTask, answers)
	h.answer(t, lettersTask, map[string]any{"note": "four letters"})
	_, err := h.Resume(t.Context(), "r1", clerk)
	require.NoError(t, err)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, map[string]int{"customers": 1, "orders": 1, "boxes": 1}, h.db().readCounts())

	h.answer(t, lettersTask, map[string]any{"box": "B-2"})
	require.Equal(t, []string{"r1 " + mailboxTask}, h.open(t, dsr.TaskFilter{}))
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, map[string]int{"customers": 1, "orders": 1, "boxes": 2}, h.db().readCounts())
	require.Contains(t, h.packages.file("r1.json"), `"note":"four letters"`)
	require.Contains(t, h.packages.file("r1.json"), `{"content":"map"}`)
	require.NotContains(t, h.packages.file("r1.json"), "diary")
	require.Len(t, h.questions(), 2)
}

// A task that hangs on another one is asked anew when that one leads to more.
func TestAskAnew(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(archiveYAML, "{name: address, fides_meta: {identity: email, data_type: string}}",
		"{name: address, data_categories: [user.contact], fides_meta: {data_type: string, references: [{dataset: paper, field: letters.box, direction: from}]}}", 1)
	h := newHouse(t, func(c *dsr.Config) { c.Datasets = load(t, yaml) })
	h.change(mailboxTask, func(s *dsr.TaskSpec) {
		s.Fields = append(s.Fields, dsr.TaskField{Key: "address", Type: dsr.TaskText})
	})
	h.asks(t, "access")
	require.Equal(t, []string{"r1 " + lettersTask}, h.open(t, dsr.TaskFilter{}))
	answers := letterAnswers()
	delete(answers, "plan")
	h.answer(t, lettersTask, answers)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	task := h.answer(t, mailboxTask, map[string]any{"summary": "nothing under B-1"})
	_, err := h.tasks.Assign(t.Context(), "r1", mailboxTask, task.Revision, []string{"mail team"}, clerk)
	require.NoError(t, err)
	require.Equal(t, []any{"B-1"}, task.Inputs[0].Values)

	h.answer(t, lettersTask, map[string]any{"box": "B-2"})
	h.answer(t, mailboxTask, map[string]any{"address": ""})
	h.clock.add(time.Second)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	task = h.task(t, mailboxTask)
	require.Equal(t, dsr.TaskOpen, task.State)
	require.Equal(t, []any{"B-2"}, task.Inputs[0].Values)
	require.Equal(t, 4, task.Revision)
	require.Equal(t, []string{"mail team"}, task.Assignees)
	require.Equal(t, "nothing under B-1", task.Answers["summary"].Value, "what was answered is kept")
	h.answer(t, mailboxTask, map[string]any{"summary": "nothing under B-2 either"})
	h.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, h.packages.file("r1.json"), "nothing under B-2 either")
	require.Len(t, h.questions(), 3)
}

func TestTwoAnswerAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	h.asks(t, "access")
	const people = 8
	errs := make([]error, people)
	var wg sync.WaitGroup
	for i := range people {
		wg.Go(func() {
			_, errs[i] = h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": fmt.Sprint("by ", i), "found": i%2 == 0}, clerk)
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		if err == nil {
			require.Equal(t, -1, winner, "two have won")
			winner = i
			continue
		}
		require.ErrorIs(t, err, dsr.ErrConflict)
	}
	require.NotEqual(t, -1, winner)
	task := h.task(t, lettersTask)
	require.Equal(t, 1, task.Revision)
	require.Equal(t, fmt.Sprint("by ", winner), task.Answers["note"].Value)
	require.Equal(t, winner%2 == 0, task.Answers["found"].Value)
	require.Len(t, task.Answers, 2)
	var answered int
	for _, action := range h.actions(t, "r1") {
		if action == "task answered" {
			answered++
		}
	}
	require.Equal(t, 1, answered)

	_, err := h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": "late"}, clerk)
	require.EqualError(t, err, "dsr: the request was changed meanwhile: task access/paper:letters of request r1 was changed since you looked at it, from revision 0 to 1; get it again and change what it holds now")
}

func TestAnswersThatDoNotFit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	h.asks(t, "access")
	before, commits := h.task(t, lettersTask), h.commits.Load()
	answer := func(values map[string]any) error {
		_, err := h.tasks.Answer(t.Context(), "r1", lettersTask, 0, values, clerk)
		return err
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing": {answer(nil), "no field is answered"},
		"everything": {answer(map[string]any{"note": 7, "found": "yes", "scan": "file", "box": "a\xff", "other": ""}),
			"field \"box\": the text is not valid UTF-8\nfield \"found\" takes true or false\nfield \"note\" takes a text\n" +
				"it has no field \"other\"\nfield \"scan\" takes a list of IDs of attached files"},
		"nil":  {answer(map[string]any{"note": nil}), `field "note" takes a text`},
		"file": {answer(map[string]any{"scan": []string{"f1"}}), `field "scan": dsr: not found: the request has no file of that ID; attach the file first and give the ID that it gets`},
		"skip": {func() error {
			_, err := h.tasks.Skip(t.Context(), "r1", lettersTask, 0, []string{"a", "note", "b"}, clerk)
			return err
		}(), "it has no field \"a\"\nit has no field \"b\""},
		"assign": {func() error {
			_, err := h.tasks.Assign(t.Context(), "r1", lettersTask, 0, []string{"ann", ""}, clerk)
			return err
		}(), "assignee 2 has no name, one of more than 1000 bytes or invalid UTF-8, or is named before"},
	} {
		require.EqualError(t, test.err, "dsr: the answer does not fit the task: task access/paper:letters of request r1: "+test.want, name)
		require.ErrorIs(t, test.err, dsr.ErrAnswer)
	}
	_, err := h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": strings.Repeat("a", 16<<20)}, clerk)
	require.EqualError(t, err, "dsr: request r1: its answers take more than 16 MiB together; attach files instead")
	_, err = h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": ""}, dsr.By{Actor: strings.Repeat("a", 1001)})
	require.EqualError(t, err, "dsr: request r1: the actor's name has more than 1000 bytes")
	for _, id := range []string{"access/paper:other", lettersErase, ""} {
		_, err = h.tasks.Answer(t.Context(), "r1", id, 0, map[string]any{"note": ""}, clerk)
		require.ErrorIs(t, err, dsr.ErrNotFound)
		_, err = h.tasks.Get(t.Context(), "r1", id)
		require.EqualError(t, err, fmt.Sprintf("dsr: not found: request r1 has no task %q", id))
	}
	_, err = h.tasks.Answer(t.Context(), "r2", lettersTask, 0, map[string]any{"note": ""}, clerk)
	require.ErrorIs(t, err, dsr.ErrNotFound)
	require.Equal(t, before, h.task(t, lettersTask))
	require.Equal(t, commits, h.commits.Load())
}

func TestAnswerTooLate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy string
		end    func(t *testing.T, h *archiveHouse)
		cause  error
		want   string
	}{
		"canceled": {"access", func(t *testing.T, h *archiveHouse) { h.done(t, h.Cancel, "r1", dsr.StatusCanceled) }, dsr.ErrConflict,
			"dsr: cannot change a task for request r1: it is canceled; tasks are answered while it is requires_input"},
		"deleted": {"access", func(t *testing.T, h *archiveHouse) {
			_, err := h.Delete(t.Context(), "r1", clerk)
			require.NoError(t, err)
		}, dsr.ErrDeleted, "dsr: the request was deleted: request r1"},
		"complete": {"access", func(t *testing.T, h *archiveHouse) {
			h.skip(t, lettersTask)
			h.advanced(t, "r1", dsr.StatusComplete)
		}, dsr.ErrConflict, "dsr: cannot change a task for request r1: it is complete; tasks are answered while it is requires_input"},
		"going on": {"access", func(t *testing.T, h *archiveHouse) { h.skip(t, lettersTask) }, dsr.ErrConflict,
			"dsr: cannot change a task for request r1: it is in_processing; tasks are answered while it is requires_input"},
		"delivered": {"both", func(t *testing.T, h *archiveHouse) {
			h.skip(t, lettersTask)
			h.advanced(t, "r1", dsr.StatusRequiresInput)
		}, dsr.ErrConflict, "dsr: cannot change a task for request r1: what was answered to task access/paper:letters was handed over already"},
		"anew": {"access", func(t *testing.T, h *archiveHouse) {
			_, err := h.Resubmit(t.Context(), "r1", clerk)
			require.NoError(t, err)
		}, dsr.ErrConflict, "dsr: cannot change a task for request r1: it is approved; tasks are answered while it is requires_input"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			h.onlyLetters()
			h.asks(t, test.policy)
			test.end(t, h)
			_, err := h.tasks.Answer(t.Context(), "r1", lettersTask, 1, map[string]any{"note": "late"}, clerk)
			require.EqualError(t, err, test.want)
			require.ErrorIs(t, err, test.cause)
			_, err = h.tasks.Skip(t.Context(), "r1", lettersTask, 1, nil, clerk)
			require.ErrorIs(t, err, test.cause)
			_, err = h.tasks.Assign(t.Context(), "r1", lettersTask, 1, []string{"ann"}, clerk)
			require.ErrorIs(t, err, test.cause)
			require.NotContains(t, h.open(t, dsr.TaskFilter{}), "r1 "+lettersTask)
		})
	}
}

// A request that begins anew asks anew.
func TestResubmitWithTasks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.asks(t, "access")
	h.answer(t, mailboxTask, map[string]any{"summary": "old"})
	_, err := h.Resubmit(t.Context(), "r1", clerk)
	require.NoError(t, err)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"r1 " + mailboxTask, "r1 " + lettersTask}, h.open(t, dsr.TaskFilter{}))
	require.Empty(t, h.task(t, mailboxTask).Answers)
}

// Another failure does not lose tasks, and they are asked once.
func TestTasksBesideAFailure(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.db().fail("orders", errors.New("broken"))
	h.submitted(t, submission("access", "ada@example.com"))
	_, err := h.Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "shop:orders: broken")
	require.Empty(t, h.open(t, dsr.TaskFilter{}))
	h.db().fail("orders", nil)
	h.done(t, h.Retry, "r1", dsr.StatusInProcessing)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	h.done(t, h.Resume, "r1", dsr.StatusInProcessing)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	h.skip(t, lettersTask)
	h.advanced(t, "r1", dsr.StatusComplete)
	told := 0
	for _, line := range h.notices() {
		if strings.Contains(line, "a task is open that nobody is assigned to") {
			told++
		}
	}
	require.Equal(t, 2, told)
}
