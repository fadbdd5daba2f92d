package outage_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// visible checks that a package which can be seen is whole and has its
// manifest.
func (w *world) visible() {
	w.t.Helper()
	entries, err := os.ReadDir(w.setup.packageDir)
	require.NoError(w.t, err)
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasSuffix(e.Name(), storage.ManifestSuffix) || strings.HasPrefix(e.Name(), ".") || w.seen[id] {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.setup.packageDir, e.Name()))
		require.NoError(w.t, err)
		require.True(w.t, json.Valid(data), "half of package %s can be seen", id)
		require.FileExists(w.t, filepath.Join(w.setup.packageDir, id+storage.ManifestSuffix))
		w.seen[id] = true
	}
}

// check checks everything once all requests are complete.
func (w *world) check() {
	w.t.Helper()
	w.checkRows()
	for person, id := range w.ids {
		w.checkPackage(person+1, id)
	}
	report, err := w.engine.Audit().Verify(w.t.Context(), nil)
	require.NoError(w.t, err)
	require.Empty(w.t, report.Findings)
	require.EqualValues(w.t, subjects+w.extra, report.Chains)
	require.NoError(w.t, filepath.WalkDir(w.setup.spoolDir, func(path string, d fs.DirEntry, err error) error {
		require.False(w.t, err == nil && d.Type().IsRegular(), "%s was left in the spool", path)
		return nil
	}))
	w.checkSecret()
}

var hashed = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkRows checks that the targeted values were masked, each row once, and
// nothing else was touched.
func (w *world) checkRows() {
	w.t.Helper()
	for _, d := range w.dbs {
		want, got := map[string]int{}, map[string]int{}
		require.NoError(w.t, d.rows(w.t.Context(), "SELECT tbl, id, what FROM audit", 3, func(v []sql.NullString) {
			got[v[0].String+" "+v[1].String+" "+v[2].String]++
		}))
		for _, t := range d.tables {
			now := map[string][]sql.NullString{}
			require.NoError(w.t, d.rows(w.t.Context(), "SELECT * FROM "+t.name, len(t.columns), func(v []sql.NullString) { now[v[0].String] = v }))
			for id := 1; id <= t.rows*persons; id++ {
				where := fmt.Sprintf("%s %d", t.name, id)
				row, there := now[fmt.Sprint(id)]
				delete(now, fmt.Sprint(id))
				if t.delete && forgets(owner(id)) {
					require.False(w.t, there, "%s was not deleted", where)
					want[where+" DELETE"] = 1
					continue
				}
				require.True(w.t, there, "%s is gone", where)
				if forgets(owner(id)) {
					want[where+" UPDATE"] = 1
				}
				for i, before := range t.row(id, d.long) {
					switch c := t.columns[i]; {
					case forgets(owner(id)) && slices.Contains(t.masked, c):
						require.Regexp(w.t, hashed, row[i].String, "%s %s", where, c)
					case forgets(owner(id)) && slices.Contains(t.nulled, c):
						require.False(w.t, row[i].Valid, "%s %s", where, c)
					default:
						require.Equal(w.t, fmt.Sprint(before), row[i].String, "%s %s", where, c)
					}
				}
			}
			require.Empty(w.t, now, "new rows in %s", t.name)
		}
		require.Equal(w.t, want, got, "every row is written once, and no other")
	}
}

func (w *world) checkPackage(person int, id string) {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.setup.packageDir, id+".json"))
	require.NoError(w.t, err)
	var rows map[string][]map[string]any
	require.NoError(w.t, json.Unmarshal(data, &rows))
	got, want := map[string][]string{}, wanted(person, w.dbs)
	for name, list := range rows {
		for _, row := range list {
			text, err := json.Marshal(row)
			require.NoError(w.t, err)
			got[name] = append(got[name], string(text))
		}
	}
	for name := range want {
		require.ElementsMatch(w.t, want[name], got[name], "%s of person %d", name, person)
		delete(got, name)
	}
	require.Empty(w.t, got)
	req, err := w.engine.Requests().Get(w.t.Context(), id)
	require.NoError(w.t, err)
	require.Empty(w.t, req.Failure)
	require.Nil(w.t, req.Waiting)
	for _, c := range req.Collections {
		if w.dbs[c.Address.Dataset] == nil {
			continue
		}
		require.Equal(w.t, graph.Done, c.State, c.Address)
		if forgets(person) {
			require.Equal(w.t, c.Rows, c.Targeted, c.Address)
			require.Equal(w.t, c.Targeted, c.Masked+c.Gone, c.Address)
			require.Zero(w.t, c.Changed, c.Address)
		}
	}
}

// needles are the forms in which a canary may stand somewhere.
func needles() [][]byte {
	var all [][]byte
	for _, canary := range canaries() {
		for _, text := range []string{canary, strings.ToUpper(canary), strings.ToUpper(canary[:1]) + canary[1:]} {
			all = append(all, []byte(text), []byte(hex.EncodeToString([]byte(text))))
			for offset := range 3 {
				digits := base64.StdEncoding.EncodeToString(append(make([]byte, offset), text...))
				// The digits at both ends also hold bits of the neighbours.
				all = append(all, []byte(digits[(offset*8+5)/6:(offset+len(text))*8/6]))
			}
		}
	}
	return all
}

func leaks(data []byte) bool {
	return slices.ContainsFunc(needles(), func(needle []byte) bool { return bytes.Contains(data, needle) })
}

// checkSecret checks that nothing personal is told or stored in the clear.
func (w *world) checkSecret() {
	w.t.Helper()
	log := w.log.String()
	require.False(w.t, leaks([]byte(log)), "a canary is in the log or in an error:\n%s", log)
	for _, id := range w.ids {
		events, err := w.engine.Requests().Log(w.t.Context(), id, 0, 0)
		require.NoError(w.t, err)
		req, err := w.engine.Requests().Get(w.t.Context(), id)
		require.NoError(w.t, err)
		var entries []dsr.AuditEntry
		for e, err := range w.engine.Audit().Entries(w.t.Context(), id) {
			require.NoError(w.t, err)
			entries = append(entries, e)
		}
		require.NotEmpty(w.t, entries)
		require.NotEmpty(w.t, events)
		for _, v := range []any{events, req, entries} {
			text, err := json.Marshal(v)
			require.NoError(w.t, err)
			require.False(w.t, leaks(text), "a canary is in %s", text)
		}
	}
	stored, err := w.setup.stored()
	require.NoError(w.t, err)
	require.NotEmpty(w.t, stored)
	require.False(w.t, leaks(stored), "a canary is in the store")
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	require.False(t, leaks([]byte("qzx mail qzx name")))
	for _, text := range []string{"a QZXMAIL.7@example.com", hex.EncodeToString([]byte("Qzxname 1")), base64.StdEncoding.EncodeToString([]byte("a note of qzxtext"))} {
		require.True(t, leaks([]byte(text)), text)
	}
}
