package redact

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxPatterns is how many patterns a set may have, as it is given.
	MaxPatterns = 100
	// MaxPatternLength is how many characters a pattern may have, without
	// the white space around it.
	MaxPatternLength = 500
	// MaxNameLength is how many characters of a name are matched. Longer
	// names are replaced wherever there is a pattern.
	MaxNameLength = 1024
)

// DefaultBudget is that of Options.Budget.
const DefaultBudget = 2 * time.Second

// Options say how names are matched. The zero value and nil are the defaults.
type Options struct {
	// Search lets a pattern match when it is found anywhere in a name, as
	// Fides does it. Defaults to false: a pattern matches whole names.
	Search bool
	// Budget is how long the names of one request's packages may be matched
	// in all. After that, each name whose match is not remembered is
	// replaced; a match that has begun ends first, within half a second.
	// Defaults to DefaultBudget.
	Budget time.Duration
	// Clock measures the budget. Defaults to time.Now.
	Clock func() time.Time
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Budget <= 0 {
		out.Budget = DefaultBudget
	}
	if out.Clock == nil {
		out.Clock = time.Now
	}
	return out
}

// Patterns are what names are matched against. They never change, remember what
// they found of each name in at most 8 MiB, and can be used by many packages at
// once. A nil *Patterns matches nothing.
//
// The syntax of a pattern is that of package [regexp] and, beyond it,
// lookahead, lookbehind, atomic groups, conditions, comments and
// back-references: (?=a) (?!a) (?<=a) (?<!a) (?>a) (?(1)a|b) (?#a) \1 \k<name>
// (?P=name), and \Z for \z. Repetitions are counted up to 1000. A pattern that
// needs those is matched by backtracking, twice for a tenth of a second or two at
// most: a name on which it takes longer is replaced. (A goroutine that counts
// the time ends by itself a second or two later.) Either way it means the same:
//
//   - Case is ignored, as [unicode.SimpleFold] has it, unless (?-i) turns that
//     off.
//   - The dot matches every character, line feeds too, unless (?-s) is there.
//   - \A, ^, $, \z and \Z mean the ends of the name, never a line feed before
//     them. With (?m), ^ and $ are the ends of lines too.
//   - \d, \w, \s, \b and [[:alpha:]] are about ASCII (and \w, where case is
//     ignored, about ſ and the Kelvin sign), \pL about Unicode.
//   - A byte of a name that is not UTF-8 is the character U+FFFD.
type Patterns struct {
	options Options
	texts   []string
	all     []*pattern
	memory  *memory
}

// Compile makes a set of patterns, in the order given. White space around a
// pattern is cut off, and one that is given again is left out. What all need to be
// compiled is bounded, far above what people write: classes such as \pL, written
// out, and repetitions. The error is a [*PatternsError] with every fault; what comes
// after the pattern that is too large is not looked at.
func Compile(patterns []string, opts *Options) (*Patterns, error) {
	p := &Patterns{options: opts.withDefaults(), memory: &memory{}}
	var faults []Fault
	if len(patterns) > MaxPatterns {
		faults = append(faults, Fault{Index: -1, Kind: TooMany, Reason: tooMany(len(patterns))})
		patterns = patterns[:MaxPatterns] // the rest is not even looked at
	}
	seen, left := map[string]bool{}, maxSize
	for i, text := range patterns {
		text = strings.TrimSpace(text)
		fault := func(kind FaultKind, reason string) {
			faults = append(faults, Fault{Index: i, Kind: kind, Pattern: text, Reason: reason})
		}
		length := utf8.RuneCountInString(text)
		switch {
		case text == "":
			fault(Blank, "it is blank")
		case length > MaxPatternLength:
			fault(TooLong, tooLong(length))
		case left < 0 || seen[text]: // it is told already, or there already
		default:
			one, err := compile(text, p.options.Search, &left)
			switch {
			case errors.Is(err, errTooLarge):
				fault(TooLarge, tooLarge)
			case err != nil:
				fault(Syntax, err.Error())
			default:
				seen[text] = true
				p.texts, p.all = append(p.texts, text), append(p.all, one)
			}
		}
	}
	if faults != nil {
		return nil, &PatternsError{Faults: faults}
	}
	return p, nil
}

// Strings returns the patterns in order; none as an empty slice.
func (p *Patterns) Strings() []string {
	if p == nil {
		return []string{}
	}
	return append([]string{}, p.texts...)
}

// Any reports whether there is a pattern.
func (p *Patterns) Any() bool { return p != nil && len(p.all) > 0 }
