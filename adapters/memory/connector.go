// Package memory holds adapters that keep everything in memory, to unit-test
// privacy flows in-process, with no database and no server.
package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
)

// ConnectorOptions adjust a [Connector].
type ConnectorOptions struct {
	// ReadOnly refuses every change with [dsr.ErrReadOnly], as a replica
	// does. Defaults to false.
	ReadOnly bool
	// Schemas say what the connector tells of a collection, by its name:
	// give one to see how a flow copes with a column that is short, unique,
	// generated or takes no null. Apply then enforces these, and the kinds
	// of the columns. Rows that a test puts in are taken as they are.
	//
	// Defaults, for each collection, to the declared fields of its dataset:
	// of any kind, or documents where fields are declared inside, all
	// nullable, with the declared primary key.
	Schemas map[string]dsr.Schema
}

// Connector is a [dsr.Connector] over Go values, to unit-test privacy flows
// with no database: fill it with the rows of a few made-up people, run a
// request, and look at [Connector.Rows] to see who was erased and who was not.
//
// It keeps every promise of the port: documents and arrays, composite keys,
// guarded changes, one atomic transaction per chunk. A collection may hold
// rows of any shape; a missing key counts as null. It is safe for concurrent
// use.
type Connector struct {
	readOnly bool
	schemas  map[string]dsr.Schema

	mu sync.RWMutex
	// tables hold immutable rows in immutable slices: writers replace both,
	// so that a reader goes on with what it began with.
	tables map[string][]map[string]any
}

var (
	_ dsr.Connector = (*Connector)(nil)
	_ dsr.DryRunner = (*Connector)(nil)
)

// NewConnector returns a connector over copies of the rows, which are keyed by
// the names of their collections. A collection without rows exists when its
// name is a key of the map. Opts may be nil.
//
// Values become the types that [dsr.Connector] lists: an int becomes int64, a
// []string becomes []any, and so on. NewConnector panics on a value that has
// no such type, such as a channel.
func NewConnector(collections map[string][]map[string]any, opts *ConnectorOptions) *Connector {
	c := &Connector{tables: make(map[string][]map[string]any, len(collections))}
	if opts != nil {
		c.readOnly = opts.ReadOnly
		c.schemas = maps.Clone(opts.Schemas)
	}
	for name, rows := range collections {
		c.Put(name, rows...)
	}
	return c
}

// Put adds copies of the rows to a collection, which it creates if need be, as
// another program would. It panics on a value that no connector could hold.
func (c *Connector) Put(collection string, rows ...map[string]any) {
	added := make([]map[string]any, len(rows))
	for i, row := range rows {
		added[i] = normalRow(collection, row)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables[collection] = slices.Concat(c.tables[collection], added)
}

// Update changes the rows of a collection as another program would, behind the
// back of a request: it calls change with each row in turn, which may be
// changed in place. ReadOnly does not hold here. Update panics on a value that
// no connector could hold; change must not call the connector.
func (c *Connector) Update(collection string, change func(row map[string]any)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows, ok := c.tables[collection]
	if !ok {
		return
	}
	updated := make([]map[string]any, len(rows))
	for i, row := range rows {
		row = copyRow(row)
		change(row)
		updated[i] = normalRow(collection, row)
	}
	c.tables[collection] = updated
}

// Delete removes the rows of a collection for which match reports true, as
// another program would. Match must neither change the row nor call the
// connector.
func (c *Connector) Delete(collection string, match func(row map[string]any) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rows, ok := c.tables[collection]; ok {
		c.tables[collection] = slices.DeleteFunc(slices.Clone(rows), match)
	}
}

// Rows returns a copy of the rows of a collection in the order in which they
// were put in; nil when there is no such collection.
func (c *Connector) Rows(collection string) []map[string]any {
	rows, err := c.table(collection)
	if err != nil {
		return nil
	}
	result := make([]map[string]any, len(rows))
	for i, row := range rows {
		result[i] = copyRow(row)
	}
	return result
}

// Describe returns the schema that the options give, or one that is derived
// from the declared fields; [dsr.ErrNoCollection] when no rows were ever given
// for the collection.
func (c *Connector) Describe(ctx context.Context, collection *graph.Collection) (*dsr.Schema, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: describe %q: %w", collection.Name, err)
	}
	if _, err := c.table(collection.Name); err != nil {
		return nil, err
	}
	s, given := c.schemas[collection.Name]
	if given {
		s.Columns = slices.Clone(s.Columns)
		s.Key = slices.Clone(s.Key)
		s.ReferencedBy = slices.Clone(s.ReferencedBy)
		s.References = slices.Clone(s.References)
		s.Unique = slices.Clone(s.Unique)
	} else {
		s = derivedSchema(collection)
	}
	if s.Table == "" {
		s.Table = collection.Name
	}
	if c.readOnly {
		s.ReadOnly = "the connector was made with ReadOnly"
	}
	return &s, nil
}

func derivedSchema(collection *graph.Collection) dsr.Schema {
	s := dsr.Schema{Keyless: true}
	for _, f := range collection.Fields {
		column := dsr.Column{Name: f.Name, Kind: dsr.ColumnAny, Nullable: true}
		if len(f.Fields) > 0 || f.Type.Array || f.Type.Kind == graph.Object {
			column.Kind = dsr.ColumnDocument
		}
		column.Native = string(column.Kind)
		s.Columns = append(s.Columns, column)
		if f.PrimaryKey {
			s.Key = append(s.Key, f.Name)
		}
	}
	return s
}

// Ping fails only when ctx is done.
func (c *Connector) Ping(ctx context.Context) error { return ctx.Err() }

func (c *Connector) table(name string) ([]map[string]any, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rows, ok := c.tables[name]
	if !ok {
		return nil, noCollection(name)
	}
	return rows, nil
}

func noCollection(name string) error {
	return fmt.Errorf("memory: collection %q was never given any rows: %w", name, dsr.ErrNoCollection)
}

func normalRow(collection string, row map[string]any) map[string]any {
	normal := make(map[string]any, len(row))
	for name, v := range row {
		n, err := value.Normalize(v)
		if err != nil {
			panic(fmt.Sprintf("memory: collection %q, field %q: %v", collection, name, err))
		}
		normal[name] = copyValue(n)
	}
	return normal
}

func copyRow(row map[string]any) map[string]any {
	return copyValue(row).(map[string]any)
}

// copyValue copies lists, maps and bytes, which a caller could change.
func copyValue(v any) any {
	switch v := v.(type) {
	case []byte:
		return slices.Clone(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = copyValue(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = copyValue(e)
		}
		return m
	default:
		return v
	}
}
