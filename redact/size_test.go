package redact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// differing are patterns that differ.
func differing(body string, count int) []string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("%s%02d", body, i)
	}
	return list
}

// Short patterns may take seconds and hundreds of megabytes to be compiled.
func TestCompileBoundsTheWholeSet(t *testing.T) {
	t.Parallel()
	const reason = `with it the patterns are too large, all together; use fewer or smaller repetitions, and fewer classes such as \pL`
	for name, c := range map[string]struct {
		patterns []string
		index    int // of the one that is too much
	}{
		"classes of letters to backtrack on": {differing("(?=a)"+strings.Repeat(`\pL`, 80), 100), 1},
		"all others":                         {differing("(?=a)"+strings.Repeat(`\PL`, 80), 100), 1},
		"classes of letters":                 {differing(strings.Repeat(`\pL`, 160), 100), 6},
		"repeated":                           {differing(strings.Repeat(`\pL{60}`, 60), 100), 1},
		"repeated inside of another":         {differing(`(?:\pL{31}){32}`, 100), 6},
		"one class of many":                  {differing("["+strings.Repeat(`\pL\pM\pN`, 50)+"]", 100), 21},
		"a wide range":                       {differing(strings.Repeat("[B-𞥂]", 90), 100), 0},
		"a wide range by its numbers":        {differing(strings.Repeat(`[\x{42}-\x{1e942}]`, 20), 100), 3},
		"a wide range to backtrack on":       {differing("(?=a)"+strings.Repeat("[^B-𞥂]", 40), 100), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told *redact.PatternsError
			_, err := redact.Compile(c.patterns, nil)
			require.ErrorAs(t, err, &told)
			require.Equal(t, []redact.Fault{{Index: c.index, Kind: redact.TooLarge, Pattern: c.patterns[c.index], Reason: reason}}, told.Faults)
			require.ErrorContains(t, err, fmt.Sprintf("\n  pattern %d: %s", c.index, reason))
			if c.index > 0 {
				compiled(t, nil, c.patterns[:c.index]...)
			}
			compiled(t, nil, slices.Repeat(c.patterns[:min(1, c.index)], 100)...)
		})
	}
	_, err := redact.Compile(append(differing(strings.Repeat(`\pL`, 160), 97), "[", " ", strings.Repeat("x", 501)), nil)
	require.EqualError(t, err, strings.Join([]string{
		"redact: the patterns of names cannot be used; correct them:", "pattern 6: " + reason, "pattern 98: it is blank",
		"pattern 99: it has 501 characters, more than 500",
	}, "\n  "), "what is no work is told all the same")
}

// The largest that people write are far from that.
func TestCompileTakesLargeSets(t *testing.T) {
	t.Parallel()
	long := benchPatterns()
	for i := range long {
		for n := 0; len(long[i]) < 490; n++ {
			long[i] += fmt.Sprint("|column_", n)
		}
	}
	for name, patterns := range map[string][]string{
		"lists of names":                long,
		"characters beyond ASCII":       differing(strings.Repeat("é", 498), 100),
		"the same to backtrack on":      differing("(?!x)"+strings.Repeat("é", 493), 100),
		"lists to backtrack on":         differing("(?!x_)(?:"+strings.Repeat("user|", 97)+"a)", 100),
		"all but a character":           differing(strings.Repeat("[^_]*_", 83), 100),
		"words":                         differing(strings.Repeat(`\w+\W`, 99), 100),
		"words to backtrack on":         differing("(?!x_)"+strings.Repeat(`\w+.`, 98), 100),
		"letters":                       differing(`^[\pL\pN_]+_[\p{Lu}-]+_\pL+_`, 100),
		"letters, so many":              differing(`\pL{1,50}_`, 100),
		"letters to backtrack on":       differing(`(?!public_)\pL+_`, 100),
		"Chinese and Korean":            differing(`[一-龥]+_[가-힣]*`, 100),
		"anything, so many times":       differing(`.{1,999}_`, 100),
		"hexadecimal, so many times":    differing(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{12}`, 100),
		"a number of the largest steps": differing(`(?:[^_]{0,30}_){30}`, 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Len(t, compiled(t, nil, patterns...).Strings(), 100)
		})
	}
}

// A set of whatever patterns is taken or refused.
func FuzzCompile(f *testing.F) {
	f.Add(`\pL+`, `(?=a)\pL{1,40}`, "[B-𞥂]", uint8(2))
	f.Add(`\pL{900}`, `(?:[^\pL]{30}){30}`, `[\x{42}-\x{1e942}\x{0}-\x{ffffffff}]`, uint8(2))
	f.Add(`(a)(?(1)b|[^_]*)`, "", " x ", uint8(9))
	f.Fuzz(func(t *testing.T, a, b, c string, times uint8) {
		var set []string
		for i := range int(times) % 8 {
			set = append(set, a+fmt.Sprint(i), b+fmt.Sprint(i), c+fmt.Sprint(i))
		}
		patterns, err := redact.Compile(set, nil)
		if err != nil {
			require.Nil(t, patterns)
			require.ErrorAs(t, err, new(*redact.PatternsError))
			return
		}
		require.LessOrEqual(t, len(patterns.Strings()), len(set))
	})
}
