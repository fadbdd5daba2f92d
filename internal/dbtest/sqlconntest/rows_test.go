package sqlconntest_test

import (
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

func TestViaFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	declared := map[sqlconn.Dialect]struct{ declared, blank string }{
		sqlconn.PostgreSQL: {"citext", "b"},
		sqlconn.MySQL:      {"varchar(20) COLLATE utf8mb4_general_ci", "b "},
		sqlconn.SQLite:     {"text COLLATE NOCASE", "b"},
	}
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			if d.dialect == sqlconn.PostgreSQL {
				exec(t, db, `CREATE EXTENSION citext`)
			}
			exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail `+declared[d.dialect].declared+`, zero int, flag boolean)`,
				`INSERT INTO people VALUES (1, 'A', 0, false), (2, 'b', 1, true), (3, 'c', 0, true), (4, NULL, NULL, NULL)`)
			connector := sqlconn.New(db, d.dialect, nil)
			query := &dsr.Query{Collection: table("people", "id", "mail", "zero", "flag"), Columns: []string{"id"}, Via: true, Criteria: []dsr.Criterion{
				where(graph.Path{"mail"}, "a", "A", declared[d.dialect].blank, "x"),
				where(graph.Path{"zero"}, "none", int64(0)),
				{Fields: []graph.Path{{"zero"}, {"flag"}}, Values: [][]any{{int64(0), true}, {int64(0), false}, {int64(1), false}}},
			}}
			rows, via := read(t, connector, query)
			got := map[any][]dsr.Match{}
			for i := range rows {
				require.NotContains(t, got, rows[i][0], "a row comes once")
				got[rows[i][0]] = via[i]
			}
			require.Len(t, got, 3)
			require.ElementsMatch(t, []dsr.Match{{Criterion: 0, Value: 0}, {Criterion: 0, Value: 1}, {Criterion: 1, Value: 1}, {Criterion: 2, Value: 1}}, got[int64(1)])
			require.ElementsMatch(t, []dsr.Match{{Criterion: 0, Value: 2}}, got[int64(2)])
			require.ElementsMatch(t, []dsr.Match{{Criterion: 1, Value: 1}, {Criterion: 2, Value: 0}}, got[int64(3)])
			query.Via = false
			rows, via = read(t, connector, query)
			require.ElementsMatch(t, [][]any{{int64(1)}, {int64(2)}, {int64(3)}}, rows)
			require.Equal(t, make([][]dsr.Match, 3), via)
		})
	}
}

func TestOldValuesAreExact(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail varchar(20), n int)`,
				`INSERT INTO people VALUES (1, 'A', 0), (2, 'a ', 0), (3, 'é', 0), (4, NULL, NULL), (5, '', 0), (6, 'x', 0)`)
			connector := sqlconn.New(db, d.dialect, nil)
			change := func(id int64, old any, n any) dsr.RowChange {
				return dsr.RowChange{Key: []any{id}, Set: []dsr.Change{{Path: []any{"mail"}, Old: old, New: "m"}, {Path: []any{"n"}, Old: n, New: n}}}
			}
			chunk := &dsr.Chunk{Collection: table("people", "id", "mail", "n"), Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
				change(1, "a", int64(0)), change(2, "a", int64(0)), change(3, "e", int64(0)), change(4, "", nil), change(5, nil, int64(0)),
				change(6, "x", nil), {Key: []any{"no number"}}, change(7, "x", nil)}}
			results, err := connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"changed", "changed", "changed", "changed", "changed", "changed", "gone", "gone"}, results)
			chunk.Rows = []dsr.RowChange{change(1, "A", int64(0)), change(2, "a ", int64(0)), change(3, "é", int64(0)), change(4, nil, nil), change(5, "", int64(0)), change(6, "x", int64(0))}
			results, err = connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"written", "written", "written", "written", "written", "written"}, results)
			chunk.Delete = true
			results, err = connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"changed", "changed", "changed", "changed", "changed", "changed"}, results)
			for i := range chunk.Rows {
				chunk.Rows[i].Set[0].Old = "m"
			}
			for _, want := range []dsr.RowResult{"written", "gone"} {
				results, err = connector.Apply(t.Context(), chunk)
				require.NoError(t, err)
				require.Equal(t, []dsr.RowResult{want, want, want, want, want, want}, results)
			}
		})
	}
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			exec(t, db, `CREATE TABLE visits (mail varchar(20), site varchar(20), name varchar(20), doc `+d.json+`)`,
				`INSERT INTO visits VALUES ('a', NULL, 'Ann', '{"p": 1}'), ('a', NULL, 'Ann', '{"p": 1}'), ('a', NULL, 'Bob', '{"p": 1}'),
				('a', 's', 'Ann', '{"p": 1}'), ('A', NULL, 'Ann', '{"p": 1}'), (NULL, NULL, 'Ann', '{"p": 1}'), ('a', NULL, 'Ann', '{"p": 1, "q": 2}')`)
			connector := sqlconn.New(db, d.dialect, nil)
			collection := table("visits", "mail", "site", "name", "doc")
			row := dsr.RowChange{Key: []any{"a", nil}, Set: []dsr.Change{
				{Path: []any{"name"}, Old: "Ann", New: nil}, {Path: []any{"doc", "p"}, Old: int64(1), New: nil}}}
			chunk := &dsr.Chunk{Collection: collection, Key: []graph.Path{{"mail"}, {"site"}}, Rows: []dsr.RowChange{row, row}}
			results, err := connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"written", "written"}, results)
			query := &dsr.Query{Collection: collection, Columns: []string{"mail", "site", "name", "doc"},
				Criteria: []dsr.Criterion{where(graph.Path{"mail"}, "a", "A")}}
			rows, _ := read(t, connector, query)
			nothing, one := map[string]any{"p": nil}, map[string]any{"p": int64(1)}
			require.ElementsMatch(t, [][]any{
				{"a", nil, nil, nothing}, {"a", nil, nil, nothing}, {"a", nil, "Bob", one}, {"a", "s", "Ann", one}, {"A", nil, "Ann", one},
				{"a", nil, nil, map[string]any{"p": nil, "q": int64(2)}},
			}, rows)
			results, err = connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"already", "already"}, results)
			chunk.Delete, chunk.Rows = true, []dsr.RowChange{{Key: []any{"a", nil}, Set: []dsr.Change{{Path: []any{"name"}, Old: nil, New: nil}}}}
			results, err = connector.Apply(t.Context(), chunk)
			require.NoError(t, err)
			require.Equal(t, []dsr.RowResult{"written"}, results)
			rows, _ = read(t, connector, query)
			require.ElementsMatch(t, [][]any{{"a", nil, "Bob", one}, {"a", "s", "Ann", one}, {"A", nil, "Ann", one}}, rows)
		})
	}
}

