package sqlconntest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

// documentTypes are the columns that can hold documents; in text only because
// the dataset declares keys.
var documentTypes = map[sqlconn.Dialect][]string{
	sqlconn.PostgreSQL: {"jsonb", "json", "text"},
	sqlconn.MySQL:      {"json", "longtext"},
	sqlconn.SQLite:     {"json", "text"},
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, typ := range documentTypes[d.dialect] {
			t.Run(d.name+"/"+typ, func(t *testing.T) {
				t.Parallel()
				db := d.open(t)
				exec(t, db, `CREATE TABLE docs (id int PRIMARY KEY, doc `+typ+`)`,
					`INSERT INTO docs VALUES
					(1, '{"mail": "A@x.org", "n": 1, "deep": {"tags": ["p", "q"]}}'),
					(2, '{"people": [{"mail": "b@x.org", "nums": [1, 2.50]}, {"mail": ["c@x.org", ["d@x.org"]]}]}'),
					(3, '{"mail": null, "other": {"mail": "b@x.org"}, "n": "1"}'),
					(4, '{"n": true, "t": 0}'), (5, NULL)`)
				if typ == "text" || typ == "longtext" {
					exec(t, db, `INSERT INTO docs VALUES (6, 'no json')`)
				}
				collection := table("docs", "id", "doc")
				collection.Fields[1].Fields = []*graph.Field{{Name: "mail"}, {Name: "n"}, {Name: "people"}}
				connector := sqlconn.New(db, d.dialect, nil)
				schema, err := connector.Describe(t.Context(), collection)
				require.NoError(t, err)
				require.Equal(t, dsr.ColumnDocument, schema.Columns[1].Kind)
				tests := []struct {
					path   graph.Path
					values []any
					fold   bool
					ids    []any
					via    [][]int
				}{
					{graph.Path{"doc", "mail"}, []any{"a@x.org"}, false, nil, nil},
					{graph.Path{"doc", "mail"}, []any{"z", "a@X.org"}, true, []any{int64(1)}, [][]int{{1}}},
					{graph.Path{"doc", "people", "mail"}, []any{"d@x.org", "b@x.org", "A@x.org"}, false, []any{int64(2)}, [][]int{{1, 0}}},
					{graph.Path{"doc", "people", "mail"}, []any{"c@x.org"}, false, []any{int64(2)}, [][]int{{0}}},
					{graph.Path{"doc", "people", "nums"}, []any{2.5}, false, []any{int64(2)}, [][]int{{0}}},
					{graph.Path{"doc", "people", "nums"}, []any{"2.5"}, false, []any{int64(2)}, [][]int{{0}}},
					{graph.Path{"doc", "deep", "tags"}, []any{"q", "r"}, false, []any{int64(1)}, [][]int{{0}}},
					{graph.Path{"doc", "n"}, []any{int64(1)}, false, []any{int64(1), int64(3)}, [][]int{{0}, {0}}},
					{graph.Path{"doc", "n"}, []any{"1"}, false, []any{int64(1), int64(3)}, [][]int{{0}, {0}}},
					{graph.Path{"doc", "n"}, []any{true}, false, []any{int64(4)}, [][]int{{0}}},
					{graph.Path{"doc", "t"}, []any{int64(0)}, false, []any{int64(4)}, [][]int{{0}}},
					{graph.Path{"doc", "t"}, []any{false}, false, nil, nil},
					{graph.Path{"doc"}, []any{"A@x.org"}, false, nil, nil},
				}
				for _, test := range tests {
					for _, columns := range [][]string{{"id"}, {"id", "doc"}} {
						cr := where(test.path, test.values...)
						cr.FoldCase = test.fold
						rows, via := read(t, connector, &dsr.Query{Collection: collection, Columns: columns, Criteria: []dsr.Criterion{cr}, Via: true})
						got := map[any][]int{}
						for i, row := range rows {
							require.Len(t, row, len(columns))
							for _, m := range via[i] {
								got[row[0]] = append(got[row[0]], m.Value)
							}
						}
						want := map[any][]int{}
						for i, id := range test.ids {
							want[id] = test.via[i]
						}
						require.Equal(t, want, got, "%v %v", test.path, test.values)
						require.Len(t, rows, len(want))
					}
				}
			})
		}
	}
}

