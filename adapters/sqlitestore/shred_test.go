package sqlitestore_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// bytesOf returns everything that the files of a store hold.
func bytesOf(t *testing.T, path string) []byte {
	t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		data, err := os.ReadFile(path + suffix)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		all = append(all, data...)
	}
	return all
}

// holds reports whether the key is among the bytes, as it is or as text.
func holds(all, key []byte) bool {
	return bytes.Contains(all, key) || bytes.Contains(all, []byte(base64.StdEncoding.EncodeToString(key)))
}

// vault creates requests with keys and shreds them, and knows which are gone.
type vault struct {
	t       *testing.T
	s       dsr.Store
	records map[string]*dsr.Record
	gone    [][]byte
	made    int
}

func (v *vault) key() []byte {
	v.made++
	return fmt.Appendf(nil, "<key %d>%s", v.made, bytes.Repeat([]byte("k"), v.made%80))
}

func (v *vault) commit(r *dsr.Record) {
	v.t.Helper()
	r.Version++
	require.NoError(v.t, v.s.Commit(v.t.Context(), &dsr.StoreChange{ExpectVersion: r.Version - 1, Record: *r}))
}

func (v *vault) add(id string) {
	v.t.Helper()
	r := &dsr.Record{ID: id, Keys: map[string][]byte{}}
	for _, purpose := range []string{"identity", "inputs", "spool", "journal"} {
		r.Keys[purpose] = v.key()
	}
	v.records[id] = r
	v.commit(r)
}

// shred destroys a key, or wraps it anew.
func (v *vault) shred(id, purpose string, rewrap bool) {
	v.t.Helper()
	r := v.records[id]
	v.gone = append(v.gone, r.Keys[purpose])
	delete(r.Keys, purpose)
	if rewrap {
		r.Keys[purpose] = v.key()
	}
	v.commit(r)
	if len(r.Keys) == 0 {
		delete(v.records, id)
	}
}

// A shredded key is in none of the files, however rows moved between pages
// before.
func TestShreddedKeysAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	v := &vault{t: t, s: s, records: map[string]*dsr.Record{}}
	rng := rand.New(rand.NewPCG(1, 2))
	shredSome := func(n int) {
		for range n {
			ids := slices.Sorted(maps.Keys(v.records))
			id := ids[rng.IntN(len(ids))]
			purposes := slices.Sorted(maps.Keys(v.records[id].Keys))
			v.shred(id, purposes[rng.IntN(len(purposes))], rng.IntN(4) == 0)
		}
	}
	for i := range 60 {
		v.add(fmt.Sprintf("%x-%d", rng.Uint64(), i))
		shredSome(1)
	}
	shredSome(120) // until pages are merged
	for i := range 10 {
		v.add(fmt.Sprintf("%x-again-%d", rng.Uint64(), i))
	}

	all := bytesOf(t, path)
	for _, key := range v.gone {
		require.False(t, holds(all, key), "%s is still in a file", key)
	}
	found := 0
	for _, r := range v.records {
		for _, key := range r.Keys {
			require.True(t, holds(all, key), "%s is in no file, so the search proves nothing", key)
			found++
		}
	}
	require.Greater(t, found, 40)
}

// While somebody reads the older state, the log cannot be emptied; it is as
// soon as possible.
func TestShreddedKeysGoAfterALongRead(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(t *testing.T, v *vault, path string){
		"next commit": func(t *testing.T, v *vault, _ string) { v.add("another") },
		"close":       func(t *testing.T, v *vault, _ string) { require.NoError(t, v.s.(interface{ Close() error }).Close()) },
		"next open":   func(t *testing.T, _ *vault, path string) { openStore(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dsr.db")
			s := openStore(t, path)
			v := &vault{t: t, s: s, records: map[string]*dsr.Record{}}
			v.add("r1")
			reader := raw(t, path)
			tx, err := reader.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			var n int
			require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM keys").Scan(&n))
			require.Equal(t, 1, n)

			v.shred("r1", "journal", false)
			require.True(t, holds(bytesOf(t, path), v.gone[0]), "the reader may still need it")
			require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM keys").Scan(&n))
			require.Equal(t, 1, n)
			require.NoError(t, tx.Rollback())
			require.NoError(t, reader.Close())

			then(t, v, path)
			require.False(t, holds(bytesOf(t, path), v.gone[0]))
		})
	}
}

// A removed request leaves no byte of its keys, its journal or its plan.
func TestRemovedRequestIsOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	for _, id := range []string{"r1", "r2"} {
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
			Record: dsr.Record{
				ID: id, Version: 1, Identity: []byte("<identity of " + id + ">"), Plan: bytes.Repeat([]byte("<plan of "+id+">"), 2000),
				Keys: map[string][]byte{"journal": []byte("<key of " + id + ">")},
			},
			AppendJournal: []dsr.JournalChunk{{Sealed: bytes.Repeat([]byte("<chunk of "+id+">"), 2000)}},
			Events:        []dsr.Event{{Message: "<event of " + id + ">"}},
			Messages: []dsr.MessageChange{{Message: dsr.Message{
				ID: "m" + id, Version: 1, RequestID: id, Sealed: []byte("<message of " + id + ">"),
			}}},
		}))
	}
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Remove: true, Record: dsr.Record{ID: "r1", Version: 2}}))
	all := bytesOf(t, path)
	for _, part := range []string{"identity", "plan", "key", "chunk", "event", "message"} {
		require.False(t, holds(all, []byte("<"+part+" of r1>")), part)
		require.True(t, holds(all, []byte("<"+part+" of r2>")), part)
	}
}

// What a request no longer needs is overwritten too.
func TestDroppedJournalIsOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	sealed := bytes.Repeat([]byte("<sealed chunk>"), 8000)
	r := dsr.Record{ID: "r1", Version: 1, Keys: map[string][]byte{"journal": []byte("<journal key>")}}
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: r, AppendJournal: []dsr.JournalChunk{
		{Step: "a:b", Sealed: sealed}, {Step: "a:c", Sealed: []byte("<sealed chunk>")},
	}}))
	require.True(t, bytes.Contains(bytesOf(t, path), []byte("<sealed chunk>")))
	r.Version, r.Keys = 2, nil
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: 1, Record: r, DropJournal: true}))
	all := bytesOf(t, path)
	require.False(t, bytes.Contains(all, []byte("<sealed chunk>")))
	require.False(t, holds(all, []byte("<journal key>")))
}

// A tick writes a few pages: neither the chunk that it marks, nor the plan.
func TestTicksAreSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	chunks := make([]dsr.JournalChunk, 10)
	for i := range chunks {
		chunks[i].Sealed = bytes.Repeat([]byte{byte(i)}, 100_000)
	}
	r := dsr.Record{ID: "r1", Version: 1, Plan: bytes.Repeat([]byte("plan"), 100_000), Keys: map[string][]byte{"journal": []byte("k")}}
	require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{Record: r, AppendJournal: chunks}))
	_, err := raw(t, path).ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, err)
	for i := range chunks {
		r.Version++
		require.NoError(t, s.Commit(t.Context(), &dsr.StoreChange{
			ExpectVersion: r.Version - 1, Record: r, Ticks: []dsr.Tick{{Seq: i + 1, Counts: dsr.ChunkCounts{Masked: 1}}},
		}))
	}
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(len(chunks)*10*4096))
}
