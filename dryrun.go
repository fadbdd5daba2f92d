package dsr

import (
	"context"
	"fmt"
	"io"

	"github.com/godsr/dsr/redact/mask"
)

// DryRun prints every statement that a request under the policy would send,
// step by step, with placeholders in the place of values, and sends none of
// them. It does what Check does first, and its error is the same. Connections
// without a dry run are told as such.
func (e *Engine) DryRun(ctx context.Context, w io.Writer, policy string, kinds ...string) (err error) {
	defer recovered(&err)
	g, done, err := e.take(ctx, newest)
	if err != nil {
		return err
	}
	defer done()
	plan, err := g.plan(policy, kinds)
	if err != nil {
		return err
	}
	r, order, err := g.rehearse(ctx, plan)
	if err != nil {
		return err
	}
	for _, s := range r.steps {
		if err := r.dryStep(ctx, w, s, false); err != nil {
			return err
		}
	}
	for _, s := range order {
		if err := r.dryStep(ctx, w, s, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) dryStep(ctx context.Context, w io.Writer, s *step, erase bool) error {
	verb := "collect"
	if erase {
		verb = "erase"
	}
	if _, err := fmt.Fprintf(w, "-- %s %s (%s)\n", verb, s.Address(), s.conn.Key); err != nil {
		return err
	}
	var statements []string
	var err error
	switch {
	case s.schema == nil:
		statements = []string{"-- the database has no such collection: skipped"}
	case s.conn.asker != nil:
		statements = []string{"-- people are asked"}
	case s.conn.dry == nil:
		statements = []string{"-- the connector has no dry run"}
	case erase:
		statements, err = s.conn.dry.DryApply(ctx, s.dryChunk())
	default:
		statements, err = s.conn.dry.DryRead(ctx, s.dryQuery())
	}
	if err != nil {
		return fmt.Errorf("dsr: dry run of %s: %w", s.Address(), err)
	}
	for _, line := range statements {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// dryQuery asks for one value of every input.
func (s *step) dryQuery() *Query {
	q := &Query{Collection: s.Collection, Columns: s.columns}
	for _, in := range s.inputs {
		tuple := make([]any, len(in.Fields))
		for n := range tuple {
			tuple[n] = "?"
			if c := in.columns[n]; c != nil {
				tuple[n] = dryValue(c.Kind)
			}
		}
		q.Criteria = append(q.Criteria, Criterion{Fields: in.Fields, Values: [][]any{tuple}, FoldCase: in.fold})
	}
	return q
}

// dryChunk changes one row in all fields that are masked.
func (s *step) dryChunk() *Chunk {
	row := RowChange{}
	for _, k := range s.key {
		row.Key = append(row.Key, s.dryOf(k.Column()))
	}
	for _, f := range s.Erase.Fields {
		path := make([]any, len(f.Path))
		for i, name := range f.Path {
			path[i] = name
		}
		var masked any
		if f.Masking.Strategy != mask.NullRewrite {
			masked = "(masked)" // unlike the old value, which would make it a guard
		}
		row.Set = append(row.Set, Change{Path: path, Old: s.dryOf(f.Path.Column()), New: masked})
	}
	return &Chunk{Collection: s.Collection, Delete: s.Erase.Delete, Operation: "dry-run", Key: s.key, Rows: []RowChange{row}}
}

func (s *step) dryOf(column string) any {
	if c, ok := s.schema.Column(column); ok {
		return dryValue(c.Kind)
	}
	return "?"
}

// dryValue is some value that a column of the kind takes.
func dryValue(kind ColumnKind) any {
	switch kind {
	case ColumnInteger:
		return int64(1)
	case ColumnFloat:
		return 1.5
	case ColumnBoolean:
		return true
	case ColumnUUID:
		return "00000000-0000-0000-0000-000000000000"
	case ColumnDate:
		return "2000-01-01"
	}
	return "?"
}
