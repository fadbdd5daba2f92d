package redact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// setting is a name that a data map declares, by its path.
type setting struct {
	path string // with slashes
	own  redact.Setting
}

// numbered adds names in an order and numbers them. It returns what is shown for
// each path, and what for documents below their third name.
func numbered(t testing.TB, p *redact.Patterns, declared []setting, documents []string) (shown map[string]string, names *redact.Names) {
	t.Helper()
	names = redact.NewNames(p)
	found := map[string]*redact.Name{}
	for _, d := range declared {
		found[d.path] = add(names, d)
	}
	for _, path := range documents {
		follow(names, path)
	}
	require.NoError(t, names.Number())
	shown = map[string]string{}
	for path, name := range found {
		shown[path] = name.String()
	}
	for _, path := range documents {
		shown[path] = follow(names, path)
	}
	return shown, names
}

func add(names *redact.Names, d setting) *redact.Name {
	segments := strings.Split(d.path, "/")
	var at *redact.Name
	for _, segment := range segments[:len(segments)-1] {
		at = names.Add(at, segment, redact.Default)
	}
	return names.Add(at, segments[len(segments)-1], d.own)
}

// follow goes through a document and returns what is shown of its last key.
func follow(names *redact.Names, path string) (shown string) {
	segments := strings.Split(path, "/")
	cursor := names.Cursor(add(names, setting{path: strings.Join(segments[:3], "/")}))
	for _, segment := range segments[3:] {
		shown = cursor.Enter(segment)
	}
	for range segments[3:] {
		cursor.Leave()
	}
	return shown
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		patterns  []string
		declared  []setting
		documents []string
		want      map[string]string
	}{
		{
			name:     "the example of Fides",
			patterns: []string{"customer.*", ".*user.*", "^email$"},
			declared: []setting{
				{path: "customer_database/users/email"}, {path: "customer_database/users/age"},
				{path: "customer_database/orders/user_id"}, {path: "customer_database/orders"},
				{path: "analytics/user_events/user_id"}, {path: "customer_database"}, {path: "analytics/user_events"}, {path: "customer_database/users"}, {path: "analytics"},
			},
			want: map[string]string{
				"customer_database": "dataset_1", "customer_database/users": "collection_1", "customer_database/orders": "orders",
				"customer_database/users/email": "field_1", "customer_database/users/age": "age", "customer_database/orders/user_id": "field_1",
				"analytics": "analytics", "analytics/user_events": "collection_1", "analytics/user_events/user_id": "field_1",
			},
		},
		{
			name:     "as they sort, by parent",
			patterns: []string{"[a-z]"},
			declared: []setting{{path: "c"}, {path: "a"}, {path: "b"}, {path: "c/z"}, {path: "c/y"}, {path: "a/z"}},
			want:     map[string]string{"a": "dataset_1", "b": "dataset_2", "c": "dataset_3", "c/y": "collection_1", "c/z": "collection_2", "a/z": "collection_1"},
		},
		{
			name:     "numbers that are real names are left out",
			patterns: []string{"secret.*"},
			declared: []setting{
				{path: "secret"}, {path: "dataset_1"}, {path: "d/secret"}, {path: "d/collection_1"}, {path: "d/collection_2"},
				{path: "d/c/secret_a"}, {path: "d/c/secret_b"}, {path: "d/c/secret_c"}, {path: "d/c/field_1"}, {path: "d/c/field_3"}, {path: "d/c/field_04"},
			},
			want: map[string]string{
				"secret": "dataset_2", "dataset_1": "dataset_1", "d/secret": "collection_3", "d/collection_1": "collection_1", "d/collection_2": "collection_2",
				"d/c/secret_a": "field_2", "d/c/secret_b": "field_4", "d/c/secret_c": "field_5", "d/c/field_1": "field_1", "d/c/field_3": "field_3", "d/c/field_04": "field_04",
			},
		},
		{
			name:     "a name that is hidden and looks like a replacement is none",
			patterns: []string{"field_.*", "email"},
			declared: []setting{{path: "d/c/field_1"}, {path: "d/c/field_2"}, {path: "d/c/email"}},
			want:     map[string]string{"d/c/email": "field_3", "d/c/field_1": "field_4", "d/c/field_2": "field_5"},
		},
		{
			name:     "settings win, and hold for their own name only",
			patterns: []string{"user.*"},
			declared: []setting{
				{"users", redact.Keep}, {"users/user_log", redact.Keep}, {"users/user_log/user_id", redact.Default}, {"users/user_log/user", redact.Keep},
				{"plain", redact.Hide}, {"plain/things", redact.Default}, {"plain/things/id", redact.Hide}, {"plain/things/name", redact.Default}, {"plain/things/id/deep", redact.Default},
			},
			want: map[string]string{
				"users": "users", "users/user_log": "user_log", "users/user_log/user_id": "field_1", "users/user_log/user": "user",
				"plain": "dataset_1", "plain/things": "things", "plain/things/id": "field_1", "plain/things/name": "name", "plain/things/id/deep": "deep",
			},
		},
		{
			name:     "a setting that comes later holds, Hide before Keep",
			patterns: []string{"user.*"},
			declared: []setting{
				{"user_a", redact.Default}, {"user_a", redact.Keep}, {"user_a", redact.Default},
				{"b", redact.Hide}, {"b", redact.Keep}, {"c", redact.Keep}, {"c", redact.Hide}, {"d", redact.Default}, {"d", redact.Hide}, {"d", redact.Default},
			},
			want: map[string]string{"user_a": "user_a", "b": "dataset_1", "c": "dataset_2", "d": "dataset_3"},
		},
		{
			name:      "undeclared keys, in place, beside those that look like a replacement",
			patterns:  []string{"secret.*"},
			declared:  []setting{{path: "d/c/doc/secret_declared"}, {path: "d/c/secret"}},
			documents: []string{"d/c/doc/secret_a", "d/c/doc/field_1", "d/c/doc/field_x", "d/c/doc/deep/secret_a", "d/c/doc/deep/er/secret_b", "d/c/doc/deep/er/secret_a", "d/c/doc/deep/er/secret_a/secret_c", "d/c/doc/plain", "d/c/secret/plain/field_1", "d/c/secret/field_2"},
			want: map[string]string{
				"d/c/doc/secret_declared": "field_3", "d/c/secret": "field_1",
				"d/c/doc/secret_a": "field_2", "d/c/doc/field_1": "field_1", "d/c/doc/field_x": "field_x",
				"d/c/doc/deep/secret_a": "field_1", "d/c/doc/deep/er/secret_a": "field_1", "d/c/doc/deep/er/secret_b": "field_2", "d/c/doc/deep/er/secret_a/secret_c": "field_1",
				"d/c/doc/plain": "plain", "d/c/secret/plain/field_1": "field_1", "d/c/secret/field_2": "field_2",
			},
		},
		{
			name:     "nothing is hidden",
			declared: []setting{{path: "d/c/field_2"}, {path: "d"}}, documents: []string{"d/c/f/field_1"},
			want: map[string]string{"d": "d", "d/c/field_2": "field_2", "d/c/f/field_1": "field_1"},
		},
		{
			name:     "settings need no pattern",
			declared: []setting{{"d", redact.Hide}, {"d/c", redact.Keep}},
			want:     map[string]string{"d": "dataset_1", "d/c": "c"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := compiled(t, nil, c.patterns...)
			shown, names := numbered(t, p, c.declared, c.documents)
			require.Equal(t, c.want, shown)
			hides := false
			for path, shown := range shown {
				hides = hides || !strings.HasSuffix("/"+path, "/"+shown)
			}
			require.Equal(t, hides, names.Any())
			require.EqualError(t, names.Number(), "redact: the names are numbered already")
		})
	}
}

