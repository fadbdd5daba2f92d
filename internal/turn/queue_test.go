package turn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/turn"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// drain takes everything out of a queue.
func drain(q *turn.Queue[int]) []string {
	var keys []string
	for q.Len() > 0 {
		key, value := q.Take()
		keys = append(keys, fmt.Sprintf("%s=%d", key, value))
	}
	return keys
}

func TestQueueOrder(t *testing.T) {
	t.Parallel()
	q := turn.NewQueue[int](10)
	_, ok := q.Next()
	require.False(t, ok)
	q.Put("b", at(2), 1)
	q.Put("a", at(2), 2)
	q.Put("d", at(4), 3)
	q.Put("c", at(1), 4)
	q.Put("b", at(2), 5) // goes behind a
	q.Put("d", at(0), 6)
	due, ok := q.Next()
	require.True(t, ok)
	require.Equal(t, at(0), due)
	due, value, ok := q.Get("b")
	require.Equal(t, []any{at(2), 5, true}, []any{due, value, ok})
	_, _, ok = q.Get("e")
	require.False(t, ok)
	require.Equal(t, []string{"d=6", "c=4", "a=2", "b=5"}, drain(q))
}

func TestQueueDropsTheLatest(t *testing.T) {
	t.Parallel()
	q := turn.NewQueue[int](2)
	q.Put("a", at(2), 1)
	q.Put("b", at(3), 2)
	q.Put("c", at(1), 3)
	q.Put("d", at(2), 4) // as late as a, but came after it
	require.Equal(t, []string{"c=3", "a=1"}, drain(q))
}

// A queue does what a sorted list does.
func TestQueueAgainstAList(t *testing.T) {
	t.Parallel()
	type entry struct {
		key        string
		due, value int
	}
	const limit = 20
	random := rand.New(rand.NewPCG(1, 2))
	q := turn.NewQueue[int](limit)
	var list []entry
	for i := range 20_000 {
		if random.IntN(3) == 0 && len(list) > 0 {
			key, value := q.Take()
			require.Equal(t, [2]any{list[0].key, list[0].value}, [2]any{key, value})
			list = list[1:]
			continue
		}
		e := entry{fmt.Sprint(random.IntN(40)), random.IntN(100), i}
		list = slices.DeleteFunc(list, func(old entry) bool { return old.key == e.key })
		list = append(list, e)
		slices.SortStableFunc(list, func(a, b entry) int { return a.due - b.due })
		list = list[:min(len(list), limit)]
		q.Put(e.key, at(e.due), e.value)
		require.Equal(t, len(list), q.Len())
		due, ok := q.Next()
		require.True(t, ok)
		require.Equal(t, at(list[0].due), due)
	}
}
