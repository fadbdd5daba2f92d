package storage

import (
	"strings"
	"unicode/utf8"
)

// appendHTML adds text, escaped for an element and for a quoted attribute's
// value that holds no such character as is shown by its number: those that
// cannot be seen, and those that change the order of others. Their elements
// name them in data-char, so that the text can be read back exactly.
func appendHTML[T []byte | string](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); {
		if plainBytes[s[i]] {
			i++
			continue
		}
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		}
		var as string
		coded := false
		switch {
		case c == '<':
			as = "&lt;"
		case c == '>':
			as = "&gt;"
		case c == '&':
			as = "&amp;"
		case c == '"':
			as = "&#34;"
		case c == '\'':
			as = "&#39;"
		case c == utf8.RuneError && size == 1:
			as = "\uFFFD"
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
			as = `<b data-char="000D"></b>` // a line's end, as Windows writes it
		case unseen(c):
			as, coded = `<b data-char="`, true
		default:
			i += size
			continue
		}
		dst = append(append(dst, s[from:i]...), as...)
		if coded {
			dst = append(appendHex(dst, c, "0123456789ABCDEF"), `">U+`...)
			dst = append(appendHex(dst, c, "0123456789ABCDEF"), `</b>`...)
		}
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// appendHex adds the number of a character of the basic plane.
func appendHex(dst []byte, c rune, digits string) []byte {
	return append(dst, digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}

// plainBytes are those that stay as they are in HTML and in scripts.
var plainBytes = func() (plain [256]bool) {
	for c := byte(' '); c < 0x7F; c++ {
		plain[c] = !strings.ContainsRune(`<>&"'\`, rune(c))
	}
	return plain
}()

// unseen reports whether a character cannot be seen, or changes the order of
// others. Those that languages need are not among them.
func unseen(c rune) bool {
	switch {
	case c < ' ':
		return c != '\t' && c != '\n'
	case c < 0x7F:
		return false
	}
	return c <= 0x9F || // DEL and C1
		c == 0x180E || c == 0x200B || c == 0xFEFF || // of no width
		c >= 0x2028 && c <= 0x202E || // line ends; embeddings and overrides
		c >= 0x2060 && c <= 0x206F || // isolates and others
		c >= 0xFFF9 && c <= 0xFFFB // annotations
}

// visible replaces what cannot be seen, where no element can show it.
func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if unseen(c) {
			return utf8.RuneError
		}
		return c
	}, s)
}
