package sqlconntest_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// BenchmarkRead streams 1,000,000 narrow rows that all match one value, beside
// a scan loop over database/sql alone.
func BenchmarkRead(b *testing.B) {
	const rows = 1_000_000
	db := dbtest.Postgres(b)
	exec(b, db, `CREATE TABLE events (id bigint PRIMARY KEY, person bigint NOT NULL, kind text NOT NULL)`,
		fmt.Sprintf(`INSERT INTO events SELECT i, 7, 'kind ' || i %% 10 FROM generate_series(1, %d) i`, rows), `ANALYZE events`)
	connector := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	collection := table("events", "id", "person", "kind")
	b.Run("connector", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range connector.Read(b.Context(), &dsr.Query{
				Collection: collection,
				Columns:    []string{"id", "person", "kind"},
				Criteria:   []dsr.Criterion{{Fields: []graph.Path{{"person"}}, Values: [][]any{{int64(7)}}}},
			}) {
				require.NoError(b, err)
				n++
			}
			require.Equal(b, rows, n)
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.Equal(b, rows, bare(b, db))
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

// bare counts the rows of a query that goes to the driver without a connector.
func bare(b *testing.B, db *sql.DB) int {
	b.Helper()
	cursor, err := db.QueryContext(b.Context(), `SELECT id, person, kind FROM events WHERE person = $1`, 7)
	require.NoError(b, err)
	defer cursor.Close()
	n := 0
	values := make([]any, 3)
	for cursor.Next() {
		require.NoError(b, cursor.Scan(&values[0], &values[1], &values[2]))
		n++
	}
	require.NoError(b, cursor.Err())
	return n
}

// BenchmarkApply masks one column of 100,000 rows in chunks of 500, beside one
// UPDATE over all of them.
func BenchmarkApply(b *testing.B) {
	const rows, size = 100_000, 500
	for _, d := range dialects {
		db := d.open(b)
		collection := table("people", "id", "email", "name")
		fill := func() {
			exec(b, db, `DROP TABLE IF EXISTS people`,
				`CREATE TABLE people (id bigint PRIMARY KEY, email varchar(100), name varchar(100))`, series(d, rows))
		}
		b.Run(d.name+"/connector", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				fill()
				connector := sqlconn.New(db, d.dialect, nil)
				b.StartTimer()
				for start := 1; start <= rows; start += size {
					ch := &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}}}
					for id := start; id < start+size; id++ {
						ch.Rows = append(ch.Rows, dsr.RowChange{
							Key: []any{int64(id)},
							Set: []dsr.Change{{Path: []any{"email"}, Old: fmt.Sprintf("p%d@example.com", id), New: fmt.Sprintf("masked %d", id)}},
						})
					}
					results, err := connector.Apply(b.Context(), ch)
					require.NoError(b, err)
					require.Equal(b, dsr.RowWritten, results[size-1])
				}
			}
		})
		b.Run(d.name+"/bulk", func(b *testing.B) {
			concat := "'masked ' || id"
			if d.dialect == sqlconn.MySQL {
				concat = "CONCAT('masked ', id)"
			}
			for b.Loop() {
				b.StopTimer()
				fill()
				b.StartTimer()
				exec(b, db, `UPDATE people SET email = `+concat)
			}
		})
	}
}

