package sqlitestore_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestRefusedEntries(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "dsr.db"))
	for want, e := range map[string]dsr.Entry{
		`sqlitestore: entry "" of kind "k": an entry without a kind or a key cannot be stored`: {Kind: "k", Version: 1},
		`sqlitestore: entry "e" of kind "": an entry without a kind or a key cannot be stored`: {Key: "e", Version: 1},
		`sqlitestore: entry "e" of kind "k": version 2 cannot follow version 0: want 1`:        {Kind: "k", Key: "e", Version: 2},
		`sqlitestore: entry "e" of kind "k": a time in the year 9000 cannot be stored: only 1678 to 2261 can`: {
			Kind: "k", Key: "e", Version: 1, UpdatedAt: time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC),
		},
	} {
		version, err := s.SaveEntries(t.Context(), []dsr.EntryChange{{Entry: e}})
		require.EqualError(t, err, want)
		require.Zero(t, version)
	}
	version, err := s.CatalogueVersion(t.Context())
	require.NoError(t, err)
	require.Zero(t, version)
}

// Secrets of a plain entry that were replaced or removed are in none of the
// files, however rows moved between pages before.
func TestPlainSecretsAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	rng := rand.New(rand.NewPCG(3, 4))
	var now []dsr.Entry
	var gone [][]byte
	made := 0
	secret := func() []byte {
		made++
		size := []int{1, 30, 60, 200, 200, 9000}[rng.IntN(6)]
		return fmt.Appendf(nil, "<secret %d>%s</secret %d>", made, bytes.Repeat([]byte("s"), size), made)
	}
	save := func(ch dsr.EntryChange) {
		t.Helper()
		ch.Entry.Version = ch.ExpectVersion + 1
		_, err := s.SaveEntries(t.Context(), []dsr.EntryChange{ch})
		require.NoError(t, err)
	}
	change := func(remove bool) {
		t.Helper()
		i := rng.IntN(len(now))
		gone = append(gone, now[i].Sealed)
		if remove {
			save(dsr.EntryChange{ExpectVersion: now[i].Version, Entry: now[i], Remove: true})
			now = slices.Delete(now, i, i+1)
			return
		}
		now[i].Data, now[i].Sealed = bytes.Repeat([]byte("d"), rng.IntN(900)), secret()
		save(dsr.EntryChange{ExpectVersion: now[i].Version, Entry: now[i]})
		now[i].Version++
	}
	check := func() {
		t.Helper()
		all := bytesOf(t, path)
		for _, sealed := range gone {
			head, tail := sealed[:bytes.IndexByte(sealed, '>')+1], sealed[bytes.LastIndexByte(sealed, '<'):]
			require.False(t, bytes.Contains(all, head) || bytes.Contains(all, tail), "%s is still in a file", head)
		}
		for _, e := range now {
			head := e.Sealed[:bytes.IndexByte(e.Sealed, '>')+1]
			require.True(t, bytes.Contains(all, head), "%s is in no file, so the search proves nothing", head)
		}
	}
	for i := range 150 {
		e := dsr.Entry{
			Kind: "token", Key: fmt.Sprintf("%x-%d", rng.Uint64(), i), Plain: true, Data: bytes.Repeat([]byte("d"), rng.IntN(900)), Sealed: secret(),
		}
		save(dsr.EntryChange{Entry: e})
		e.Version = 1
		now = append(now, e)
		change(rng.IntN(3) == 0) // pages are split
		if i%15 == 0 {
			check()
		}
	}
	for len(now) > 10 {
		change(true) // and merged
		if len(now)%15 == 0 {
			check()
		}
	}
	check()
	slices.SortFunc(now, func(a, b dsr.Entry) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	list, err := s.Entries(t.Context(), dsr.EntryQuery{})
	require.NoError(t, err)
	require.Len(t, list, len(now))
	for i := range list {
		require.Equal(t, now[i].Key, list[i].Key)
		require.Equal(t, now[i].Sealed, list[i].Sealed)
	}
}

// What a plain entry said is overwritten with its secrets, and a version of the
// catalogue keeps its own.
func TestPlainEntriesAreOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	s := openStore(t, path)
	save := func(version int64, remove bool, text string) {
		t.Helper()
		_, err := s.SaveEntries(t.Context(), []dsr.EntryChange{
			{ExpectVersion: version - 1, Remove: remove, Entry: dsr.Entry{Kind: "k", Key: "p", Version: version, Plain: true, Data: []byte("<plain " + text + ">")}},
			{ExpectVersion: version - 1, Remove: remove, Entry: dsr.Entry{Kind: "k", Key: "v", Version: version, Sealed: []byte("<versioned " + text + ">")}},
		})
		require.NoError(t, err)
	}
	save(1, false, "first")
	require.True(t, bytes.Contains(bytesOf(t, path), []byte("<plain first>")))
	save(2, false, "second")
	require.False(t, bytes.Contains(bytesOf(t, path), []byte("<plain first>")))
	require.True(t, bytes.Contains(bytesOf(t, path), []byte("<plain second>")))
	save(3, true, "third")
	all := bytesOf(t, path)
	require.False(t, bytes.Contains(all, []byte("<plain ")))
	for _, text := range []string{"<versioned first>", "<versioned second>"} {
		require.True(t, bytes.Contains(all, []byte(text)), text)
	}
}

// Both what there is now and a page of an old version are found by their order.
func TestEntriesUseIndexes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dsr.db")
	openStore(t, path)
	db := raw(t, path)
	const columns = "SELECT kind, key, sealed FROM entries WHERE "
	for query, index := range map[string]string{
		columns + "until IS NULL ORDER BY kind, key LIMIT 10":                                                         "entries_current",
		columns + "until IS NULL AND kind = 'k' AND key = 'e' ORDER BY kind, key LIMIT 10":                            "entries_current",
		columns + "until IS NULL AND kind = 'k' AND (kind, key) > ('k', 'e') ORDER BY kind, key LIMIT 10":             "entries_current",
		columns + "plain = 0 AND since <= 9 AND (until IS NULL OR until > 9) ORDER BY kind, key":                      "sqlite_autoindex_entries_1",
		columns + "plain = 0 AND since <= 9 AND (until IS NULL OR until > 9) AND kind = 'k' ORDER BY kind, key":       "sqlite_autoindex_entries_1",
		"UPDATE entries SET until = 4 WHERE kind = 'k' AND key = 'e' AND until IS NULL AND plain = 0 AND version = 3": "entries_current",
	} {
		plan := planOf(t, db, query)
		require.Contains(t, plan, index, query)
		require.NotContains(t, plan, "TEMP B-TREE", query)
	}
}

func planOf(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan.WriteString(detail + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
