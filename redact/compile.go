package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// parseFlags are those under which a pattern begins.
const parseFlags = syntax.Perl | syntax.FoldCase | syntax.DotNL

// matchTimeout is how long a pattern may backtrack over one name, give or take
// the tick of regexp2's clock, which is as long.
const matchTimeout = 100 * time.Millisecond

// pattern is a compiled one. A name has to pass what there is of need, linear
// and back.
type pattern struct {
	need   []string // folded texts of which one has to be in it
	linear *regexp.Regexp
	back   *regexp2.Regexp // where linear alone matches too much
}

// compile prefers package regexp, which takes time in proportion to the name. It
// takes what the pattern needs of left, which is what there is of maxSize, or
// returns errTooLarge.
func compile(text string, search bool, left *int) (*pattern, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not valid UTF-8")
	}
	if *left -= textSize(text); *left < 0 {
		return nil, errTooLarge
	}
	p := &pattern{}
	tree, err := syntax.Parse(text, parseFlags)
	if err != nil {
		var loose string
		if p.back, loose, err = compileBack(text, search, left); err != nil {
			return nil, err
		}
		if tree, err = syntax.Parse(loose, parseFlags); err != nil {
			return p, nil //nolint:nilerr // then there is nothing to ask before
		}
	}
	if n := steps(tree); n > maxSteps {
		return nil, fmt.Errorf("its repetitions unfold to %d steps, more than %d", n, maxSteps)
	}
	if *left -= size(tree, 1); *left < 0 {
		return nil, errTooLarge
	}
	dropSurrogates(tree)
	p.need = needed(tree)
	if !search {
		tree = &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{{Op: syntax.OpBeginText}, tree, {Op: syntax.OpEndText}}}
	}
	var b strings.Builder
	written(&b, tree)
	p.linear, err = regexp.Compile(b.String())
	return p, err
}

// dropSurrogates makes halves of UTF-16 pairs match nothing: no name holds one,
// but package regexp may look for U+FFFD in their place.
func dropSurrogates(re *syntax.Regexp) {
	if re.Op == syntax.OpLiteral && slices.ContainsFunc(re.Rune, utf16.IsSurrogate) {
		*re = syntax.Regexp{Op: syntax.OpNoMatch}
	}
	for _, sub := range re.Sub {
		dropSurrogates(sub)
	}
}

// compileBack compiles a pattern for backtracking, and returns a looser one.
func compileBack(text string, search bool, left *int) (re *regexp2.Regexp, loose string, err error) {
	translated, loose, err := translate(text, left)
	if err != nil {
		return nil, "", err
	}
	if !search {
		translated = `\A(?:` + translated + `)\z`
	}
	if re, err = regexp2.Compile(translated, regexp2.None); err != nil {
		return nil, "", fmt.Errorf("it cannot be matched by backtracking: %w", err)
	}
	re.MatchTimeout = matchTimeout
	return re, loose, nil
}

// match reports whether the pattern matches a name of valid UTF-8, or does not
// come to an end.
func (p *pattern) match(name string) bool {
	if p.linear != nil && !p.linear.MatchString(name) {
		return false
	}
	if p.back == nil {
		return true
	}
	// The process may have stood still meanwhile: what takes the time twice
	// is given up. The error is dropped, since it quotes the name.
	for range 2 {
		if matched, err := p.back.MatchString(name); err == nil {
			return matched
		}
	}
	return true
}

// mayMatch reports whether a name, folded, has what the pattern needs.
func (p *pattern) mayMatch(folded string) bool {
	return p.need == nil || slices.ContainsFunc(p.need, func(s string) bool { return strings.Contains(folded, s) })
}

// maxSteps bounds the memory that one pattern takes, and the time: a match takes
// at most as many steps for each character.
const maxSteps = 10_000

// steps is about how large a pattern is when its repetitions are written out.
func steps(re *syntax.Regexp) int {
	n := max(1, len(re.Rune))
	if re.Op == syntax.OpCharClass {
		n = 1
	}
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return n
}

// maxNeeded bounds how many texts are looked for before a pattern is tried.
const maxNeeded = 8

// needed returns folded texts of which one is in every name that matches; nil
// where that is not known.
func needed(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{fold(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if found := needed(sub); shortest(found) > shortest(best) {
				best = found
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			found := needed(sub)
			if found == nil || len(all)+len(found) > maxNeeded {
				return nil
			}
			all = append(all, found...)
		}
		return all
	}
	return nil
}

func shortest(texts []string) int {
	n := 0
	for i, text := range texts {
		if i == 0 || len(text) < n {
			n = len(text)
		}
	}
	return n
}

// fold gives texts that differ in case only one form.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return unicode.ToLower(r)
		}
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if least < utf8.RuneSelf {
			least = unicode.ToLower(least)
		}
		return least
	}, s)
}
