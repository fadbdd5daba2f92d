// Package customconnector shows a connector of one's own: over a service that
// is no database, searches generously and knows no transactions over reads and
// writes. The conformance suite in its test proves that it keeps what
// dsr.Connector promises all the same.
package customconnector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/examples/customconnector/crm"
	"github.com/godsr/dsr/graph"
)

// Connector is a dsr.Connector over the CRM.
type Connector struct {
	client *crm.Client
	opts   Options
}

var _ dsr.Connector = (*Connector)(nil)

// Options adjust a Connector.
type Options struct {
	// ReadOnly refuses every Apply. Defaults to false.
	ReadOnly bool
	// Attempts is how often a batch is tried when others write the same
	// records. Defaults to 10.
	Attempts int
}

// New returns a connector over a client. opts may be nil.
func New(client *crm.Client, opts *Options) *Connector {
	c := &Connector{client: client}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Attempts <= 0 {
		c.opts.Attempts = 10
	}
	return c
}

// Ping implements dsr.Connector.
func (c *Connector) Ping(ctx context.Context) error { return ctx.Err() }

var kinds = map[string]dsr.ColumnKind{
	"text": dsr.ColumnText, "number": dsr.ColumnInteger, "fraction": dsr.ColumnFloat, "flag": dsr.ColumnBoolean, "binary": dsr.ColumnBytes,
}

// Describe implements dsr.Connector.
func (c *Connector) Describe(ctx context.Context, collection *graph.Collection) (*dsr.Schema, error) {
	o, err := c.client.Object(ctx, collection.Name)
	if err != nil {
		return nil, c.fail("describe", collection, err)
	}
	s := &dsr.Schema{Table: collection.Name, Key: o.Key}
	for _, f := range o.Fields {
		s.Columns = append(s.Columns, dsr.Column{
			Name: f.Name, Kind: kinds[f.Type], Native: f.Type, Nullable: !f.Required, Unique: f.Unique,
		})
	}
	if c.opts.ReadOnly {
		s.ReadOnly = "it was made read-only"
	}
	return s, nil
}

// fail names what was done; the service's own errors quote no values.
func (c *Connector) fail(operation string, collection *graph.Collection, err error) error {
	if errors.Is(err, crm.ErrNoObject) {
		err = dsr.ErrNoCollection
	}
	return fmt.Errorf("crm: %s %s: %w", operation, collection.Name, err)
}

