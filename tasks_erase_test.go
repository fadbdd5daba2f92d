package dsr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// erased is what the databases of a house hold once ada is erased.
func (h *archiveHouse) requireErased(t testing.TB) {
	t.Helper()
	require.Equal(t, "masked", h.db().Rows("customers")[0]["name"])
	require.Equal(t, "masked", h.db().Rows("orders")[0]["item"])
	require.Equal(t, "Bob", h.db().Rows("customers")[1]["name"])
}

// erasure is what is said of the erasure of a collection.
func erasure(t testing.TB, req *dsr.Request, address string) string {
	t.Helper()
	o := outcome(t, req, address)
	return fmt.Sprintf("%s targeted %d masked %d: %s", o.State, o.Targeted, o.Masked, o.Message)
}

// move gives the customers of an address another one.
func (h *archiveHouse) move(from, to string) {
	h.db().Update("customers", func(r row) {
		if r["email"] == from {
			r["email"] = to
		}
	})
}

// People are asked to erase when the databases are done, and nothing of those is
// left while they are awaited.
func TestPeopleErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.specs[lettersTask] = dsr.TaskSpec{Skip: "they lead nowhere"}
	req := h.asks(t, "erase")
	require.Equal(t, []string{"task:" + mailboxErase, "task:" + lettersErase}, req.Awaits)
	h.requireErased(t)
	require.ElementsMatch(t, []string{
		"erasure/desk:mailbox summary address[]email[ada@example.com]",
		"erasure/paper:letters found,note,scan customer[shop:customers:id][9007199254740993]",
		"access/paper:letters box customer[shop:customers:id][9007199254740993]",
	}, h.questions(), "the boxes hang on the letters, so that these are asked for")
	require.Empty(t, h.spool.left(t))
	rec, err := h.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	keys := []string{}
	for _, key := range []string{"identity", "manual", "inputs", "spool", "journal"} {
		if rec.Keys[key] != nil {
			keys = append(keys, key)
		}
	}
	require.Equal(t, []string{"identity", "manual"}, keys)
	chunks, err := h.store.Journal(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.Empty(t, chunks)
	task := h.task(t, lettersErase)
	require.Equal(t, []any{int64(9007199254740993)}, task.Inputs[0].Values, "those that it had at collection")

	h.refused(t, h.Cancel, "r1", dsr.ErrConflict, "dsr: cannot cancel request r1: its erasure has begun and must be finished")
	h.refused(t, h.Resubmit, "r1", dsr.ErrConflict, "dsr: cannot resubmit request r1: its erasure has begun and must be finished")
	h.restart(t)
	h.answer(t, mailboxErase, map[string]any{"erased": true})
	h.answer(t, lettersErase, map[string]any{"erased": false})
	req = h.advanced(t, "r1", dsr.StatusRequiresFinalization)
	require.Equal(t, "done targeted 1 masked 1: erased by a person", erasure(t, req, "desk:mailbox"))
	require.Equal(t, "done targeted 1 masked 0: answered by a person, but not confirmed as erased: task erasure/paper:letters", erasure(t, req, "paper:letters"))
	require.Equal(t, "done targeted 1 masked 1: ", erasure(t, req, "shop:customers"))
	require.Zero(t, h.touched.Load())
	h.sound(t)
}

// Where people hold all that is to be erased, asking them is where the erasure
// begins.
func TestOnlyPeopleErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *dsr.Config) {
		c.Datasets = load(t, strings.Replace(archiveYAML, "{name: summary, data_categories: [user.content]", "{name: summary, data_categories: [user.behavior]", 1))
		c.Policies[1].Rules[0] = erasureRule("null_rewrite", "user.behavior")
		c.Retention.Collected = time.Hour
	})
	h.submitted(t, submission("erase", "nobody@example.com"))
	req := h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Zero(t, h.db().applied())
	require.Equal(t, []string{"task:" + mailboxErase}, req.Awaits)
	h.refused(t, h.Cancel, "r1", dsr.ErrConflict, "dsr: cannot cancel request r1: its erasure has begun and must be finished")
	h.clock.add(48 * time.Hour)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Len(t, h.questions(), 1)
	h.skip(t, mailboxErase)
	req = h.advanced(t, "r1", dsr.StatusRequiresFinalization)
	require.Equal(t, "done targeted 1 masked 0: answered by a person, but not confirmed as erased: task erasure/desk:mailbox", erasure(t, req, "desk:mailbox"))
	require.Contains(t, h.actions(t, "r1"), "erasure begun")
}

func TestNobodyIsAskedToErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.specs[mailboxErase] = dsr.TaskSpec{Skip: "mails go by themselves after a year"}
	h.specs[lettersErase] = dsr.TaskSpec{Skip: "a legal hold"}
	h.asks(t, "both")
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	h.skip(t, lettersTask)
	req := h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "done targeted 0 masked 0: nobody is asked to erase: mails go by themselves after a year", erasure(t, req, "desk:mailbox"))
	require.Equal(t, "done targeted 0 masked 0: skipped by a person, who gave a reason; nobody is asked to erase: a legal hold", erasure(t, req, "paper:letters"))

	h = newHouse(t, nil)
	h.specs[mailboxErase] = dsr.TaskSpec{Skip: "mails go by themselves after a year"}
	h.asks(t, "erase")
	h.skip(t, lettersTask)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	h.answer(t, lettersErase, map[string]any{"erased": true})
	req = h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "skipped targeted 0 masked 0: nobody is asked to erase: mails go by themselves after a year", erasure(t, req, "desk:mailbox"))
	require.Equal(t, "done targeted 1 masked 1: erased by a person", erasure(t, req, "paper:letters"))
}

