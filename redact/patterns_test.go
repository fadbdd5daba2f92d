package redact_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// compiled makes a set for which time stands still, unless opts say otherwise.
func compiled(t testing.TB, opts *redact.Options, patterns ...string) *redact.Patterns {
	t.Helper()
	if opts == nil {
		opts = &redact.Options{Clock: frozen}
	}
	p, err := redact.Compile(patterns, opts)
	require.NoError(t, err)
	return p
}

func frozen() time.Time { return time.Unix(0, 0) }

// The patterns that the documentation of Fides shows, and what it says of them.
func TestDocumentedPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern    string
		hides      []string
		shows      []string
		onlySearch []string // of shows
	}{
		{"^email$", []string{"email", "EMAIL"}, []string{"email_2", "my_email", "email\n", ""}, nil},
		{"sensitive_.*", []string{"sensitive_", "Sensitive_data"}, []string{"insensitive_data", "sensitive"}, []string{"insensitive_data"}},
		{".*_private", []string{"_private", "notes_PRIVATE"}, []string{"notes_private_2", "private"}, []string{"notes_private_2"}},
		{"customer.*", []string{"customer", "customers", "Customer_database"}, []string{"the_customer", "custom"}, []string{"the_customer"}},
		{".*user.*", []string{"user", "users", "app_user_events"}, []string{"use_r"}, nil},
		{"^(email|phone)$", []string{"email", "phone"}, []string{"emailphone", "phones"}, nil},
		{".*@.*", []string{"@", "a@b"}, []string{"a"}, nil},
		{"data_[0-9]+", []string{"data_1", "DATA_123"}, []string{"data_", "data_1a", "mydata_1"}, []string{"data_1a", "mydata_1"}},
	} {
		whole, search := compiled(t, nil, c.pattern), compiled(t, &redact.Options{Search: true, Clock: frozen}, c.pattern)
		for _, name := range c.hides {
			require.Equal(t, []bool{true}, whole.Hides(name), "%s on %q", c.pattern, name)
			require.Equal(t, []bool{true}, search.Hides(name), "%s on %q", c.pattern, name)
		}
		for _, name := range c.shows {
			require.Equal(t, []bool{false}, whole.Hides(name), "%s on %q", c.pattern, name)
			require.Equal(t, []bool{slices.Contains(c.onlySearch, name)}, search.Hides(name), "%s on %q", c.pattern, name)
		}
	}
}

func TestCompileKeepsOrderAndFolds(t *testing.T) {
	t.Parallel()
	p := compiled(t, nil, "  zeta ", "alpha", "zeta", "\tZETA\n", "alpha")
	require.Equal(t, []string{"zeta", "alpha", "ZETA"}, p.Strings())
	require.True(t, p.Any())
	p.Strings()[0] = "changed"
	require.Equal(t, []string{"zeta", "alpha", "ZETA"}, p.Strings())

	for _, none := range []*redact.Patterns{nil, compiled(t, nil)} {
		require.Equal(t, []string{}, none.Strings())
		require.False(t, none.Any())
		require.Equal(t, []bool{false, false}, none.Hides("a", strings.Repeat("a", 5000)))
	}
}

func TestCompileLimits(t *testing.T) {
	t.Parallel()
	full := slices.Repeat([]string{"  " + strings.Repeat("é", 500) + "  "}, 100)
	require.Len(t, compiled(t, nil, full...).Strings(), 1)
}

func TestCompileTellsEveryFault(t *testing.T) {
	t.Parallel()
	patterns := []string{"fine", "[invalid", " \t", strings.Repeat("é", 501), "(a", "fine"}
	for len(patterns) < 101 {
		patterns = append(patterns, "fine")
	}
	p, err := redact.Compile(patterns, nil)
	require.Nil(t, p)
	var faults *redact.PatternsError
	require.ErrorAs(t, err, &faults)
	require.Equal(t, []redact.Fault{
		{Index: -1, Kind: redact.TooMany, Reason: "there are 101 patterns, more than 100"},
		{Index: 1, Kind: redact.Syntax, Pattern: "[invalid", Reason: "missing closing ]: `[invalid`"},
		{Index: 2, Kind: redact.Blank, Reason: "it is blank"},
		{Index: 3, Kind: redact.TooLong, Pattern: strings.Repeat("é", 501), Reason: "it has 501 characters, more than 500"},
		{Index: 4, Kind: redact.Syntax, Pattern: "(a", Reason: "missing closing ): `(a`"},
	}, faults.Faults)
	require.EqualError(t, err, strings.Join([]string{
		"redact: the patterns of names cannot be used; correct them:",
		"there are 101 patterns, more than 100",
		"pattern 1, \"[invalid\": missing closing ]: `[invalid`",
		"pattern 2: it is blank",
		"pattern 3: it has 501 characters, more than 500",
		"pattern 4, \"(a\": missing closing ): `(a`",
	}, "\n  "))
}

