package dsr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/spill"
	"github.com/godsr/dsr/internal/value"
)

// SharedRows says what an erasure does with rows that rows of others refer to
// as well, such as an address at which two customers live.
//
// Rows that are to be deleted, and to which foreign keys of the database bind
// rows of others, are never deleted: the others' rows would go with them, or
// the database would refuse. SharedKeep keeps them; the other two fail the
// request before anything is changed. A foreign key with ON DELETE SET NULL
// binds nothing.
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
	ends []*sharedEnd
}

// sharedEnd is a key of a step that others refer to, with the values that
// somebody else's rows hold too.
type sharedEnd struct {
	fields []graph.Path
	// ask encodes the values of the fields, to be asked for; not ok when
	// nothing can refer to them. form encodes them to be compared.
	ask, form func(tuple []any) ([]byte, bool)
	values    map[string]bool
}

// sharing asks, for every reference to the key of a step, which rows beside
// those collected hold one of the step's keys. Where the step deletes, it asks
// so for every foreign key too.
func (j *journal) sharing(ctx context.Context, s *step) (*sharing, error) {
	sh := &sharing{}
	for n, in := range s.inputs {
		if in.Identity != "" || in.inArray || !isKey(s, in.Fields) {
			continue
		}
		end := &sharedEnd{fields: in.Fields, ask: in.encode, form: in.encode, values: map[string]bool{}}
		for m, src := range in.Sources {
			from := j.run.index[src.From]
			if from == nil || from.schema == nil || from.conn.asker != nil {
				continue
			}
			if _, err := j.foreign(ctx, s, end, from, src.Fields, fmt.Sprintf("shared-%d-%d-%d", s.number, n, m)); err != nil {
				return nil, fmt.Errorf("%s: rows shared with others: %w", s.Address(), err)
			}
		}
		sh.ends = append(sh.ends, end)
	}
	return sh, j.bindings(ctx, s, sh)
}

// bindings adds what foreign keys bind to rows that are to be deleted.
func (j *journal) bindings(ctx context.Context, s *step, sh *sharing) error {
	var faults []string
	for n, fk := range s.bonds() {
		from := j.run.tableStep(s, fk.Table)
		if from == nil || fk.OnDelete == "set null" {
			continue
		}
		end := s.bondEnd(fk)
		rows, err := j.foreign(ctx, s, end, from, columnPaths(fk.Columns), fmt.Sprintf("bound-%d-%d", s.number, n))
		if err != nil {
			return fmt.Errorf("%s: rows of others in table %s: %w", s.Address(), fk.Table, err)
		}
		if rows > 0 && j.run.engine.config.SharedRows != SharedKeep {
			faults = append(faults, fmt.Sprintf("%d of table %s (%s, on delete %s)", rows, fk.Table, fk.Name, fk.OnDelete))
		}
		sh.ends = append(sh.ends, end)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s: its rows are to be deleted, but rows of others refer to them: %s; set Config.SharedRows to SharedKeep, which leaves what they refer to, or let those rows go first", s.Address(), strings.Join(faults, ", "))
	}
	return nil
}

// bonds returns the foreign keys that refer to rows of a step which deletes.
func (s *step) bonds() []ForeignKey {
	if s.schema == nil || s.Erase == nil || !s.Erase.Delete {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.schema.ReferencedBy), func(fk ForeignKey) bool {
		return len(fk.Columns) == 0 || len(fk.Columns) != len(fk.References)
	})
}

// bound returns the columns that have to be read of rows to be deleted, so
// that rows which refer to them are found.
func (s *step) bound() []string {
	var columns []string
	for _, fk := range s.bonds() {
		columns = append(columns, fk.References...)
		if fk.Table == s.schema.Table {
			columns = append(columns, fk.Columns...)
		}
	}
	return columns
}

// bondEnd is the end of a foreign key at the step.
func (s *step) bondEnd(fk ForeignKey) *sharedEnd {
	encode := func(tuple []any, form func(any) any) ([]byte, bool) {
		var b []byte
		for i, v := range tuple {
			ok := v != nil
			if c, has := s.schema.Column(fk.References[i]); ok && has {
				v, ok = castColumn(c.Kind, v)
			}
			if !ok {
				return nil, false
			}
			var err error
			if b, err = value.Append(b, form(v)); err != nil {
				return nil, false
			}
		}
		return b, true
	}
	return &sharedEnd{
		fields: columnPaths(fk.References),
		ask:    func(tuple []any) ([]byte, bool) { return encode(tuple, func(v any) any { return v }) },
		form:   func(tuple []any) ([]byte, bool) { return encode(tuple, loose) },
		values: map[string]bool{},
	}
}

// loose makes texts equal that some database may take for equal, as columns
// without regard to case do: rather a row too many is kept than one too few.
func loose(v any) any {
	if text, ok := v.(string); ok {
		return strings.ToLower(strings.TrimRight(text, " "))
	}
	return v
}

