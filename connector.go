package dsr

import (
	"context"
	"iter"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
)

// Connector reads and erases the rows of one database or service. Adapters
// implement it; the engine calls it, from many goroutines at once.
//
// Values cross the port in a closed set of Go types: nil, bool, int64,
// float64, [encoding/json.Number] (exact decimals), string, []byte,
// [time.Time] (points in time; plain dates and times of day are strings), []any
// and map[string]any. A connector converts what its driver returns into these,
// and takes any of them back.
//
// Errors must not hold personal values: no parameter, no row, no driver text
// that quotes one. Package adapters/connectortest checks every "must" below;
// the name of the check stands in brackets.
type Connector interface {
	// Describe returns the physical shape of a collection, or
	// [ErrNoCollection] when the database has no such table. It must
	// report names exactly as stored, however hostile [hostile names].
	Describe(ctx context.Context, c *graph.Collection) (*Schema, error)

	// Read yields every row that matches one of the query's criteria, each
	// row once [or once], and no other row [only matching rows]. A query
	// without criteria, or with an empty criterion, must be refused with
	// [ErrEmptyQuery] before anything is asked [empty query]. It must stop
	// soon after ctx is done [cancel stops the cursor] and must free the
	// cursor when the consumer breaks off [break frees the cursor]. The
	// Values and Via of a row are valid until the next one is asked for.
	Read(ctx context.Context, q *Query) iter.Seq2[Row, error]

	// Apply writes one chunk in one transaction and returns one result per
	// row of the chunk, in its order. A row must be written only while it
	// holds the old values of its changes [changed since]; holding the new
	// ones it counts as done [twice equals once]. On an error nothing of
	// the chunk may have been written [all or nothing]. A chunk row without
	// a key must be refused with [ErrEmptyQuery] [empty key].
	Apply(ctx context.Context, ch *Chunk) ([]RowResult, error)

	// Ping reports whether the database can be reached now.
	Ping(ctx context.Context) error
}

// DryRunner is an optional ability of a [Connector]: it tells the statements
// that Read and Apply would send, with placeholders in the place of values,
// and sends none of them [dry run writes nothing].
type DryRunner interface {
	DryRead(ctx context.Context, q *Query) ([]string, error)
	DryApply(ctx context.Context, ch *Chunk) ([]string, error)
}

// Query asks a connector for rows of one collection.
type Query struct {
	Collection *graph.Collection
	// Columns are the top-level fields to return, in the order of
	// Row.Values. Columns that hold documents come as map[string]any or
	// []any, undeclared keys included.
	Columns []string
	// Criteria are joined by OR.
	Criteria []Criterion
	// Via asks that each row says which inputs it matched. Without it,
	// Row.Via may be empty, which is cheaper.
	Via bool
}

// Criterion matches a row whose fields equal one of its tuples.
type Criterion struct {
	// Fields are one path, or several that are compared together, as the
	// parts of a composite key [tuples]. A path that leads through arrays
	// matches when any element does. The paths of a tuple lead through
	// none.
	Fields []graph.Path
	// Values are distinct tuples, each with a value for every field. No
	// value is nil; 0, false and 10,000 tuples are ordinary [zero keys]
	// [10,000 values].
	Values [][]any
	// FoldCase compares text without regard to letter case, as [Fold] does,
	// in tuples too: accents and blanks count [fold case]. Without it the
	// database's own collation decides.
	FoldCase bool
}

// Fold gives texts the same form that differ in nothing but letter case. It is
// how FoldCase of a Criterion compares: as [strings.EqualFold], but that no letter
// beyond ASCII stands for one of ASCII, such as the sign of Kelvin for a K, so
// that whoever has a mailbox that only looks like somebody else's is not taken
// for them.
func Fold(text string) string { return value.Fold(text) }

// Row is one row that a connector read.
type Row struct {
	// Values stand in the order of Query.Columns.
	Values []any
	// Via says which inputs the row matched, as the database itself
	// compared them [Via].
	Via []Match
}

// Match points at one tuple of one criterion of a query.
type Match struct {
	// Criterion is an index of Query.Criteria.
	Criterion int
	// Value is an index of that criterion's Values.
	Value int
}

