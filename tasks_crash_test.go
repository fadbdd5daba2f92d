package dsr_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// mortalStore dies at its n-th change: with it, or right after it.
type mortalStore struct {
	dsr.Store
	mu    sync.Mutex
	left  int // 0 for one that lives
	after bool
	dead  bool
}

func (s *mortalStore) write(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errKilled
	}
	if s.left > 0 {
		if s.left--; s.left == 0 {
			if s.dead = true; s.after {
				_ = do()
			}
			return errKilled
		}
	}
	return do()
}

func (s *mortalStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	return s.write(func() error { return s.Store.Commit(ctx, ch) })
}

func (s *mortalStore) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	return s.write(func() error { return s.Store.SaveMessages(ctx, changes) })
}

// carry takes a request from wherever it is to its end, answering what is asked.
func (h *archiveHouse) carry(ctx context.Context) error {
	if _, err := h.Get(ctx, "r1"); err != nil {
		if _, err := h.Submit(ctx, submission("both", "ada@example.com")); err != nil {
			return err
		}
	}
	for range 20 {
		req, err := h.Advance(ctx, "r1")
		if err != nil {
			return err
		}
		if req.Status == dsr.StatusComplete {
			_, err := h.engine.Messages().Send(ctx)
			return err
		}
		list, err := h.tasks.List(ctx, "r1")
		if err != nil {
			return err
		}
		for _, task := range list {
			values := map[string]any{"note": "three letters", "found": true, "scan": []string{}, "box": "B-1"}
			switch {
			case task.State != dsr.TaskOpen:
				continue
			case task.ID == mailboxTask:
				values = map[string]any{"summary": "two mails"}
			case task.ID != lettersTask:
				values = map[string]any{"erased": true}
			}
			if _, err := h.tasks.Answer(ctx, "r1", task.ID, task.Revision, values, clerk); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("it never ends")
}

// A process dies at each of its changes in turn, and another one takes over:
// everybody is asked once, and what they answered counts once.
func TestKilledWhilePeopleAreAsked(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n, killed := 1, true; killed; n++ {
			name := fmt.Sprintf("change %d, stored %t", n, after)
			var store *mortalStore
			h := newHouse(t, func(c *dsr.Config) {
				store = &mortalStore{Store: c.Store, left: n, after: after}
				c.Store, c.NewID = store, func() string { return "r1" }
			})
			for id, assignee := range map[string]string{lettersTask: "ann", lettersErase: "ann", mailboxTask: "bob", mailboxErase: "bob"} {
				h.change(id, func(s *dsr.TaskSpec) { s.Assignees = []string{assignee} })
			}
			err := h.carry(t.Context())
			if killed = store.dead; killed {
				h.clock.add(5 * time.Minute)
				h.config.Store = &mortalStore{Store: store.Store}
				h.restart(t)
				err = h.carry(t.Context())
			}
			require.NoError(t, err, name)
			h.requireErased(t)
			require.Equal(t, `{
  "desk:mailbox": [
    {"summary":"two mails"}
  ],
  "paper:letters": [
    {"found":true,"note":"three letters","scan":[]}
  ],
  "shop:boxes": [
    {"content":"diary"}
  ],
  "shop:customers": [
    {"email":"ada@example.com","id":9007199254740993,"name":"Ada"}
  ],
  "shop:orders": [
    {"item":"lamp"}
  ]
}
`, h.packages.file("r1.json"), name)
			counts := map[string]int{}
			for entry, err := range h.engine.Audit().Entries(t.Context(), "r1") {
				require.NoError(t, err)
				counts[entry.Action]++
			}
			for action, want := range map[string]int{"task asked": 4, "task answered": 4, "input required": 2, "erased by a person": 2, "completed": 1} {
				require.Equal(t, want, counts[action], "%s: %s", name, action)
			}
			h.sound(t)
			told := map[string]bool{}
			for _, notice := range h.notifier.Notices() {
				if notice.Kind == dsr.NoticeTask {
					told[notice.ID+" "+notice.Assignee+" "+notice.Tasks[0].Task] = true
				}
			}
			require.Len(t, told, 4, name)
			require.Empty(t, h.spool.left(t), name)
			pending, err := h.engine.Messages().Pending(t.Context(), "", 0)
			require.NoError(t, err)
			require.Empty(t, pending, name)
			require.Zero(t, h.touched.Load())
			require.True(t, killed || n > 25, "%s: too few changes", name)
		}
	}
}
