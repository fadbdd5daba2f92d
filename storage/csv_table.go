package storage

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// csvTable puts what is in a row into its columns.
type csvTable struct {
	root    csvField
	cells   [][]byte // JSON, by column; nil for nothing
	row     int64    // counts
	scratch []byte   // a text without its escapes
}

// csvField is a field that has a column, or in which there are such.
type csvField struct {
	column int  // negative for none
	whole  bool // is one cell, whatever it holds
	seen   int64
	fields map[string]*csvField
}

// set begins a table of these columns.
func (t *csvTable) set(columns []Column) error {
	t.root = csvField{column: -1}
	t.cells = make([][]byte, len(columns))
	var faults []string
	fault := func(column int, text string) { faults = append(faults, fmt.Sprintf("column %d %s", column+1, text)) }
	for i, c := range columns {
		if len(c.Path) == 0 {
			fault(i, "has no name")
			continue
		}
		at := &t.root
		for _, name := range c.Path {
			if !utf8.ValidString(name) {
				fault(i, "has a name that is not valid UTF-8")
			}
			if at.fields == nil {
				at.fields = map[string]*csvField{}
			}
			if at.fields[name] == nil {
				at.fields[name] = &csvField{column: -1}
			}
			at = at.fields[name]
		}
		if at.column >= 0 {
			fault(i, fmt.Sprintf("has the name of column %d", at.column+1))
		}
		at.column, at.whole = i, c.Whole
	}
	if faults == nil {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}

// appendLine appends a row.
func (t *csvTable) appendLine(dst, row []byte) ([]byte, error) {
	clear(t.cells)
	t.row++
	if err := t.object(&t.root, row); err != nil {
		return dst, err
	}
	for i, cell := range t.cells {
		dst = appendComma(dst, i)
		switch {
		case cell == nil:
		case cell[0] == '"':
			var err error
			if cell, t.scratch, err = unquoted(cell, t.scratch); err != nil {
				return dst, errCSVJSON
			}
			dst = appendCSVText(dst, cell)
		case cell[0] == '[' || cell[0] == '{':
			dst = appendCSVJSON(dst, cell)
		default:
			dst = append(dst, cell...)
		}
	}
	return append(dst, "\r\n"...), nil
}

var (
	errCSVJSON   = errors.New("is not valid JSON")
	errCSVColumn = errors.New("holds a field without a column: Collection.Columns must name all")
	errCSVTwice  = errors.New("holds two fields of one name")
)

// object puts the members of an object where they belong.
func (t *csvTable) object(at *csvField, object []byte) error {
	in, err := openScan(object, '{')
	if err != nil {
		return errCSVJSON
	}
	for {
		name, value, err := in.member()
		if err != nil {
			return errCSVJSON
		}
		if value == nil {
			return nil
		}
		if name, t.scratch, err = unquoted(name, t.scratch); err != nil {
			return errCSVJSON
		}
		field := at.fields[string(name)]
		if field == nil {
			return errCSVColumn
		}
		if field.seen == t.row {
			return errCSVTwice
		}
		field.seen = t.row
		if err := t.put(field, value); err != nil {
			return err
		}
	}
}

// put puts a value into the columns of its field.
func (t *csvTable) put(field *csvField, value []byte) error {
	switch {
	case value[0] == 'n': // null
		return nil
	case value[0] == '{' && field.fields != nil && !field.whole && value[space(value, 1)] != '}':
		return t.object(field, value)
	case field.column < 0:
		return errCSVColumn
	}
	t.cells[field.column] = value
	return nil
}
