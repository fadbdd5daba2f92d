package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

func collection(name string, fields ...*graph.Field) *graph.Collection {
	return &graph.Collection{Name: name, Fields: fields}
}

func where(path graph.Path, values ...any) dsr.Criterion {
	c := dsr.Criterion{Fields: []graph.Path{path}}
	for _, v := range values {
		c.Values = append(c.Values, []any{v})
	}
	return c
}

func readAll(t *testing.T, conn *memory.Connector, q *dsr.Query) []dsr.Row {
	t.Helper()
	var rows []dsr.Row
	for row, err := range conn.Read(t.Context(), q) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows
}

func TestConnectorNormalizesValues(t *testing.T) {
	t.Parallel()
	type email string
	born := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	conn := memory.NewConnector(map[string][]map[string]any{"people": {{
		"id": uint8(1), "email": email("ada@example.com"), "tags": []string{"a"}, "big": uint64(1 << 63), "born": &born, "none": (*int)(nil),
	}}}, nil)
	require.Equal(t, []map[string]any{{
		"id": int64(1), "email": "ada@example.com", "tags": []any{"a"}, "big": json.Number("9223372036854775808"), "born": born, "none": nil,
	}}, conn.Rows("people"))

	require.PanicsWithValue(t, `memory: collection "people", field "c": value: unsupported Go type chan int`,
		func() { conn.Put("people", map[string]any{"c": make(chan int)}) })
}

func TestConnectorSharesNothing(t *testing.T) {
	t.Parallel()
	given := map[string]any{"id": 1, "doc": map[string]any{"list": []any{"a"}}, "raw": []byte("abc")}
	conn := memory.NewConnector(map[string][]map[string]any{"people": {given}}, nil)
	want := []map[string]any{{"id": int64(1), "doc": map[string]any{"list": []any{"a"}}, "raw": []byte("abc")}}

	spoil := func(row map[string]any) {
		row["doc"].(map[string]any)["list"].([]any)[0] = "spoilt"
		row["raw"].([]byte)[0] = 'X'
		row["id"] = "spoilt"
	}
	spoil(given)
	require.Equal(t, want, conn.Rows("people"))
	spoil(conn.Rows("people")[0])
	require.Equal(t, want, conn.Rows("people"))
	row := readAll(t, conn, &dsr.Query{
		Collection: collection("people"), Columns: []string{"doc", "raw", "missing"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, 1)},
	})[0]
	require.Nil(t, row.Values[2])
	spoil(map[string]any{"doc": row.Values[0], "raw": row.Values[1]})
	require.Equal(t, want, conn.Rows("people"))
}

func TestConnectorOtherWriters(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"people": {{"id": 1}, {"id": 2}}, "empty": nil}, nil)
	conn.Put("people", map[string]any{"id": 3})
	conn.Update("people", func(row map[string]any) {
		if row["id"] == int64(2) {
			row["name"] = "Bob"
		}
	})
	conn.Delete("people", func(row map[string]any) bool { return row["id"] == int64(1) })
	conn.Update("nowhere", func(map[string]any) { panic("there are no rows") })
	conn.Delete("nowhere", func(map[string]any) bool { panic("there are no rows") })

	require.Equal(t, []map[string]any{{"id": int64(2), "name": "Bob"}, {"id": int64(3)}}, conn.Rows("people"))
	require.Equal(t, []map[string]any{}, conn.Rows("empty"))
	require.Nil(t, conn.Rows("nowhere"))
	_, err := conn.Describe(t.Context(), collection("nowhere"))
	require.ErrorIs(t, err, dsr.ErrNoCollection)
}

// A reader goes on with the rows that it began with.
func TestConnectorReadsASnapshot(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"people": {{"id": 1, "n": 0}, {"id": 2, "n": 0}}}, nil)
	var seen []any
	for row, err := range conn.Read(t.Context(), &dsr.Query{
		Collection: collection("people"), Columns: []string{"id", "n"}, Criteria: []dsr.Criterion{where(graph.Path{"n"}, 0)},
	}) {
		require.NoError(t, err)
		seen = append(seen, row.Values)
		conn.Update("people", func(row map[string]any) { row["n"] = 1 })
		conn.Put("people", map[string]any{"id": 3, "n": 0})
	}
	require.Equal(t, []any{[]any{int64(1), int64(0)}, []any{int64(2), int64(0)}}, seen)
}

