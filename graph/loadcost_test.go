package graph_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// The most that is told of a file: errors and warnings, and of each kind that
// there are more.
const mostTold = 2 * (1000 + 1)

// costly are files that take, or make, much of what there is: n times as much of
// it for n.
var costly = []struct {
	name string
	src  func(n int) string
}{
	{"a key many times", func(n int) string { return "{" + strings.Repeat("a,", n) + "}" }},
	{"many items that are wrong", func(n int) string { return "dataset: [" + strings.Repeat("a,", n) + "]" }},
	{"an unknown category many times", func(n int) string {
		return "dataset: [{fides_key: a, collections: [], data_categories: [" + strings.Repeat("user.nam,", n) + "]}]"
	}},
	{"many unknown categories", func(n int) string {
		return "dataset: [{fides_key: a, collections: [], data_categories: [" + numbered("user.contact.email%d,", n) + "]}]"
	}},
	{"many unknown keys", func(n int) string {
		return "dataset: [{fides_key: a, collections: [{name: b, fields: [" + numbered("{name: c%d, colour: 1},", n) + "]}]}]"
	}},
	{"long names, deeply nested", func(n int) string {
		return "dataset: [{fides_key: a, collections: [{name: b, fields: " + strings.Repeat("[{name: "+strings.Repeat("c", 250)+", fields: ", 60) +
			"[" + numbered("{name: c%d, colour: 1},", n) + "]" + strings.Repeat("}]", 60) + "}]}]"
	}},
	{"names, deeply nested", func(n int) string {
		return "dataset: [{fides_key: a, collections: [{name: b, fields: " + strings.Repeat("[{name: cccccccccc, fields: ", 60) +
			"[" + numbered("{name: c%d, colour: 1},", n) + "]" + strings.Repeat("}]", 60) + "}]}]"
	}},
	{"long keys", func(n int) string {
		return "dataset: [{fides_key: a, collections: [], " + numbered(strings.Repeat("k", 5000)+"%d: 1,", n/1000+1) + "}]"
	}},
	{"aliases of a long text", func(n int) string {
		return "dataset: [{fides_key: a, collections: [], tags: [&a " + strings.Repeat("x", 2*n) + strings.Repeat(", *a", n) + "]}]"
	}},
	{"breaks that are no line feeds", func(n int) string { return "dataset:\r" + strings.Repeat("- a\r\u0085", n) + "b\r" }},
}