// One object passes several times, and so do its keys: each has one number.
func TestSparseDocumentsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	p := compiled(t, nil, "s_.*")
	rows := []string{"d/c/doc/s_b", "d/c/doc/s_c", "d/c/doc/s_b", "d/c/doc/s_a", "d/c/doc/s_c"}
	shown, _ := numbered(t, p, nil, rows)
	require.Equal(t, map[string]string{"d/c/doc/s_a": "field_1", "d/c/doc/s_b": "field_2", "d/c/doc/s_c": "field_3"}, shown)
}

func TestHidesTellsWhatIsBelow(t *testing.T) {
	t.Parallel()
	names := redact.NewNames(compiled(t, nil, "secret"))
	dataset := names.Add(nil, "d", redact.Default)
	plain, holds := names.Add(dataset, "plain", redact.Default), names.Add(dataset, "holds", redact.Default)
	names.Cursor(names.Add(holds, "doc", redact.Default)).Enter("secret")
	require.NoError(t, names.Number())
	require.Equal(t, []bool{true, false, true, true}, []bool{dataset.Hides(), plain.Hides(), holds.Hides(), names.Add(holds, "doc", redact.Default).Hides()})
	require.PanicsWithValue(t, "redact: a name is added after the names were numbered", func() { names.Add(plain, "late", redact.Default) })
	require.Same(t, plain, names.Add(dataset, "plain", redact.Hide), "what is there is found")
	require.Equal(t, "plain", plain.String())
}

