package sqlconn

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// Options are the settings of a [Connector]. The zero value, and nil, are
// ready to use.
type Options struct {
	// ReadOnly refuses every Apply with [dsr.ErrReadOnly]. Defaults to
	// false.
	ReadOnly bool
	// Schema is where the tables live: a schema of PostgreSQL, a database
	// of MySQL, an attached database of SQLite. A dataset's own namespace
	// ({"schema": …}, for MySQL also {"database": …}) wins over it.
	// Defaults to the search path in PostgreSQL, to the connection's
	// database in MySQL and to "main" in SQLite.
	Schema string
	// Attempts is how often Apply tries a transaction that ends in a
	// deadlock, a serialization failure or a busy database. Defaults to 5.
	Attempts int
}

// Connector is a [dsr.Connector] and a [dsr.DryRunner] over a database that
// the host has opened. It never closes the database. It is safe for concurrent
// use.
type Connector struct {
	db       *sql.DB
	dialect  dialect
	readOnly bool
	schema   string
	attempts int
	// ready says why nothing can be done with the database: what New found
	// wrong, or where its file has got to.
	ready func() error

	mu     sync.Mutex
	tables map[tableName]*table
}

type tableName struct{ schema, name string }

var (
	_ dsr.Connector = (*Connector)(nil)
	_ dsr.DryRunner = (*Connector)(nil)
)

// New returns a connector over db, which speaks the dialect. It asks the
// database nothing. With a nil db or an unknown dialect, every method of the
// connector returns an error that says so.
func New(db *sql.DB, d Dialect, opts *Options) *Connector {
	var faults []string
	if db == nil {
		faults = append(faults, "the database is nil; open one with sql.Open")
	}
	impl, ok := dialectOf(d)
	if !ok {
		faults = append(faults, fmt.Sprintf("the dialect %q is unknown; the dialects are %q, %q and %q", d, PostgreSQL, MySQL, SQLite))
	}
	var err error
	if faults != nil {
		err = errors.New("sqlconn: New: " + strings.Join(faults, "; "))
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	return &Connector{
		db:       db,
		dialect:  impl,
		readOnly: o.ReadOnly,
		schema:   o.Schema,
		attempts: cmp.Or(max(o.Attempts, 0), 5),
		ready:    func() error { return err },
		tables:   make(map[tableName]*table),
	}
}

// Ping reports whether the database can be reached now.
func (c *Connector) Ping(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.db.PingContext(ctx); err != nil {
		return failure(ctx, "ping", "", err)
	}
	return nil
}

// Describe reads the table of the collection from the catalogue, anew on every
// call; Read and Apply go by what the last call found. It returns
// [dsr.ErrNoCollection] when there is no such table or view, and an error that
// names every declared field for which the table has no column.
func (c *Connector) Describe(ctx context.Context, collection *graph.Collection) (*dsr.Schema, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	t, err := c.load(ctx, collection)
	if err != nil {
		return nil, err
	}
	var declared []string
	for _, f := range collection.Fields {
		declared = append(declared, f.Name)
	}
	if err := t.require("describe", declared); err != nil {
		return nil, err
	}
	return t.describe(collection, c.readOnly), nil
}

// table returns what is known of the collection's table, from the catalogue
// only the first time.
func (c *Connector) table(ctx context.Context, collection *graph.Collection) (*table, error) {
	c.mu.Lock()
	t, ok := c.tables[c.nameOf(collection)]
	c.mu.Unlock()
	if ok {
		return t, nil
	}
	return c.load(ctx, collection)
}

func (c *Connector) load(ctx context.Context, collection *graph.Collection) (*table, error) {
	if collection == nil || collection.Name == "" {
		return nil, errors.New("sqlconn: describe: the collection has no name")
	}
	name := c.nameOf(collection)
	t, err := c.dialect.describe(ctx, c.db, name.schema, name.name)
	if err != nil {
		return nil, failure(ctx, "describe", label(name.schema, name.name), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == nil {
		delete(c.tables, name)
		return nil, fmt.Errorf("sqlconn: describe %s: %w", label(name.schema, name.name), dsr.ErrNoCollection)
	}
	c.tables[name] = t
	return t, nil
}

func (c *Connector) nameOf(collection *graph.Collection) tableName {
	for _, key := range c.dialect.namespaceKeys() {
		if schema := collection.Namespace[key]; schema != "" {
			return tableName{schema, collection.Name}
		}
	}
	return tableName{c.schema, collection.Name}
}

// require names every column that the table lacks.
func (t *table) require(operation string, names []string) error {
	var missing []string
	for _, name := range names {
		if _, ok := t.column(name); !ok && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("sqlconn: %s %s: the table has no column %s: correct the dataset, or describe the table again after a migration",
		operation, t.label, strings.Join(quoted(missing), ", "))
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = fmt.Sprintf("%q", name)
	}
	return out
}
