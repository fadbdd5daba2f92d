package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/godsr/dsr/adapters/sqlitestore"
)

// pools returns the two pools of a store, the writing one first, so that the
// driver beside it is opened as the store opens it.
func pools(store *sqlitestore.Store) []*sql.DB {
	var list []*sql.DB
	for _, name := range []string{"writer", "reader"} {
		list = append(list, *inside[*sql.DB](store, name))
	}
	return list
}

// inside points at an unexported field. It panics when there is none of that
// name and type.
func inside[T any](of any, name string) *T {
	field := reflect.ValueOf(of).Elem().FieldByName(name)
	if field.Type() != reflect.TypeFor[T]() {
		panic(fmt.Sprintf("bench: %T.%s is a %s", of, name, field.Type()))
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr()))
}

// tapePools makes pools write down what they are asked under a context of
// Record.
func tapePools(list []*sql.DB) {
	for i, db := range list {
		connector := inside[driver.Connector](db, "connector")
		*connector = &tapedConnector{Connector: *connector, pool: i}
		open := db.Stats().MaxOpenConnections
		db.SetMaxIdleConns(-1) // closes those that are not taped
		db.SetMaxIdleConns(open)
	}
}

type tapedConnector struct {
	driver.Connector
	pool int
}

func (c *tapedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &tapedConn{wholeConn: conn.(wholeConn), pool: c.pool}, nil
}

// wholeConn is what the driver of SQLite can do.
type wholeConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type tapedConn struct {
	wholeConn
	pool int
}

func (c *tapedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tape := taped(ctx)
	tape.add(call{pool: c.pool, kind: begin})
	tx, err := c.wholeConn.BeginTx(ctx, opts)
	return &tapedTx{Tx: tx, tape: tape, pool: c.pool}, err
}

func (c *tapedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	tape := taped(ctx)
	tape.add(call{pool: c.pool, kind: exec, text: text, args: plainArgs(args)})
	result, err := c.wholeConn.ExecContext(ctx, text, args)
	if err != nil {
		return nil, err
	}
	n, err := result.RowsAffected()
	tape.ended(n)
	return result, err
}

func (c *tapedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	tape := taped(ctx)
	tape.add(call{pool: c.pool, kind: query, text: text, args: plainArgs(args)})
	rows, err := c.wholeConn.QueryContext(ctx, text, args)
	return &tapedRows{Rows: rows, tape: tape}, err
}

func plainArgs(args []driver.NamedValue) []any {
	list := make([]any, len(args))
	for i, arg := range args {
		list[i] = arg.Value
	}
	return list
}

type tapedTx struct {
	driver.Tx
	tape *Tape
	pool int
}

func (t *tapedTx) Commit() error {
	t.tape.add(call{pool: t.pool, kind: commit})
	return t.Tx.Commit()
}

func (t *tapedTx) Rollback() error {
	t.tape.add(call{pool: t.pool, kind: rollback})
	return t.Tx.Rollback()
}

type tapedRows struct {
	driver.Rows
	tape *Tape
}

func (r *tapedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil {
		r.tape.ended(1)
	}
	return err
}

// playSQL plays a tape on pools of database/sql.
func (t *Tape) playSQL(ctx context.Context, pools []*sql.DB, swap Swap) (err error) {
	open := make([]*sql.Tx, len(pools))
	defer func() {
		for _, tx := range open {
			if tx != nil {
				_ = tx.Rollback()
			}
		}
	}()
	for i := range t.calls {
		c := &t.calls[i]
		var on interface {
			ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
			QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		} = pools[c.pool]
		tx := open[c.pool]
		if tx != nil {
			on = tx
		}
		var rows int64
		switch c.kind {
		case begin:
			open[c.pool], err = pools[c.pool].BeginTx(ctx, nil)
		case commit:
			err, open[c.pool] = tx.Commit(), nil
		case rollback:
			err, open[c.pool] = tx.Rollback(), nil
		case exec:
			var result sql.Result
			if result, err = on.ExecContext(ctx, c.text, t.arguments(c, swap)...); err == nil {
				rows, err = result.RowsAffected()
			}
		case query:
			rows, err = drain(ctx, on.QueryContext, c.text, t.arguments(c, swap))
		}
		if err == nil {
			err = c.check(rows)
		}
		if err != nil {
			return fmt.Errorf("call %d, %s %.60s: %w", i, c.kind, c.text, err)
		}
	}
	return nil
}

// drain reads what a query finds into variables, and drops it.
func drain(ctx context.Context, ask func(context.Context, string, ...any) (*sql.Rows, error), text string, args []any) (n int64, err error) {
	rows, err := ask(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(any)
	}
	for rows.Next() {
		n++
		if err := rows.Scan(dest...); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// check holds that a statement came to what it did when it was recorded. What
// is said of others, such as PRAGMA, is left from the statement before.
func (c *call) check(rows int64) error {
	counts := slices.ContainsFunc([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, func(verb string) bool { return strings.HasPrefix(c.text, verb) })
	if counts && rows != c.rows {
		return fmt.Errorf("%d rows, and %d when it was recorded", rows, c.rows)
	}
	return nil
}
