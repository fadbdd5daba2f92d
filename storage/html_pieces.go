package storage

import (
	"unicode/utf16"
	"unicode/utf8"
)

// textPiece is how much of a JSON string is looked at in one piece, in bytes.
// What is in several is long by any measure.
const textPiece = 16 << 10

// pieces calls yield with the text of a JSON string, which is given in its
// quotes: a short one in one piece, which may be empty. A piece is overwritten
// by what comes next.
func (r *htmlRow) pieces(quoted []byte, yield func(piece []byte)) (err error) {
	for from, end := 0, len(quoted)-1; from < end-1 || from == 0; {
		size := pieceEnd(quoted[from+1 : end])
		var piece []byte
		if piece, r.buf, err = unquoted(quoted[from:from+size+2], r.buf); err != nil {
			return err
		}
		if yield(piece); r.err != nil {
			return r.err
		}
		if from += size; size == 0 {
			return nil
		}
	}
	return nil
}

// pieceEnd returns where the first piece of the inside of a JSON string ends. It
// parts no character, nor the two of a line's end as Windows writes it.
func pieceEnd(b []byte) int {
	if len(b) <= textPiece {
		return len(b)
	}
	for i := 0; i < len(b); {
		c, size := escape(b[i:])
		i += size
		if i < textPiece || i >= len(b) {
			continue
		}
		next, _ := escape(b[i:])
		whole := utf8.RuneStart(b[i]) || i >= textPiece+utf8.UTFMax // Else it is no UTF-8.
		if whole && (c != '\r' || next != '\n') && utf16.DecodeRune(c, next) == utf8.RuneError {
			return i
		}
	}
	return len(b)
}

// escape returns which character a JSON string begins with, if it is one that
// can belong to the next and is escaped, and the size of the escape or byte.
func escape(b []byte) (c rune, size int) {
	if b[0] != '\\' || len(b) == 1 {
		return 0, 1
	}
	switch b[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 'u':
		if c, ok := hexRune(b[2:]); ok {
			return c, 6
		}
	}
	return 0, 2
}

// beginning is a text's first characters.
func beginning(s []byte, characters int) []byte {
	for i := 0; i < len(s); {
		if characters == 0 {
			return s[:i]
		}
		characters--
		_, size := utf8.DecodeRune(s[i:])
		i += size
	}
	return s
}