// BenchmarkMany looks 10,000 values up among 10,000 rows without an index and
// asks for Via.
func BenchmarkMany(b *testing.B) {
	const rows = 10_000
	for _, d := range dialects {
		db := d.open(b)
		exec(b, db, `CREATE TABLE people (id bigint PRIMARY KEY, email varchar(100), name varchar(100))`, series(d, rows))
		exec(b, db, `CREATE TABLE docs (id bigint PRIMARY KEY, doc `+d.json+`)`, documents(d, rows))
		connector := sqlconn.New(db, d.dialect, nil)
		values := make([][]any, rows)
		for i := range values {
			values[i] = []any{fmt.Sprintf("p%d@example.com", i+1)}
		}
		docs := table("docs", "id", "doc")
		docs.Fields[1].Fields = []*graph.Field{{Name: "emails"}}
		people := table("people", "id", "email", "name")
		for _, test := range []struct {
			name  string
			query dsr.Query
		}{
			{"text", dsr.Query{Collection: people, Criteria: []dsr.Criterion{{Fields: []graph.Path{{"email"}}, Values: values}}}},
			{"fold", dsr.Query{Collection: people, Criteria: []dsr.Criterion{{Fields: []graph.Path{{"email"}}, Values: values, FoldCase: true}}}},
			{"either", dsr.Query{Collection: people, Criteria: []dsr.Criterion{
				{Fields: []graph.Path{{"email"}}, Values: values}, {Fields: []graph.Path{{"name"}}, Values: values}}}},
			{"tuple", dsr.Query{Collection: people, Criteria: []dsr.Criterion{
				{Fields: []graph.Path{{"email"}, {"name"}}, Values: pairs(values)}}}},
			{"document", dsr.Query{Collection: docs, Criteria: []dsr.Criterion{{Fields: []graph.Path{{"doc", "emails"}}, Values: values}}}},
		} {
			for _, via := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/via=%v", d.name, test.name, via), func(b *testing.B) {
					test.query.Columns, test.query.Via = []string{"id"}, via
					for b.Loop() {
						n := 0
						for row, err := range connector.Read(b.Context(), &test.query) {
							require.NoError(b, err)
							require.Equal(b, via, len(row.Via) > 0)
							n++
						}
						require.Equal(b, rows, n)
					}
				})
			}
		}
	}
}

// BenchmarkFew looks ten values up among 100,000 rows by two indexes: slow as
// soon as one of them is not used.
func BenchmarkFew(b *testing.B) {
	const rows = 100_000
	for _, d := range dialects {
		db := d.open(b)
		exec(b, db, `CREATE TABLE people (id bigint PRIMARY KEY, email varchar(100), name varchar(100))`, series(d, rows),
			`CREATE INDEX people_email ON people (email)`)
		if d.dialect == sqlconn.PostgreSQL {
			exec(b, db, `ANALYZE people`)
		}
		var emails, ids []any
		for i := range 10 {
			emails, ids = append(emails, fmt.Sprintf("p%d@example.com", 1000*i+1)), append(ids, int64(1000*i+1))
		}
		connector := sqlconn.New(db, d.dialect, nil)
		for _, via := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/via=%v", d.name, via), func(b *testing.B) {
				query := &dsr.Query{Collection: table("people", "id", "email", "name"), Columns: []string{"name"}, Via: via,
					Criteria: []dsr.Criterion{where(graph.Path{"email"}, emails...), where(graph.Path{"id"}, ids...)}}
				for b.Loop() {
					values, _ := read(b, connector, query)
					require.Len(b, values, 10)
				}
			})
		}
	}
}

func pairs(values [][]any) [][]any {
	out := make([][]any, len(values))
	for i := range values {
		out[i] = []any{values[i][0], fmt.Sprintf("Person %d", i+1)}
	}
	return out
}

func documents(d dialect, rows int) string {
	switch d.dialect {
	case sqlconn.PostgreSQL:
		return fmt.Sprintf(`INSERT INTO docs SELECT i, jsonb_build_object('emails', jsonb_build_array('x', 'p' || i || '@example.com')) FROM generate_series(1, %d) i`, rows)
	case sqlconn.MySQL:
		return fmt.Sprintf(`INSERT INTO docs SELECT seq, JSON_OBJECT('emails', JSON_ARRAY('x', CONCAT('p', seq, '@example.com'))) FROM seq_1_to_%d`, rows)
	default:
		return fmt.Sprintf(`INSERT INTO docs SELECT id, json_object('emails', json_array('x', 'p' || id || '@example.com')) FROM people LIMIT %d`, rows)
	}
}

// series fills people with rows 1 to n.
func series(d dialect, n int) string {
	switch d.dialect {
	case sqlconn.PostgreSQL:
		return fmt.Sprintf(`INSERT INTO people SELECT i, 'p' || i || '@example.com', 'Person ' || i FROM generate_series(1, %d) i`, n)
	case sqlconn.MySQL:
		return fmt.Sprintf(`INSERT INTO people SELECT seq, CONCAT('p', seq, '@example.com'), CONCAT('Person ', seq) FROM seq_1_to_%d`, n)
	default:
		return fmt.Sprintf(`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d)
			INSERT INTO people SELECT i, 'p' || i || '@example.com', 'Person ' || i FROM s`, n)
	}
}
