package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/value"
)

// Site is a place for stores of one product, each in a database of its own.
type Site interface {
	// Store opens the store of that name.
	Store(ctx context.Context, name string) (dsr.Store, error)
	// Taped opens it so that it writes down what it asks under a context of
	// Record.
	Taped(ctx context.Context, name string) (dsr.Store, error)
	// Bare opens the database of a store as the store does, and plays tapes
	// on it.
	Bare(ctx context.Context, name string) (Player, error)
	// Address is what Open takes, in another process as well.
	Address(name string) string
	// Fill runs statements on the database of a store.
	Fill(ctx context.Context, name string, statements ...string) error
	// Bulk is Fill for statements that make very many requests.
	Bulk(ctx context.Context, name string, statements ...string) error
	// Sizes are the bytes that each table of a store takes, with its
	// indexes.
	Sizes(ctx context.Context, name string) (map[string]int64, error)
	// Close closes what was opened.
	Close()
}

// Player plays a tape about another request.
type Player func(ctx context.Context, t *Tape, swap Swap) error

// Another is the swap of a recorded request for one with another ID.
func Another(rec *dsr.Record, id, lookup string) Swap {
	swap := Swap{rec.ID: id, value.Fold(rec.ID): value.Fold(id)}
	for _, hash := range rec.Lookup {
		swap[string(hash)] = lookup
	}
	return swap
}

// SQLite is a Site in files of a folder.
type SQLite struct {
	Dir  string
	open []func()
}

// Close implements [Site].
func (s *SQLite) Close() {
	for _, end := range s.open {
		end()
	}
	s.open = nil
}

func (s *SQLite) store(ctx context.Context, name string) (*sqlitestore.Store, error) {
	store, err := sqlitestore.Open(ctx, s.Address(name), nil)
	if err == nil {
		s.open = append(s.open, func() { _ = store.Close() })
	}
	return store, err
}

// Store implements [Site].
func (s *SQLite) Store(ctx context.Context, name string) (dsr.Store, error) {
	return s.store(ctx, name)
}

// Taped implements [Site].
func (s *SQLite) Taped(ctx context.Context, name string) (dsr.Store, error) {
	store, err := s.store(ctx, name)
	if err == nil {
		tapePools(pools(store))
	}
	return store, err
}

// Bare implements [Site].
func (s *SQLite) Bare(ctx context.Context, name string) (Player, error) {
	store, err := s.store(ctx, name)
	if err != nil {
		return nil, err
	}
	list := pools(store)
	return func(ctx context.Context, t *Tape, swap Swap) error { return t.playSQL(ctx, list, swap) }, nil
}

// Address implements [Site].
func (s *SQLite) Address(name string) string { return filepath.Join(s.Dir, name+".db") }

// Fill implements [Site].
func (s *SQLite) Fill(ctx context.Context, name string, statements ...string) error {
	store, err := s.store(ctx, name)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := pools(store)[0].ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// Bulk implements [Site].
func (s *SQLite) Bulk(ctx context.Context, name string, statements ...string) error {
	store, err := s.store(ctx, name)
	if err != nil {
		return err
	}
	rows, err := pools(store)[0].QueryContext(ctx, "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'requests' AND sql IS NOT NULL")
	drop, create, err := indexes(rows, err, "")
	if err != nil {
		return err
	}
	// No ANALYZE: the store never asks for one.
	return s.Fill(ctx, name, slices.Concat([]string{"PRAGMA cache_size = -600000"}, drop, statements, create, []string{"PRAGMA cache_size = -2000", "PRAGMA wal_checkpoint(TRUNCATE)"})...)
}

// indexes returns the statements that drop and make again the indexes that a
// query names.
func indexes(rows *sql.Rows, err error, prefix string) (drop, create []string, _ error) {
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, nil, err
		}
		drop, create = append(drop, "DROP INDEX "+prefix+name), append(create, text)
	}
	return drop, create, rows.Err()
}

// Sizes implements [Site].
func (s *SQLite) Sizes(ctx context.Context, name string) (map[string]int64, error) {
	if err := s.Fill(ctx, name, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return nil, err
	}
	store, err := s.store(ctx, name)
	if err != nil {
		return nil, err
	}
	return sizes(pools(store)[0].QueryContext(ctx, `SELECT s.tbl_name, sum(d.pgsize) FROM dbstat AS d JOIN sqlite_schema AS s ON s.name = d.name GROUP BY 1`))
}

