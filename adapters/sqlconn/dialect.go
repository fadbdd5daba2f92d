package sqlconn

import (
	"context"
	"database/sql"
	"strings"
)

// Dialect is the SQL that a database speaks.
type Dialect string

// The dialects. MySQL serves MariaDB too.
const (
	PostgreSQL Dialect = "postgresql"
	MySQL      Dialect = "mysql"
	SQLite     Dialect = "sqlite"
)

// dialect is what differs between the databases. Its methods build text only;
// names go through quote, values through placeholders ("?", which finish turns
// into the dialect's own).
type dialect interface {
	// ident quotes a name so that the finished statement means exactly it.
	ident(name string) string
	// finish replaces the placeholders of a whole statement.
	finish(statement string) (string, error)
	// namespaceKeys are the keys of a dataset's namespace that name the
	// schema, the preferred one first.
	namespaceKeys() []string
	// describe reads a table from the catalogue; nil when there is none.
	describe(ctx context.Context, db querier, schema, name string) (*table, error)
	// output reads a column in the form that convert takes.
	output(c *column, expr string) string
	// leaf reads one scalar inside a document as text, for tuples.
	leaf(c *column, expr string, path []string) string
	// encode brings an input into the text form of the column's type; false
	// when the type cannot hold it.
	encode(c *column, v any) (any, bool)
	// encodeNew does the same for a value to be written.
	encodeNew(c *column, v any) (any, error)
	// comparable is how a column, or a leaf, stands in a comparison with an
	// input of the same list column.
	comparable(in listColumn, expr string) string
	// list turns columns of encoded values into a derived table with the
	// columns n (the position, counted from listBase) and v0, v1, …
	list(columns []listColumn, rows [][]any) fragment
	listBase() int
	// within narrows rows down to those in whose document some scalar
	// equals one of the list's values.
	within(doc *documentSelector, expr, list string) fragment
	// beyondASCII reports whether text holds any other characters.
	beyondASCII(expr string) string
	// read assembles the statement of a query.
	read(r *reading) fragment
	// fingerprint tells rows that hold the same in these columns.
	fingerprint(exprs []string) string
	// counts reports whether the number of rows that the driver tells is the
	// number of rows that the statement reached.
	counts(remove bool) bool
	// lock, update and remove are the statements of Apply.
	lock(w *writing) fragment
	update(w *writing) fragment
	remove(w *writing) fragment
	// begin starts a transaction that may lock rows.
	begin(ctx context.Context, db *sql.DB) (transaction, error)
}

// querier is what describing needs of a database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// fragment is a piece of SQL and the values of its placeholders.
type fragment struct {
	sql  string
	args []any
}

// listColumn is one column of a list of inputs.
type listColumn struct {
	column *column
	// path leads into a document; empty for the column itself.
	path []string
	fold bool
	// write takes values to be written, as they are, instead of inputs to
	// be compared.
	write bool
	// text is plain text, without a column.
	text bool
}

// folds reports whether the comparison has to fold letter case itself.
func (in listColumn) folds() bool {
	return in.fold && in.column != nil && (len(in.path) > 0 || !in.column.ignoresCase)
}

func dialectOf(d Dialect) (dialect, bool) {
	switch d {
	case PostgreSQL:
		return postgres{}, true
	case MySQL:
		return mysql{}, true
	case SQLite:
		return sqlite{}, true
	}
	return nil, false
}

// transaction is what Apply needs of one.
type transaction interface {
	querier
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	Commit(ctx context.Context) error
	// Rollback undoes what was not committed, even when ctx is done.
	Rollback(ctx context.Context)
}

// standard is a transaction of database/sql.
type standard struct{ *sql.Tx }

func beginTx(ctx context.Context, db *sql.DB) (transaction, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return standard{tx}, nil
}

func (s standard) Commit(context.Context) error { return s.Tx.Commit() }

func (s standard) Rollback(context.Context) { _ = s.Tx.Rollback() }

// join puts fragments together.
func join(separator string, parts ...fragment) fragment {
	var f fragment
	for i, part := range parts {
		if i > 0 {
			f.sql += separator
		}
		f.sql += part.sql
		f.args = append(f.args, part.args...)
	}
	return f
}

// asIs leaves an expression alone.
func asIs(_ *column, expr string) string { return expr }

// quoteWith doubles the quote inside a name.
func quoteWith(q, name string) string {
	return q + strings.ReplaceAll(name, q, q+q) + q
}