func columnPaths(names []string) []graph.Path {
	paths := make([]graph.Path, len(names))
	for i, name := range names {
		paths[i] = graph.Path{name}
	}
	return paths
}

// tableStep finds the step of a table on the connection of s, rather one that
// deletes than another.
func (r *run) tableStep(s *step, table string) *step {
	var found *step
	for _, o := range r.steps {
		if o.schema != nil && o.schema.Table == table && o.conn == s.conn {
			if found == nil || o.Erase != nil && o.Erase.Delete {
				found = o
			}
		}
	}
	return found
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
		if b, ok := end.form(s.tuple(end.fields, row)); ok && end.values[string(b)] {
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
// collected, or are kept, and returns how many such rows there are.
func (j *journal) foreign(ctx context.Context, s *step, end *sharedEnd, from *step, fields []graph.Path, name string) (int, error) {
	r := j.run
	parts := &sealedParts{run: r, ctx: ctx, purpose: keyInputs}
	keys, mine, all := spill.NewSet(parts, name+"-k", 0), spill.NewSet(parts, name+"-m", 0), spill.NewSet(parts, name+"-a", 0)
	defer func() { _ = errors.Join(keys.Close(), mine.Close(), all.Close()) }()
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return 0, err
		}
		row, err := s.decodeRow(record)
		if err != nil {
			return 0, err
		}
		if b, ok := end.ask(s.tuple(end.fields, row)); ok {
			if _, err := keys.Add(b); err != nil {
				return 0, err
			}
		}
	}
	for record, err := range r.records(ctx, from) {
		if err != nil {
			return 0, err
		}
		key, err := from.rowKey(record)
		if err != nil {
			return 0, err
		}
		if j.kept[from][string(key)] {
			continue
		}
		if _, err := mine.Add(key); err != nil {
			return 0, err
		}
	}
	if err := keys.Finish(); err != nil {
		return 0, err
	}
	for q, err := range keyQueries(len(end.fields), keys, from, fields, r.engine.config.Limits.QueryValues) {
		if err != nil {
			return 0, err
		}
		if err := holders(ctx, q, end, from, fields, all); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(mine.Finish(), all.Finish()); err != nil {
		return 0, err
	}
	rows, last := 0, ""
	err := subtract(all, mine, func(key, held []byte) {
		if end.values[string(held)] = true; rows == 0 || last != string(key) {
			rows, last = rows+1, string(key)
		}
	})
	return rows, err
}

// keyQueries asks a referring collection for the rows that hold the keys, each
// of so many parts.
func keyQueries(keyParts int, keys *spill.Set, from *step, fields []graph.Path, limit int) iter.Seq2[*Query, error] {
	columns := slices.Clone(from.columns)
	for _, path := range fields {
		if !slices.Contains(columns, path.Column()) {
			columns = append(columns, path.Column())
		}
	}
	return func(yield func(*Query, error) bool) {
		var values [][]any
		query := func() *Query {
			return &Query{Collection: from.Collection, Columns: columns, Criteria: []Criterion{{Fields: fields, Values: values}}}
		}
		for b, err := range keys.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			tuple := make([]any, keyParts)
			for i := range tuple {
				if tuple[i], b, err = value.Decode(b); err != nil {
					yield(nil, err)
					return
				}
			}
			if !castFor(from, fields, tuple) {
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
		ok := true
		if f, declared := from.Collection.Field(path); declared {
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
func holders(ctx context.Context, q *Query, end *sharedEnd, from *step, fields []graph.Path, all *spill.Set) error {
	var buf []byte
	at := make([]int, len(fields))
	for i, path := range fields {
		at[i] = slices.Index(q.Columns, path.Column())
	}
	for row, err := range from.conn.Connector.Read(ctx, q) {
		if err != nil {
			return err
		}
		buf = buf[:0]
		for _, v := range row.Values[:len(from.columns)] {
			if buf, err = value.Append(buf, v); err != nil {
				return err
			}
		}
		key, err := from.rowKey(buf)
		if err != nil {
			return err
		}
		add := func(tuple []any) error {
			if b, ok := end.form(tuple); ok {
				_, err := all.Add(append(slices.Clip(key), b...))
				return err
			}
			return nil
		}
		if len(fields) > 1 {
			tuple := make([]any, len(fields))
			for i := range tuple {
				tuple[i] = row.Values[at[i]]
			}
			err = add(tuple)
		} else {
			err = leaves(row.Values[at[0]], fields[0][1:], func(v any) error { return add([]any{v}) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subtract calls found with the key of 16 bytes, and with what follows it, of
// the members of all whose key is not among mine.
func subtract(all, mine *spill.Set, found func(key, held []byte)) error {
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
			found(b[:16], b[16:])
		}
	}
	return nil
}
