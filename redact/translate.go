package redact

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// translate writes a pattern in the words of regexp2, so that it means there
// what it means in package regexp. Whatever stands for one character is parsed
// by package regexp itself and spelled out as a set, so that case, classes and
// Unicode are its own; anchors become those of regexp2 that never look at a
// line feed by chance. What package regexp does not have is passed on.
//
// The other pattern is one for package regexp that matches at least as much:
// without what looks around, and with anything in the place of a reference.
func translate(text string) (pattern, loose string, err error) {
	t := &translator{src: text, flags: parseFlags, operand: -1, names: map[string]int{}}
	for t.src != "" {
		if err := t.next(); err != nil {
			return "", "", err
		}
	}
	if len(t.open) > 0 {
		return "", "", fmt.Errorf("missing closing ): `%s`", text)
	}
	return string(t.out), string(t.loose), nil
}

type translator struct {
	src      string // what is left
	out      []byte
	loose    []byte
	around   int // how many groups are open that look around
	flags    syntax.Flags
	operand  int  // where in out begins what a repetition repeats; -1 for nothing
	times    int  // how often that is repeated inside of itself
	repeated bool // it has a repetition already
	open     []openGroup
	groups   int
	names    map[string]int // numbers of groups
}

type openGroup struct {
	flags syntax.Flags
	start int
	times int // at most, of what it holds
	kind  groupKind
}

// next translates what comes next.
func (t *translator) next() error {
	repeated := t.repeated
	t.repeated = false
	switch c := t.src[0]; c {
	case '(':
		return t.openGroup()
	case ')':
		return t.closeGroup()
	case '|':
		t.skip(1)
		t.write("|")
		t.loosely("|")
		t.operand = -1
	case '*', '+', '?':
		return t.repeat(1, string(c), 1, repeated)
	case '{':
		if n, least, most, ok := counted(t.src); ok {
			if least > maxCount || most > maxCount || most >= 0 && least > most {
				return fmt.Errorf("invalid repeat count: `%s`", t.src[:n])
			}
			return t.repeat(n, t.src[:n], max(1, least, most), repeated)
		}
		return t.character(1)
	case '^':
		t.assert(1, t.line(`\A`, `(?:\A|(?<=\n))`), "(?:)")
	case '$':
		t.assert(1, t.line(`\z`, `(?:\z|(?=\n))`), "(?:)")
	case '[':
		n, err := classEnd(t.src)
		if err != nil {
			return err
		}
		return t.character(n)
	case '\\':
		return t.escape()
	default:
		_, n := utf8.DecodeRuneInString(t.src)
		return t.character(n)
	}
	return nil
}

func (t *translator) skip(n int) { t.src = t.src[n:] }

func (t *translator) write(s string) { t.out = append(t.out, s...) }

func (t *translator) loosely(s string) {
	if t.around == 0 {
		t.loose = append(t.loose, s...)
	}
}

// begin starts something that can be repeated.
func (t *translator) begin(times int) {
	t.operand, t.times = len(t.out), times
	if n := len(t.open); n > 0 {
		t.open[n-1].times = max(t.open[n-1].times, times)
	}
}

// assert writes what stands for n bytes.
func (t *translator) assert(n int, as, loose string) {
	t.skip(n)
	t.begin(1)
	t.write(as)
	t.loosely(loose)
}

func (t *translator) line(ofText, ofLine string) string {
	if t.flags&syntax.OneLine != 0 {
		return ofText
	}
	return ofLine
}

// maxCount is that of package regexp, nested counts multiplied.
const maxCount = 1000

// counted reads {n}, {n,} and {n,m}; m is -1 without bound.
func counted(s string) (n, least, most int, ok bool) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return 0, 0, 0, false
	}
	first, last, comma := strings.Cut(s[1:end], ",")
	if least, ok = count(first); !ok {
		return 0, 0, 0, false
	}
	switch {
	case !comma:
		most = least
	case last == "":
		most = -1
	default:
		if most, ok = count(last); !ok {
			return 0, 0, 0, false
		}
	}
	return end + 1, least, most, true
}

func count(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		n = maxCount + 1
	}
	return n, true
}

// repeat repeats the operand. It is put in a group, since regexp2 refuses to
// repeat a repetition, which a flag between the two allows.
func (t *translator) repeat(n int, op string, times int, repeated bool) error {
	if t.operand < 0 {
		return fmt.Errorf("missing argument to repetition operator: `%s`", op)
	}
	if repeated {
		return fmt.Errorf("invalid nested repetition operator: `%s`", op)
	}
	t.skip(n)
	lazy := strings.HasPrefix(t.src, "?")
	if lazy {
		t.skip(1)
	}
	if times *= t.times; times > maxCount {
		return fmt.Errorf("invalid repeat count: `%s`: nested counts multiply to more than %d", op, maxCount)
	}
	start := t.operand
	t.out = slices.Insert(t.out, start, []byte("(?:")...)
	t.write(")" + op)
	t.loosely(op)
	if lazy != (t.flags&syntax.NonGreedy != 0) {
		t.write("?")
	}
	t.begin(times)
	t.operand, t.repeated = start, true
	return nil
}

// character translates n bytes that stand for one character.
func (t *translator) character(n int) error {
	re, err := syntax.Parse(t.src[:n], t.flags)
	if err != nil {
		return reason(err)
	}
	t.loosely("(?:" + t.src[:n] + ")")
	t.skip(n)
	t.begin(1)
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
