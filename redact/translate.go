package redact

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
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
//
// What the sets need of maxSize is taken of left.
func translate(text string, left *int) (pattern, loose string, err error) {
	t := &translator{src: text, left: left, flags: parseFlags, operand: -1, names: map[string]int{}}
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
	left     *int   // of maxSize
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
