package dsr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/spill"
	"github.com/godsr/dsr/internal/value"
)

// SharedRows says what an erasure does with rows that rows of others refer to
// as well, such as an address at which two customers live.
type SharedRows string

const (
	// SharedErase masks or deletes them like all others, as Fides does.
	SharedErase SharedRows = "erase"
	// SharedKeep leaves them and tells how many.
	SharedKeep SharedRows = "keep"
	// SharedRefuse fails the request before anything is changed.
	SharedRefuse SharedRows = "refuse"
)

// sharing knows which of a step's rows rows of others refer to.
type sharing struct {
	ends []sharedEnd
}

// sharedEnd is a key of a step that others refer to, with the values that
// somebody else's rows hold too.
type sharedEnd struct {
	in     *input
	values map[string]bool
}

// sharing asks, for every reference to the key of a step, which rows beside
// those collected hold one of the step's keys.
func (r *run) sharing(ctx context.Context, s *step) (*sharing, error) {
	sh := &sharing{}
	for n, in := range s.inputs {
		if in.Identity != "" || in.inArray || !isKey(s, in.Fields) {
			continue
		}
		end := sharedEnd{in: in, values: map[string]bool{}}
		for m, src := range in.Sources {
			from := r.index[src.From]
			if from == nil || from.schema == nil || len(from.keyAt) == 0 {
				continue
			}
			if err := r.foreign(ctx, s, end, from, src, fmt.Sprintf("shared-%d-%d-%d", s.number, n, m)); err != nil {
				return nil, fmt.Errorf("%s: rows shared with others: %w", s.Address(), err)
			}
		}
		if len(end.values) > 0 {
			sh.ends = append(sh.ends, end)
		}
	}
	return sh, nil
}

// isKey reports whether fields are the whole key of a step, as the table or
// the dataset has it.
func isKey(s *step, fields []graph.Path) bool {
	for _, key := range [][]graph.Path{s.key, s.Collection.PrimaryKey()} {
		if len(key) == len(fields) && !slices.ContainsFunc(fields, func(f graph.Path) bool { return !slices.ContainsFunc(key, f.Equal) }) {
			return true
		}
	}
	return false
}

// has reports whether rows of others refer to a row.
func (sh *sharing) has(s *step, row []any) bool {
	for _, end := range sh.ends {
		if b, ok := end.in.encode(s.tuple(end.in.Fields, row)); ok && end.values[string(b)] {
			return true
		}
	}
	return false
}

// tuple returns the values of top-level fields of a row.
func (s *step) tuple(fields []graph.Path, row []any) []any {
	tuple := make([]any, len(fields))
	for i, path := range fields {
		tuple[i] = row[s.at[path.Column()]]
	}
	return tuple
}

// encode casts and encodes a tuple as the input holds it; not ok when it holds
// nothing to compare.
func (i *input) encode(tuple []any) ([]byte, bool) {
	var b []byte
	for n, v := range tuple {
		cast, ok := i.cast(n, v)
		if v == nil || !ok {
			return nil, false
		}
		var err error
		if b, err = value.Append(b, cast); err != nil {
			return nil, false
		}
	}
	return b, true
}

// foreign adds to end the keys of s that rows of from hold which were not
// collected.
func (r *run) foreign(ctx context.Context, s *step, end sharedEnd, from *step, src graph.Source, name string) error {
	parts := &sealedParts{run: r, ctx: ctx, purpose: keyInputs}
	keys, mine, all := spill.NewSet(parts, name+"-k", 0), spill.NewSet(parts, name+"-m", 0), spill.NewSet(parts, name+"-a", 0)
	defer func() { _ = errors.Join(keys.Close(), mine.Close(), all.Close()) }()
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return err
		}
		row, err := s.decodeRow(record)
		if err != nil {
			return err
		}
		if b, ok := end.in.encode(s.tuple(end.in.Fields, row)); ok {
			if _, err := keys.Add(b); err != nil {
				return err
			}
		}
	}
	for record, err := range r.records(ctx, from) {
		if err != nil {
			return err
		}
		key, err := from.rowKey(record)
		if err != nil {
			return err
		}
		if _, err := mine.Add(key); err != nil {
			return err
		}
	}
	if err := keys.Finish(); err != nil {
		return err
	}
	for q, err := range keyQueries(end.in, keys, from, src, r.engine.config.Limits.QueryValues) {
		if err != nil {
			return err
		}
		if err := r.holders(ctx, q, end.in, from, src, all); err != nil {
			return err
		}
	}
	if err := errors.Join(mine.Finish(), all.Finish()); err != nil {
		return err
	}
	return subtract(all, mine, func(held []byte) { end.values[string(held)] = true })
}

// keyQueries asks a referring collection for the rows that hold the keys.
func keyQueries(in *input, keys *spill.Set, from *step, src graph.Source, limit int) iter.Seq2[*Query, error] {
	return func(yield func(*Query, error) bool) {
		var values [][]any
		query := func() *Query {
			return &Query{Collection: from.Collection, Columns: from.columns, Criteria: []Criterion{{Fields: src.Fields, Values: values}}}
		}
		for b, err := range keys.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			tuple, err := in.decode(b)
			if err != nil {
				yield(nil, err)
				return
			}
			if !castFor(from, src.Fields, tuple) {
				continue
			}
			if values = append(values, tuple); len(values) == limit {
				if !yield(query(), nil) {
					return
				}
				values = nil
			}
		}
		if len(values) > 0 {
			yield(query(), nil)
		}
	}
}

// castFor turns the values of a key into what the fields that refer to it
// hold.
func castFor(from *step, fields []graph.Path, tuple []any) bool {
	for i, path := range fields {
		f, ok := from.Collection.Field(path)
		if ok {
			tuple[i], ok = f.Type.Kind.Cast(tuple[i])
		}
		if c, has := from.schema.Column(path.Column()); ok && has && len(path) == 1 {
			tuple[i], ok = castColumn(c.Kind, tuple[i])
		}
		if !ok {
			return false
		}
	}
	return true
}

// holders adds to all, for every row that the query finds, its key followed by
// what it refers to.
func (r *run) holders(ctx context.Context, q *Query, in *input, from *step, src graph.Source, all *spill.Set) error {
	var buf []byte
	for row, err := range from.conn.Connector.Read(ctx, q) {
		if err != nil {
			return err
		}
		buf = buf[:0]
		for _, v := range row.Values {
			if buf, err = value.Append(buf, v); err != nil {
				return err
			}
		}
		key, err := from.rowKey(buf)
		if err != nil {
			return err
		}
		add := func(tuple []any) error {
			if b, ok := in.encode(tuple); ok {
				_, err := all.Add(append(slices.Clip(key), b...))
				return err
			}
			return nil
		}
		if len(src.Fields) > 1 {
			err = add(from.tuple(src.Fields, row.Values))
		} else {
			err = leaves(row.Values[from.at[src.Fields[0].Column()]], src.Fields[0][1:], func(v any) error { return add([]any{v}) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subtract calls found with what follows the 16 bytes of key in the members of
// all whose key is not among mine.
func subtract(all, mine *spill.Set, found func([]byte)) error {
	next, stop := iter.Pull2(mine.All())
	defer stop()
	key, err, more := next()
	for b, e := range all.All() {
		if e != nil {
			return e
		}
		for more && err == nil && bytes.Compare(key, b[:16]) < 0 {
			key, err, more = next()
		}
		if more && err != nil {
			return err
		}
		if !more || !bytes.Equal(key, b[:16]) {
			found(b[16:])
		}
	}
	return nil
}
