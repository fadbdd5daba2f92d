package storage

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote returns the text of a JSON string.
func unquote(b []byte) (string, error) {
	text, _, err := unquoted(b, nil)
	return string(text), err
}

// unquoted returns the text of a JSON string, which is part of b or in the
// buffer, and the buffer.
func unquoted(b, buf []byte) (text, after []byte, err error) {
	if bytes.IndexByte(b, '\\') < 0 {
		return b[1 : len(b)-1], buf, nil
	}
	buf, err = appendUnquoted(buf[:0], b)
	return buf, buf, err
}

// appendUnquoted appends the text of a JSON string, which is given in its
// quotes. Half of a surrogate pair becomes U+FFFD.
func appendUnquoted(dst, b []byte) ([]byte, error) {
	for b = b[1 : len(b)-1]; ; {
		at := bytes.IndexByte(b, '\\')
		if at < 0 {
			return append(dst, b...), nil
		}
		dst = append(dst, b[:at]...)
		if b = b[at+1:]; len(b) == 0 {
			return dst, errText
		}
		c := b[0]
		b = b[1:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hexRune(b)
			if !ok {
				return dst, errText
			}
			b = b[4:]
			if utf16.IsSurrogate(r) && len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
				if low, ok := hexRune(b[2:]); ok {
					if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
						b = b[6:]
					}
				}
			}
			dst = utf8.AppendRune(dst, r) // Half of a pair becomes U+FFFD.
		default:
			return dst, errText
		}
	}
}

var errText = fmt.Errorf("%w: a string in it is none", errRow)

// hexRune reads the four digits after \u.
func hexRune(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}
