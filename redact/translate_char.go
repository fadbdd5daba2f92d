package redact

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// character translates n bytes that stand for one character.
func (t *translator) character(n int) error {
	re, err := syntax.Parse(t.src[:n], t.flags)
	if err != nil {
		return reason(err)
	}
	t.loosely("(?:" + t.src[:n] + ")")
	t.skip(n)
	t.begin(1)
	if *t.left -= setSize(len(re.Rune) / 2); *t.left < 0 {
		return errTooLarge
	}
	switch re.Op {
	case syntax.OpLiteral:
		t.set(orbit(re.Rune[0], re.Flags&syntax.FoldCase != 0)...)
	case syntax.OpCharClass:
		t.set(re.Rune...)
	case syntax.OpAnyChar:
		t.set(0, unicode.MaxRune)
	case syntax.OpAnyCharNotNL:
		t.set(0, '\n'-1, '\n'+1, unicode.MaxRune)
	default:
		return fmt.Errorf("it is not understood: `%s`", re)
	}
	return nil
}

// reason is the error of package regexp without its name in front.
func reason(err error) error {
	var fault *syntax.Error
	if errors.As(err, &fault) {
		return fmt.Errorf("%s: `%s`", fault.Code, fault.Expr)
	}
	return err
}

// orbit is a character as ranges, with those that differ in case if fold.
func orbit(r rune, withCase bool) []rune {
	ranges := []rune{r, r}
	for f := unicode.SimpleFold(r); withCase && f != r; f = unicode.SimpleFold(f) {
		ranges = append(ranges, f, f)
	}
	return ranges
}

// set writes pairs of characters as a set of what is between them.
func (t *translator) set(pairs ...rune) {
	if len(pairs) == 0 {
		t.write("(?!)")
		return
	}
	t.write("[")
	for i := 0; i < len(pairs); i += 2 {
		t.inSet(pairs[i])
		if pairs[i+1] > pairs[i] {
			t.write("-")
			t.inSet(pairs[i+1])
		}
	}
	t.write("]")
}

func (t *translator) inSet(r rune) {
	switch {
	case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z':
		t.out = utf8.AppendRune(t.out, r)
	case r <= 0xFFFF:
		t.out = fmt.Appendf(t.out, `\u%04X`, r)
	default:
		t.out = utf8.AppendRune(t.out, r)
	}
}

// classEnd returns the length of the bracketed class with which s begins.
func classEnd(s string) (int, error) {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			return i + 1, nil
		case s[i] == '\\' && i+1 < len(s):
			i += 2
		case strings.HasPrefix(s[i:], "[:") && strings.Contains(s[i+2:], ":]"):
			i += len("[:") + strings.Index(s[i+2:], ":]") + len(":]")
		default:
			i++
		}
	}
	return 0, fmt.Errorf("%s: `%s`", syntax.ErrMissingBracket, s)
}

const (
	wordBoundary   = `(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))`
	noWordBoundary = `(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))`
)

// escape translates what begins with a backslash.
func (t *translator) escape() error {
	if len(t.src) == 1 {
		return reason(&syntax.Error{Code: syntax.ErrTrailingBackslash})
	}
	switch c := t.src[1]; {
	case c == 'A':
		t.assert(2, `\A`, "(?:)")
	case c == 'z' || c == 'Z':
		t.assert(2, `\z`, "(?:)")
	case c == 'b':
		t.assert(2, wordBoundary, "(?:)")
	case c == 'B':
		t.assert(2, noWordBoundary, "(?:)")
	case c == 'Q':
		return t.quoted()
	case c == 'k' && strings.HasPrefix(t.src[2:], "<"):
		name, _, closed := strings.Cut(t.src[3:], ">")
		if !closed {
			return fmt.Errorf("missing closing >: `%s`", t.src)
		}
		return t.reference(name, len(`\k<>`)+len(name))
	case c >= '1' && c <= '9' && !(c <= '7' && len(t.src) > 2 && octal(t.src[2])):
		return t.reference(t.src[1:2], 2)
	default:
		return t.character(escaped(t.src))
	}
	return nil
}

// quoted translates \Q...\E, whose end may be missing.
func (t *translator) quoted() error {
	literal, after, _ := strings.Cut(t.src[2:], `\E`)
	for _, r := range literal {
		t.src = regexpQuote(r)
		if err := t.character(len(t.src)); err != nil {
			return err
		}
	}
	t.src = after
	return nil
}

func regexpQuote(r rune) string {
	if r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return fmt.Sprintf(`\x%02X`, r)
	}
	return string(r)
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// escaped returns the length of an escape for one character.
func escaped(s string) int {
	_, n := utf8.DecodeRuneInString(s[1:])
	n++
	switch c := s[1]; {
	case octal(c):
		for n < len(s) && n < 4 && octal(s[n]) {
			n++
		}
	case c == 'x' || c == 'p' || c == 'P':
		if n < len(s) && s[n] == '{' {
			if end := strings.IndexByte(s[n:], '}'); end >= 0 {
				return n + end + 1
			}
			return len(s)
		}
		for end := n + map[bool]int{true: 2, false: 1}[c == 'x']; n < len(s) && n < end; {
			_, size := utf8.DecodeRuneInString(s[n:])
			n += size
		}
	}
	return n
}
