package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// take runs the quickstart into a fresh folder and returns both and what it
// printed.
func take(t *testing.T, s *screen) (dir, printed string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "shop")
	var out bytes.Buffer
	s.out = &out
	require.NoError(t, run(t.Context(), dir, s))
	return dir, out.String()
}

var (
	requestID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	shortHash = regexp.MustCompile(`[0-9a-f]{8}…`)
	longHash  = regexp.MustCompile(`[0-9a-f]{64}`)
	clock     = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}`)
)

func normalise(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "DIR")
	text = requestID.ReplaceAllString(text, "REQUEST")
	text = longHash.ReplaceAllString(text, "HASH")
	text = clock.ReplaceAllString(text, "TIME")
	return shortHash.ReplaceAllString(text, "HASH…")
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	dir, printed := take(t, &screen{})
	t.Run("output", func(t *testing.T) {
		t.Parallel()
		require.NotContains(t, printed, "\x1b")
		golden(t, "output.golden", normalise(printed, dir))
		golden(t, "erasure.golden", normalise(read(t, dir, "erasure.log"), dir))
	})
	t.Run("package", func(t *testing.T) {
		t.Parallel()
		lines := strings.Split(strings.TrimSpace(printed), "\n")
		testPackage(t, dir, strings.TrimSpace(lines[len(lines)-1]))
	})
	for _, name := range []string{"shop", "crm"} {
		t.Run(name+" afterwards", func(t *testing.T) {
			t.Parallel()
			golden(t, name+".golden", contents(t, filepath.Join(dir, name+".db")))
		})
	}
	t.Run("dry run", func(t *testing.T) {
		t.Parallel()
		statements := read(t, dir, "dryrun.sql")
		require.Equal(t, 7, strings.Count(statements, "\nUPDATE "))
		require.Equal(t, 2, strings.Count(statements, "\nDELETE "))
		require.NotContains(t, statements, "SET  FROM")
		require.NotContains(t, statements, "wilma")
		for _, column := range []string{
			"birthday", "email", "name", "phone", "street", "postcode", "city", "gift_note", "engraving", "profile", "posts", "messages", "subject",
		} {
			require.Regexp(t, `SET .*"`+column+`" = `, statements)
		}
	})
	t.Run("drawings", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, read(t, dir, "plan.mmd"), `-->|"id → customer_no"|`)
		require.Contains(t, read(t, dir, "plan.dot"), "digraph")
	})
}

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run with UPDATE_GOLDEN=1 when %s should change", name)
}

func testPackage(t *testing.T, dir, parcel string) {
	t.Helper()
	require.True(t, strings.HasPrefix(parcel, dir))
	data, err := os.ReadFile(parcel)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/package.json")
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(data))

	var manifest struct {
		Policy      string
		Rows        int64
		Collections []struct {
			Address, State string
			Rows           int64
		}
	}
	data, err = os.ReadFile(strings.TrimSuffix(parcel, ".json") + ".manifest.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &manifest))
	require.Equal(t, "access", manifest.Policy)
	require.EqualValues(t, 15, manifest.Rows)
	require.Len(t, manifest.Collections, 9)
	for _, c := range manifest.Collections {
		require.Equal(t, "done", c.State)
		require.Positive(t, c.Rows)
	}
}

// contents are all rows of a database, with hashes made alike.
func contents(t *testing.T, path string) string {
	t.Helper()
	var db database
	require.NoError(t, db.open(path))
	defer db.Close()
	tables, err := db.rows(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
	require.NoError(t, err)
	var b strings.Builder
	for _, table := range tables {
		rows, err := db.rows(t.Context(), "SELECT * FROM "+table)
		require.NoError(t, err)
		b.WriteString(table + "\n\t" + strings.Join(rows, "\n\t") + "\n")
	}
	return longHash.ReplaceAllString(b.String(), "HASH")
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	_, printed := take(t, &screen{live: true, colour: true})
	require.Contains(t, printed, "\x1b[1;36mdsr quickstart\x1b[0m")
	require.Contains(t, printed, "\r\x1b[2K   collect  \x1b[32m"+strings.Repeat("█", barWidth)+"\x1b[0m 9/9")
}

func TestFilesArePlain(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out.txt"))
	require.NoError(t, err)
	defer f.Close()
	s := newScreen(f)
	require.Equal(t, &screen{out: f}, s)
	require.Equal(t, "plain", s.strong("plain"))
}

func TestProgress(t *testing.T) {
	t.Parallel()
	half := dsr.Progress{
		Stage: dsr.StageErase, Done: 6, Total: 12, Rows: 6, Collection: graph.Address{Dataset: "crm", Collection: "tickets"},
	}
	full := half
	full.Done, full.Rows = 12, 12
	const end = "   ✓ erased: 12 rows\n\n"
	bar := func(filled int, counts string) string {
		return "\r\x1b[2K   erase    " + strings.Repeat("█", filled) + strings.Repeat("░", barWidth-filled) + " " + counts
	}
	for name, c := range map[string]struct {
		live bool
		want string
	}{
		"file":     {false, end},
		"terminal": {true, bar(barWidth/2, "6/12  crm:tickets, 6 rows") + bar(barWidth, "12/12  crm:tickets, 12 rows") + "\r\x1b[2K" + end},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := &screen{out: &out, live: c.live}
			s.progress(t.Context(), half)
			s.progress(t.Context(), full)
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		0:  "   name   rows   what\n   ───────────────────────────────────────\n   a        10   as wide as it was written\n   bc        ·   –\n\n",
		30: "   name   rows   what\n   ──────────────────────────────\n   a        10   as wide as it w…\n   bc        ·   –\n\n",
		5:  "   name   rows   what\n   ──────────────────────────\n   a        10   as wide as …\n   bc        ·   –\n\n",
	} {
		var out bytes.Buffer
		(&screen{out: &out, width: width}).table([]string{"name", "rows", "what"}, [][]string{
			{"a", "10", "as wide as it was written"}, {"bc", none, "–"},
		})
		require.Equal(t, want, out.String(), "width %d", width)
	}
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
	err := run(t.Context(), dir, &screen{out: &bytes.Buffer{}})
	require.EqualError(t, err, "the folder "+dir+" is not empty; remove it or name another")
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}
