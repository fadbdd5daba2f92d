package sqlconn

import (
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// table is what the catalogue says of a table, as far as statements need it.
type table struct {
	// schema and name are as stored; label is what people read.
	schema, name, label string
	from                string
	columns             []*column
	key                 []string
	unique              [][]string
	referencedBy        []dsr.ForeignKey
	references          []dsr.ForeignKey
	readOnly            string
	noDelete            string
}

// column is one column of a table.
type column struct {
	dsr.Column
	form form
	// cast is the type that inputs are brought into, in the dialect's own
	// spelling; element the type of the elements of a native array.
	cast, element string
	// collation and charset are those of text, quoted; empty when the
	// default serves.
	collation, charset string
	// ignoresCase says that the column's own comparison folds letter case.
	ignoresCase bool
	// indexed says that an index begins with the column; PostgreSQL only.
	indexed bool
	// padded text ignores trailing blanks.
	padded bool
	// unsigned integers start at 0; bits is their width, 0 when unknown.
	unsigned bool
	bits     int
	// scale is the number of decimals, or of digits of a second; -1 when
	// not limited.
	scale int
	// single marks a float of 32 bits.
	single bool
	// affinity is SQLite's.
	affinity affinity
}

// form is how the values of a column travel between driver and connector.
type form int

const (
	formAny form = iota
	formText
	formInteger
	formFloat
	formDecimal
	formBoolean
	formTime  // an instant, or a time without zone that is taken for UTC
	formEpoch // an instant as seconds since 1970
	formDate
	formUUID
	formBytes
	formJSON  // a document in a JSON type or in text
	formArray // a native array, read as JSON
	formOther
)

// document reports whether paths may lead into the column.
func (c *column) document() bool { return c.form == formJSON || c.form == formArray }

// column returns the column of that name.
func (t *table) column(name string) (*column, bool) {
	i := slices.IndexFunc(t.columns, func(c *column) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return t.columns[i], true
}

// as returns the column as the collection sees it: text for which the dataset
// declares keys or an array holds documents.
func (c *column) as(collection *graph.Collection) *column {
	if c.form != formText && c.form != formAny {
		return c
	}
	field, ok := collection.Field(graph.Path{c.Name})
	if !ok || len(field.Fields) == 0 && !field.Type.Array && field.Type.Kind != graph.Object {
		return c
	}
	doc := *c
	doc.form = formJSON
	doc.Kind = dsr.ColumnDocument
	return &doc
}

// describe returns what the engine sees of the table.
func (t *table) describe(collection *graph.Collection, readOnly bool) *dsr.Schema {
	s := &dsr.Schema{
		Table:        t.label,
		Key:          slices.Clone(t.key),
		ReferencedBy: slices.Clone(t.referencedBy),
		References:   slices.Clone(t.references),
		Unique:       slices.Clone(t.unique),
		ReadOnly:     t.readOnly,
		Keyless:      true,
	}
	switch {
	case readOnly:
		s.ReadOnly = "the connection is configured as read-only"
	case s.ReadOnly == "" && collection.Deletes():
		s.ReadOnly = t.noDelete
	}
	for _, c := range t.columns {
		s.Columns = append(s.Columns, c.as(collection).Column)
	}
	return s
}

// relation is a foreign key from the table child to the table parent; it
// begins or ends at the described table, or does both.
type relation struct {
	dsr.ForeignKey
	child, parent string
	begins, ends  bool
}

// relate sorts the foreign keys that begin or end at the table.
func (t *table) relate(relations []relation) {
	for _, r := range relations {
		if r.ends {
			r.Table = r.child
			t.referencedBy = append(t.referencedBy, r.ForeignKey)
		}
		if r.begins {
			r.Table = r.parent
			t.references = append(t.references, r.ForeignKey)
		}
	}
}

// label joins schema and name, quoting a part only where a dot inside would
// make two tables read the same.
func label(schema, name string) string {
	part := func(s string) string {
		if strings.Contains(s, ".") {
			return quoteWith(`"`, s)
		}
		return s
	}
	if schema == "" {
		return name
	}
	return part(schema) + "." + part(name)
}

// uniqueIndexes gathers the columns of unique indexes, by their names; a column
// without a name is an expression, or only a part of one.
type uniqueIndexes map[string]*uniqueIndex

type uniqueIndex struct {
	primary bool
	columns []string
}

func (u uniqueIndexes) add(index string, primary bool, column string) {
	if u[index] == nil {
		u[index] = &uniqueIndex{primary: primary}
	}
	u[index].columns = append(u[index].columns, column)
}

// tell notes which columns are unique, alone or together.
func (u uniqueIndexes) tell(t *table) {
	for _, name := range slices.Sorted(maps.Keys(u)) {
		columns := u[name].columns
		switch {
		case slices.Contains(columns, ""):
		case len(columns) > 1:
			if !u[name].primary {
				t.unique = append(t.unique, columns)
			}
		default:
			if c, ok := t.column(columns[0]); ok {
				c.Unique = true
			}
		}
	}
}
