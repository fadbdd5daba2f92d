package dsr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/redact/mask"
)

// preflight asks for the schemas of all collections of a plan and checks that
// everything in the plan can be done. A collection that does not exist, and on
// which nothing depends, has no schema in the answer.
//
// Plans that only read take schemas that are remembered, unless fresh is set:
// to ask for them would take longer than many a request. A table that changed
// since makes at most one request fail, since what a failed one used is
// forgotten.
func (g *generation) preflight(ctx context.Context, plan *graph.Plan, fresh bool) (map[graph.Address]*Schema, error) {
	fresh = fresh || plan.Policy.Has(graph.Erasure)
	schemas := map[graph.Address]*Schema{}
	var mu sync.Mutex
	var faults graph.Diagnostics
	var down error // a connection that is
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(g.config.Limits.Workers)
	for _, s := range plan.Steps {
		if schema := g.known(s.Address()); schema != nil && !fresh {
			mu.Lock()
			schemas[s.Address()] = schema
			mu.Unlock()
			continue
		}
		group.Go(func() error {
			schema, err := g.describe(gctx, s.Collection)
			mu.Lock()
			defer mu.Unlock()
			var panicked *graph.PanicError
			switch {
			case errors.As(err, &panicked):
				return fmt.Errorf("%s: its schema cannot be read: %w", s.Address(), err)
			case errors.Is(err, ErrNoCollection):
				if plan.Feeds(s.Address()) {
					faults = append(faults, stepFault(s, "the database has no such collection, and others depend on it; create it or set skip_processing"))
				}
			case gctx.Err() != nil:
				return context.Cause(gctx)
			case err != nil:
				if unavailable(err) {
					down = err
				}
				faults = append(faults, stepFault(s, "its schema cannot be read: "+err.Error()))
			default:
				schemas[s.Address()] = schema
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	check := &checker{gen: g, plan: plan, schemas: schemas}
	for _, s := range plan.Steps {
		if schema := schemas[s.Address()]; schema != nil {
			check.step(s, schema)
		}
	}
	check.sharedTables()
	faults = append(faults, check.faults...)
	slices.SortStableFunc(faults, func(a, b graph.Diagnostic) int { return strings.Compare(a.Subject, b.Subject) })
	if err := faults.Err(); err != nil {
		g.forget(plan)
		if down != nil {
			return nil, &downError{error: err, down: down}
		}
		return nil, err
	}
	return schemas, nil
}

// downError tells faults that are there because a connection is down.
type downError struct {
	error
	down error
}

func (e *downError) Unwrap() []error { return []error{e.error, e.down} }

// forget drops the remembered schemas of a plan.
func (g *generation) forget(plan *graph.Plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range plan.Steps {
		delete(g.schemas, s.Address())
	}
}

func stepFault(s *graph.Step, message string) graph.Diagnostic {
	return graph.Diagnostic{Severity: graph.Error, Subject: s.Address().String(), Message: message}
}

// known returns the schema that is remembered of a collection, or nil.
func (g *generation) known(a graph.Address) *Schema {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.schemas[a]
}

// describe asks for a schema and remembers it.
func (g *generation) describe(ctx context.Context, c *graph.Collection) (schema *Schema, err error) {
	defer recovered(&err)
	conn := g.connections[c.Address.Dataset]
	if conn == nil {
		if reason := g.lacking[c.Address.Dataset]; reason != nil {
			return nil, fmt.Errorf("no connection serves dataset %q any more: %w", c.Address.Dataset, reason)
		}
		return nil, fmt.Errorf("no connection serves dataset %q any more", c.Address.Dataset)
	}
	schema, err = conn.Connector.Describe(ctx, c)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.schemas[c.Address] = schema
	g.mu.Unlock()
	return schema, nil
}

// checker gathers the faults of a plan against the schemas.
type checker struct {
	gen     *generation
	plan    *graph.Plan
	schemas map[graph.Address]*Schema
	faults  graph.Diagnostics
}

func (c *checker) fault(s *graph.Step, path graph.Path, format string, args ...any) {
	subject := s.Address().String()
	if path != nil {
		subject = graph.FieldAddress{Address: s.Address(), Path: path}.String()
	}
	c.faults = append(c.faults, graph.Diagnostic{Severity: graph.Error, Subject: subject, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) step(s *graph.Step, schema *Schema) {
	if c.gen.connections[s.Address().Dataset].asker != nil {
		if s.Cycle != 0 {
			c.fault(s, nil, "people answer it, so it cannot be part of a cycle of references; remove a reference")
		}
		if conn := c.gen.connections[s.Address().Dataset]; conn.ReadOnly && s.Erase != nil && (s.Erase.Delete || len(s.Erase.Fields) > 0) {
			c.fault(s, nil, "an erasure rule reaches it, but connection %q is set to read-only", conn.Key)
		}
		return // people are asked, and need no columns and keys
	}
	for _, column := range s.Columns {
		if _, ok := schema.Column(column); !ok {
			c.fault(s, graph.Path{column}, "table %s has no such column; correct the dataset", schema.Table)
		}
	}
	if s.Erase == nil || !s.Erase.Delete && len(s.Erase.Fields) == 0 {
		return
	}
	conn := c.gen.connections[s.Address().Dataset]
	switch {
	case conn.ReadOnly:
		c.fault(s, nil, "an erasure rule reaches it, but connection %q is set to read-only", conn.Key)
	case schema.ReadOnly != "":
		c.fault(s, nil, "an erasure rule reaches it, but connection %q cannot write: %s", conn.Key, schema.ReadOnly)
	}
	if addressing(s, schema) == nil {
		c.fault(s, nil, "rows cannot be addressed: there is no primary key; declare one (primary_key: true)")
	}
	if s.Erase.Delete {
		c.deletion(s, schema)
		return
	}
	for _, f := range s.Erase.Fields {
		c.field(s, schema, f)
	}
}

// field checks that a strategy fits its column.
func (c *checker) field(s *graph.Step, schema *Schema, f graph.EraseField) {
	column, ok := schema.Column(f.Path.Column())
	if !ok {
		return // told already
	}
	strategy, err := mask.New(f.Masking.Strategy, f.Masking.Configuration, maskSecrets{key: make([]byte, 32), random: c.gen.config.Random})
	if err != nil {
		c.fault(s, f.Path, "%v", err)
		return
	}
	effect := strategy.Effect()
	if effect.Keeps {
		return
	}
	declared, _ := s.Collection.Field(f.Path)
	top := len(f.Path) == 1
	if column.Generated {
		c.fault(s, f.Path, "the column is generated by the database and cannot be written; target what it is made from")
	} else if column.ReadOnly && schema.ReadOnly == "" {
		c.fault(s, f.Path, "connection %q may not write the column; grant it UPDATE, or change the category", c.gen.connections[s.Address().Dataset].Key)
	}
	if slices.Contains(schema.Key, column.Name) && top {
		c.fault(s, f.Path, "it is part of the table's primary key; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category")
		return
	}
	if top && c.bound(s, schema, f, column, effect) {
		return
	}
	switch {
	case effect.Null && top && !column.Nullable && !container(declared, column):
		c.fault(s, f.Path, "%s writes null, but the column is NOT NULL; choose another strategy", f.Masking.Strategy)
	case effect.Text && !takesText(declared, column, top):
		c.fault(s, f.Path, "%s writes text, which %s cannot take; use null_rewrite, or override the strategy of the field", f.Masking.Strategy, typeName(declared, column, top))
	}
	if effect.Text && top && column.Length > 0 && effect.Length > column.Length && (f.Length == 0 || f.Length > column.Length) {
		c.fault(s, f.Path, "%s writes %d characters, but the column takes %d; set length: %d on the field", f.Masking.Strategy, effect.Length, column.Length, column.Length)
	}
	if !effect.Constant || effect.Null || !top {
		return
	}
	if column.Unique {
		c.fault(s, f.Path, "%s writes the same text into every row, but the column is unique; choose a strategy that keeps values apart", f.Masking.Strategy)
	}
	for _, set := range schema.Unique {
		if slices.Contains(set, column.Name) && c.constant(s, set) {
			c.fault(s, f.Path, "%s writes the same text into every row, and so do the other masks of %s, which must be unique together; choose a strategy that keeps values apart for one of them", f.Masking.Strategy, strings.Join(set, ", "))
		}
	}
}

// constant reports whether the masks of all these columns write the same texts
// into every row. Where some column keeps its values, the database decides.
func (c *checker) constant(s *graph.Step, columns []string) bool {
	left := slices.Clone(columns)
	for _, f := range s.Erase.Fields {
		strategy, err := mask.New(f.Masking.Strategy, f.Masking.Configuration, maskSecrets{key: make([]byte, 32), random: c.gen.config.Random})
		if err != nil || len(f.Path) > 1 {
			continue
		}
		if effect := strategy.Effect(); effect.Constant && !effect.Null && !effect.Keeps {
			left = slices.DeleteFunc(left, func(name string) bool { return name == f.Path.Column() })
		}
	}
	return len(left) == 0
}

// bound tells of a column that foreign keys hold to its values, whatever the
// strategy writes into it: null alone fits where a key begins, nothing where
// one ends.
func (c *checker) bound(s *graph.Step, schema *Schema, f graph.EraseField, column *Column, effect mask.Effect) bool {
	found := false
	for _, fk := range schema.ReferencedBy {
		if slices.Contains(fk.References, column.Name) {
			found = true
			c.fault(s, f.Path, "rows of table %s refer to it (%s), so the database would refuse a masked value; delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category", fk.Table, fk.Name)
		}
	}
	if found || effect.Null {
		return found
	}
	remedy := "use null_rewrite"
	if !column.Nullable {
		remedy = "the column is NOT NULL, so delete the rows (masking_strategy_override: {strategy: delete} on the collection) or change its category"
	}
	for _, fk := range schema.References {
		if slices.Contains(fk.Columns, column.Name) {
			found = true
			c.fault(s, f.Path, "it is part of foreign key %s to table %s, which would refuse the masked value; %s", fk.Name, fk.Table, remedy)
		}
	}
	return found
}

// container reports whether a column holds an array or an object, of which the
// elements or fields are masked one by one where the column takes no null.
func container(f *graph.Field, column *Column) bool {
	return column.Kind == ColumnDocument && (f.Type.Array || f.Type.Kind == graph.Object || len(f.Fields) > 0)
}

func takesText(f *graph.Field, column *Column, top bool) bool {
	switch f.Type.Kind {
	case graph.Integer, graph.Float, graph.Boolean, graph.ObjectID:
		return false
	}
	if top && column.Element != "" {
		return column.Element == ColumnText || column.Element == ColumnAny
	}
	switch column.Kind {
	case ColumnAny, ColumnText, ColumnDocument:
		return true
	}
	return !top
}

func typeName(f *graph.Field, column *Column, top bool) string {
	if top && (column.Element != "" || column.Kind != ColumnAny && column.Kind != ColumnText && column.Kind != ColumnDocument) {
		return "a column of type " + column.Native
	}
	return "a field of data_type " + f.Type.String()
}

// addressing returns the fields that address a row of a step: the table's
// primary key, the declared one, or, where the connector can, the fields by
// which the rows were found.
func addressing(s *graph.Step, schema *Schema) []graph.Path {
	if len(schema.Key) > 0 {
		key := make([]graph.Path, len(schema.Key))
		for i, name := range schema.Key {
			key[i] = graph.Path{name}
		}
		return key
	}
	if key := s.Collection.PrimaryKey(); len(key) > 0 && !slices.ContainsFunc(key, func(p graph.Path) bool { return len(p) > 1 }) {
		return key
	}
	if !schema.Keyless {
		return nil
	}
	var key []graph.Path
	for _, in := range s.Inputs {
		for _, p := range in.Fields {
			if len(p) == 1 && !holdsArray(s, schema, p[0]) && !slices.ContainsFunc(key, p.Equal) {
				key = append(key, p)
			}
		}
	}
	slices.SortFunc(key, graph.Path.Compare)
	return key
}

// holdsArray reports whether a column may hold an array, by which no row can be
// addressed.
func holdsArray(s *graph.Step, schema *Schema, name string) bool {
	if column, ok := schema.Column(name); ok && column.Kind == ColumnDocument {
		return true
	}
	f, ok := s.Collection.Field(graph.Path{name})
	return ok && f.Type.Array
}

// deletion checks that no row of a table outside of the plan, or of one whose
// rows are kept, refers to rows that are to be deleted. Rows of others in a
// table that is in the plan are looked for when the journal is written.
func (c *checker) deletion(s *graph.Step, schema *Schema) {
	for _, fk := range schema.ReferencedBy {
		if fk.Table == schema.Table {
			continue
		}
		other := c.tableStep(s, fk.Table)
		switch {
		case other == nil:
			c.fault(s, nil, "its rows are to be deleted, but table %s refers to them (%s, on delete %s) and is in no dataset of the plan; add it to a dataset", fk.Table, fk.Name, fk.OnDelete)
		case other.Erase != nil && other.Erase.Delete, fk.OnDelete == "set null":
		default:
			c.fault(s, nil, "its rows are to be deleted, but rows of %s refer to them (%s, on delete %s) and are kept; delete those too", other.Address(), fk.Name, fk.OnDelete)
		}
	}
}

// tableStep finds the step of a table on the connection of s, rather one that
// deletes than another.
func (c *checker) tableStep(s *graph.Step, table string) *graph.Step {
	conn := c.gen.connections[s.Address().Dataset]
	var found *graph.Step
	for _, o := range c.plan.Steps {
		schema := c.schemas[o.Address()]
		if schema != nil && schema.Table == table && c.gen.connections[o.Address().Dataset] == conn {
			if found == nil || o.Erase != nil && o.Erase.Delete {
				found = o
			}
		}
	}
	return found
}

// sharedTables refuses two collections that change the same physical table:
// one row would have two entries in the journal.
func (c *checker) sharedTables() {
	type table struct {
		conn *connection
		name string
	}
	first := map[table]*graph.Step{}
	for _, s := range c.plan.Steps {
		schema := c.schemas[s.Address()]
		if schema == nil || schema.Table == "" || c.gen.connections[s.Address().Dataset].asker != nil || s.Erase == nil || !s.Erase.Delete && len(s.Erase.Fields) == 0 {
			continue
		}
		at := table{c.gen.connections[s.Address().Dataset], schema.Table}
		if o, ok := first[at]; ok {
			c.fault(s, nil, "it is the same table as %s (%s), and erasure rules reach both; describe it once", o.Address(), schema.Table)
			continue
		}
		first[at] = s
	}
}
