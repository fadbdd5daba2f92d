package redact

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSize bounds what the patterns of a set take to be compiled, all together: a
// unit is about a third of a microsecond and a hundred bytes. Patterns that people
// write are far below; short ones can be far above.
//
// A character counts one, and a class as many ranges as it has, of which \pL has
// 660. Package regexp writes repetitions out, which share their ranges: each counts
// a quarter. For backtracking, classes are written out, and regexp2 sorts them again
// for each range that it reads.
const maxSize = 1_000_000

var errTooLarge = errors.New("it is too large")

// size is what a parsed pattern takes of maxSize, within repetitions that
// multiply to times.
func size(re *syntax.Regexp, times int) int {
	n := max(1, len(re.Rune))
	if re.Op == syntax.OpCharClass {
		n = max(1, len(re.Rune)/2)
	}
	n += n * (times - 1) / 4
	if re.Op == syntax.OpRepeat {
		times *= max(1, re.Min, re.Max)
	}
	for _, sub := range re.Sub {
		n += size(sub, times)
	}
	return n
}

// setSize is what a set of that many ranges takes of maxSize, written out.
func setSize(ranges int) int { return ranges + ranges*ranges/80 }

// wide finds what may be a range of a class that ends beyond ASCII.
var wide = regexp.MustCompile(`(?s)(\\x\{[0-9A-Fa-f]+\}|.)-(\\x\{[0-9A-Fa-f]+\}|[^\x00-\x7F])`)

// textSize is what it takes of maxSize to parse a text, where case is ignored:
// package regexp then looks at every range of a class such as \pL, and at every
// character of a range that is written with its ends, up to the last with a case.
func textSize(text string) int {
	const table, folds = 300, 0x1E944
	n := table * (strings.Count(text, `\p`) + strings.Count(text, `\P`))
	for _, found := range wide.FindAllStringSubmatch(text, -1) {
		if low, high := char(found[1]), char(found[2]); low < high {
			n += (min(high, folds) - min(low, folds)) / 8
		}
	}
	return n
}

// char is the number of a character, as it is or as \x{...}.
func char(text string) int {
	hex, escaped := strings.CutPrefix(text, `\x{`)
	if !escaped {
		r, _ := utf8.DecodeRuneInString(text)
		return int(r)
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(hex, "}"), 16, 32)
	if err != nil { // beyond every character
		return utf8.MaxRune
	}
	return int(n)
}

// written is a parsed pattern as text again, for whether it matches: without
// what is captured, and with all characters spelled out, so that reading it takes
// no thought of their case.
func written(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		b.WriteString("(?:)")
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			b.WriteString("(?i:")
		} else {
			b.WriteString("(?-i:")
		}
		for _, r := range re.Rune {
			writtenRune(b, r)
		}
		b.WriteString(")")
	case syntax.OpCharClass:
		writtenClass(b, re.Rune)
	case syntax.OpAnyChar:
		b.WriteString("(?s:.)")
	case syntax.OpAnyCharNotNL:
		b.WriteString("(?-s:.)")
	case syntax.OpBeginLine:
		b.WriteString("(?m:^)")
	case syntax.OpEndLine:
		b.WriteString("(?m:$)")
	case syntax.OpBeginText:
		b.WriteString(`\A`)
	case syntax.OpEndText:
		b.WriteString(`\z`)
	case syntax.OpWordBoundary:
		b.WriteString(`\b`)
	case syntax.OpNoWordBoundary:
		b.WriteString(`\B`)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		writtenGroup(b, re.Sub, "")
		b.WriteString(times(re))
	case syntax.OpCapture, syntax.OpConcat:
		writtenGroup(b, re.Sub, "")
	case syntax.OpAlternate:
		writtenGroup(b, re.Sub, "|")
	default: // syntax.OpNoMatch
		writtenClass(b, nil)
	}
}

func writtenGroup(b *strings.Builder, subs []*syntax.Regexp, between string) {
	b.WriteString("(?:")
	for i, sub := range subs {
		if i > 0 {
			b.WriteString(between)
		}
		written(b, sub)
	}
	b.WriteString(")")
}

func writtenClass(b *strings.Builder, ranges []rune) {
	if len(ranges) == 0 {
		b.WriteString(`[^\x00-\x{10FFFF}]`)
		return
	}
	b.WriteString("(?-i:[")
	for i := 0; i < len(ranges); i += 2 {
		writtenRune(b, ranges[i])
		if ranges[i+1] > ranges[i] {
			b.WriteString("-")
			writtenRune(b, ranges[i+1])
		}
	}
	b.WriteString("])")
}

func writtenRune(b *strings.Builder, r rune) {
	b.WriteString(`\x{` + strconv.FormatInt(int64(r), 16) + "}")
}

// times is how often something is repeated. Which of several ways is tried first
// does not matter.
func times(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpStar:
		return "*"
	case syntax.OpPlus:
		return "+"
	case syntax.OpQuest:
		return "?"
	}
	most := ""
	if re.Max >= 0 {
		most = strconv.Itoa(re.Max)
	}
	return "{" + strconv.Itoa(re.Min) + "," + most + "}"
}