func TestConnectorComparesNumbersByValue(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"numbers": {
		{"id": "int", "n": 7}, {"id": "float", "n": 7.0}, {"id": "decimal", "n": json.Number("7.00")}, {"id": "text", "n": "7"},
		{"id": "max", "n": int64(1<<63 - 1)}, {"id": "float above", "n": float64(1 << 63)},
	}}, nil)
	for _, c := range []struct {
		asked any
		want  []any
	}{
		{int64(7), []any{"int", "float", "decimal"}},
		{json.Number("7"), []any{"int", "float", "decimal"}},
		{"7", []any{"text"}},
		{int64(1<<63 - 1), []any{"max"}},
	} {
		rows := readAll(t, conn, &dsr.Query{
			Collection: collection("numbers"), Columns: []string{"id"}, Criteria: []dsr.Criterion{where(graph.Path{"n"}, c.asked)},
		})
		var got []any
		for _, row := range rows {
			got = append(got, row.Values[0])
		}
		require.Equal(t, c.want, got)
	}
}

func TestConnectorDerivesSchemas(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"people": nil}, &memory.ConnectorOptions{ReadOnly: true})
	schema, err := conn.Describe(t.Context(), collection("people",
		&graph.Field{Name: "id", PrimaryKey: true},
		&graph.Field{Name: "tags", Type: graph.Type{Kind: graph.String, Array: true}},
		&graph.Field{Name: "profile", Fields: []*graph.Field{{Name: "email"}}},
		&graph.Field{Name: "extra", Type: graph.Type{Kind: graph.Object}}))
	require.NoError(t, err)
	require.Equal(t, &dsr.Schema{
		Table: "people",
		Columns: []dsr.Column{
			{Name: "id", Kind: dsr.ColumnAny, Native: "any", Nullable: true},
			{Name: "tags", Kind: dsr.ColumnDocument, Native: "document", Nullable: true},
			{Name: "profile", Kind: dsr.ColumnDocument, Native: "document", Nullable: true},
			{Name: "extra", Kind: dsr.ColumnDocument, Native: "document", Nullable: true},
		},
		Key:      []string{"id"},
		ReadOnly: "the connector was made with ReadOnly",
		Keyless:  true,
	}, schema)
}