// Read implements dsr.Connector. The service finds candidates by the first
// field of a criterion; the connector decides.
func (c *Connector) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) {
		matchers, err := newMatchers(q)
		if err != nil {
			yield(dsr.Row{}, c.fail("read", q.Collection, err))
			return
		}
		seen := map[int]bool{}
		for _, m := range matchers {
			for values := range slices.Chunk(m.first, crm.MaxValues) {
				for r, err := range c.search(ctx, q.Collection, m.fields[0], values) {
					if err != nil {
						yield(dsr.Row{}, err)
						return
					}
					if seen[r.ID] || len(m.match(r)) == 0 {
						continue
					}
					seen[r.ID] = true
					row := dsr.Row{Values: make([]any, len(q.Columns))}
					for i, name := range q.Columns {
						row.Values[i] = r.Fields[name]
					}
					for _, other := range matchers {
						row.Via = append(row.Via, other.match(r)...)
					}
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	}
}

// search follows the pages of one search.
func (c *Connector) search(ctx context.Context, collection *graph.Collection, field string, values []any) iter.Seq2[crm.Record, error] {
	return func(yield func(crm.Record, error) bool) {
		for from := 0; ; {
			page, next, err := c.client.Search(ctx, collection.Name, field, values, from)
			if err != nil {
				yield(crm.Record{}, c.fail("read", collection, err))
				return
			}
			for _, r := range page {
				if err := ctx.Err(); err != nil {
					yield(crm.Record{}, c.fail("read", collection, err))
					return
				}
				if !yield(r, nil) {
					return
				}
			}
			if from = next; from == 0 {
				return
			}
		}
	}
}

// matcher decides on one criterion.
type matcher struct {
	criterion int
	fields    []string
	fold      bool
	first     []any // the values of the first field, to search for
	wanted    map[string][]int
}

// newMatchers refuses what names no rows before anything is asked: an empty
// search would return every record.
func newMatchers(q *dsr.Query) ([]*matcher, error) {
	if len(q.Criteria) == 0 {
		return nil, dsr.ErrEmptyQuery
	}
	var matchers []*matcher
	for n, c := range q.Criteria {
		if len(c.Fields) == 0 || len(c.Values) == 0 {
			return nil, dsr.ErrEmptyQuery
		}
		m := &matcher{criterion: n, fold: c.FoldCase, wanted: map[string][]int{}}
		for _, path := range c.Fields {
			m.fields = append(m.fields, path.Column())
		}
		for i, tuple := range c.Values {
			if len(tuple) != len(c.Fields) {
				return nil, dsr.ErrEmptyQuery
			}
			m.first = append(m.first, tuple[0])
			key := keyOf(tuple, m.fold)
			m.wanted[key] = append(m.wanted[key], i)
		}
		matchers = append(matchers, m)
	}
	return matchers, nil
}

func (m *matcher) match(r crm.Record) []dsr.Match {
	tuple := make([]any, len(m.fields))
	for i, name := range m.fields {
		if tuple[i] = r.Fields[name]; tuple[i] == nil {
			return nil
		}
	}
	var via []dsr.Match
	for _, i := range m.wanted[keyOf(tuple, m.fold)] {
		via = append(via, dsr.Match{Criterion: m.criterion, Value: i})
	}
	return via
}

// keyOf makes a text that is the same for equal tuples only.
func keyOf(tuple []any, fold bool) string {
	var b strings.Builder
	for _, v := range tuple {
		var part string
		switch v := v.(type) {
		case string:
			if fold {
				v = dsr.Fold(v)
			}
			part = "text " + v
		case int64:
			part = "number " + strconv.FormatInt(v, 10)
		case float64:
			part = "number " + strconv.FormatFloat(v, 'f', -1, 64)
		default:
			part = fmt.Sprintf("%T %v", v, v)
		}
		b.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	return b.String()
}

func equal(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}

// Apply implements dsr.Connector. The service checks revisions: when somebody
// else was faster, everything is read and decided again.
func (c *Connector) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	if c.opts.ReadOnly {
		return nil, c.fail("apply", ch.Collection, dsr.ErrReadOnly)
	}
	for range c.opts.Attempts {
		results, writes, err := c.decide(ctx, ch)
		if err != nil {
			return nil, err
		}
		err = c.client.Batch(ctx, ch.Collection.Name, writes)
		if err == nil {
			return results, nil
		}
		if !errors.Is(err, crm.ErrStale) {
			return nil, c.fail("apply", ch.Collection, err)
		}
	}
	return nil, c.fail("apply", ch.Collection, crm.ErrStale)
}

// decide compares every row of a chunk with what the service holds now.
func (c *Connector) decide(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, []crm.Write, error) {
	q := &dsr.Query{Collection: ch.Collection, Criteria: []dsr.Criterion{{Fields: ch.Key}}}
	for _, row := range ch.Rows {
		if len(ch.Key) == 0 || len(row.Key) != len(ch.Key) || slices.Contains(row.Key, nil) {
			return nil, nil, c.fail("apply", ch.Collection, dsr.ErrEmptyQuery)
		}
		q.Criteria[0].Values = append(q.Criteria[0].Values, row.Key)
	}
	matchers, err := newMatchers(q)
	if err != nil {
		return nil, nil, c.fail("apply", ch.Collection, err)
	}
	records := make([]*crm.Record, len(ch.Rows))
	for values := range slices.Chunk(matchers[0].first, crm.MaxValues) {
		for r, err := range c.search(ctx, ch.Collection, matchers[0].fields[0], values) {
			if err != nil {
				return nil, nil, err
			}
			for _, m := range matchers[0].match(r) {
				records[m.Value] = &r
			}
		}
	}
	results := make([]dsr.RowResult, len(ch.Rows))
	var writes []crm.Write
	for i, row := range ch.Rows {
		results[i] = judge(records[i], row, ch.Delete)
		if results[i] != dsr.RowWritten {
			continue
		}
		w := crm.Write{ID: records[i].ID, Revision: records[i].Revision, Remove: ch.Delete, Set: map[string]any{}}
		for _, change := range row.Set {
			if !ch.Delete {
				w.Set[change.Path[0].(string)] = change.New
			}
		}
		writes = append(writes, w)
	}
	return results, writes, nil
}

// judge says what becomes of a row.
func judge(r *crm.Record, row dsr.RowChange, remove bool) dsr.RowResult {
	if r == nil {
		return dsr.RowGone
	}
	old, masked := true, !remove
	for _, change := range row.Set {
		now := r.Fields[change.Path[0].(string)]
		old, masked = old && equal(now, change.Old), masked && equal(now, change.New)
	}
	switch {
	case masked:
		return dsr.RowAlready
	case old:
		return dsr.RowWritten
	}
	return dsr.RowChanged
}
