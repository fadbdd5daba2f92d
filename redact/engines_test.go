package redact_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// agree asks both engines for names, and package regexp itself as it is. It
// reports whether package regexp can express the pattern.
func agree(t *testing.T, pattern string, names ...string) bool {
	t.Helper()
	for _, search := range []bool{false, true} {
		used, back, linear, err := redact.Engines(pattern, search, time.Minute)
		require.NoError(t, err, "%q", pattern)
		if !linear {
			return false
		}
		plain := "(?is:" + pattern + ")"
		if !search {
			plain = `\A(?is:` + pattern + `)\z`
		}
		var re *regexp.Regexp
		// \Q may swallow the parenthesis, and a surrogate is taken for U+FFFD.
		if !strings.Contains(pattern, `\Q`) && !strings.Contains(pattern, `\x{D8`) {
			re = regexp.MustCompile(plain)
		}
		for _, name := range names {
			ours := used(name)
			got, err := back(name)
			require.NoError(t, err)
			require.Equal(t, ours, got, "%q on %q, search %t", pattern, name, search)
			if re != nil {
				require.Equal(t, re.MatchString(name), ours, "%q on %q, search %t", pattern, name, search)
			}
		}
	}
	return true
}

// seedPatterns are those that engines are known to read in different ways.
func seedPatterns() []string {
	return []string{
		"sensitive_.*", ".*_private", "^email$", "customer.*", ".*user.*", "^(email|phone)$", ".*@.*", "data_[0-9]+",
		"name$", `name\z`, `\Aname`, "(?m)^name$", "(?m)name$", "(?m:^)name", "^^name$$", "a^b", "$^", "^*name", "$*",
		`\d+`, `\D+`, `\w+`, `\W+`, `\s+`, `\S+`, `[\d\s]+`, `[^\w]+`, `\bname\b`, `.*\bname\b.*`, `\Bame`, `na\B.*`, `.\b.`,
		"k", "K", "\u212a", "s", "ſ", "[k]", "[^k]", "[a-z]+", "[^a-z]+", "[J-L]", "σ", "ς", "Σ", "ß", "ẞ", "ss", "i", "I", "İ", "ı", "é", "É", "[à-þ]+", "ǆ", "ǅ",
		"(?-i)name", "(?-i:N)ame", "n(?-i)A(?i)me", "na(?-i:M|m)e", "(?-i)[A-Z]+", "(?-i:k)",
		".", ".+", "(?-s).+", "(?-s:.)(?s:.)", `a\nb`, `[^a]+`, `\x0a`,
		"(?P<n>name)", "(?<n>name)", "(?P<n>a)(?P<m>b)?", "(a)(?P<n>b)(c)", "(?<n>a)(?<n>b)", "(?<1>a)",
		"[[:alpha:]]+", "[[:^alpha:]]+", "[[:word:]_]+", "[[:lower:]]+", "[^[:upper:]]+", "[[:alpha]+", "[[:]", "[]a]+", "[^]a]+", "[a-]", "[-a]", "[a&&b]", "[a-z-[aeiou]]", "[[a]]", `[\]a]`, `[\x{41}-\x{43}]`,
		`\Qa.b\E`, `\Qa.b`, `\Q\E`, `a\Qb\E+`, `\Q(\E`, `\Q\\E`, `a\Q\E*`, `(\Qa)b\E)`,
		`\pL+`, `\PL+`, `\p{Greek}+`, `\p{^Greek}+`, `\p{Lu}+`, `(?-i)\p{Lu}+`, `[\p{L}\d]+`, `\x{10FFFF}`, `\x{1F600}`, "😀", "[😀-😂]+", `\x41`, `\101`, `\0`, `\12`, `\07`,
		"a{2}", "a{2,}", "a{2,3}", "a{,2}", "a{02}", "a{0}", "a{0,0}b", "a{1000}", "(a{10}){10}", "a{", "a{}", "a{1", "x|{,1}", "}", "]", "a{2}{,3}",
		"a*?", "a+?b", "a??b", "a{1,2}?b", "(?U)a+", "(?U)a+?", "(?U:a*)b", "(a*)*", "(a*)+", "(a|)*", "(|a)+b", "(a?){3}b", "(?:)*", "()", "(|)", "|", "a||b", "a|", "|a", "(a|b|ab)*c", "((a))", "(a*)*b", "(a+)+$",
		"a*(?i)*", "a(?i)*", "a(?m)b", "((?-i)A)a", "a(?-i)|B", "(?i)(?s)(?m)(?U)a", "(?:(?-i)A|B)a",
		`\.`, `\*\+`, `\-`, `\ `, `\_`, "a b", "a#b", " #", "\t", `\t\n\v\f\r\a`, `\(a\)`, `\$`, `\^`, `\/`, `\'`,
		"\ufffd", ".\ufffd.", "[^\ufffd]+", `\x{D800}`, `(a|\x{D800})*`, `[\x{D800}-\x{DFFF}]+`, `[^\x{D800}-\x{DFFF}]+`, `[^\x00-\x{10FFFF}]`, `[^\x00-\x{10FFFF}]*`, `[\x00-\x{10FFFF}]+`, `[^\n]`,
		"^.{3,10}$", "(?:user|member)_(?:id|no)", "x*", "(?:x)", "^(?:first|last)[-_ ]?name$", `.*[._-]?(ssn|tax.?id)[._-]?.*`,
		`(^|_)name(_|$)`, `(?:^a|b)c`, `a$|b`, `^|a`, `(?:a|$)+`, `(\b)+a`, `(^)*a`, `(?:\b|a)*`, `(?:a\b)*`, `(?:a*b*)*c`, `(a{0,2}){2,3}`, `(?:(?:a{2}){3}|b)*`, `(?:a?b??)*`, `(?:a|b)*?c`, `(?:|a|b){2,}`,
	}
}

