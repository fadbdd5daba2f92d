package storage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// CSVReader reads a table that [CSV] wrote: what was added for spreadsheets is
// taken away again. It reads the tables of other programs as well; text without
// quotes is text, line feeds alone end a line, and the byte order mark may be
// missing. It is used from one goroutine.
type CSVReader struct {
	in     *bufio.Reader
	header [][]string
	line   int64 // at which the next record begins
	cells  []CSVCell
	raw    []byte // of a cell
	err    error
}

// CSVKind is the kind of value in a cell.
type CSVKind uint8

const (
	// CSVMissing is a cell without a value: a field that is not there, or
	// null.
	CSVMissing CSVKind = iota
	// CSVText is a text, which may be empty.
	CSVText
	// CSVJSON is any other value: a number, true, false, a list or an
	// object.
	CSVJSON
)

// CSVCell is one value of a table.
type CSVCell struct {
	Kind CSVKind
	// Text is the text itself for CSVText, JSON for CSVJSON, and empty for
	// CSVMissing.
	Text string
}

// NewCSVReader returns a reader of the table in r.
func NewCSVReader(r io.Reader) *CSVReader {
	return &CSVReader{in: bufio.NewReaderSize(r, bufferSize), line: 1}
}

// Header returns the columns: each is the name of a field, after those of the
// fields that it is inside of.
func (r *CSVReader) Header() ([][]string, error) {
	if r.header != nil || r.err != nil {
		return r.header, r.err
	}
	if mark, _ := r.in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = r.in.Discard(len(mark))
	}
	if err := r.record(); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("storage: the CSV file is empty: a line with the names of the columns is missing")
		}
		r.err = err
		return nil, err
	}
	r.header = [][]string{}
	if r.blank() {
		return r.header, nil
	}
	for _, cell := range r.cells {
		r.header = append(r.header, splitPath(cell.Text))
	}
	return r.header, nil
}

// Read returns the cells of the next row, one for each column, and [io.EOF]
// after the last row. The slice is valid until the next call. Memory does not
// grow with the rows. Errors name a line and quote nothing of it.
func (r *CSVReader) Read() ([]CSVCell, error) {
	header, err := r.Header()
	if err != nil {
		return nil, err
	}
	line := r.line
	if err := r.record(); err != nil {
		r.err = err
		return nil, err
	}
	if len(header) == 0 && r.blank() {
		r.cells = r.cells[:0]
	}
	if len(r.cells) != len(header) {
		r.err = fmt.Errorf("storage: line %d of the CSV file has %d cells, its header has %d", line, len(r.cells), len(header))
		return nil, r.err
	}
	return r.cells, nil
}

// blank reports whether the record is an empty line.
func (r *CSVReader) blank() bool { return len(r.cells) == 1 && r.cells[0].Kind == CSVMissing }

// record reads the cells of one record.
func (r *CSVReader) record() error {
	if _, err := r.in.Peek(1); err != nil {
		return r.fault(err)
	}
	r.cells = r.cells[:0]
	for more := true; more; {
		c, err := r.in.ReadByte()
		if err == nil && c == '"' {
			more, err = r.quoted()
		} else {
			if err == nil {
				err = r.in.UnreadByte()
			}
			more, err = r.bare(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quoted reads a cell behind its opening quote, and reports whether another one
// follows in the record.
func (r *CSVReader) quoted() (more bool, err error) {
	line := r.line
	r.raw = r.raw[:0]
	for {
		part, err := r.in.ReadSlice('"')
		r.raw = append(r.raw, part...)
		r.line += int64(bytes.Count(part, []byte{'\n'}))
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return false, fmt.Errorf("storage: line %d of the CSV file: a cell begins with a quote and does not end with one", line)
		}
		if err != nil {
			return false, r.fault(err)
		}
		next, err := r.in.Peek(1)
		if len(next) == 0 && !errors.Is(err, io.EOF) {
			return false, r.fault(err)
		}
		if len(next) == 0 || next[0] != '"' {
			break
		}
		_, _ = r.in.Discard(1)
	}
	r.raw = r.raw[:len(r.raw)-1]
	if isJSONCell(r.raw) {
		r.cells = append(r.cells, CSVCell{CSVJSON, string(r.raw)})
	} else {
		r.cells = append(r.cells, CSVCell{CSVText, csvText(r.raw)})
	}
	rest, more, err := r.rest()
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("storage: line %d of the CSV file: after the quote that ends a cell comes more than a comma", r.line)
	}
	return more, err
}

// bare reads a cell without quotes; read is the error of reading its first
// byte.
func (r *CSVReader) bare(read error) (more bool, err error) {
	if read != nil && !errors.Is(read, io.EOF) {
		return false, r.fault(read)
	}
	raw, more, err := r.rest()
	if err != nil {
		return false, err
	}
	switch {
	case len(raw) == 0:
		r.cells = append(r.cells, CSVCell{})
	case isJSONCell(raw), raw[0] != '[' && raw[0] != '{' && endOf(raw, 0) == len(raw):
		r.cells = append(r.cells, CSVCell{CSVJSON, string(raw)})
	default:
		r.cells = append(r.cells, CSVCell{CSVText, csvText(raw)})
	}
	return more, nil
}

// rest reads up to the end of the cell or of the line.
func (r *CSVReader) rest() (raw []byte, more bool, err error) {
	r.raw = r.raw[:0]
	for {
		c, err := r.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return r.raw, false, nil
		case err != nil:
			return nil, false, r.fault(err)
		case c == ',':
			return r.raw, true, nil
		case c == '\n':
			r.line++
			return bytes.TrimSuffix(r.raw, []byte{'\r'}), false, nil
		}
		r.raw = append(r.raw, c)
	}
}

// fault wraps what reading failed with; the end of the file stays bare.
func (r *CSVReader) fault(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("storage: read line %d of the CSV file: %w", r.line, err)
}
