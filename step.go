package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/spill"
	"github.com/godsr/dsr/internal/value"
)

// step is a step of the plan on its way through a run.
type step struct {
	*graph.Step
	number int // in the plan
	conn   *connection
	schema *Schema // nil for a collection that the database lacks
	// columns are what is read: those of the plan, then those of the key.
	columns []string
	at      map[string]int
	key     []graph.Path // what addresses a row; nil when nothing does
	keyAt   []int
	inputs  []*input
	feeds   []feed
	match   map[int]*matchNode // by column: arrays on input paths

	batch   int        // queries so far
	seen    *spill.Set // keys of rows by query, when there are several
	rows    int64
	told    int64 // of rows, in progress events
	spooled spooled
	loaded  bool     // by this run
	drop    dropList // rows that a later query returned again
}

// feed takes values out of a step's rows into an input of another.
type feed struct {
	from []graph.Path
	to   *input
}

// input gathers the distinct values, or tuples, by which a step finds rows.
// Feeders add to it concurrently.
type input struct {
	graph.Input
	step    *step
	fields  []*graph.Field
	columns []*Column // nil for fields inside documents
	fold    bool
	inArray bool // the path leads through an array whose elements are matched

	mu         sync.Mutex
	set        *spill.Set
	held       map[string]struct{} // in the place of set, by member, where membership is asked
	pending    []string            // of held, not asked for yet
	limit      int
	full       bool
	uncastable int64
	fresh      int64
	buf, key   []byte // of add: the tuple, and as a member
}

// errTooManyValues suspends a walk.
var errTooManyValues = errors.New("more distinct values than Limits.CycleValues allows to hold in memory")

// makeSteps ties the plan to schemas and connections.
func (r *run) makeSteps(ctx context.Context, schemas map[graph.Address]*Schema) error {
	r.steps = make([]*step, len(r.plan.Steps))
	for n, ps := range r.plan.Steps {
		s := &step{Step: ps, number: n, conn: r.gen.connections[ps.Address().Dataset], schema: schemas[ps.Address()]}
		s.columns = slices.Clone(ps.Columns)
		if s.schema != nil {
			s.key = addressing(ps, s.schema)
		}
		for _, k := range s.key {
			if !slices.Contains(s.columns, k.Column()) {
				s.columns = append(s.columns, k.Column())
			}
		}
		for _, c := range s.bound() {
			if !slices.Contains(s.columns, c) {
				s.columns = append(s.columns, c)
			}
		}
		s.at = map[string]int{}
		for i, c := range s.columns {
			s.at[c] = i
		}
		for _, k := range s.key {
			s.keyAt = append(s.keyAt, s.at[k.Column()])
		}
		r.steps[n] = s
		r.index[ps.Address()] = s
	}
	for _, s := range r.steps {
		for n, in := range s.Inputs {
			if err := r.makeInput(ctx, s, n, in); err != nil {
				return err
			}
		}
		s.match = matchNodes(s)
	}
	return nil
}

func (r *run) makeInput(ctx context.Context, s *step, n int, in graph.Input) error {
	i := &input{Input: in, step: s, limit: r.engine.config.Limits.CycleValues}
	for _, path := range in.Fields {
		f, ok := s.Collection.Field(path)
		if !ok {
			return fmt.Errorf("dsr: the stored plan names %s.%s, which its collection lacks", s.Address(), path)
		}
		i.fields = append(i.fields, f)
		var column *Column
		if len(path) == 1 && s.schema != nil && len(f.Fields) == 0 {
			column, _ = s.schema.Column(path[0])
		}
		i.columns = append(i.columns, column)
	}
	i.fold = in.Identity != "" && r.engine.kinds[in.Identity].FoldCase
	i.inArray = len(in.Fields) == 1 && throughArray(s, in.Fields[0])
	if s.Cycle != 0 || i.inArray {
		i.held = map[string]struct{}{}
	} else {
		i.set = spill.NewSet(&sealedParts{run: r, ctx: ctx, purpose: keyInputs}, fmt.Sprintf("set-%d-%d-%d", r.record().Epoch, s.number, n), 0)
	}
	s.inputs = append(s.inputs, i)
	for _, src := range in.Sources {
		from := r.index[src.From]
		from.feeds = append(from.feeds, feed{from: src.Fields, to: i})
	}
	return nil
}

