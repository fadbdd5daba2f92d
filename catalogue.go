package dsr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/godsr/dsr/storage"
)

// Catalogue are the verbs on what is configured while the engine runs: besides
// what Config holds for good, connections of the types in
// Config.ConnectionTypes, their datasets, destinations, policies, forms, hooks
// and redaction patterns. It lives in the store: it outlasts the process, and
// all processes of a store share it.
//
// Each change makes a new version of the whole. A request keeps the version that
// it was planned with, whatever is changed meanwhile; [Requests.Replan] lets one
// that failed take the newest. Secrets have no versions: the newest ones count
// for all, and the ones before are gone. How tests of connections ended has none
// either.
type Catalogue struct {
	engine *Engine
}

// Catalogue returns the verbs on what is configured at run time.
func (e *Engine) Catalogue() *Catalogue { return &Catalogue{engine: e} }

// CatalogueKind is a kind of what the catalogue holds.
type CatalogueKind string

// The kinds.
const (
	CatalogueConnection  CatalogueKind = "connection"
	CatalogueDataset     CatalogueKind = "dataset"
	CatalogueDestination CatalogueKind = "destination"
	CatalogueDefault     CatalogueKind = "default" // the destination of rules that name none
	CataloguePolicy      CatalogueKind = "policy"
	CatalogueForm        CatalogueKind = "form"
	CatalogueHook        CatalogueKind = "hook"
	CatalogueRedaction   CatalogueKind = "redaction"
	CatalogueSetting     CatalogueKind = "setting"
)

// Read returns what there is now, with what comes from Config. Whoever gets it
// may change it.
func (c *Catalogue) Read(ctx context.Context) (*Definitions, error) {
	v, err := c.engine.config.Store.CatalogueVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	return c.At(ctx, v)
}

// At returns what there was in a version; [ErrNotFound] for one that there is
// not.
func (c *Catalogue) At(ctx context.Context, version int64) (*Definitions, error) {
	shelf, err := c.engine.shelf(ctx, version)
	if err != nil {
		return nil, err
	}
	return shelf.defs, nil
}

// Redaction returns the patterns of names that packages are written with now:
// those of the catalogue or, where it has none, of Config.Redaction.
func (c *Catalogue) Redaction(ctx context.Context) ([]string, error) {
	g, done, err := c.engine.take(ctx, newest)
	if err != nil {
		return nil, err
	}
	defer done()
	return g.redaction().Strings(), nil
}

// Secrets returns the secrets of a connection or a destination;
// [ErrNotFound] where there is no such thing, empty where it has none.
func (c *Catalogue) Secrets(ctx context.Context, kind CatalogueKind, key string) (Secrets, error) {
	e := c.engine
	entries, err := e.config.Store.Entries(ctx, EntryQuery{Kind: kindSecret, Key: ownedKey(kind, key), Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("dsr: read the secrets of %s %q: %w", kind, key, err)
	}
	if len(entries) > 0 {
		return e.unsealSecrets(ctx, &entries[0])
	}
	found, err := e.config.Store.Entries(ctx, EntryQuery{Kind: string(kind), Key: key, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("dsr: read %s %q: %w", kind, key, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: %s %q", ErrNotFound, kind, key)
	}
	return Secrets{}, nil
}

// Ping asks the database of a connection whether it answers, with the secrets
// that it has now. [ErrNotFound] where there is no such connection or its type
// cannot be asked; other errors say what is wrong, without secrets.
func (c *Catalogue) Ping(ctx context.Context, connection string) (err error) {
	defer recovered(&err)
	g, done, err := c.engine.take(ctx, newest)
	if err != nil {
		return err
	}
	defer done()
	conn, err := g.connector(connection)
	if err != nil {
		return err
	}
	return conn.Connector.Ping(ctx)
}

// ConnectionTypes returns the types that connections can be of, by key, for
// front doors to show and to check with. They are those of
// Config.ConnectionTypes.
func (c *Catalogue) ConnectionTypes() map[string]ConnectionType {
	return maps.Clone(c.engine.config.ConnectionTypes)
}

// DestinationTypes returns the types that destinations can be of, likewise.
func (c *Catalogue) DestinationTypes() map[string]DestinationType {
	return maps.Clone(c.engine.config.DestinationTypes)
}

// PingDestination asks a destination whether it answers, with the secrets that
// it has now, by looking for a file that is not there. [ErrNotFound] where there
// is no such destination, or it cannot be asked because it only takes files;
// other errors say what is wrong, without secrets.
func (c *Catalogue) PingDestination(ctx context.Context, destination string) (err error) {
	defer recovered(&err)
	g, done, err := c.engine.take(ctx, newest)
	if err != nil {
		return err
	}
	defer done()
	d, ok := g.config.Destinations[destination]
	if !ok {
		for _, p := range g.problems {
			if p.Kind == CatalogueDestination && p.Key == destination {
				return fmt.Errorf("dsr: destination %q cannot be used: %s", destination, p.why())
			}
		}
		return fmt.Errorf("%w: destination %q", ErrNotFound, destination)
	}
	opener, ok := d.Storage.(storage.Opener)
	if !ok {
		return fmt.Errorf("%w: destination %q only takes files", ErrNotFound, destination)
	}
	file, err := opener.Open(ctx, "is-anybody-there")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("dsr: ask destination %q: %w", destination, err)
	}
	return file.Close()
}

// connector returns the connection of a key, also one without datasets.
func (g *generation) connector(key string) (*connection, error) {
	for _, d := range slices.Sorted(maps.Keys(g.connections)) {
		if conn := g.connections[d]; conn.Key == key {
			return conn, nil
		}
	}
	for _, o := range g.opened {
		if o.conn != nil && o.conn.Key == key {
			return o.conn, nil
		}
	}
	for i := range g.engine.config.Connections {
		if c := &g.engine.config.Connections[i]; c.Key == key {
			return &connection{Connection: *c}, nil
		}
	}
	for _, p := range g.problems {
		if p.Kind == CatalogueConnection && p.Key == key {
			return nil, fmt.Errorf("dsr: connection %q cannot be used: %s", key, p.why())
		}
	}
	return nil, fmt.Errorf("%w: connection %q", ErrNotFound, key)
}