func TestConnectorEnforcesSchemas(t *testing.T) {
	t.Parallel()
	schema := dsr.Schema{Key: []string{"id"}, Columns: []dsr.Column{
		{Name: "id", Kind: dsr.ColumnInteger},
		{Name: "name", Kind: dsr.ColumnText, Length: 4},
		{Name: "email", Kind: dsr.ColumnText, Unique: true, Nullable: true},
		{Name: "age", Kind: dsr.ColumnInteger, Nullable: true},
		{Name: "upper", Kind: dsr.ColumnText, Generated: true, Nullable: true},
		{Name: "seat", Kind: dsr.ColumnInteger, Nullable: true}, {Name: "hall", Kind: dsr.ColumnInteger, Nullable: true},
		{Name: "stamp", Kind: dsr.ColumnText, ReadOnly: true, Nullable: true},
	}, Unique: [][]string{{"hall", "seat"}}}
	for _, c := range []struct {
		name string
		path string
		to   any
		want string
	}{
		{"null", "name", nil, `column "name" takes no null`},
		{"length", "name", "äöüßx", `column "name" takes 4 characters only`},
		{"length in characters", "name", "äöüß", ""},
		{"unique", "email", "b@example.com", `column "email" must be unique, and another row has the new value`},
		{"two nulls are unique", "email", nil, ""},
		{"kind", "age", "old", `column "age" of kind integer takes no string`},
		{"generated", "upper", "X", `column "upper" is generated and cannot be written`},
		{"read-only", "stamp", "x", `column "stamp" cannot be written by this connection`},
		{"unique together", "seat", 2, `the columns ["hall" "seat"] together must be unique, and another row has the new value`},
		{"unique together with null", "seat", nil, ""},
		{"another value of a set", "seat", int64(3), ""},
		{"unknown", "nothing", "x", `there is no column "nothing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := memory.NewConnector(map[string][]map[string]any{"people": {
				{"id": 1, "name": "Ann", "email": "a@example.com", "age": 3, "upper": "ANN", "hall": 1, "seat": 1},
				{"id": 2, "name": "Bob", "email": "b@example.com", "age": 4, "upper": "BOB", "hall": 1, "seat": 2},
				{"id": 3, "name": "Cat", "email": nil, "age": 5, "upper": "CAT"},
			}}, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{"people": schema}})
			before := conn.Rows("people")
			results, err := conn.Apply(t.Context(), &dsr.Chunk{
				Collection: collection("people"), Key: []graph.Path{{"id"}},
				Rows: []dsr.RowChange{
					{Key: []any{2}, Set: []dsr.Change{{Path: []any{"name"}, Old: "Bob", New: "B"}}},
					{Key: []any{1}, Set: []dsr.Change{{Path: []any{c.path}, Old: before[0][c.path], New: c.to}}},
				},
			})
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, []dsr.RowResult{dsr.RowWritten, dsr.RowWritten}, results)
				require.Equal(t, c.to, conn.Rows("people")[0][c.path])
				return
			}
			require.EqualError(t, err, `memory: change "people", nothing was written: `+c.want)
			require.Equal(t, before, conn.Rows("people"))
		})
	}
}

func TestConnectorRefusesBadPaths(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"people": {{"id": 1, "tags": []any{"a"}}}}, nil)
	for _, c := range []struct {
		path []any
		want string
	}{
		{nil, "a change without a path"},
		{[]any{0}, "element 0 of a path is of type int: want a column, then keys (string) and indexes (int)"},
		{[]any{"tags", int64(0)}, "element 1 of a path is of type int64: want a column, then keys (string) and indexes (int)"},
	} {
		_, err := conn.Apply(t.Context(), &dsr.Chunk{
			Collection: collection("people"), Key: []graph.Path{{"id"}},
			Rows: []dsr.RowChange{{Key: []any{1}, Set: []dsr.Change{{Path: c.path, Old: "a", New: "b"}}}},
		})
		require.EqualError(t, err, `memory: change "people", nothing was written: row 0 of the chunk: `+c.want)
	}
	require.Equal(t, []map[string]any{{"id": int64(1), "tags": []any{"a"}}}, conn.Rows("people"))
}

func TestConnectorTellsStatements(t *testing.T) {
	t.Parallel()
	conn := memory.NewConnector(map[string][]map[string]any{"orders": nil}, nil)
	orders := collection("orders")
	folded := where(graph.Path{"buyer", "email"}, "ada@example.com")
	folded.FoldCase = true
	pair := dsr.Criterion{Fields: []graph.Path{{"tenant"}, {"id"}}, Values: [][]any{{1, 2}, {3, 4}}}

	got, err := conn.DryRead(t.Context(), &dsr.Query{Collection: orders, Columns: []string{"id", "buyer"}, Criteria: []dsr.Criterion{folded, pair}})
	require.NoError(t, err)
	require.Equal(t, []string{
		"read id, buyer from orders where buyer.email in (1 value) in any letter case or (tenant, id) in (2 values)",
	}, got)

	email := dsr.Change{Path: []any{"buyer", "emails", 0}, Old: "ada@example.com", New: "x"}
	note := dsr.Change{Path: []any{"note"}, Old: "call her", New: nil}
	chunk := &dsr.Chunk{Collection: orders, Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
		{Key: []any{1}, Set: []dsr.Change{email}},
		{Key: []any{2}, Set: []dsr.Change{email, note}},
		{Key: []any{3}, Set: []dsr.Change{email}},
	}}
	got, err = conn.DryApply(t.Context(), chunk)
	require.NoError(t, err)
	require.Equal(t, []string{
		"update orders set buyer.emails.0 where id in (2 keys), in rows that hold the old values",
		"update orders set buyer.emails.0, note where id in (1 key), in rows that hold the old values",
	}, got)

	chunk.Delete = true
	got, err = conn.DryApply(t.Context(), chunk)
	require.NoError(t, err)
	require.Equal(t, []string{"delete from orders where id in (3 keys), in rows that hold the old values"}, got)

	chunk.Key = nil
	_, err = conn.DryApply(t.Context(), chunk)
	require.ErrorIs(t, err, dsr.ErrEmptyQuery)
}

// Ten thousand values against ten thousand rows: 20 ms, 2 µs for each row.
func BenchmarkConnectorRead(b *testing.B) {
	const n = 10_000
	rows := make([]map[string]any, n)
	q := &dsr.Query{Collection: collection("people"), Columns: []string{"id"}, Via: true, Criteria: []dsr.Criterion{{
		Fields: []graph.Path{{"email"}}, FoldCase: true,
	}}}
	for i := range n {
		rows[i] = map[string]any{"id": i, "email": fmt.Sprintf("user%d@example.com", i)}
		q.Criteria[0].Values = append(q.Criteria[0].Values, []any{fmt.Sprintf("User%d@Example.com", i)})
	}
	conn := memory.NewConnector(map[string][]map[string]any{"people": rows}, nil)
	for b.Loop() {
		count := 0
		for _, err := range conn.Read(context.Background(), q) {
			require.NoError(b, err)
			count++
		}
		require.Equal(b, n, count)
	}
}
