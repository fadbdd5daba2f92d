// Package surrogate finds texts in JSON that cannot be kept as they are.
package surrogate

import (
	"strconv"
	"unicode/utf16"
)

// Lone reports whether JSON escapes half of a surrogate pair without the other
// half, as "\ud800" does. Such a text is no Unicode; decoders put U+FFFD in its
// place, by which different texts become equal. The JSON must be valid, a whole
// text or a part of one.
func Lone(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit, ok := unitAt(text, i)
		if !ok { // another escape, of one character
			i++
			continue
		}
		i += 5
		if !utf16.IsSurrogate(unit) {
			continue
		}
		low, ok := unitAt(text, i+1)
		if !ok || utf16.DecodeRune(unit, low) == '\ufffd' {
			return true
		}
		i += 6
	}
	return false
}

// unitAt reads an escape such as \u00e9.
func unitAt(text []byte, at int) (unit rune, ok bool) {
	if at+6 > len(text) || text[at] != '\\' || text[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[at+2:at+6]), 16, 16)
	return rune(n), err == nil
}
