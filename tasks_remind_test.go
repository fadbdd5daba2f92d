package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// team is a fleet whose mailbox is asked of ann and bob, and whose letters of
// cid, due in two days.
type team struct {
	*fleet
	*staff
}

func newTeam(t testing.TB, tune func(*dsr.Config)) *team {
	t.Helper()
	f := &team{fleet: newFleet(t, archiveYAML, map[string]map[string][]row{"shop": archiveRows()}), staff: newStaff()}
	f.change(mailboxTask, func(s *dsr.TaskSpec) { s.Assignees, s.Remind, s.Due = []string{"ann", "bob"}, day, 2*day })
	f.change(lettersTask, func(s *dsr.TaskSpec) { s.Assignees, s.Due = []string{"cid"}, 4*day })
	f.tune = func(c *dsr.Config) {
		c.Poll = 10 * time.Minute // days go by
		c.Connections = append(c.Connections, dsr.Connection{Key: "people", Connector: f.staff, Datasets: []string{"paper", "desk"}})
		if tune != nil {
			tune(c)
		}
	}
	return f
}

const day = 24 * time.Hour

// process is a running engine of the team.
func (f *team) process(t testing.TB) (e *dsr.Engine, stop func()) {
	t.Helper()
	e, _ = f.engine(t, readPolicy(), graph.Policy{Key: "erase", Rules: []graph.Rule{erasureRule("null_rewrite", "user.content")}})
	return e, runEngine(t, e)
}

// sent lists the notices of a kind, each with its recipient and its tasks.
func (f *team) sent(kind dsr.NoticeKind) []string {
	lines := []string{}
	for _, n := range f.notifier.Notices() {
		if n.Kind != kind {
			continue
		}
		line := n.Assignee
		for _, task := range n.Tasks {
			line += " " + task.RequestID + "/" + task.Task
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// times repeats lines, in order.
func times(n int, lines ...string) []string {
	return slices.Sorted(slices.Values(slices.Repeat(lines, n)))
}

func settleTask(t testing.TB, e *dsr.Engine, id, task string) {
	t.Helper()
	now, err := e.Tasks().Get(t.Context(), id, task)
	require.NoError(t, err)
	_, err = e.Tasks().Skip(t.Context(), id, task, now.Revision, nil, clerk)
	require.NoError(t, err)
}

func TestReminders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTeam(t, nil)
		both := []string{"ann r001/" + mailboxTask, "bob r001/" + mailboxTask}
		e, stop := f.process(t)
		id := submitTo(t, e, "read", "ada@example.com")
		until(t, e, dsr.StatusRequiresInput, time.Minute, id)
		settle(time.Minute)
		require.Equal(t, append(slices.Clone(both), "cid r001/"+lettersTask), f.sent(dsr.NoticeTask))
		require.Empty(t, f.sent(dsr.NoticeReminder))
		settle(day)
		require.Equal(t, both, f.sent(dsr.NoticeReminder))
		settle(day)
		require.Equal(t, times(2, both...), f.sent(dsr.NoticeReminder))
		stop()

		settle(3 * day) // nobody runs it
		require.Equal(t, times(2, both...), f.sent(dsr.NoticeReminder))
		_, stop = f.process(t)
		settle(time.Minute)
		require.Equal(t, times(3, both...), f.sent(dsr.NoticeReminder), "what was missed is told once")
		stop()
		e, _ = f.process(t)
		settle(day)
		require.Equal(t, times(4, both...), f.sent(dsr.NoticeReminder))

		task, err := e.Tasks().Get(t.Context(), id, mailboxTask)
		require.NoError(t, err)
		_, err = e.Tasks().Assign(t.Context(), id, mailboxTask, task.Revision, []string{"bob", "mail team"}, clerk)
		require.NoError(t, err)
		settle(time.Minute)
		require.Equal(t, append(slices.Clone(both), "cid r001/"+lettersTask, "mail team r001/"+mailboxTask), f.sent(dsr.NoticeTask))
		settle(day)
		want := append(times(4, both...), "bob r001/"+mailboxTask, "mail team r001/"+mailboxTask)
		slices.Sort(want)
		require.Equal(t, want, f.sent(dsr.NoticeReminder))

		settleTask(t, e, id, mailboxTask)
		settle(5 * day)
		require.Equal(t, want, f.sent(dsr.NoticeReminder), "none after the answer")
		pending, err := e.Messages().Pending(t.Context(), "", 0)
		require.NoError(t, err)
		require.Empty(t, pending)
		seen := map[string]bool{}
		for _, n := range f.notifier.Notices() {
			require.False(t, seen[n.ID], "two notices have one ID")
			seen[n.ID] = true
		}
	})
}

