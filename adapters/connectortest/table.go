package connectortest

import (
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// Table describes a table, or a collection of documents, to create.
type Table struct {
	// Collection is what the suite hands to the connector; its Name is the
	// name of the table. Its fields are the columns, with the declared
	// inside of documents.
	Collection *graph.Collection
	// Columns are in the order in which to create them. Name, Kind, Length,
	// Nullable and Unique count. The kinds in use are text, integer, float,
	// decimal, boolean, time, date, bytes and document.
	Columns []dsr.Column
	// Key holds the columns of the primary key; empty for none.
	Key         []string
	ForeignKeys []ForeignKey
	// Unique holds sets of columns that must be unique together.
	Unique [][]string
	// Rows hold a value for every column, nil for null.
	Rows []map[string]any
}

// ForeignKey is a reference of a table's columns to those of Parent, a table
// of the same setup.
type ForeignKey struct {
	Columns    []string
	Parent     string
	References []string
	// OnDelete is "restrict", "cascade", "set null" or "set default".
	OnDelete string
}

// Name is the name of the table in the database.
func (t *Table) Name() string { return t.Collection.Name }

func (t *Table) column(name string) *dsr.Column {
	i := slices.IndexFunc(t.Columns, func(c dsr.Column) bool { return c.Name == name })
	if i < 0 {
		panic("connectortest: table has no column " + name)
	}
	return &t.Columns[i]
}

func (t *Table) columnNames() []string {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return names
}

// newTable declares a table whose collection has one field per column. Rows
// are lists of values in the order of the columns.
func newTable(name string, key []string, columns []dsr.Column, rows ...[]any) Table {
	t := Table{
		Collection: &graph.Collection{
			Name:    name,
			Address: graph.Address{Dataset: "connectortest", Collection: name},
		},
		Columns: columns,
		Key:     key,
	}
	for i := range columns {
		columns[i].Nullable = columns[i].Nullable && !slices.Contains(key, columns[i].Name)
		t.Collection.Fields = append(t.Collection.Fields, &graph.Field{
			Name:       columns[i].Name,
			PrimaryKey: slices.Contains(key, columns[i].Name),
		})
	}
	for _, values := range rows {
		row := make(map[string]any, len(columns))
		for i := range columns {
			row[columns[i].Name] = values[i]
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// col is a column that takes null.
func col(name string, kind dsr.ColumnKind) dsr.Column {
	return dsr.Column{Name: name, Kind: kind, Nullable: true}
}

// in declares the fields inside a document column.
func (t Table) in(column string, fields ...*graph.Field) Table {
	for _, f := range t.Collection.Fields {
		if f.Name == column {
			f.Fields = fields
		}
	}
	return t
}

func field(name string, inside ...*graph.Field) *graph.Field {
	return &graph.Field{Name: name, Fields: inside}
}
