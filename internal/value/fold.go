package value

import (
	"strings"
	"unicode"
)

// Fold gives two texts the same form exactly when they differ in letter case
// only: accents, blanks and everything else stay, and no letter becomes two. It
// does as [strings.EqualFold], but holds no letter beyond ASCII for one of
// ASCII, as Unicode does with U+017F (long s) and U+212A (the sign of Kelvin):
// who has a mailbox that is spelled with one must not be taken for who has the
// other.
func Fold(s string) string { return strings.Map(foldRune, s) }

// foldRune returns the first of the letters that differ in case only, on the
// same side of the end of ASCII.
func foldRune(r rune) rune {
	if r < 0x80 {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if next >= 0x80 {
			first = min(first, next)
		}
	}
	return first
}