// Reminders go on when a request that had to be tried again comes back to wait
// for people.
func TestRemindersOutliveATry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTeam(t, func(c *dsr.Config) { c.Retention.Collected = time.Hour })
		e, _ := f.process(t)
		id := submitTo(t, e, "read", "ada@example.com")
		until(t, e, dsr.StatusRequiresInput, time.Minute, id)
		settle(2 * time.Hour) // what was collected is gone
		f.switches["shop"].fail(fmt.Errorf("%w: the database is down", dsr.ErrUnavailable))
		_, err := e.Requests().Resume(t.Context(), id, clerk)
		require.NoError(t, err)
		settle(day)
		require.Equal(t, dsr.StatusInProcessing, get(t, e, id).Status)
		require.Empty(t, f.sent(dsr.NoticeReminder))
		f.switches["shop"].fail(nil)
		settle(day)
		require.Equal(t, dsr.StatusRequiresInput, get(t, e, id).Status)
		require.Equal(t, []string{"ann r001/" + mailboxTask, "bob r001/" + mailboxTask}, f.sent(dsr.NoticeReminder))
		require.Len(t, f.sent(dsr.NoticeTask), 3, "nobody is told of a task twice")
		require.NoError(t, cancel(t, e, id))
		settle(3 * day)
		require.Len(t, f.sent(dsr.NoticeReminder), 2)
	})
}

// digestOf submits three requests and answers one task of them.
func (f *team) digestOf(t testing.TB, e *dsr.Engine) {
	t.Helper()
	for range 3 {
		submitTo(t, e, "read", "ada@example.com")
	}
	until(t, e, dsr.StatusRequiresInput, time.Minute, "r001", "r002", "r003")
	settleTask(t, e, "r002", mailboxTask)
}

const (
	mailDigest    = " r001/" + mailboxTask + " r003/" + mailboxTask
	lettersDigest = " r001/" + lettersTask + " r002/" + lettersTask + " r003/" + lettersTask
)

func digests() []string {
	return []string{"ann" + mailDigest, "bob" + mailDigest, "cid" + lettersDigest}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTeam(t, func(c *dsr.Config) { c.Digest = dsr.Daily(7, 0, nil) })
		e, stop := f.process(t)
		f.digestOf(t, e)
		elapse(time.Until(dsr.Daily(7, 0, nil)(time.Now())))
		settle(time.Minute)
		require.Equal(t, digests(), f.sent(dsr.NoticeDigest))
		stop()
		e, _ = f.process(t)
		settle(time.Hour)
		require.Equal(t, digests(), f.sent(dsr.NoticeDigest))
		for _, id := range []string{"r001", "r003"} {
			settleTask(t, e, id, mailboxTask)
		}
		settle(day)
		require.Equal(t, append(digests(), "cid"+lettersDigest), f.sent(dsr.NoticeDigest))
		for i, id := range []string{"r001", "r002", "r003"} {
			if i == 0 {
				require.NoError(t, cancel(t, e, id))
			} else {
				settleTask(t, e, id, lettersTask)
			}
		}
		settle(2 * day)
		require.Equal(t, append(digests(), "cid"+lettersDigest), f.sent(dsr.NoticeDigest), "nobody has anything to do")
	})
}

// mutedStore stores no message any more once its process is dead.
type mutedStore struct {
	dsr.Store
	dead *atomic.Bool
}

func (s *mutedStore) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	if s.dead.Load() {
		return errKilled
	}
	return s.Store.SaveMessages(ctx, changes)
}