// Schema is what a database says of a collection.
type Schema struct {
	// Table is the physical name, qualified as in the database; two
	// collections of one connection with the same Table are one table.
	Table   string
	Columns []Column
	// Key holds the columns of the primary key in its order; empty when
	// the table has none.
	Key []string
	// ReferencedBy are the foreign keys of other tables, and of this one,
	// that point at this table.
	ReferencedBy []ForeignKey
	// References are the table's own foreign keys, those that point at the
	// table itself included.
	References []ForeignKey
	// Unique holds the sets of two and more columns, each in any order,
	// that must be unique together, but for the primary key [unique sets].
	// Defaults to none.
	Unique [][]string
	// ReadOnly says that the connection cannot write, and why.
	ReadOnly string
	// Keyless says that rows can be addressed by any of their columns
	// where there is no primary key.
	Keyless bool
}

// Column is one column of a table. Documents have only the columns that the
// dataset declares.
type Column struct {
	Name string
	Kind ColumnKind
	// Native is the type as the database spells it.
	Native string
	// Length is the longest text in characters, in an array that of each
	// element; 0 means no limit is known.
	Length int
	// Element is the kind of the elements of an array whose elements all
	// have one type; empty for documents and for all other columns.
	Element ColumnKind
	// Nullable says that the column takes null.
	Nullable bool
	// Unique says that the column alone must be unique.
	Unique bool
	// Generated columns cannot be written.
	Generated bool
	// ReadOnly says that this connection may not write the column, though
	// it can write others.
	ReadOnly bool
}

// ColumnKind is the coarse type of a column.
type ColumnKind string

// The kinds of columns. ColumnAny is a column that takes a value of any type,
// as those of SQLite and of document stores do; ColumnDocument holds JSON, or
// an array; ColumnOther takes text in the database's own syntax (an interval,
// a network address, money).
const (
	ColumnAny      ColumnKind = "any"
	ColumnText     ColumnKind = "text"
	ColumnInteger  ColumnKind = "integer"
	ColumnFloat    ColumnKind = "float"
	ColumnDecimal  ColumnKind = "decimal"
	ColumnBoolean  ColumnKind = "boolean"
	ColumnTime     ColumnKind = "time"
	ColumnDate     ColumnKind = "date"
	ColumnUUID     ColumnKind = "uuid"
	ColumnBytes    ColumnKind = "bytes"
	ColumnDocument ColumnKind = "document"
	ColumnOther    ColumnKind = "other"
)

// Column returns the column of that name.
func (s *Schema) Column(name string) (*Column, bool) {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return &s.Columns[i], true
		}
	}
	return nil, false
}

// ForeignKey is a reference that the database itself enforces.
type ForeignKey struct {
	// Name is the constraint's name, for messages.
	Name string
	// Table is the other table, as its Schema.Table spells it: in
	// Schema.ReferencedBy the one that refers, in Schema.References the
	// one that is referred to.
	Table string
	// Columns of the table that refers point at References of the one
	// that is referred to, part by part.
	Columns    []string
	References []string
	// OnDelete is what the deletion of a row that is referred to does:
	// "restrict" (also for no action), "cascade", "set null" or "set
	// default".
	OnDelete string
}

// Chunk is a part of an erasure that is applied in one transaction.
type Chunk struct {
	Collection *graph.Collection
	// Operation identifies the chunk over all retries, for services that
	// know idempotency keys.
	Operation string
	// Delete removes the rows; their Set then only guards: it tells the
	// values that a row must still hold.
	Delete bool
	// Key names the columns that address a row.
	Key []graph.Path
	// Rows are in the order of their keys, so that writers cannot lock
	// each other out.
	Rows []RowChange
}

// RowChange is what a chunk does to one row.
type RowChange struct {
	// Key has a value for every path of Chunk.Key; zero values count. Where
	// there is no primary key, some of several values, never all, may be
	// nil, which addresses rows that hold null there [keyless].
	Key []any
	// Set lists the changes of the row. They are written together or not
	// at all.
	Set []Change
}

// Change replaces one value of a row, or only guards it when Old equals New.
type Change struct {
	// Path is the column, then the keys and array indexes (as int) inside
	// a document. Siblings of the last element must be left as they are
	// at the time of writing [sibling survives]. A change of a missing key
	// from nil to nil must not create it.
	Path []any
	// Old is the value that the row must hold; nil for null and for a key
	// that is missing.
	Old any
	// New is the value to write in its place; nil for null.
	New any
}

// RowResult says what became of one row of a chunk.
type RowResult string

const (
	// RowWritten means that the row held the old values and was written.
	RowWritten RowResult = "written"
	// RowAlready means that the row holds the new values already.
	RowAlready RowResult = "already"
	// RowChanged means that the row holds neither; it was left alone.
	RowChanged RowResult = "changed"
	// RowGone means that no row has the key. For a deletion this is what
	// an earlier attempt leaves, so it counts as done there.
	RowGone RowResult = "gone"
)
