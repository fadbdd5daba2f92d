//go:build compat

package compat_test

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest/pagetest"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/storage"
)

// table is what a round trip has to bring back: rows as JSON values, numbers as
// they are written.
type table struct {
	fields []string
	key    string // what identifies each row
	rows   []map[string]any
}

// TestRoundTrip reads every row of the samples back from packages of every
// format: one request brings the keys of all rows, and one policy has a rule
// for each format.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, sample := range map[string]func(t *testing.T) (dsr.Connector, map[string]*table){
		"PostgreSQL": func(t *testing.T) (dsr.Connector, map[string]*table) {
			db := postgres(t)
			return pgConnection(db).Connector, tables(t, db, "table_schema = 'public'", `SELECT to_jsonb(t) FROM "%s" AS t`)
		},
		"MySQL": func(t *testing.T) (dsr.Connector, map[string]*table) {
			db := mariadb(t)
			return mysqlConnection(db).Connector, tables(t, db, "table_schema = database()", "")
		},
		"Mongo": func(t *testing.T) (dsr.Connector, map[string]*table) {
			return mongo(t), documents(t, mongo(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connector, want := sample(t)
			files := everything(t, connector, want)
			for format, read := range map[string]func(t *testing.T, data []byte, want map[string]*table) map[string][]map[string]any{
				"json": readJSON, "csv": readCSV, "html": readHTML,
			} {
				t.Run(format, func(t *testing.T) {
					got := read(t, files[format], want)
					for name, table := range want {
						rows := table.rows
						if format == "csv" { // an empty cell is a field that is null, or not there
							rows = withoutNull(rows)
						}
						require.ElementsMatch(t, rows, got["all:"+name], name)
					}
					require.Len(t, got, len(want))
				})
			}
		})
	}
}

// everything hands every row over, in every format.
func everything(t *testing.T, connector dsr.Connector, want map[string]*table) map[string][]byte {
	t.Helper()
	all := &graph.Dataset{Key: "all"}
	ids := dsr.Identities{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		c := &graph.Collection{Name: name}
		for _, field := range want[name].fields {
			f := &graph.Field{Name: field, Categories: []graph.Category{"user"}}
			if field == want[name].key {
				f.Identity = "key of " + name
			}
			c.Fields = append(c.Fields, f)
		}
		all.Collections = append(all.Collections, c)
		for _, row := range want[name].rows {
			if v := fmt.Sprint(row[want[name].key]); !slices.Contains(ids["key of "+name], v) {
				ids["key of "+name] = append(ids["key of "+name], v)
			}
		}
	}
	dir := t.TempDir()
	destinations := map[string]dsr.Destination{}
	var rules []graph.Rule
	for key, format := range map[string]storage.Format{"json": storage.JSON{}, "csv": storage.CSV{}, "html": storage.HTML{}} {
		destinations[key] = dsr.Destination{Storage: storage.NewFolder(filepath.Join(dir, key), nil), Format: format}
		rules = append(rules, graph.Rule{Key: key, Action: graph.Access, Targets: []graph.Category{"user"}, Destination: key})
	}
	engine, err := dsr.New(dsr.Config{
		Datasets: []*graph.Dataset{all}, Connections: []dsr.Connection{{Key: "all", Connector: connector, Datasets: []string{"all"}}},
		Policies: []graph.Policy{{Key: "access", Rules: rules}}, Destinations: destinations,
		Store: memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	})
	require.NoError(t, err)
	req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: ids})
	require.NoError(t, err)
	req, err = engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	files := map[string][]byte{}
	for _, p := range req.Packages {
		files[p.Destination], err = os.ReadFile(filepath.Join(dir, p.Destination, p.Name))
		require.NoError(t, err)
	}
	return files
}

func readJSON(t *testing.T, data []byte, _ map[string]*table) map[string][]map[string]any {
	t.Helper()
	var got map[string][]map[string]any
	number(t, data, &got)
	return got
}

func readCSV(t *testing.T, data []byte, want map[string]*table) map[string][]map[string]any {
	t.Helper()
	pack, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	got := map[string][]map[string]any{}
	for name := range want {
		file, err := pack.Open("all/" + name + ".csv")
		require.NoError(t, err)
		in := storage.NewCSVReader(file)
		header, err := in.Header()
		require.NoError(t, err)
		for {
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			row := map[string]any{}
			for i, cell := range cells {
				place(t, row, header[i], cell)
			}
			got["all:"+name] = append(got["all:"+name], row)
		}
		require.NoError(t, file.Close())
	}
	return got
}