func TestDocumentLeaves(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, typ := range documentTypes[d.dialect] {
			t.Run(d.name+"/"+typ, func(t *testing.T) {
				t.Parallel()
				db := d.open(t)
				document := `{"a": {"x": 1.50, "y": "old", "we\"i.r$d": "w"}, "list": [{"m": "p"}, {"m": "q"}], "z": null}`
				if d.dialect == sqlconn.MySQL {
					document = strings.ReplaceAll(document, `\`, `\\`)
				}
				exec(t, db, `CREATE TABLE docs (id int PRIMARY KEY, doc `+typ+`, note varchar(20))`, `INSERT INTO docs VALUES (1, '`+document+`', 'n')`)
				collection := table("docs", "id", "doc", "note")
				collection.Fields[1].Fields = []*graph.Field{{Name: "a"}, {Name: "list"}}
				connector := sqlconn.New(db, d.dialect, nil)
				apply := func(set ...dsr.Change) dsr.RowResult {
					results, err := connector.Apply(t.Context(), &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}},
						Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: set}}})
					require.NoError(t, err)
					require.Len(t, results, 1)
					return results[0]
				}
				change := func(old, new any, path ...any) dsr.Change { return dsr.Change{Path: path, Old: old, New: new} }
				set := []dsr.Change{
					change("old", "né<w>", "doc", "a", "y"), change("w", nil, "doc", "a", `we"i.r$d`),
					change("q", "masked", "doc", "list", 1, "m"), change("n", nil, "note"),
					change(nil, nil, "doc", "a", "missing"), change(nil, nil, "doc", "gone", "deep"),
				}
				require.Equal(t, dsr.RowWritten, apply(set...))
				require.Equal(t, dsr.RowAlready, apply(set...))
				query := &dsr.Query{Collection: collection, Columns: []string{"doc", "note"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}}
				rows, _ := read(t, connector, query)
				require.Equal(t, [][]any{{map[string]any{
					"a":    map[string]any{"x": json.Number("1.50"), "y": "né<w>", `we"i.r$d`: nil},
					"list": []any{map[string]any{"m": "p"}, map[string]any{"m": "masked"}}, "z": nil,
				}, nil}}, rows)

				require.Equal(t, dsr.RowChanged, apply(change("p", "x", "doc", "list", 1, "m")), "another value")
				require.Equal(t, dsr.RowChanged, apply(change("q", "x", "doc", "list", 7, "m")), "no such element")
				require.Equal(t, dsr.RowChanged, apply(change(nil, "x", "doc", "gone", "deep")), "no parent")
				require.Equal(t, dsr.RowAlready, apply(change("p", "p", "doc", "list", 0, "m")), "a guard that holds")
				require.Equal(t, dsr.RowChanged, apply(change("p", "m", "doc", "list", 0, "m"), change("zz", "zz", "note")), "a guard that does not")
				require.Equal(t, dsr.RowWritten, apply(change(nil, "made", "doc", "z")))
				require.Equal(t, dsr.RowWritten, apply(change(nil, int64(5), "doc", "a", "added")))
				require.Equal(t, dsr.RowWritten, apply(change([]any{map[string]any{"m": "p"}, map[string]any{"m": "masked"}}, []any{}, "doc", "list")))
				rows, _ = read(t, connector, query)
				require.Equal(t, [][]any{{map[string]any{
					"a":    map[string]any{"x": json.Number("1.50"), "y": "né<w>", `we"i.r$d`: nil, "added": int64(5)},
					"list": []any{}, "z": "made",
				}, nil}}, rows)
			})
		}
	}
}

func TestArrayElements(t *testing.T) {
	t.Parallel()
	db := dialects[0].open(t)
	exec(t, db, `CREATE EXTENSION IF NOT EXISTS citext`, `CREATE TABLE lists (id int PRIMARY KEY, tags varchar(9)[], days date[])`,
		`INSERT INTO lists VALUES (1, '{A,b}', '{2024-02-29}'), (2, '{c}', '{}'), (3, NULL, NULL)`)
	collection := table("lists", "id", "tags", "days")
	connector := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	folded := where(graph.Path{"tags"}, "a", "C")
	folded.FoldCase = true
	rows, via := read(t, connector, &dsr.Query{Collection: collection, Columns: []string{"id"}, Via: true,
		Criteria: []dsr.Criterion{folded, where(graph.Path{"days"}, "2024-02-29")}})
	require.ElementsMatch(t, [][]any{{int64(1)}, {int64(2)}}, rows)
	require.ElementsMatch(t, [][]dsr.Match{{{Value: 0}, {Criterion: 1}}, {{Value: 1}}}, via)
	results, err := connector.Apply(t.Context(), &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
		{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"tags", 1}, Old: "b", New: `x"y`}, {Path: []any{"days"}, Old: []any{"2024-02-29"}, New: nil}}},
		{Key: []any{int64(2)}, Set: []dsr.Change{{Path: []any{"tags", 1}, Old: "b", New: "x"}}},
	}})
	require.NoError(t, err)
	require.Equal(t, []dsr.RowResult{dsr.RowWritten, dsr.RowChanged}, results)
	rows, _ = read(t, connector, &dsr.Query{Collection: collection, Columns: []string{"tags", "days"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}})
	require.Equal(t, [][]any{{[]any{"A", `x"y`}, nil}}, rows)
}