// throughArray reports whether a field may be, or lie in, an array. Inside of a
// document any value may be one, whatever is declared.
func throughArray(s *step, path graph.Path) bool {
	if f, ok := s.Collection.Field(path[:1]); len(path) > 1 || ok && f.Type.Array {
		return true
	}
	if s.schema == nil {
		return false
	}
	c, ok := s.schema.Column(path[0])
	return ok && c.Kind == ColumnDocument
}

// add offers one tuple of values. Null and empty text lead nowhere and are
// dropped; what the field's type cannot take is counted.
func (i *input) add(tuple []any) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.buf, i.key = i.buf[:0], i.key[:0]
	for n, v := range tuple {
		if v == nil || v == "" {
			return nil
		}
		cast, ok := i.cast(n, v)
		if !ok {
			i.uncastable++
			return nil
		}
		var err error
		if i.buf, err = value.Append(i.buf, cast); err != nil {
			return err
		}
		if i.held == nil {
			continue
		}
		if i.key, err = value.Append(i.key, i.member(cast)); err != nil {
			return err
		}
	}
	if i.held == nil {
		_, err := i.set.Add(i.buf)
		return err
	}
	key := string(i.key)
	if _, ok := i.held[key]; ok {
		return nil
	}
	if len(i.held) >= i.limit {
		i.full = true
		return nil
	}
	i.held[key] = struct{}{}
	i.pending = append(i.pending, string(i.buf))
	i.fresh++
	return nil
}

// member is the form of a value that tells whether it is held. What is asked of
// connectors stays as it was given: only they know how a database folds case.
func (i *input) member(v any) any {
	if s, ok := v.(string); ok && i.fold {
		return value.Fold(s)
	}
	return v
}

// cast turns a value into what the field holds.
func (i *input) cast(n int, v any) (any, bool) {
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil, false
	}
	v, ok := i.fields[n].Type.Kind.Cast(v)
	if !ok {
		return nil, false
	}
	if c := i.columns[n]; c != nil {
		if v, ok = castColumn(c.Kind, v); !ok {
			return nil, false
		}
	}
	if i.inArray {
		v = plainNumber(v)
	}
	return v, true
}

// plainNumber gives equal numbers one type, since array elements are matched
// by their bytes.
func plainNumber(v any) any {
	switch v.(type) {
	case float64, json.Number:
		if n, ok := graph.Integer.Cast(v); ok {
			return n
		}
		if f, ok := graph.Float.Cast(v); ok && value.Equal(f, v) {
			return f
		}
	}
	return v
}

// castColumn turns a value into one that a column can be compared with.
func castColumn(kind ColumnKind, v any) (any, bool) {
	switch kind {
	case ColumnText:
		return graph.String.Cast(v)
	case ColumnInteger:
		return graph.Integer.Cast(v)
	case ColumnFloat:
		return graph.Float.Cast(v)
	case ColumnBoolean:
		return graph.Boolean.Cast(v)
	}
	return v, true
}

// has reports whether an element of an array is one of the input's values.
func (i *input) has(v any) bool {
	if v == nil {
		return false
	}
	cast, ok := i.cast(0, v)
	if !ok {
		return false
	}
	b, err := value.Append(nil, i.member(cast))
	if err != nil {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok = i.held[string(b)]
	return ok
}

// seedInputs gives the values of the request's identities to the fields that
// they seed, in all forms in which they may be stored.
func (r *run) seedInputs(ids Identities) error {
	for _, s := range r.steps {
		for _, i := range s.inputs {
			if i.Identity == "" {
				continue
			}
			for _, v := range ids[i.Identity] {
				forms := []string{v}
				if f := r.engine.kinds[i.Identity].Forms; f != nil {
					forms = f(v)
				}
				for _, form := range forms {
					if err := i.add([]any{form}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// members returns the held values, in order.
func (i *input) members() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.held))
}
