package sqlconntest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

// everything is the text of an error and of all that it wraps.
func everything(err error) string {
	var b strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%v %+v %#v\n", err, err, err)
	}
	return b.String()
}

func TestErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	const canary = "canary@example.com"
	for _, d := range dialects {
		db := d.open(t)
		exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail varchar(30) UNIQUE, age int CHECK (age > 0), name varchar(30) NOT NULL)`,
			`INSERT INTO people VALUES (1, '`+canary+`', 1, 'a'), (2, 'b', 2, 'b')`)
		collection := table("people", "id", "mail", "age", "name")
		tests := []struct {
			name   string
			change dsr.Change
		}{
			{"duplicate", dsr.Change{Path: []any{"mail"}, Old: "b", New: canary}},
			{"check", dsr.Change{Path: []any{"age"}, Old: int64(2), New: int64(-987654)}},
			{"not null", dsr.Change{Path: []any{"name"}, Old: "b", New: nil}},
			{"wrong type", dsr.Change{Path: []any{"age"}, Old: int64(2), New: canary}},
			{"too long", dsr.Change{Path: []any{"name"}, Old: "b", New: strings.Repeat(canary, 9)}},
		}
		for _, test := range tests {
			if d.dialect == sqlconn.SQLite && (test.name == "wrong type" || test.name == "too long") {
				continue // SQLite takes both
			}
			t.Run(d.name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				_, err := sqlconn.New(db, d.dialect, nil).Apply(t.Context(), &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}},
					Rows: []dsr.RowChange{{Key: []any{int64(2)}, Set: []dsr.Change{test.change}}}})
				var failure *sqlconn.Error
				require.ErrorAs(t, err, &failure)
				require.NotEmpty(t, failure.Code)
				require.Equal(t, "apply", failure.Operation)
				require.Contains(t, err.Error(), "people")
				require.NotContains(t, everything(err), "canary")
				require.NotContains(t, everything(err), "987654")
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		db := d.open(t)
		exec(t, db, `CREATE TABLE people (id int PRIMARY KEY, mail varchar(30), doc `+d.json+`)`, `INSERT INTO people (id, mail) VALUES (1, 'a')`)
		collection := table("people", "id", "mail", "doc")
		connector := sqlconn.New(db, d.dialect, nil)
		id := []graph.Path{{"id"}}
		set := []dsr.Change{{Path: []any{"mail"}, Old: "a", New: "b"}}
		chunks := map[string]struct {
			chunk dsr.Chunk
			is    error
			text  string
		}{
			"no key":         {dsr.Chunk{Rows: []dsr.RowChange{{Set: set}}}, dsr.ErrEmptyQuery, ""},
			"no rows":        {dsr.Chunk{Key: id}, dsr.ErrEmptyQuery, ""},
			"no values":      {dsr.Chunk{Key: id, Rows: []dsr.RowChange{{Set: set}}}, dsr.ErrEmptyQuery, ""},
			"nil key":        {dsr.Chunk{Key: id, Rows: []dsr.RowChange{{Key: []any{nil}, Set: set}}}, dsr.ErrEmptyQuery, ""},
			"nil keyless":    {dsr.Chunk{Key: []graph.Path{{"mail"}}, Rows: []dsr.RowChange{{Key: []any{nil}, Set: set}}}, dsr.ErrEmptyQuery, ""},
			"unknown column": {dsr.Chunk{Key: id, Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"lost"}}}}}}, nil, `no column "lost"`},
			"unknown key":    {dsr.Chunk{Key: []graph.Path{{"lost"}}, Rows: []dsr.RowChange{{Key: []any{int64(1)}}}}, nil, `no column "lost"`},
			"key inside":     {dsr.Chunk{Key: []graph.Path{{"doc", "a"}}, Rows: []dsr.RowChange{{Key: []any{int64(1)}}}}, nil, `"doc.a" is no column`},
			"document key":   {dsr.Chunk{Key: []graph.Path{{"doc"}}, Rows: []dsr.RowChange{{Key: []any{int64(1)}}}}, nil, `"doc" holds documents`},
			"path in text":   {dsr.Chunk{Key: id, Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"mail", "x"}, New: "y"}}}}}, nil, `"mail", which holds no documents`},
			"empty path":     {dsr.Chunk{Key: id, Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: []dsr.Change{{}}}}}, nil, "without a path"},
		}
		for name, test := range chunks {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				test.chunk.Collection = collection
				results, err := connector.Apply(t.Context(), &test.chunk)
				require.Nil(t, results)
				if test.is != nil {
					require.ErrorIs(t, err, test.is)
				}
				require.ErrorContains(t, err, test.text)
			})
		}
		queries := map[string]struct {
			query dsr.Query
			is    error
			text  string
		}{
			"no criteria":     {dsr.Query{}, dsr.ErrEmptyQuery, ""},
			"no fields":       {dsr.Query{Criteria: []dsr.Criterion{{Values: [][]any{{}}}}}, dsr.ErrEmptyQuery, ""},
			"no values":       {dsr.Query{Criteria: []dsr.Criterion{where(graph.Path{"id"})}}, dsr.ErrEmptyQuery, ""},
			"one empty":       {dsr.Query{Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1)), where(graph.Path{"id"})}}, dsr.ErrEmptyQuery, ""},
			"empty path":      {dsr.Query{Criteria: []dsr.Criterion{where(graph.Path{}, int64(1))}}, dsr.ErrEmptyQuery, ""},
			"short tuple":     {dsr.Query{Criteria: []dsr.Criterion{{Fields: []graph.Path{{"id"}, {"mail"}}, Values: [][]any{{int64(1)}}}}}, dsr.ErrEmptyQuery, ""},
			"unknown columns": {dsr.Query{Columns: []string{"lost"}, Criteria: []dsr.Criterion{where(graph.Path{"gone"}, int64(1))}}, nil, `no column "lost", "gone"`},
			"path in text":    {dsr.Query{Criteria: []dsr.Criterion{where(graph.Path{"mail", "x"}, "y")}}, nil, "holds no documents"},
		}
		for name, test := range queries {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				test.query.Collection = collection
				var errs []error
				for row, err := range connector.Read(t.Context(), &test.query) {
					require.Empty(t, row.Values)
					errs = append(errs, err)
				}
				require.Len(t, errs, 1)
				if test.is != nil {
					require.ErrorIs(t, errs[0], test.is)
				}
				require.ErrorContains(t, errs[0], test.text)
			})
		}
		t.Run(d.name+"/cancelled", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, connector.Ping(ctx), context.Canceled)
			_, err := connector.Describe(ctx, collection)
			require.ErrorIs(t, err, context.Canceled)
			_, err = connector.Apply(ctx, &dsr.Chunk{Collection: collection, Key: id, Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: set}}})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}