// People hand over first, and are asked to erase when that was delivered.
func TestPeopleHandOverAndErase(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.onlyLetters()
	req := h.asks(t, "both")
	require.Equal(t, []string{"task:" + lettersTask}, req.Awaits)
	require.Equal(t, "Ada", h.db().Rows("customers")[0]["name"])
	_, err := h.tasks.Answer(t.Context(), "r1", lettersErase, 0, map[string]any{"erased": true}, clerk)
	require.ErrorIs(t, err, dsr.ErrNotFound, "its time has not come")
	answers := letterAnswers()
	delete(answers, "plan")
	h.answer(t, lettersTask, answers)
	req = h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"task:" + lettersErase}, req.Awaits)
	require.Equal(t, []string{"r1 " + lettersErase}, h.open(t, dsr.TaskFilter{}))
	h.requireErased(t)
	require.Contains(t, h.packages.file("r1.json"), "three letters")
	h.answer(t, lettersErase, map[string]any{"erased": true})
	req = h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "done targeted 1 masked 1: erased by a person", erasure(t, req, "paper:letters"))
	require.Equal(t, int64(1), outcome(t, req, "paper:letters").Rows)
	require.Equal(t, []string{
		"received", "started", "planned", "task asked", "input required", "task answered", "answered", "collected", "delivered",
		"journalled", "erasure begun", "erased", "erased", "erased", "task asked", "input required", "task answered", "answered",
		"erased by a person", "completed",
	}, h.actions(t, "r1"))
}

// A request that waits for people at its end holds up no other of the same data
// subject, nor does one that waits before.
func TestWaitingForPeopleHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"access", "erase"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			h.specs[lettersTask] = dsr.TaskSpec{Skip: "no letters"}
			h.asks(t, policy)
			h.clock.add(30 * 24 * time.Hour)
			h.submitted(t, submission("access", "ada@example.com"))
			req := h.advanced(t, "r2", dsr.StatusRequiresInput)
			task, err := h.tasks.Get(t.Context(), "r2", mailboxTask)
			require.NoError(t, err)
			_, err = h.tasks.Skip(t.Context(), "r2", mailboxTask, task.Revision, nil, clerk)
			require.NoError(t, err)
			h.advanced(t, req.ID, dsr.StatusComplete)
		})
	}
}

// What was collected is not kept for people for ever; what they answered is.
func TestRetentionWhilePeopleAreAwaited(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *dsr.Config) { c.Retention.Collected = 24 * time.Hour })
	h.asks(t, "access")
	answers := letterAnswers()
	delete(answers, "plan")
	h.answer(t, lettersTask, answers)
	h.clock.add(25 * time.Hour)
	req := h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"task:" + mailboxTask}, req.Awaits)
	require.Empty(t, h.spool.left(t))
	require.Equal(t, []string{"r1 " + mailboxTask}, h.open(t, dsr.TaskFilter{}))
	require.Equal(t, "three letters", h.task(t, lettersTask).Answers["note"].Value)
	h.restart(t)
	h.answer(t, lettersTask, map[string]any{"note": "four letters"})
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	h.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, h.packages.file("r1.json"), "four letters")
	require.Contains(t, h.packages.file("r1.json"), "diary")
	require.Len(t, h.questions(), 2)
	require.Equal(t, 2, h.db().readCounts()["customers"])
}

// Where what was collected again leads nowhere any more, a task is let go; where
// it leads to more, it is asked anew.
func TestCollectedAnewForPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *dsr.Config) { c.Retention.Collected = 24 * time.Hour })
	h.asks(t, "access")
	h.answer(t, mailboxTask, map[string]any{"summary": "two mails"})
	answers := letterAnswers()
	delete(answers, "plan")
	delete(answers, "box")
	h.answer(t, lettersTask, answers)
	h.clock.add(25 * time.Hour)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	h.move("bob@example.com", "ada@example.com")
	h.done(t, h.Resume, "r1", dsr.StatusInProcessing)
	req := h.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Equal(t, []string{"task:" + lettersTask}, req.Awaits)
	task := h.task(t, lettersTask)
	require.Equal(t, []any{int64(2), int64(9007199254740993)}, task.Inputs[0].Values)
	require.Equal(t, "three letters", task.Answers["note"].Value)

	h.clock.add(25 * time.Hour)
	h.advanced(t, "r1", dsr.StatusRequiresInput)
	h.move("ada@example.com", "other@example.com")
	h.done(t, h.Resume, "r1", dsr.StatusInProcessing)
	req = h.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "nobody is asked: nothing was found that it refers to", outcome(t, req, "paper:letters").Message)
	require.Contains(t, h.packages.file("r1.json"), "two mails")
}
