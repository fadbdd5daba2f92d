package storage

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errRow is told for rows whose writer broke its promise.
var errRow = errors.New("storage: a row is not valid JSON")

// members calls yield with every name and value of a JSON object, in order. The
// value is its text. What is not JSON is found as far as it matters here only:
// rows are promised to be.
func members(object []byte, yield func(name string, value []byte) error) error {
	i := space(object, 0)
	if i >= len(object) || object[i] != '{' {
		return errRow
	}
	for i = space(object, i+1); i < len(object) && object[i] != '}'; {
		end := endOf(object, i)
		if end < 0 || object[i] != '"' {
			return errRow
		}
		name, err := unquote(object[i:end])
		if err != nil {
			return err
		}
		if i = space(object, end); i >= len(object) || object[i] != ':' {
			return errRow
		}
		i = space(object, i+1)
		if end = endOf(object, i); end < 0 {
			return errRow
		}
		if err := yield(name, object[i:end]); err != nil {
			return err
		}
		if i = space(object, end); i < len(object) && object[i] == ',' {
			i = space(object, i+1)
		}
	}
	if i >= len(object) {
		return errRow
	}
	return nil
}

// elements calls yield with every element of a JSON array, in order.
func elements(array []byte, yield func(value []byte) error) error {
	i := space(array, 0)
	if i >= len(array) || array[i] != '[' {
		return errRow
	}
	for i = space(array, i+1); i < len(array) && array[i] != ']'; {
		end := endOf(array, i)
		if end < 0 {
			return errRow
		}
		if err := yield(array[i:end]); err != nil {
			return err
		}
		if i = space(array, end); i < len(array) && array[i] == ',' {
			i = space(array, i+1)
		}
	}
	if i >= len(array) {
		return errRow
	}
	return nil
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
	}
	start := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote returns the text of a JSON string.
func unquote(b []byte) (string, error) {
	plain := b[1 : len(b)-1]
	for _, c := range plain {
		if c == '\\' || c < ' ' {
			var s string
			if err := json.Unmarshal(b, &s); err != nil {
				return "", fmt.Errorf("%w: a string in it is none", errRow)
			}
			return s, nil
		}
	}
	return string(plain), nil
}