func seedNames() []string {
	return []string{
		"", "name", "Name", "NAME", "name\n", "\nname", "name\nname", "a\nb", "x\nname\ny", "name ", "user_name", "user name x", "first-name", "names",
		"email", "EMAIL", "eMail", "email2", "my_email", "customer", "customer_database", "the_customer", "user_events", "app_users", "data_12", "data_", "a@b", "sensitive_", "x_private",
		"k", "K", "\u212a", "s", "S", "ſ", "ss", "σ", "ς", "Σ", "ß", "ẞ", "i", "I", "İ", "ı", "é", "É", "þ", "ÿ", "ǆ", "ǅ", "Ǆ",
		"a", "A", "aa", "aaa", "ab", "abc", "AB", "ba", "b", "c", "bc", "aab", "aaab", strings.Repeat("a", 8), strings.Repeat("ab", 3) + "c",
		"1", "12", "٣", "a1", "_", "-", ".", "a.b", "axb", `a\Eb`, "(", "(a)", "a{", "a{}", "a{,2}", "a{02}", "a{1", "{1}", "}", "]", "[", "a]", "a-", "*+", `\`, "$", "^", "/", "'", "a b", "a#b", " ", "\t", "\v", "\u00a0", "\u0085", "\t\n\v\f\r\a", "\u200b",
		"ελλ", "日本", "😀", "😁😂", "\U0010ffff", "\x00", "\a", "\a8", "\n", "\r\n", "\ufffd", "\xff", "a\xffb", "\xed\xa0\x80", "a\xc3",
		"user_id", "member_no", "last_name", "tax id", "x.ssn", "aC", "Bc", "BC",
	}
}

// Whatever both engines can express gets the same answer from both, and from
// package regexp with nothing around it.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	names := seedNames()
	for _, pattern := range seedPatterns() {
		require.True(t, agree(t, pattern, names...), "%q", pattern)
	}
	require.True(t, agree(t, "(a{10}b?){100}", strings.Repeat("a", 1000), strings.Repeat("a", 999)))
}

// What the fuzzer holds against each other does not depend on how long either
// takes.
func TestEnginesAreNotHurried(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 17)
	used, back, linear, err := redact.Engines(runaway, false, time.Nanosecond)
	require.NoError(t, err)
	require.False(t, linear)
	_, err = back(name)
	require.ErrorContains(t, err, "timeout")
	require.False(t, used(name))
}

func FuzzEngines(f *testing.F) {
	names := seedNames()
	for i, pattern := range seedPatterns() {
		f.Add(pattern, names[i%len(names)])
	}
	for _, c := range backtracking() {
		for _, name := range append(c.matches, c.differs...) {
			f.Add(c.pattern, name)
		}
	}
	f.Add(runaway, strings.Repeat("a", 20))
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if utf8.RuneCountInString(pattern) > 60 || len(name) > 20 {
			return
		}
		for _, search := range []bool{false, true} {
			used, back, linear, err := redact.Engines(pattern, search, 50*time.Millisecond)
			if err != nil {
				require.False(t, linear, "%q: %s", pattern, err)
				return
			}
			if got, err := back(name); err == nil { // else it backtracked too long
				require.Equal(t, used(name), got, "%q on %q, search %t", pattern, name, search)
			}
		}
	})
}
