package redact_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

type backtrackingCase struct {
	pattern          string
	matches, differs []string
}

// backtracking is what only backtracking can do.
func backtracking() []backtrackingCase {
	return []backtrackingCase{
		{`(?!id$).*`, []string{"email", "ids", "id2"}, []string{"id", "ID"}},
		{`.*(?<!_public)`, []string{"email", "public"}, []string{"x_public", "X_PUBLIC"}},
		{`user(?=_).*`, []string{"user_", "User_x"}, []string{"user", "users"}},
		{`.*(?<=_)id`, []string{"user_id", "_ID"}, []string{"id", "userid"}},
		{`([a-z])\1`, []string{"aa", "aA", "ZZ"}, []string{"ab", "a"}},
		{`(?-i)([a-z])\1`, []string{"aa"}, []string{"aA", "AA"}},
		{`(a)(?<n>b)(c)\2\3\1`, []string{"abcbca", "ABCbca"}, []string{"abcabc"}},
		{`(?P<first>.)(?P<second>.)(?P=second)\k<first>`, []string{"abba"}, []string{"abab"}},
		{`(a)\k<1>1`, []string{"aa1"}, []string{"aa", "aaaaaaaaaaa"}},
		{`(?<n>a)(?<n>b)\k<n>`, []string{"abb"}, []string{"aba"}},
		{`(?>a*)ab`, []string{}, []string{"ab", "aab"}},
		{`(x_)?name(?(1)_x)`, []string{"name", "x_name_x"}, []string{"x_name", "name_x"}},
		{`(?<p>x_)?name(?(p)_x|_y)`, []string{"name_y", "x_name_x"}, []string{"name", "x_name", "name_x"}},
		{`e(?#a comment)mail`, []string{"email"}, []string{"e"}},
		{`email\Z`, []string{"email"}, []string{"email\n"}},
		{`(?=.)$`, []string{}, []string{"a"}},
		{`(?=\w+$)[^\d]+`, []string{"abc", "k", "K"}, []string{"a1", "é"}},
		{`(?!x)k`, []string{"k", "K", "\u212a"}, []string{"x"}},
		{`(?!x)\p{Lu}`, []string{"a", "A", "é", "É"}, []string{"x", "1"}},
		{`(?!x).`, []string{"a", "\n", "\xff"}, []string{"x"}},
		{`(?m)(?=a)a$\n^b`, []string{"a\nb"}, []string{"ab"}},
	}
}

func TestBacktracking(t *testing.T) {
	t.Parallel()
	for _, c := range backtracking() {
		_, back, linear, err := redact.Engines(c.pattern, false, time.Minute)
		require.NoError(t, err, "%q", c.pattern)
		require.False(t, linear, "%q needs no backtracking", c.pattern)
		p := compiled(t, nil, c.pattern)
		for i, name := range append(c.matches, c.differs...) {
			got, err := back(name)
			require.NoError(t, err)
			require.Equal(t, i < len(c.matches), got, "%q on %q", c.pattern, name)
			require.Equal(t, []bool{got}, p.Hides(name), "%q on %q", c.pattern, name)
		}
	}
}

// runaway backtracks for ever on names of many a and no b.
const runaway = `(?=(a+)+b)a*`

func TestRunawayPatternReplaces(t *testing.T) {
	t.Parallel()
	p := compiled(t, nil, runaway)
	long := strings.Repeat("a", 200)
	require.Equal(t, []bool{true, false, true}, p.Hides(long, "c", long))
	names, _ := p.Remembered()
	require.Equal(t, 2, names, "what ran away is remembered, so that it does so once")
}

// ticking returns a clock that goes on by a step whenever it is looked at.
func ticking(step *time.Duration) func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(*step)
		return now
	}
}

// Each package has a budget. When it is spent, what is not remembered is
// replaced, and the next package begins anew.
func TestBudgetOfAPackage(t *testing.T) {
	t.Parallel()
	step := time.Millisecond
	p := compiled(t, &redact.Options{Budget: 10 * time.Millisecond, Clock: ticking(&step)}, "user.*")
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprint("field", i))
	}
	// A name takes a tick: none of them has what the pattern needs.
	require.Equal(t, append(make([]bool, 10), trues(10)...), p.Hides(names...))
	remembered, _ := p.Remembered()
	require.Equal(t, 10, remembered)

	require.Equal(t, append(make([]bool, 20), trues(1)...), p.Hides(append(names, "another")...), "ten are remembered, the next ten take the budget")
	require.Equal(t, append(make([]bool, 20), true, false), p.Hides(append(names, "user_1", "another")...))
}

// The budget is looked at between patterns, too.
func TestBudgetWithinAName(t *testing.T) {
	t.Parallel()
	step := time.Minute
	p := compiled(t, &redact.Options{Clock: ticking(&step)}, "[a-z]", "[0-9]+", "b_.*")
	require.Equal(t, []bool{true, true}, p.Hides("name", "other"))
	names, _ := p.Remembered()
	require.Zero(t, names)
	step = 0
	require.Equal(t, []bool{false, false}, p.Hides("name", "other"))
}

func trues(n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

func TestLongNamesAreReplaced(t *testing.T) {
	t.Parallel()
	p := compiled(t, nil, "x")
	require.Equal(t, []bool{false, true, false, true}, p.Hides(
		strings.Repeat("é", redact.MaxNameLength), strings.Repeat("é", redact.MaxNameLength+1),
		strings.Repeat("\xff", redact.MaxNameLength), strings.Repeat("\xff", redact.MaxNameLength+1),
	))
}

// However many names there are, few are remembered, and those that are asked for
// again are among them.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	step := time.Duration(0)
	p := compiled(t, &redact.Options{Clock: ticking(&step)}, "secret")
	pad := strings.Repeat("x", 1000)
	for i := range 9_000 {
		require.Equal(t, []bool{false, true}, p.Hides(fmt.Sprint(pad, i), "SECRET"))
		names, size := p.Remembered()
		require.LessOrEqual(t, size, 4<<20)
		require.LessOrEqual(t, names, 8_000)
	}
	step = time.Hour
	require.Equal(t, []bool{true, false}, p.Hides("SECRET", fmt.Sprint(pad, 8_999)))
	names, _ := p.Remembered()
	require.Greater(t, names, 3_900)
}
