// Package sqlconn reads and erases rows of PostgreSQL, MySQL, MariaDB and
// SQLite through the host's own [database/sql.DB], whatever driver is behind
// it.
//
// # Inputs and rows
//
// All values of a criterion travel as one parameter (an array in PostgreSQL,
// a JSON list elsewhere) that the database turns into a small table and joins
// with the collection, so that an index on the compared column is used and
// 10,000 values against 10,000 rows stay linear. Values are brought into the
// column's own type first; one that the type cannot hold matches nothing. The
// database compares: its collations, padding and affinities decide what equals
// what, and Row.Via tells the inputs by that same comparison. Rows stream.
//
// Inside documents (JSON columns, arrays, and text columns for which the
// dataset declares keys or an array) the database narrows the rows down and
// the connector makes the final decision on the decoded document: scalars are
// compared as text, numbers by value, so 1 equals "1". PostgreSQL cannot ask
// whether text is JSON, so a text column with declared keys is read whole there.
//
// FoldCase ignores letter case as [dsr.Fold] does, and nothing else: the
// database narrows the rows down with its lower(), or with a collation that
// ignores case anyway, and the connector decides. Databases fold fewer letters
// (SQLite A to Z only, as PostgreSQL's collation "C"), so with an input that
// holds letters beyond ASCII every row that holds such letters is looked at. An
// index serves the rest: one on lower(), or the column's own where its
// collation ignores case. Without FoldCase the collation has the last word: one
// that ignores case or accents finds more, as in any query.
//
// A database whose own locale folds A to Z in another way, as the Turkish one
// does with I, must store what FoldCase looks for in lower case.
//
// # Schemas
//
// Describe says that a table cannot be written only where that is certain. For
// SQLite it tries a deletion of no row (DELETE … WHERE 0), which changes
// nothing and takes the write lock for a moment; while another connection has
// it, nothing is said. In MySQL the grants of an account that has a role set
// are not looked at. A PostgreSQL table from which others inherit, and which
// is not partitioned, has no key: its rows are told apart by what they hold.
//
// # Values
//
//   - integers: int64, beyond its range [encoding/json.Number]
//   - numeric and decimal: [encoding/json.Number]; a SQLite column keeps what
//     is stored in it, int64, float64 or text
//   - boolean: bool. MySQL's tinyint(1) and a SQLite column declared BOOLEAN
//     are bool while they hold 0 or 1, and the integer otherwise
//   - timestamps: [time.Time] in UTC. A timestamp without time zone, and
//     MySQL's DATETIME, is read as UTC; MySQL's TIMESTAMP is the instant, in
//     whatever time zone the session is. SQLite has no such type: the text or
//     number that is stored. Values outside the calendar (infinity,
//     0000-00-00) are strings
//   - dates "2006-01-02", times of day, UUIDs: string
//   - JSON and arrays: map[string]any and []any, their integers int64, other
//     numbers [encoding/json.Number]
//   - everything else (money, intervals, network addresses): the database's
//     own text
//
// # Writing
//
// A chunk locks its rows in the order of their keys (SELECT … FOR UPDATE;
// BEGIN IMMEDIATE in SQLite), compares what they hold now with the old and the
// new values, and writes those that hold the old ones with one UPDATE or
// DELETE for all rows of equal shape. Comparison is exact: letter case and
// accents count even where the collation ignores them, NULL equals only NULL,
// documents are compared by value, times by instant in the column's
// precision. Inside a document only the bytes of the changed leaf are
// replaced, on the text that the locked row holds, so every sibling stays as
// it was at that moment. Deadlocks and serialization failures are retried with
// a new transaction.
//
// # Errors
//
// Errors name the operation, the table and the database's code, never the
// driver's message, which may quote a value. See [Error].
//
// # Requirements
//
// PostgreSQL 12, MySQL 8.0.19, MariaDB 10.6, SQLite 3.41; MySQL tables must be
// transactional (InnoDB), and the connection's character set utf8mb4.
package sqlconn