// What has an anchor is no alias, however long it is.
func TestAnchoredFilesMayBeLong(t *testing.T) {
	t.Parallel()
	src := "dataset: &all\n- fides_key: a\n  collections: []\n  meta:\n    list:\n" + strings.Repeat("    - "+strings.Repeat("x", 1000)+"\n", 2000)
	datasets, diags := graph.Load("f.yml", []byte(src), nil)
	require.NoError(t, diags.Err())
	require.Len(t, datasets, 1)
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// allocated is how many bytes f allocates. No other test may run meanwhile.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// Twice the file costs twice as much, and no file makes much more than it is.
func TestLoadCosts(t *testing.T) { //nolint:paralleltest // counts what is allocated
	for _, tc := range costly {
		t.Run(tc.name, func(t *testing.T) {
			load := func(n int) float64 {
				src := []byte(tc.src(n))
				var diags graph.Diagnostics
				bytes := allocated(func() { _, diags = graph.Load("f.yml", src, nil) })
				require.Less(t, bytes/float64(len(src)), 500.0)
				checkTold(t, src, diags)
				return bytes
			}
			once := load(8000)
			require.Less(t, load(16_000)/once, 3.0)
		})
	}
}

// checkTold holds what is told of a file against its size.
func checkTold(t *testing.T, src []byte, diags graph.Diagnostics) {
	t.Helper()
	require.LessOrEqual(t, len(diags), mostTold)
	text := 0
	for _, d := range diags {
		require.LessOrEqual(t, len(d.Subject), 300)
		require.LessOrEqual(t, len(d.Message), 1000)
		text += len(d.Subject) + len(d.Message)
	}
	require.LessOrEqual(t, text, 500*(len(src)+1000))
}

// What is not told is told to be so, and never hides an error.
func TestLoadTellsThatThereIsMore(t *testing.T) {
	t.Parallel()
	const head = "dataset:\n- fides_key: a\n  collections: []\n"
	warnings, errors := numbered("  x%d: 1\n", 1500), "  tags: ["+strings.Repeat("1,", 1500)+"]\n"
	for _, tc := range []struct {
		name, src        string
		errors, warnings int
		last             []string
	}{
		{"as many as are told", head + numbered("  x%d: 1\n", 1000), 0, 1000, []string{
			"1003:3: warning: a: unknown key x999 in a dataset",
		}},
		{"warnings", head + warnings, 0, 1001, []string{
			"1004:3: warning: these are not all: the file has more than 1000 warnings",
		}},
		{"errors", head + errors, 1001, 0, []string{
			"4:2010: error: these are not all: the file has more than 1000 errors",
		}},
		{"errors behind warnings", head + warnings + "  name: 1\n", 1, 1001, []string{
			"1504:9: error: a: name must be text, found a number: put it in quotes",
			"1004:3: warning: these are not all: the file has more than 1000 warnings",
		}},
		{"both", head + errors + warnings, 1001, 1001, []string{
			"1005:3: warning: these are not all: the file has more than 1000 warnings",
			"4:2010: error: these are not all: the file has more than 1000 errors",
		}},
		{"a syntax error behind errors", head + errors + "---\n*a", 1001, 0, []string{
			"6:1: error: not YAML: unknown anchor 'a' referenced",
			"4:2008: error: these are not all: the file has more than 1000 errors",
		}},
		{"repeated by aliases", "dataset:\n- fides_key: a\n  collections:\n  - &b {name: b, fields: []," + numbered("x%d: 1,", 600) + "}\n" + strings.Repeat("  - *b\n", 4), 1, 600, []string{
			"4:4711: warning: a:b: unknown key x599 in a collection",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load("", []byte(tc.src), nil)
			require.Equal(t, tc.errors, len(diags.Errors()))
			require.Equal(t, tc.warnings, len(diags.Warnings()))
			require.Equal(t, tc.errors > 0, datasets == nil)
			lines := told(diags)
			require.Equal(t, tc.last, lines[len(lines)-len(tc.last):])
		})
	}
	_, diags := graph.Load("", []byte(head+warnings), &graph.LoadOptions{Strict: true})
	require.Len(t, diags.Errors(), 1001)
}

// Only the first unknown categories are compared with those that there are, but
// one of them as often as it stands there.
func TestLoadSuggestsCategories(t *testing.T) {
	t.Parallel()
	suggested := func(list string) (n int) {
		_, diags := graph.Load("", []byte("dataset: [{fides_key: a, collections: [], data_categories: ["+list+"]}]"), nil)
		require.Len(t, diags, 1001)
		for _, d := range diags {
			if strings.HasSuffix(d.Message, ": did you mean user.contact.email?") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 30, suggested(numbered("user.contact.email%04d,", 10_000)))
	require.Equal(t, 1000, suggested(strings.Repeat("user.contact.emial,", 10_000)))
}

// Diagnostics quote the ends of what is long.
func TestLoadCutsWhatItTells(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ö", 600)
	_, diags := graph.Load("", []byte(inField("fields:\n- name: "+long[:800]+"\n  x"+long+": 1")), nil)
	require.Equal(t, []string{
		"9:9: warning: shop:customer.email." + long[:126] + " … " + long[:146] + ": unknown key x" + long[:484] + " … " + long[:486] + " in a field",
	}, told(diags))
}

func TestLoadNames(t *testing.T) {
	t.Parallel()
	long, longest := strings.Repeat("n", 1001), strings.Repeat("n", 1000)
	nested := func(length, levels int) string {
		return strings.Repeat("fields: [{name: "+strings.Repeat("n", length)+", ", levels) + strings.Repeat("}]", levels)
	}
	for _, tc := range []struct {
		name, src string
		want      []string
	}{
		{"fides_key", "dataset:\n- {fides_key: " + long + ", collections: []}\n", []string{"2:15: error: the fides_key of a dataset has more than 1000 bytes"}},
		{"longest fides_key", "dataset:\n- {fides_key: " + longest + ", collections: []}\n", []string{}},
		{"collection", "dataset:\n- {fides_key: a, collections: [{name: " + long + ", fields: []}]}\n", []string{
			"2:39: error: a: the name of a collection has more than 1000 bytes",
		}},
		{"address of a collection", "dataset:\n- {fides_key: a, collections: [{name: " + longest + ", fields: []}]}\n", []string{
			"2:32: error: a: the address of a collection, dataset:collection, has more than 1000 bytes",
		}},
		{"longest address of a collection", "dataset:\n- {fides_key: a, collections: [{name: " + longest[2:] + ", fields: []}]}\n", []string{}},
		{"field", inField(nested(1001, 1)), []string{"7:23: error: shop:customer.email: the name of a field has more than 1000 bytes"}},
		{"address of a field", inField(nested(500, 2)), []string{
			"7:534: error: shop:customer.email." + longest[:127] + " … " + longest[:147] + ": the address of a field, dataset:collection.path.to.field, has more than 1000 bytes",
		}},
		{"longest address of a field", inField(nested(980, 1)), []string{}},
		{"reference", inField("fides_meta: {references: [{dataset: a, field: b" + strings.Repeat(".c", 500) + "}]}"), []string{
			"7:53: error: shop:customer.email: the field of a reference has more than 1000 bytes",
		}},
		{"longest reference", inField("fides_meta: {references: [{dataset: a, field: bb" + strings.Repeat(".c", 499) + "}]}"), []string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, diags := graph.Load("", []byte(tc.src), nil)
			require.Equal(t, tc.want, told(diags))
		})
	}
}

// A file that is not YAML is told from one that holds something else.
func TestLoadTellsSyntax(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		"dataset: [":         true,
		"dataset: \x00":      true,
		"dataset: \xff":      true,
		"dataset: *a":        true,
		"dataset: []\n--- [": true,
		"dataset: 1":         false,
		"":                   false,
		"{a: 1, a: 2}":       false,
		"dataset: &a [*a]":   false,
	} {
		_, diags := graph.Load("", []byte(src), nil)
		errors := diags.Errors()
		require.NotEmpty(t, errors, src)
		require.Equal(t, want, errors[len(errors)-1].Syntax, src)
	}
}
