package dsr_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// fileStore keeps the journal in files, as a store does that outlives the
// process.
type fileStore struct {
	dsr.Store
	dir   string
	heap  func()
	mu    sync.Mutex
	ahead int // the most chunks that one call asked for
}

func (s *fileStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.heap()
	stored := *ch
	stored.AppendJournal = slices.Clone(ch.AppendJournal)
	for i, c := range stored.AppendJournal {
		sum := sha256.Sum256(c.Sealed)
		name := hex.EncodeToString(sum[:])
		if err := os.WriteFile(filepath.Join(s.dir, name), c.Sealed, 0o600); err != nil {
			return err
		}
		stored.AppendJournal[i].Sealed = []byte(name)
	}
	return s.Store.Commit(ctx, &stored)
}

func (s *fileStore) Journal(ctx context.Context, id string, after, limit int) ([]dsr.JournalChunk, error) {
	chunks, err := s.Store.Journal(ctx, id, after, limit)
	s.mu.Lock()
	s.ahead = max(s.ahead, len(chunks))
	s.mu.Unlock()
	for i := range chunks {
		if chunks[i].Sealed, err = os.ReadFile(filepath.Join(s.dir, string(chunks[i].Sealed))); err != nil {
			return nil, err
		}
	}
	return chunks, err
}

// The live heap of an erasure does not grow with the size of rows. The test
// measures the whole process, so it is not parallel.
func TestEraseLargeRowsInBoundedMemory(t *testing.T) {
	const rows, size, bound = 384, 256 << 10, 24 << 20
	large := strings.Repeat("n", size)
	people := make([]map[string]any, rows)
	for i := range people {
		people[i] = person(i, "ada@example.com")
		people[i]["name"] = large
	}
	w := shop(t, peopleYAML, map[string][]map[string]any{"people": people}, nil)
	var base, peak uint64
	heap := func() {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
	heap()
	base = peak
	var mu sync.Mutex
	byRows := map[int]int{}
	w.db().beforeApply = func(ch *dsr.Chunk) {
		mu.Lock()
		byRows[len(ch.Rows)]++
		mu.Unlock()
		heap()
	}
	c := w.config(nil, policy(erasureRule("null_rewrite", "user.name")))
	store := &fileStore{Store: w.store, dir: t.TempDir(), heap: heap}
	c.Store, c.Spool = store, dsr.NewDirSpool(filepath.Join(t.TempDir(), "spool"))
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, int64(rows), outcome(t, req, "shop:people").Masked)
	require.Equal(t, map[int]int{3: rows / 3}, byRows)
	require.Equal(t, 1, store.ahead)
	require.Less(t, peak-base, uint64(bound), "while %d bytes were erased", rows*size)
}

// A chunk holds as many rows as fit into 1 MiB; a larger row is alone.
func TestEraseChunksAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	var people []map[string]any
	for i, size := range []int{10, 300 << 10, 300 << 10, 3 << 20, 10, 10, 10} {
		p := person(i, "ada@example.com")
		p["name"] = strings.Repeat("n", size)
		people = append(people, p)
	}
	w := shop(t, peopleYAML, map[string][]map[string]any{"people": people}, nil)
	var mu sync.Mutex
	var chunks []int
	w.db().beforeApply = func(ch *dsr.Chunk) {
		mu.Lock()
		defer mu.Unlock()
		chunks = append(chunks, len(ch.Rows))
	}
	req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user.name"))
	require.Equal(t, []int{3, 1, 3}, chunks)
	require.Equal(t, int64(7), outcome(t, req, "shop:people").Masked)
	for _, row := range w.db().Rows("people") {
		require.Nil(t, row["name"])
	}
}
