package dsr_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// altered is a database of which a table loses a column.
type altered struct {
	*probe
	lost      atomic.Value // "table.column"
	described atomic.Int64
}

func (a *altered) Describe(ctx context.Context, c *graph.Collection) (*dsr.Schema, error) {
	a.described.Add(1)
	schema, err := a.probe.Describe(ctx, c)
	if err == nil {
		copied := *schema
		copied.Columns = slices.DeleteFunc(slices.Clone(schema.Columns), func(column dsr.Column) bool { return a.lost.Load() == c.Name+"."+column.Name })
		schema = &copied
	}
	return schema, err
}

func (a *altered) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	if slices.ContainsFunc(q.Columns, func(column string) bool { return a.lost.Load() == q.Collection.Name+"."+column }) {
		return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errors.New("no such column")) }
	}
	return a.probe.Read(ctx, q)
}

// Schemas are remembered between requests that only read, but a table that is
// altered makes no more than one of them fail, and Check and Retry see it at
// once.
func TestAlteredTables(t *testing.T) {
	t.Parallel()
	w := shop(t, treeYAML(), treeRows(), nil)
	db := &altered{probe: w.db()}
	c := w.config(nil, policy(accessRule()))
	c.Connections[0].Connector = db
	id := ""
	c.NewID = func() string { return id }
	one, other := newEngine(t, c), newEngine(t, c)
	run := func(e *dsr.Engine, name string) error {
		id = name
		submit(t, e, "email", "ada@example.com")
		_, err := e.Requests().Advance(t.Context(), name)
		return err
	}
	require.NoError(t, run(one, "r1"))
	require.NoError(t, run(one, "r2"))
	require.Equal(t, int64(4), db.described.Load(), "the second request asks for no schema")
	require.NoError(t, run(other, "r3"))

	db.lost.Store("left.c")
	const told = "shop:left.c: table left has no such column; correct the dataset"
	require.ErrorContains(t, run(one, "r4"), "failed at stage collect: collecting failed: shop:left: no such column")
	require.ErrorContains(t, run(one, "r5"), told)
	require.ErrorContains(t, other.Check(t.Context(), "p", "email"), told)
	require.ErrorContains(t, run(other, "r6"), told)

	db.lost.Store("")
	for _, failed := range []string{"r4", "r5", "r6"} {
		req, err := retry(t, one, failed)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
	}
	require.NoError(t, run(one, "r7"))
	require.NoError(t, run(other, "r8"))
}

func TestRetryAsksForSchemasAnew(t *testing.T) {
	t.Parallel()
	w := shop(t, treeYAML(), treeRows(), nil)
	db := &altered{probe: w.db()}
	c := w.config(nil, policy(accessRule()))
	c.Connections[0].Connector = db
	one, other := newEngine(t, c), newEngine(t, c)
	require.NoError(t, other.Check(t.Context(), "p", "email"))
	w.db().fail("leaf", errors.New("time-out"))
	submit(t, one, "email", "ada@example.com")
	_, err := one.Requests().Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "time-out")
	w.db().fail("leaf", nil)
	require.Equal(t, int64(8), db.described.Load())
	_, err = retry(t, other, "r1")
	require.NoError(t, err)
	require.Equal(t, int64(12), db.described.Load())
}
