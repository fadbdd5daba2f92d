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

func TestOutput(t *testing.T) {
	t.Parallel()
	dir, printed := take(t, &screen{})
	require.NotContains(t, printed, "\x1b")
	for name, got := range map[string]string{
		"output.golden":  printed,
		"erasure.golden": read(t, dir, "erasure.log"),
	} {
		golden := filepath.Join("testdata", name)
		got = normalise(got, dir)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "run with UPDATE_GOLDEN=1 when %s should change", name)
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	_, printed := take(t, &screen{live: true, colour: true})
	require.Contains(t, printed, "\x1b[1;36mdsr quickstart\x1b[0m")
	require.Contains(t, printed, "\r\x1b[2K   collect  \x1b[32m"+strings.Repeat("█", barWidth)+"\x1b[0m 9/9")
	_, plain := take(t, &screen{live: true})
	require.Contains(t, plain, "\r\x1b[2K   erase    "+strings.Repeat("█", barWidth)+" 12/12")
	require.NotContains(t, plain, "\x1b[3")
}

func TestPackage(t *testing.T) {
	t.Parallel()
	dir, printed := take(t, &screen{})
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	parcel := strings.TrimSpace(lines[len(lines)-1])
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

func TestDatabasesAfterwards(t *testing.T) {
	t.Parallel()
	dir, _ := take(t, &screen{})
	for _, db := range []*database{{name: "shop"}, {name: "crm"}} {
		require.NoError(t, db.open(filepath.Join(dir, db.name+".db")))
		defer db.Close()
		var got strings.Builder
		tables, err := db.rows(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
		require.NoError(t, err)
		for _, table := range tables {
			rows, err := db.rows(t.Context(), "SELECT * FROM "+table)
			require.NoError(t, err)
			got.WriteString(table + "\n\t" + strings.Join(rows, "\n\t") + "\n")
		}
		golden := filepath.Join("testdata", db.name+".golden")
		rows := longHash.ReplaceAllString(got.String(), "HASH")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(golden, []byte(rows), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), rows)
	}
}

func TestDryRunNamesEveryChange(t *testing.T) {
	t.Parallel()
	dir, _ := take(t, &screen{})
	statements := read(t, dir, "dryrun.sql")
	require.Equal(t, 7, strings.Count(statements, "\nUPDATE "))
	require.Equal(t, 2, strings.Count(statements, "\nDELETE "))
	require.NotContains(t, statements, "SET  FROM")
	require.NotContains(t, statements, "wilma")
	for _, column := range []string{"birthday", "email", "name", "phone", "street", "postcode", "city", "gift_note", "engraving", "profile", "posts", "messages", "subject"} {
		require.Regexp(t, `SET .*"`+column+`" = `, statements)
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
