package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/sqlstore"
)

var dialect = &sqlstore.Dialect{
	EncodeTime: nanoseconds,
	Earliest:   time.Unix(0, never+1), Latest: time.Unix(0, math.MaxInt64),
	ScanTime: func(t *time.Time) any { return &instant{t} },
	Position: "instr",
	Guide:    true,
	Padding:  padding,
	Orphan: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
	},
	Conflict: dsr.ErrConflict,
	NotFound: dsr.ErrNotFound,
}

// conn is a transaction, or a database, as [sqlstore.Conn].
type conn struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
}

func (c conn) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := c.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c conn) Query(ctx context.Context, each func(scan func(dest ...any) error) error, query string, args ...any) error {
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// never stands for the zero time.
const never = math.MinInt64

// nanoseconds is how a time is stored. The years 1678 to 2261 can be.
func nanoseconds(t time.Time) (any, error) {
	if t.IsZero() {
		return int64(never), nil
	}
	n := t.UnixNano()
	if !time.Unix(0, n).Equal(t) || n == never {
		return nil, fmt.Errorf("a time in the year %d cannot be stored: only 1678 to 2261 can", t.Year())
	}
	return n, nil
}

// instant reverses nanoseconds.
type instant struct{ t *time.Time }

// Scan implements [sql.Scanner].
func (i *instant) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is not as this program wrote it; restore a backup")
	}
	*i.t = time.Time{}
	if n != never {
		*i.t = time.Unix(0, n).UTC()
	}
	return nil
}