// Keys that are data do not fill the memory: the package fails and says why.
func TestTooManyNames(t *testing.T) {
	t.Parallel()
	const told = "redact: more than 100000 names of the package are to be replaced, or look like field_1: keys of documents that are data, such as IDs, should not match a pattern"
	for _, c := range []struct {
		key, secret string
		want        string
	}{
		{"id_%d", "", told},
		{"field_%d", "id_1", told},
		{"field_%d", "plain", ""},
		{"other_%d", "id_1", ""},
	} {
		names := redact.NewNames(compiled(t, nil, "id_.*"))
		cursor := names.Cursor(add(names, setting{path: "d/c/doc"}))
		names.Add(nil, c.secret, redact.Default)
		for i := range redact.MaxNames + 2 {
			cursor.Enter(fmt.Sprintf(c.key, i))
			cursor.Leave()
		}
		if c.want == "" {
			require.NoError(t, names.Number())
		} else {
			require.EqualError(t, names.Number(), c.want)
		}
	}
}

// However short the time, what was shown of a name before is shown of it again.
func TestNamesOfASpentBudget(t *testing.T) {
	t.Parallel()
	step := time.Hour
	p := compiled(t, &redact.Options{Clock: ticking(&step)}, "secret")
	shown, names := numbered(t, p, []setting{{path: "d/c/a"}, {"d/c/b", redact.Keep}, {path: "d"}, {path: "d/c"}}, []string{"d/c/a/x", "d/c/a/y", "d/c/a/x"})
	require.Equal(t, map[string]string{
		"d": "d", "d/c": "collection_1", "d/c/a": "field_1", "d/c/b": "b", "d/c/a/x": "field_1", "d/c/a/y": "field_2",
	}, shown, "the first name took all the time")
	require.True(t, names.OverBudget())

	_, names = numbered(t, nil, nil, nil)
	require.False(t, names.OverBudget())
	_, names = numbered(t, compiled(t, nil, "x"), []setting{{path: "d"}}, nil)
	require.False(t, names.OverBudget())

	names = redact.NewNames(compiled(t, &redact.Options{Clock: ticking(&step)}, "secret"))
	cursor := names.Cursor(add(names, setting{path: "d/c/doc"}))
	for i := range redact.MaxNames {
		cursor.Enter(fmt.Sprint("key", i))
		cursor.Leave()
	}
	require.EqualError(t, names.Number(), "redact: more than 100000 names of the package are to be replaced, since the budget of 2s to match them was spent: give Options.Budget more, or have simpler patterns")
}

// FuzzNames builds data maps out of bytes and holds what is shown to its
// promises.
func FuzzNames(f *testing.F) {
	f.Add("abcabcabc", "a.*", uint8(0))
	f.Add("\x01\x22\x43\x64\x85\xa6", "field_.*", uint8(1))
	f.Add("zyxwvutsrqponmlkjihgfedcba0123456789", "(?!b).*[12]", uint8(3))
	words := []string{"a", "b", "email", "field_1", "field_2", "field_3", "dataset_1", "collection_1"}
	settings := []redact.Setting{redact.Default, redact.Default, redact.Hide, redact.Keep}
	f.Fuzz(func(t *testing.T, shape, pattern string, turn uint8) {
		p, err := redact.Compile([]string{pattern}, &redact.Options{Clock: frozen})
		if err != nil || len(shape) > 200 {
			return
		}
		var declared []setting
		var documents []string
		at := []string{}
		for _, b := range []byte(shape) {
			at = append(at[:min(len(at), int(b>>5))], words[b&7])
			path := strings.Join(at, "/")
			if len(at) > 4 {
				documents = append(documents, path)
			} else {
				declared = append(declared, setting{path, settings[b>>3&3]})
			}
		}
		shown, _ := numbered(t, p, declared, documents)

		backwards, more := slices.Clone(declared), slices.Clone(documents)
		slices.Reverse(backwards)
		slices.Reverse(more)
		by := int(turn) % (len(more) + 1)
		again, _ := numbered(t, p, backwards, append(more[by:], more[:by]...))
		require.Equal(t, shown, again, "the order does not matter")

		siblings := map[string]bool{}
		for path, as := range shown {
			parent, name := "", path
			if i := strings.LastIndexByte(path, '/'); i >= 0 {
				parent, name = path[:i], path[i+1:]
			}
			require.False(t, siblings[parent+"/"+as], "%s: %s is shown for two", parent, as)
			siblings[parent+"/"+as] = true
			own := redact.Default
			for _, d := range declared {
				if d.path == path && (own == redact.Default || d.own == redact.Hide) {
					own = d.own
				}
			}
			hidden := own == redact.Hide || own == redact.Default && p.Hides(name)[0]
			require.Equal(t, hidden, as != name, "%q as %q", path, as)
			if hidden {
				require.NotContains(t, shown, strings.TrimPrefix(parent+"/"+as, "/"), "a real name is shown for another")
			}
		}
	})
}