func TestSyntaxFaults(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		`a)`:                             "unexpected ): `)`",
		`a)|(?:b`:                        "unexpected ): `)|(?:b`",
		`*`:                              "missing argument to repetition operator: `*`",
		`(?=a)|+`:                        "missing argument to repetition operator: `+`",
		`(?i)*`:                          "missing argument to repetition operator: `*`",
		`{1}`:                            "missing argument to repetition operator: `{1}`",
		`a**`:                            "invalid nested repetition operator: `*`",
		`a*+`:                            "invalid nested repetition operator: `+`",
		`a{2}{3}`:                        "invalid nested repetition operator: `{3}`",
		`a{1001}`:                        "invalid repeat count: `{1001}`",
		`a{1001,}`:                       "invalid repeat count: `{1001,}`",
		`a{99999999999999999999}`:        "invalid repeat count: `{99999999999999999999}`",
		`a{3,2}`:                         "invalid repeat count: `{3,2}`",
		`(?=a)((a{10}){10}b?){11}`:       "invalid repeat count: `{11}`: nested counts multiply to more than 1000",
		`((a{10}){10}b?){11}`:            "invalid repeat count: `{11}`: nested counts multiply to more than 1000",
		`(?:abcdefghij0123456789){1000}`: "its repetitions unfold to 21000 steps, more than 10000",
		`[b-a]`:                          "invalid character class range: `b-a`",
		`[[:no:]]`:                       "invalid character class range: `[:no:]`",
		`[a`:                             "missing closing ]: `[a`",
		`[a\`:                            "missing closing ]: `[a\\`",
		`[]`:                             "missing closing ]: `[]`",
		`a\`:                             "trailing backslash at end of expression: ``",
		`\y`:                             "invalid escape sequence: `\\y`",
		`\u0041`:                         "invalid escape sequence: `\\u`",
		`\p{No such}`:                    "invalid character class range: `\\p{No such}`",
		`\p{L`:                           "invalid character class range: `\\p{L`",
		`\x{110000}`:                     "invalid escape sequence: `\\x{110000`",
		`\xg`:                            "invalid escape sequence: `\\xg`",
		`(a`:                             "missing closing ): `(a`",
		`(?=a`:                           "missing closing ): `(?=a`",
		`(?#a`:                           "missing closing ): `(?#a`",
		`(?`:                             "missing closing ): `(?`",
		`(?x)a b`:                        "invalid or unsupported Perl syntax: `(?x`",
		`(?i-)a`:                         "invalid or unsupported Perl syntax: `(?i-)`",
		`(?i--s)a`:                       "invalid or unsupported Perl syntax: `(?i--`",
		`(?P<é>a)`:                       "invalid named capture: `(?P<é>`",
		`(?P<>a)`:                        "invalid named capture: `(?P<>`",
		`(?Pa)`:                          "invalid or unsupported Perl syntax: `(?P`",
		`\1(a)`:                          "there is no group \"1\" before: `\\1(a)`",
		`(a)\2`:                          "there is no group \"2\" before: `\\2`",
		`\k<n>(?<n>a)`:                   "there is no group \"n\" before: `\\k<n>(?<n>a)`",
		`(?P=n)`:                         "there is no group \"n\" before: `(?P=n)`",
		`(?(1)a|b)`:                      "there is no group \"1\" before: `(?(1)a|b)`",
		`(a)\k<1`:                        "missing closing >: `\\k<1`",
		"a\xff":                          "it is not valid UTF-8",
	}
	got := map[string]string{}
	for pattern := range want {
		_, err := redact.Compile([]string{pattern}, nil)
		var faults *redact.PatternsError
		require.ErrorAs(t, err, &faults, "%q", pattern)
		require.Len(t, faults.Faults, 1)
		f := faults.Faults[0]
		require.Equal(t, redact.Fault{Kind: redact.Syntax, Pattern: pattern, Reason: f.Reason}, f)
		got[pattern] = f.Reason
	}
	require.Equal(t, want, got)
}

func TestRegistryReplacesAllOrNothing(t *testing.T) {
	t.Parallel()
	var none *redact.Registry
	require.False(t, none.Patterns().Any())

	_, err := redact.NewRegistry(nil, "[")
	require.EqualError(t, err, "redact: the patterns of names cannot be used; correct them:\n  pattern 0, \"[\": missing closing ]: `[`")

	r, err := redact.NewRegistry(&redact.Options{Search: true, Clock: frozen}, "user")
	require.NoError(t, err)
	first := r.Patterns()
	require.Equal(t, []bool{true}, first.Hides("app_user"))

	var faults *redact.PatternsError
	require.ErrorAs(t, r.Replace([]string{"name", ""}), &faults)
	require.Same(t, first, r.Patterns())

	require.NoError(t, r.Replace([]string{"name"}))
	require.Equal(t, []string{"name"}, r.Patterns().Strings())
	require.Equal(t, []bool{false, true}, r.Patterns().Hides("app_user", "full_name"), "it still searches")
	require.Equal(t, []bool{true, false}, first.Hides("app_user", "full_name"), "the former set is as it was")

	require.NoError(t, r.Replace(nil))
	require.False(t, r.Patterns().Any())
}

func TestRegistryFromManyGoroutines(t *testing.T) {
	t.Parallel()
	r, err := redact.NewRegistry(&redact.Options{Clock: frozen}, "odd.*", "even.*")
	require.NoError(t, err)
	wrong := make(chan string, 1000)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 100 {
				if g == 0 {
					if err := r.Replace([]string{"odd.*", fmt.Sprint("even.*|x", i)}); err != nil {
						wrong <- err.Error()
					}
				}
				if got := r.Patterns().Hides("odd", fmt.Sprint("even", i%7), "none"); !slices.Equal(got, []bool{true, true, false}) {
					wrong <- fmt.Sprint(got)
				}
			}
		})
	}
	all.Wait()
	close(wrong)
	require.Empty(t, wrong)
}
