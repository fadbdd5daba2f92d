package storage

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// byteOrderMark says that a table is UTF-8.
const byteOrderMark = "\ufeff"

// csvGuard stands before what a spreadsheet could take for a formula.
const csvGuard = '\''

// appendComma appends what separates a cell from the one before.
func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// appendCSVText appends a cell of text.
func appendCSVText(dst, text []byte) []byte {
	dst = append(dst, '"')
	begins := true // only spaces and double quotes since a cell may have begun
	if len(text) > 0 && (csvEnds(text[0]) && text[0] != ';' || isJSONCell(text)) {
		dst, begins = append(dst, csvGuard), false
	}
	from := 0
	for i, c := range text {
		if begins && c != ' ' && c != '"' {
			if csvStarts(text[i:]) {
				dst = append(append(dst, text[from:i]...), csvGuard)
				from = i
			}
			begins = false
		}
		switch {
		case c == '"':
			dst = append(append(dst, text[from:i]...), '"')
			from = i
		case csvEnds(c):
			begins = true
		}
	}
	return append(append(dst, text[from:]...), '"')
}

// csvText returns the text of a cell without what appendCSVText added to it.
func csvText(cell []byte) string {
	if bytes.IndexByte(cell, csvGuard) < 0 {
		return string(cell)
	}
	text := make([]byte, 0, len(cell))
	begins := true
	for _, c := range cell {
		if begins && c == csvGuard {
			begins = false
			continue
		}
		begins = begins && (c == ' ' || c == '"') || csvEnds(c)
		text = append(text, c)
	}
	return string(text)
}

// csvEnds reports whether a spreadsheet may take what follows for another cell.
func csvEnds(c byte) bool { return c == ';' || c == '\t' || c == '\r' || c == '\n' }

// csvStarts reports whether a text begins as formulas do, or with the guard, or
// as the first line by which Excel is told of another separator.
func csvStarts(text []byte) bool {
	if len(text) > 3 && bytes.EqualFold(text[:4], []byte("sep=")) {
		return true
	}
	if text[0] < utf8.RuneSelf {
		return strings.IndexByte("=+-@'", text[0]) >= 0
	}
	switch r, _ := utf8.DecodeRune(text); r {
	case '＝', '＋', '－', '＠':
		return true
	}
	return false
}

// isJSONCell reports whether a cell is JSON rather than text.
func isJSONCell(cell []byte) bool {
	return len(cell) > 1 && (cell[0] == '[' && cell[len(cell)-1] == ']' || cell[0] == '{' && cell[len(cell)-1] == '}') && json.Valid(cell)
}

// appendCSVJSON appends a cell with a JSON list or object.
func appendCSVJSON(dst, value []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range value {
		if c >= ' ' && c != '"' && c != ';' {
			continue
		}
		dst = append(dst, value[from:i]...)
		from = i + 1
		switch c {
		case '"':
			dst = append(dst, `""`...)
		case ';':
			dst = append(dst, `\u003b`...)
		default:
			dst = append(dst, ' ') // White space between values.
		}
	}
	return append(append(dst, value[from:]...), '"')
}

// joinPath names a column.
func joinPath(path []string) string {
	if len(path) == 1 && !strings.ContainsAny(path[0], `.\`) {
		return path[0]
	}
	escaped := make([]string, len(path))
	for i, name := range path {
		escaped[i] = strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), ".", `\.`)
	}
	return strings.Join(escaped, ".")
}

// splitPath is the reverse of joinPath.
func splitPath(column string) []string {
	var path []string
	var name []byte
	for i := 0; i < len(column); i++ {
		switch c := column[i]; {
		case c == '\\' && i+1 < len(column):
			i++
			name = append(name, column[i])
		case c == '.':
			path, name = append(path, string(name)), name[:0]
		default:
			name = append(name, c)
		}
	}
	return append(path, string(name))
}
