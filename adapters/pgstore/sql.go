package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxCached is how many arguments a statement may have that the pool is to
// remember: as many as the update of a request. Longer ones come in so many
// lengths that they would drive out the host's.
const maxCached = 36

// conn is a transaction as internal/sqlstore wants it.
type conn struct {
	tx     pgx.Tx
	caches bool
	// once is set for statements that come in many shapes, and whose plans
	// depend on the arguments.
	once bool
}

func (c conn) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	tag, err := c.tx.Exec(ctx, statement, c.mode(args)...)
	return tag.RowsAffected(), err
}

func (c conn) Query(ctx context.Context, each func(scan func(dest ...any) error) error, query string, args ...any) error {
	rows, err := c.tx.Query(ctx, query, c.mode(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c conn) mode(args []any) []any {
	if !c.caches || len(args) <= maxCached && !c.once {
		return args
	}
	return append([]any{pgx.QueryExecModeDescribeExec}, args...)
}

// encodeTime keeps microseconds. The zero time comes before all others.
func encodeTime(t time.Time) (any, error) {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}, nil
	}
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return nil, fmt.Errorf("a time in the year %d cannot be stored: only 1 to 9999 can", year)
	}
	return pgtype.Timestamptz{Time: t.UTC(), Valid: true}, nil
}

func scanTime(t *time.Time) any { return &instant{t} }

// instant reverses encodeTime.
type instant struct{ t *time.Time }

// ScanTimestamptz implements [pgtype.TimestamptzScanner].
func (i *instant) ScanTimestamptz(v pgtype.Timestamptz) error {
	*i.t = time.Time{}
	if v.Valid && v.InfinityModifier == pgtype.Finite {
		*i.t = v.Time.UTC()
	}
	return nil
}
