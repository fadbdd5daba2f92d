package storage

import (
	"bytes"
	"errors"
)

// errRow is told for rows whose writer broke its promise.
var errRow = errors.New("storage: a row is not valid JSON")

// members calls yield with every name and value of a JSON object, in order. The
// value is its text. Rows are promised to be valid: of what is inside of a
// value, only strings and brackets are looked at.
func members(object []byte, yield func(name string, value []byte) error) error {
	in, err := openScan(object, '{')
	if err != nil {
		return err
	}
	var buf []byte
	for {
		name, value, err := in.member()
		if err != nil || value == nil {
			return err
		}
		if name, buf, err = unquoted(name, buf); err != nil {
			return err
		}
		if err := yield(string(name), value); err != nil {
			return err
		}
	}
}

// elements calls yield with every element of a JSON array, in order.
func elements(array []byte, yield func(value []byte) error) error {
	in, err := openScan(array, '[')
	if err != nil {
		return err
	}
	for {
		value, err := in.element()
		if err != nil || value == nil {
			return err
		}
		if err := yield(value); err != nil {
			return err
		}
	}
}

// scan goes through an object or an array without allocating.
type scan struct {
	b     []byte
	i     int  // the next byte, which is no white space
	close byte // '}' or ']'
	begun bool
}

func openScan(b []byte, bracket byte) (scan, error) {
	s := scan{b: b, close: bracket + 2} // As ASCII has them.
	if s.i = space(b, 0); s.at() != bracket {
		return s, errRow
	}
	s.i = space(b, s.i+1)
	return s, nil
}

// at is the next byte, 0 after the last.
func (s *scan) at() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// member returns the next name, in its quotes, and its value; nil after the
// last.
func (s *scan) member() (name, value []byte, err error) {
	more, err := s.more()
	if err != nil || !more {
		return nil, nil, err
	}
	if s.at() != '"' {
		return nil, nil, errRow
	}
	if name, err = s.value(); err != nil {
		return nil, nil, err
	}
	if s.at() != ':' {
		return nil, nil, errRow
	}
	s.i = space(s.b, s.i+1)
	value, err = s.value()
	return name, value, err
}

// element returns the next value of an array; nil after the last.
func (s *scan) element() ([]byte, error) {
	if more, err := s.more(); err != nil || !more {
		return nil, err
	}
	return s.value()
}

// more goes to the next member or element, or behind the end.
func (s *scan) more() (bool, error) {
	switch c := s.at(); {
	case c == s.close:
		if s.i = space(s.b, s.i+1); s.i < len(s.b) {
			return false, errRow
		}
		return false, nil
	case s.begun && c != ',':
		return false, errRow
	case s.begun:
		if s.i = space(s.b, s.i+1); s.at() == s.close {
			return false, errRow
		}
	}
	s.begun = true
	return true, nil
}

// value returns the text of the value that is next, and goes behind it.
func (s *scan) value() ([]byte, error) {
	end := endOf(s.b, s.i)
	if end < 0 {
		return nil, errRow
	}
	value := s.b[s.i:end:end]
	s.i = space(s.b, end)
	return value, nil
}

// space skips white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// endOf returns where the value that starts at i ends; negative for none.
func endOf(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			case '"':
				if i = endOfString(b, i); i < 0 {
					return -1
				}
				continue
			}
			i++
		}
		return -1
	case 't', 'n':
		return endOfWord(b, i, 4)
	case 'f':
		return endOfWord(b, i, 5)
	}
	return endOfNumber(b, i)
}

func endOfString(b []byte, i int) int {
	for from := i + 1; ; {
		at := bytes.IndexByte(b[from:], '"')
		if at < 0 {
			return -1
		}
		from += at + 1
		escapes := from - 2
		for b[escapes] == '\\' { // It stops at the opening quote at the latest.
			escapes--
		}
		if (from-escapes)%2 == 0 {
			return from
		}
	}
}

func endOfWord(b []byte, i, size int) int {
	if i += size; i > len(b) {
		return -1
	}
	switch string(b[i-size : i]) {
	case "true", "null", "false":
		return i
	}
	return -1
}

// endOfNumber knows no numbers but JSON's.
func endOfNumber(b []byte, i int) int {
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}