// place puts a cell where its column's path leads to.
func place(t *testing.T, row map[string]any, path []string, cell storage.CSVCell) {
	t.Helper()
	var v any
	switch cell.Kind {
	case storage.CSVMissing:
		return
	case storage.CSVText:
		v = cell.Text
	case storage.CSVJSON:
		number(t, []byte(cell.Text), &v)
	}
	for _, name := range path[:len(path)-1] {
		if row[name] == nil {
			row[name] = map[string]any{}
		}
		row = row[name].(map[string]any)
	}
	row[path[len(path)-1]] = v
}

// withoutNull leaves fields out that are null, at any depth outside of arrays.
func withoutNull(rows []map[string]any) []map[string]any {
	var out []map[string]any
	for _, row := range rows {
		kept := map[string]any{}
		for name, v := range row {
			if inner, ok := v.(map[string]any); ok {
				v = withoutNull([]map[string]any{inner})[0]
			}
			if v != nil {
				kept[name] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

func readHTML(t *testing.T, data []byte, _ map[string]*table) map[string][]map[string]any {
	t.Helper()
	pack, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	rows, err := pagetest.Read(pack)
	require.NoError(t, err)
	got := map[string][]map[string]any{}
	for key, texts := range rows {
		for _, text := range texts {
			row := map[string]any{}
			number(t, []byte(text), &row)
			got[key] = append(got[key], row)
		}
	}
	return got
}

// number decodes JSON without rounding.
func number(t testing.TB, data []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	require.NoError(t, dec.Decode(into))
}

// tables asks the database itself for every row as JSON.
func tables(t *testing.T, db *sql.DB, where, asJSON string) map[string]*table {
	t.Helper()
	out := map[string]*table{}
	for _, name := range names(t, db, "SELECT table_name FROM information_schema.tables WHERE "+where) {
		tab := &table{fields: names(t, db, fmt.Sprintf("SELECT column_name FROM information_schema.columns WHERE %s AND table_name = '%s'", where, name))}
		query := fmt.Sprintf(asJSON, name)
		var booleans []string
		if asJSON == "" {
			booleans = names(t, db, fmt.Sprintf("SELECT column_name FROM information_schema.columns WHERE %s AND table_name = '%s' AND column_type = 'tinyint(1)'", where, name))
			var pairs []string
			for _, field := range tab.fields {
				pairs = append(pairs, fmt.Sprintf("'%[1]s', `%[1]s`", field))
			}
			query = fmt.Sprintf("SELECT JSON_OBJECT(%s) FROM `%s`", strings.Join(pairs, ", "), name)
		}
		times := names(t, db, fmt.Sprintf("SELECT column_name FROM information_schema.columns WHERE %s AND table_name = '%s' AND data_type IN ('datetime', 'timestamp', 'timestamp without time zone')", where, name))
		for _, text := range names(t, db, query) {
			row := map[string]any{}
			number(t, []byte(text), &row)
			for _, field := range times {
				if s, ok := row[field].(string); ok {
					row[field] = utc(t, s)
				}
			}
			for _, field := range booleans { // MariaDB's BOOLEAN
				if n, ok := row[field].(json.Number); ok {
					row[field] = n == "1"
				}
			}
			tab.rows = append(tab.rows, row)
		}
		if tab.key = keyOf(tab); len(tab.rows) > 0 {
			out[name] = tab
		}
	}
	return out
}

// utc is how packages show a time that a database keeps without a zone.
func utc(t testing.TB, s string) string {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05", strings.Replace(s, " ", "T", 1))
	require.NoError(t, err)
	return at.Format(time.RFC3339Nano)
}

// keyOf is a field that every row has; without one, the request would find
// nothing and the test fail.
func keyOf(tab *table) string {
	for _, field := range append([]string{"id", "email", "name"}, tab.fields...) {
		if slices.Contains(tab.fields, field) && !slices.ContainsFunc(tab.rows, func(row map[string]any) bool { return row[field] == nil }) {
			return field
		}
	}
	return ""
}

// documents are those of the memory connector, as JSON.
func documents(t *testing.T, c *memory.Connector) map[string]*table {
	t.Helper()
	out := map[string]*table{}
	collections, err := parseInserts(read(t, "sql/mongo_example.js"))
	require.NoError(t, err)
	for name := range collections {
		rows := c.Rows(name)
		tab := &table{key: "_id"}
		for _, document := range rows {
			row := map[string]any{}
			number(t, value.AppendJSON(nil, document), &row)
			tab.rows = append(tab.rows, row)
			for field := range row {
				if !slices.Contains(tab.fields, field) {
					tab.fields = append(tab.fields, field)
				}
			}
		}
		slices.Sort(tab.fields)
		for _, row := range tab.rows {
			for _, field := range tab.fields { // a declared field that a document lacks is null
				if _, ok := row[field]; !ok {
					row[field] = nil
				}
			}
		}
		out[name] = tab
	}
	return out
}
