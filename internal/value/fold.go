package value

import (
	"strings"
	"unicode"
)

// Fold gives two texts the same form exactly when [strings.EqualFold] holds
// them for equal: letter case goes, accents, blanks and everything else stay,
// and no letter becomes two.
func Fold(s string) string { return strings.Map(foldRune, s) }

// foldRune returns the first of the letters that differ in case only.
func foldRune(r rune) rune {
	if r < 0x80 {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	return first
}