// TestWritersCollide lets many chunks with the same rows, in two orders, run at
// once: whatever deadlocks comes again, and each change is written once.
func TestWritersCollide(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			db.SetMaxOpenConns(8)
			exec(t, db, `CREATE TABLE people (id bigint PRIMARY KEY, email varchar(100), name varchar(100))`, series(d, 50))
			connector := sqlconn.New(db, d.dialect, &sqlconn.Options{Attempts: 20})
			var wg sync.WaitGroup
			counts := make(chan int, 8)
			for w := range 8 {
				wg.Go(func() {
					chunk := &dsr.Chunk{Collection: table("people", "id", "email", "name"), Key: []graph.Path{{"id"}}}
					for i := range int64(50) {
						id := i + 1
						if w%2 == 1 {
							id = 50 - i
						}
						chunk.Rows = append(chunk.Rows, dsr.RowChange{Key: []any{id}, Set: []dsr.Change{{Path: []any{"name"}, Old: "Person " + itoa(id), New: "m"}}})
					}
					results, err := connector.Apply(t.Context(), chunk)
					if err != nil {
						t.Error(err)
					}
					written := 0
					for _, r := range results {
						if r == dsr.RowWritten {
							written++
						}
					}
					counts <- written
				})
			}
			wg.Wait()
			close(counts)
			total := 0
			for n := range counts {
				total += n
			}
			require.Equal(t, 50, total)
		})
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail varchar(20), doc `+d.json+`)`, `INSERT INTO people VALUES (1, 'canary', '{}')`)
			connector := sqlconn.New(db, d.dialect, nil)
			collection := table("people", "id", "mail", "doc")
			reads, err := connector.DryRead(t.Context(), &dsr.Query{Collection: collection, Columns: []string{"id"}, Via: true, Criteria: []dsr.Criterion{
				where(graph.Path{"mail"}, "canary"), where(graph.Path{"doc", "k"}, "canary")}})
			require.NoError(t, err)
			require.Len(t, reads, 1)
			none, err := connector.DryRead(t.Context(), &dsr.Query{Collection: collection, Columns: []string{"id"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, []any{})}})
			require.NoError(t, err)
			require.Empty(t, none)
			chunk := &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
				{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "canary", New: "canary2"}}},
				{Key: []any{int64(2)}, Set: []dsr.Change{{Path: []any{"doc", "k"}, Old: "canary", New: nil}}},
				{Key: []any{int64(3)}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "canary", New: "canary2"}}}}}
			updates, err := connector.DryApply(t.Context(), chunk)
			require.NoError(t, err)
			require.Len(t, updates, 3, "one lock, one statement for each shape")
			chunk.Delete = true
			deletes, err := connector.DryApply(t.Context(), chunk)
			require.NoError(t, err)
			require.Len(t, deletes, 2)
			for _, statement := range append(append(reads, updates...), deletes...) {
				require.NotContains(t, statement, "canary")
				require.NotContains(t, statement, "\n")
				if d.dialect == sqlconn.PostgreSQL {
					require.Contains(t, statement, "$1")
				} else {
					require.Contains(t, statement, "?")
				}
			}
			rows, _ := read(t, connector, &dsr.Query{Collection: collection, Columns: []string{"mail"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}})
			require.Equal(t, [][]any{{"canary"}}, rows)
		})
	}
}

// TestMySQLSettings reads the same with times as text and as times, and in any
// time zone.
func TestMySQLSettings(t *testing.T) {
	t.Parallel()
	d := dialects[1]
	dsn := mariadbDSN(t)
	base, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, base.Close()) })
	exec(t, base, `CREATE TABLE logins (id int PRIMARY KEY, at timestamp(3) NULL, made datetime, day date, zero datetime)`,
		`SET STATEMENT time_zone = '+00:00', sql_mode = '' FOR INSERT INTO logins VALUES (1, '2024-02-29 13:14:15.123', '2024-02-29 13:14:15', '2024-02-29', '0000-00-00')`)
	var want [][]any
	for i, settings := range []string{"parseTime=true", "parseTime=false", "time_zone=%27%2B05%3A30%27&parseTime=true", "interpolateParams=true"} {
		db, err := sql.Open("mysql", strings.ReplaceAll(dsn, "parseTime=true", settings))
		require.NoError(t, err)
		rows, _ := read(t, sqlconn.New(db, d.dialect, nil), &dsr.Query{Collection: table("logins", "id"), Columns: []string{"at", "made", "day", "zero"},
			Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}})
		require.NoError(t, db.Close())
		if i == 0 {
			want = rows
			require.Equal(t, "0000-00-00 00:00:00", rows[0][3])
			require.Equal(t, "2024-02-29", rows[0][2])
		}
		require.Equal(t, want, rows, settings)
	}
}

// TestHeldBackRows: a trigger that drops an update in silence must not look
// like a row that was written.
func TestHeldBackRows(t *testing.T) {
	t.Parallel()
	db := dialects[0].open(t)
	exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail text)`, `INSERT INTO people VALUES (1, 'a'), (2, 'b')`,
		`CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'`,
		`CREATE TRIGGER held BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION drop_it()`)
	connector := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	collection := table("people", "id", "mail")
	_, err := connector.Apply(t.Context(), &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{
		{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "a", New: "m"}}},
		{Key: []any{int64(2)}, Set: []dsr.Change{{Path: []any{"mail"}, Old: "b", New: "m"}}}}})
	require.ErrorContains(t, err, "fewer rows")
	rows, _ := read(t, connector, &dsr.Query{Collection: collection, Columns: []string{"mail"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1), int64(2))}})
	require.ElementsMatch(t, [][]any{{"a"}, {"b"}}, rows)
}
