package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/sqlstore"
)

// maxName is how many bytes of a name PostgreSQL keeps.
const maxName = 63

// Store is a [dsr.Store] in PostgreSQL. It may be used from many goroutines,
// and from many processes at once. It needs no closing: the pool is the host's.
type Store struct {
	pool    *pgxpool.Pool
	schema  string // as it is
	prefix  string // quoted, with a dot
	dialect *sqlstore.Dialect
	conns   int // that the pool may hold
	// caches is set when the pool prepares statements and keeps them.
	caches bool
	inTx   func(ctx context.Context, tx pgx.Tx, ch *dsr.StoreChange) error
}

var _ dsr.Store = (*Store)(nil)

// Options tune a [Store].
type Options struct {
	// Schema is where the tables lie. It is taken literally, and created
	// when it is missing. Defaults to "dsr".
	Schema string
	// InTx is called in the transaction of every commit, after the change
	// was written and before it is committed: what it does there is stored
	// if and only if the change is. An executor enqueues its jobs so. An
	// error from it undoes the change, and Commit returns it. It must
	// neither end the transaction nor change what it is given, and is called
	// again when the change is tried again. SaveMessages does not call it.
	// Defaults to none.
	InTx func(ctx context.Context, tx pgx.Tx, ch *dsr.StoreChange) error
}

// Open returns the store in a schema of the pool's database, after bringing its
// tables to the current version. Any number of processes may open it at the
// same time. The pool stays the host's, who closes it when the store is no
// longer used. Each call of the store needs one connection at a time. opts may
// be nil.
//
// The role must own the schema, or be allowed to create it; where the tables
// are current, reading and writing them is enough. A schema that holds tables
// of another program, or was written by a newer version of this package, is
// refused and left as it is.
func Open(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("pgstore: a pool of connections is needed")
	}
	o := Options{}
	if opts != nil {
		o = *opts
	}
	schema := cmp.Or(o.Schema, "dsr")
	if len(schema) > maxName || !storable(schema) {
		return nil, fmt.Errorf("pgstore: schema %q: a name has at most %d bytes of UTF-8 and no zero byte", schema, maxName)
	}
	prefix := pgx.Identifier{schema}.Sanitize() + "."
	config := pool.Config()
	mode := config.ConnConfig.DefaultQueryExecMode
	s := &Store{
		pool: pool, schema: schema, prefix: prefix, conns: int(config.MaxConns), inTx: o.InTx,
		caches: mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeCacheDescribe,
		dialect: &sqlstore.Dialect{
			Dollar: true,
			// A doubled question mark is not a placeholder.
			Prefix:     strings.ReplaceAll(prefix, "?", "??"),
			EncodeTime: encodeTime,
			Earliest:   time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), Latest: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			ScanTime: scanTime,
			Position: "strpos",
			Orphan:   orphan,
			Conflict: dsr.ErrConflict,
			NotFound: dsr.ErrNotFound,
		},
	}
	if err := s.migrate(ctx); err != nil {
		return nil, fmt.Errorf("pgstore: schema %q: %w", schema, plain(err))
	}
	return s, nil
}

// storable reports whether a text can be stored: PostgreSQL takes neither zero
// bytes nor invalid UTF-8.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}
