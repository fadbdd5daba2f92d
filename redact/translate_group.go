package redact

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// group returns the number of a group that was opened before. Of those of one
// name it is the last.
func (t *translator) group(name string) (string, error) {
	n, named := t.names[name]
	if !named {
		n, _ = strconv.Atoi(name) // 0 for none
	}
	if n < 1 || n > t.groups {
		return "", fmt.Errorf("there is no group %q before: `%s`", name, t.src)
	}
	return strconv.Itoa(n), nil
}

// reference refers back to a group, in any case of letters where case does not
// matter.
func (t *translator) reference(name string, n int) error {
	number, err := t.group(name)
	if err != nil {
		return err
	}
	flag := ""
	if t.flags&syntax.FoldCase != 0 {
		flag = "i"
	}
	t.assert(n, `(?`+flag+`:\k<`+number+`>)`, `(?s:.*)`)
	return nil
}

// condition opens a group of two alternatives, (?(name)yes|no).
func (t *translator) condition(name string) error {
	number, err := t.group(name)
	if err == nil {
		t.push(len("(?()")+len(name), "(?("+number+")", "(?:", conditional)
	}
	return err
}

// openGroup translates what begins with a parenthesis.
func (t *translator) openGroup() error {
	if !strings.HasPrefix(t.src, "(?") {
		t.push(1, t.capture(""), "(?:", plainGroup)
		return nil
	}
	inside, after, closed := strings.Cut(t.src[2:], ")")
	if !closed {
		return fmt.Errorf("missing closing ): `%s`", t.src)
	}
	for _, opening := range [...]string{"(?<=", "(?<!", "(?=", "(?!", "(?>", "(?:"} {
		if strings.HasPrefix(t.src, opening) {
			kind := plainGroup
			if strings.ContainsAny(opening, "=!") {
				kind = lookaround
			}
			t.push(len(opening), opening, "(?:", kind)
			return nil
		}
	}
	switch {
	case inside != "" && inside[0] == '#':
		t.src = after
		return nil
	case inside != "" && inside[0] == '(':
		return t.condition(inside[1:])
	case strings.HasPrefix(inside, "P="):
		return t.reference(inside[2:], len("(?)")+len(inside))
	case strings.HasPrefix(inside, "P<"), strings.HasPrefix(inside, "<"):
		return t.named(strings.IndexByte(t.src, '<') + 1)
	}
	return t.setFlags()
}

// named translates (?P<name> and (?<name>.
func (t *translator) named(start int) error {
	name, _, closed := strings.Cut(t.src[start:], ">")
	whole := t.src[:min(len(t.src), start+len(name)+1)]
	word := strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) < 0
	if !closed || name == "" || !word {
		return fmt.Errorf("%s: `%s`", syntax.ErrInvalidNamedCapture, whole)
	}
	t.push(len(whole), t.capture(name), "(?:", plainGroup)
	return nil
}

// capture opens a group that is remembered. It is numbered in its place, which
// regexp2 does not do for those with names.
func (t *translator) capture(name string) string {
	t.groups++
	if name != "" {
		t.names[name] = t.groups
	}
	return "(?<" + strconv.Itoa(t.groups) + ">"
}

type groupKind int

const (
	plainGroup groupKind = iota
	lookaround
	conditional // the second alternative may be missing, which is empty then
)

// push opens a group.
func (t *translator) push(n int, as, loose string, kind groupKind) {
	t.skip(n)
	t.open = append(t.open, openGroup{flags: t.flags, start: len(t.out), times: 1, kind: kind})
	t.write(as)
	t.loosely(loose)
	if kind == lookaround {
		t.around++
	}
	t.operand = -1
}

func (t *translator) closeGroup() error {
	last := len(t.open) - 1
	if last < 0 {
		return fmt.Errorf("unexpected ): `%s`", t.src)
	}
	group := t.open[last]
	t.open = t.open[:last]
	t.skip(1)
	t.write(")")
	switch group.kind {
	case lookaround:
		t.around--
	case conditional:
		t.loosely("|")
	}
	t.loosely(")")
	t.begin(group.times)
	t.flags, t.operand = group.flags, group.start
	return nil
}

// setFlags translates (?flags) and (?flags:, which hold until the group around
// them ends.
func (t *translator) setFlags() error {
	flags, off, some := t.flags, false, false
	for i := len("(?"); i < len(t.src); i++ {
		var flag syntax.Flags
		switch t.src[i] {
		case 'i':
			flag = syntax.FoldCase
		case 'm':
			flag = syntax.OneLine // the other way round
		case 's':
			flag = syntax.DotNL
		case 'U':
			flag = syntax.NonGreedy
		case '-':
			if off {
				return fmt.Errorf("%s: `%s`", syntax.ErrInvalidPerlOp, t.src[:i+1])
			}
			off, some = true, false
			continue
		case ':', ')':
			if off && !some {
				return fmt.Errorf("%s: `%s`", syntax.ErrInvalidPerlOp, t.src[:i+1])
			}
			if t.src[i] == ')' {
				t.loosely(t.src[:i+1])
				t.skip(i + 1)
			} else {
				t.push(i+1, "(?:", t.src[:i+1], plainGroup)
			}
			t.flags = flags
			return nil
		default:
			return fmt.Errorf("%s: `%s`", syntax.ErrInvalidPerlOp, t.src[:i+1])
		}
		some = true
		if off != (flag == syntax.OneLine) {
			flags &^= flag
		} else {
			flags |= flag
		}
	}
	return fmt.Errorf("missing closing ): `%s`", t.src)
}