// A process that dies while it sends digests makes the next one repeat that of
// the person it hit, under its ID.
func TestDigestsAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dead *atomic.Bool
		f := newTeam(t, func(c *dsr.Config) {
			c.Digest = dsr.Every(day)
			dead = &atomic.Bool{}
			c.Store = &mutedStore{c.Store, dead}
		})
		e, stop := f.process(t)
		f.digestOf(t, e)
		first := dead
		hit := sync.OnceFunc(func() { first.Store(true) })
		f.notifier.Fail(nil, func(_ context.Context, n dsr.Notice) error {
			if n.Kind == dsr.NoticeDigest && n.Assignee == "bob" {
				hit()
			}
			return nil
		})
		elapse(time.Until(dsr.Every(day)(time.Now())))
		settle(time.Second)
		require.Equal(t, digests()[:2], f.sent(dsr.NoticeDigest))
		stop()
		f.process(t)
		settle(10 * time.Minute)
		require.Equal(t, slices.Insert(digests(), 1, "bob"+mailDigest), f.sent(dsr.NoticeDigest))
		ids := map[string]map[string]bool{}
		for _, n := range f.notifier.Notices() {
			if n.Kind == dsr.NoticeDigest {
				if ids[n.Assignee] == nil {
					ids[n.Assignee] = map[string]bool{}
				}
				ids[n.Assignee][n.ID] = true
			}
		}
		require.Len(t, ids["bob"], 1)
		require.Len(t, ids, 3)
	})
}

func TestDigestsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTeam(t, func(c *dsr.Config) { c.Digest, c.Retry.GiveUp = dsr.Every(day), 12*time.Hour })
		e, _ := f.process(t)
		f.digestOf(t, e)
		var down atomic.Bool
		down.Store(true)
		f.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
			switch {
			case n.Assignee == "ann":
				return fmt.Errorf("%w: no such person", dsr.ErrRejected)
			case n.Assignee == "bob" && down.Load():
				return errors.New("the line to bob is busy")
			}
			return nil
		}, nil)
		morning := func() { elapse(time.Until(dsr.Every(day)(time.Now()))); settle(time.Second) }
		morning()
		require.Equal(t, []string{"cid" + lettersDigest}, f.sent(dsr.NoticeDigest), "one holds up no other")
		settle(2 * time.Hour)
		down.Store(false)
		settle(6 * time.Hour)
		require.Equal(t, digests()[1:], f.sent(dsr.NoticeDigest), "bob is told later, cid not again")

		down.Store(true)
		morning()
		settle(20 * time.Hour)
		down.Store(false)
		morning()
		settle(time.Hour)
		require.Equal(t, times(1, digests()[1], digests()[1], digests()[2], digests()[2], digests()[2]), f.sent(dsr.NoticeDigest), "one that is given up is followed by the next")
		require.NotContains(t, f.logs.String(), "no such person")
		require.Equal(t, 3, strings.Count(f.logs.String(), "a digest was not taken"))
	})
}

func TestOpenTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTeam(t, nil)
		e, _ := f.process(t)
		const people = 130
		ids := []string{}
		for i := range people {
			email := "ada@example.com"
			if i%10 > 0 {
				email = addressOf(i) // nobody, so that there are no letters
			}
			ids = append(ids, submitTo(t, e, "read", email))
			until(t, e, dsr.StatusRequiresInput, time.Minute, ids[i])
		}
		count := func(filter dsr.TaskFilter) int {
			n := 0
			for task, err := range e.Tasks().Open(t.Context(), filter) {
				require.NoError(t, err)
				require.Equal(t, dsr.TaskOpen, task.State)
				n++
			}
			return n
		}
		require.Equal(t, people+people/10, count(dsr.TaskFilter{}))
		require.Equal(t, people, count(dsr.TaskFilter{Assignee: "bob"}))
		require.Equal(t, people/10, count(dsr.TaskFilter{Assignee: "cid"}))
		require.Zero(t, count(dsr.TaskFilter{Assignee: "BOB"}))
		require.Zero(t, count(dsr.TaskFilter{Overdue: time.Now()}))
		settle(3 * day)
		require.Equal(t, people, count(dsr.TaskFilter{Overdue: time.Now()}))
		require.Zero(t, count(dsr.TaskFilter{Overdue: time.Now(), Assignee: "cid"}))
		settleTask(t, e, ids[0], mailboxTask)
		require.NoError(t, cancel(t, e, ids[1]))
		_, err := e.Requests().Delete(t.Context(), ids[3], clerk)
		require.NoError(t, err)
		require.Equal(t, people-3, count(dsr.TaskFilter{Assignee: "bob"}))
		for task, err := range e.Tasks().Open(t.Context(), dsr.TaskFilter{}) {
			require.NoError(t, err)
			require.Equal(t, ids[0], task.RequestID)
			break
		}
	})
}