func sizes(rows *sql.Rows, err error) (map[string]int64, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list := map[string]int64{}
	for rows.Next() {
		var table string
		var bytes int64
		if err := rows.Scan(&table, &bytes); err != nil {
			return nil, err
		}
		list[table] = bytes
	}
	return list, rows.Err()
}

// Postgres is a Site on a server.
type Postgres struct {
	Server *dbtest.Server
	open   []func()
}

// Close implements [Site]. The server goes on.
func (p *Postgres) Close() {
	for _, end := range p.open {
		end()
	}
	p.open = nil
}

// conns is enough for the workers, the look-out and whoever submits.
const conns = 20

func (p *Postgres) pool(ctx context.Context, name string, taped bool) (*pgxpool.Pool, error) {
	if err := p.Server.CreateDatabase(ctx, name); err != nil && !strings.Contains(err.Error(), "already exists") {
		return nil, err
	}
	return p.connect(ctx, name, taped)
}

func (p *Postgres) connect(ctx context.Context, name string, taped bool) (*pgxpool.Pool, error) {
	pool, err := OpenPool(ctx, p.Server.DSN(name), taped)
	if err == nil {
		p.open = append(p.open, pool.Close)
	}
	return pool, err
}

// OpenPool opens a pool as all of the figures use it.
func OpenPool(ctx context.Context, dsn string, taped bool) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.MaxConns = conns
	if taped {
		config.ConnConfig.Tracer = tracer{}
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// Store implements [Site].
func (p *Postgres) Store(ctx context.Context, name string) (dsr.Store, error) {
	pool, err := p.pool(ctx, name, false)
	if err != nil {
		return nil, err
	}
	return pgstore.Open(ctx, pool, nil)
}

// Taped implements [Site].
func (p *Postgres) Taped(ctx context.Context, name string) (dsr.Store, error) {
	pool, err := p.pool(ctx, name, true)
	if err != nil {
		return nil, err
	}
	return pgstore.Open(ctx, pool, nil)
}

// Bare implements [Site].
func (p *Postgres) Bare(ctx context.Context, name string) (Player, error) {
	pool, err := p.pool(ctx, name, false)
	if err != nil {
		return nil, err
	}
	if _, err := pgstore.Open(ctx, pool, nil); err != nil {
		return nil, err
	}
	return func(ctx context.Context, t *Tape, swap Swap) error { return t.playPgx(ctx, pool, swap) }, nil
}

// Address implements [Site].
func (p *Postgres) Address(name string) string { return p.Server.DSN(name) }

// Open opens the store at an address.
func Open(ctx context.Context, address string) (store dsr.Store, end func() error, err error) {
	if !strings.HasPrefix(address, "postgres:") {
		lite, err := sqlitestore.Open(ctx, address, nil)
		if err != nil {
			return nil, nil, err
		}
		return lite, lite.Close, nil
	}
	pool, err := OpenPool(ctx, address, false)
	if err != nil {
		return nil, nil, err
	}
	store, err = pgstore.Open(ctx, pool, nil)
	return store, func() error { pool.Close(); return nil }, err
}

// Fill implements [Site].
func (p *Postgres) Fill(ctx context.Context, name string, statements ...string) error {
	pool, err := p.pool(ctx, name, false)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// Bulk implements [Site].
func (p *Postgres) Bulk(ctx context.Context, name string, statements ...string) error {
	db, err := p.Server.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'dsr' AND tablename = 'requests' AND indexname <> 'requests_pkey'")
	drop, create, err := indexes(rows, err, `"dsr".`)
	if err != nil {
		return err
	}
	return p.Fill(ctx, name, slices.Concat(drop, statements, create, []string{"VACUUM ANALYZE", "CHECKPOINT"})...)
}

// Sizes implements [Site].
func (p *Postgres) Sizes(ctx context.Context, name string) (map[string]int64, error) {
	if err := p.Fill(ctx, name, "VACUUM FULL"); err != nil {
		return nil, err
	}
	db, err := p.Server.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	return sizes(db.QueryContext(ctx, "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'dsr'::regnamespace"))
}
