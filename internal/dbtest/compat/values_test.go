//go:build compat

package compat_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/redact/mask"
)

func TestFides08Casts(t *testing.T) {
	t.Parallel()
	type result struct {
		value any
		ok    bool
	}
	for _, c := range []struct {
		kind graph.Kind
		in   any
		want result
	}{
		{graph.Integer, "1", result{int64(1), true}},
		{graph.Integer, int64(1), result{int64(1), true}},
		{graph.Integer, "A", result{nil, false}},
		{graph.String, 1.0, result{"1.0", true}},
		{graph.String, "abc", result{"abc", true}},
		{graph.String, int64(1), result{"1", true}},
		{graph.Float, "4.4", result{4.4, true}},
		{graph.Boolean, "false", result{false, true}},
		{graph.ObjectID, "abc", result{nil, false}},
		{graph.ObjectID, "507f191e810c19729de860ea", result{"507f191e810c19729de860ea", true}},
		{graph.Any, "abc", result{"abc", true}},
	} {
		value, ok := c.kind.Cast(c.in)
		require.Equal(t, c.want, result{value, ok}, "%v as %s", c.in, c.kind)
	}
}

// S7: 0 and false are values that lead on, and what a declared type cannot
// take is counted; Fides drops the former and loses the latter without a word.
func TestFides08ExceptionZeroLeadsOnAndLossIsTold(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A")), `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: ref}
      - name: b
        fields:
          - {name: id, data_categories: [A], fides_meta: {data_type: integer, references: [{dataset: db, field: a.ref, direction: from}]}}
`, rows{"db": {
		"a": {{"email": "a@example.com", "ref": []any{0, "5.0", 3.7, "A", "", nil}}},
		"b": {{"id": 0}, {"id": 3}, {"id": 5}, {"id": 7}},
	}})
	req := f.run("policy", email("a@example.com"))
	require.JSONEq(t, `{"db:b": [{"id": 0}, {"id": 5}]}`, f.pack(req))
	require.Equal(t, graph.Address{Dataset: "db", Collection: "b"}, req.Collections[1].Address)
	require.Equal(t, int64(2), req.Collections[1].Uncastable, "3.7 and A")
}

// Values are gathered out of objects, arrays, and arrays in arrays; a path
// that is not there gives none.
func TestFides09ValuesOutOfDocuments(t *testing.T) {
	t.Parallel()
	made := memory.NewConnector(map[string][]map[string]any{
		"a": {
			{"email": "a@example.com", "flat": "F", "object": map[string]any{"key": "O"},
				"list": []any{"L1", "L2"}, "lists": []any{[]any{"N1", "N2"}, []any{"N3", []any{"N4"}}},
				"objects": []any{map[string]any{"key": "P1"}, map[string]any{"key": "P2"}, map[string]any{"other": "P3"}}},
			{"email": "a@example.com", "flat": "F", "list": []any{"L2", "L3"}},
		},
		"b": {},
	}, nil)
	watched := &spy{Connector: made}
	f := newFlow(t, policy(access("A")), parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: flat}
          - name: object
            fields: [{name: key}, {name: missing}]
          - {name: list, fides_meta: {data_type: "string[]"}}
          - {name: lists}
          - name: objects
            fides_meta: {data_type: "object[]"}
            fields: [{name: key}]
      - name: b
        fields:
          - {name: flat, data_categories: [A], fides_meta: {references: [{dataset: db, field: a.flat, direction: from}]}}
          - {name: key, fides_meta: {references: [{dataset: db, field: a.object.key, direction: from}]}}
          - {name: missing, fides_meta: {references: [{dataset: db, field: a.object.missing, direction: from}]}}
          - {name: list, fides_meta: {references: [{dataset: db, field: a.list, direction: from}]}}
          - {name: lists, fides_meta: {references: [{dataset: db, field: a.lists, direction: from}]}}
          - {name: objects, fides_meta: {references: [{dataset: db, field: a.objects.key, direction: from}]}}
`), dsr.Connection{Key: "db", Connector: watched})
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:a": 2, "db:b": 0}, found(req))
	asked := watched.criteria("b")
	for fields, want := range map[string][][]any{
		"flat":    {{"F"}},
		"key":     {{"O"}},
		"list":    {{"L1"}, {"L2"}, {"L3"}},
		"lists":   {{"N1"}, {"N2"}, {"N3"}, {"N4"}},
		"objects": {{"P1"}, {"P2"}},
	} {
		require.ElementsMatch(t, want, asked[fields], fields)
	}
	require.NotContains(t, asked, "missing")
	require.Len(t, asked, 5)
}

const linked = `
dataset:
  - fides_key: db
    collections:
      - name: user
        fields:
          - {name: email, fides_meta: {identity: email}}
          - name: projects
            fides_meta: {data_type: "object[]"}
            fields: [{name: id}, {name: org}]
      - name: project
        fields:
          - {name: id, fides_meta: {%[1]s references: [{dataset: db, field: membership.project, direction: from}]}}
          - {name: org, fides_meta: {%[1]s references: [{dataset: db, field: membership.org, direction: from}]}}
          - {name: title, data_categories: [A]}
      - name: membership
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: project}
          - {name: org}
`

// S8: what belongs together is said by the parts of one composite key, in
// place of Fides' grouped_inputs; else the values of each field stand alone.
func TestFides10ExceptionKeyPartsAreLinked(t *testing.T) {
	t.Parallel()
	memberships := []map[string]any{
		{"email": "a@example.com", "project": "p1", "org": "o1"},
		{"email": "a@example.com", "project": "p2", "org": "o1"},
		{"email": "a@example.com", "project": "p3", "org": "o2"},
	}
	projects := []map[string]any{
		{"id": "p1", "org": "o1", "title": "one"}, {"id": "p2", "org": "o1", "title": "two"}, {"id": "p3", "org": "o2", "title": "three"},
		{"id": "p4", "org": "o1", "title": "of others"}, {"id": "p1", "org": "o2", "title": "of others too"},
	}
	for name, c := range map[string]struct {
		key   string
		asked map[string][][]any
		pack  string
	}{
		"linked": {
			key:   "primary_key: true,",
			asked: map[string][][]any{"(id, org)": {{"p1", "o1"}, {"p2", "o1"}, {"p3", "o2"}}},
			pack:  `{"db:project": [{"title": "one"}, {"title": "two"}, {"title": "three"}]}`,
		},
		"independent": {
			asked: map[string][][]any{"id": {{"p1"}, {"p2"}, {"p3"}}, "org": {{"o1"}, {"o2"}}},
			pack:  `{"db:project": [{"title": "one"}, {"title": "two"}, {"title": "three"}, {"title": "of others"}, {"title": "of others too"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched := &spy{Connector: memory.NewConnector(map[string][]map[string]any{"user": {}, "membership": memberships, "project": projects}, nil)}
			f := newFlow(t, policy(access("A")), parse(t, fill(linked, c.key)), dsr.Connection{Key: "db", Connector: watched})
			req := f.run("policy", email("a@example.com"))
			require.Equal(t, c.asked, watched.criteria("project"))
			require.JSONEq(t, c.pack, f.pack(req))
		})
	}
}

const lettered = `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: refs, fides_meta: {data_type: "string[]"}}
      - name: b
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: A, data_categories: [A], fides_meta: {data_type: "string[]", references: [{dataset: db, field: a.refs, direction: from}]}}
          - {name: email, fides_meta: {identity: email}}
`

// Of an array that rows are found by only the matching elements are handed
// over and masked; the others keep their places.
func TestFides11MatchingElementsOnly(t *testing.T) {
	t.Parallel()
	data := rows{"db": {
		"a": {{"email": "a@example.com", "refs": []any{"c", "d"}}},
		"b": {{"id": 1, "A": []any{"b", "c", "d", "e"}}, {"id": 2, "A": []any{"b", "e"}}},
	}}
	f := memoryFlow(t, policy(access("A"), erasure("null_rewrite", nil, "A")), lettered, data)
	req := f.run("policy", email("a@example.com"))
	require.JSONEq(t, `{"db:b": [{"A": ["c", "d"]}]}`, f.pack(req))
	require.Equal(t, counts{"db:b": 1}, masked(req))
	require.Equal(t, []map[string]any{
		{"id": int64(1), "A": []any{"b", nil, nil, "e"}},
		{"id": int64(2), "A": []any{"b", "e"}},
	}, f.memory["db"].Rows("b"))
}

// S9: an array in which nothing matches, in a row that was found by another
// field, is nobody's: Fides hands it over and masks it whole.
func TestFides11ExceptionNoMatchIsNone(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A"), erasure("null_rewrite", nil, "A")), lettered, rows{"db": {
		"a": {{"email": "a@example.com", "refs": []any{"c", "d"}}},
		"b": {{"id": 1, "A": []any{"b", "e"}, "email": "a@example.com"}},
	}})
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:a": 1, "db:b": 1}, found(req))
	require.JSONEq(t, `{"db:b": [{"A": []}]}`, f.pack(req))
	require.Equal(t, counts{"db:b": 0}, masked(req))
	require.Equal(t, []any{"b", "e"}, f.memory["db"].Rows("b")[0]["A"])
}

// Categories select exactly the leaves, objects and arrays that carry them.
func TestFides12NestedCategories(t *testing.T) {
	t.Parallel()
	const src = `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: top, data_categories: [A]}
          - name: object
            fields:
              - {name: leaf, data_categories: [A]}
              - {name: other, data_categories: [B]}
              - {name: gone, data_categories: [D]}
              - name: inner
                fields:
                  - {name: leaf, data_categories: [C]}
          - name: list
            fides_meta: {data_type: "object[]"}
            fields:
              - {name: leaf, data_categories: [B]}
              - {name: rest}
          - {name: scalars, data_categories: [C], fides_meta: {data_type: "string[]"}}
          - name: whole
            data_categories: [E]
            fields: [{name: x}, {name: y}]
`
	data := rows{"db": {"a": {{
		"email": "a@example.com", "top": 1,
		"object":  map[string]any{"leaf": 2, "other": 3, "inner": map[string]any{"leaf": 4}, "undeclared": 5},
		"list":    []any{map[string]any{"leaf": 6, "rest": 7}, map[string]any{"rest": 8}, map[string]any{"leaf": 9}},
		"scalars": []any{"s", "t"},
		"whole":   map[string]any{"x": 10, "z": 11},
	}}}}
	for category, want := range map[graph.Category]string{
		"A": `{"db:a": [{"top": 1, "object": {"leaf": 2}}]}`,
		"B": `{"db:a": [{"object": {"other": 3}, "list": [{"leaf": 6}, {"leaf": 9}]}]}`,
		"C": `{"db:a": [{"object": {"inner": {"leaf": 4}}, "scalars": ["s", "t"]}]}`,
		"D": `{}`,
		"E": `{"db:a": [{"whole": {"x": 10, "z": 11}}]}`,
	} {
		f := memoryFlow(t, policy(access(category)), src, data)
		require.JSONEq(t, want, f.pack(f.run("policy", email("a@example.com"))), category)
	}
}

// S1: categories match segment by segment; Fides' prefix lets user.name select
// user.name_history.
func TestFides12ExceptionSegments(t *testing.T) {
	t.Parallel()
	require.True(t, graph.Category("user.name.first").Within("user.name"))
	require.False(t, graph.Category("user.name_history").Within("user.name"))
}

const addressed = `
dataset:
  - fides_key: db
    collections:
      - name: customer
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - name: address
            data_categories: [A]
            fields: [{name: street, data_categories: [A]}, {name: city}]
`

// A categorised object is masked as one.
func TestFides15ObjectIsMaskedWhole(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(erasure("null_rewrite", nil, "A")), addressed, rows{"db": {"customer": {
		{"id": 1, "email": "a@example.com", "address": map[string]any{"street": "Example Street", "city": "Exampletown", "zip": "12345"}},
		{"id": 2, "email": "b@example.com", "address": map[string]any{"street": "Example Lane"}},
	}}})
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, []string{"address"}, req.Collections[0].MaskedFields)
	require.Equal(t, []map[string]any{
		{"id": int64(1), "email": "a@example.com", "address": nil},
		{"id": int64(2), "email": "b@example.com", "address": map[string]any{"street": "Example Lane"}},
	}, f.memory["db"].Rows("customer"))
}

// S11: a strategy that writes text masks every value in a targeted object;
// Fides leaves all of it as it is and says complete.
func TestFides15ExceptionTextInObjects(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(erasure("string_rewrite", map[string]any{"rewrite_value": "*"}, "A")), addressed, rows{"db": {"customer": {
		{"id": 1, "email": "a@example.com", "address": map[string]any{"street": "Example Street", "city": nil, "zip": "12345", "lines": []any{"a", "b"}}},
	}}})
	f.run("policy", email("a@example.com"))
	require.Equal(t, map[string]any{"street": "*", "city": nil, "zip": "*", "lines": []any{"*", "*"}}, f.memory["db"].Rows("customer")[0]["address"])
}

// secrets are those of the vectors, by strategy and use.
type secrets map[string]string

func (s secrets) Secret(strategy, use string) ([]byte, error) {
	v, ok := s[strategy+" "+use]
	if !ok {
		return nil, errors.New("no such secret")
	}
	return []byte(v), nil
}

func TestFides16Vectors(t *testing.T) {
	t.Parallel()
	vault := secrets{
		"hash salt": "adobo", "hmac key": "test_key", "hmac salt": "test_salt",
		"aes_encrypt key": "y\xc5I\xd4\x92\xf6G\t\x80\xb1$\x06\x19t/\xc4", "aes_encrypt key_hmac": "other_key", "aes_encrypt salt": "some_salt",
	}
	for _, c := range []struct {
		strategy string
		in, want any
	}{
		{"hash", "monkey", "1c015e801323afa54bde5e4d510809e6b5f14ad9b9961c48cbd7143106b6e596"},
		{"hash", nil, nil},
		{"hmac", "my_data", "df1e66dc2262ae3336f36294811f795b075900287e0a1add7974eacea8a52970"},
		{"hmac", nil, nil},
		{"aes_encrypt", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), "Sb9RzoQls/Nymd23qY4ZXoy/HBDrZAxeRgKNYv5LwwxlsPE="},
		{"aes_encrypt", nil, nil},
	} {
		s, err := mask.New(c.strategy, nil, vault)
		require.NoError(t, err)
		got, err := s.Mask(c.in)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.strategy)
	}
}

// S11: null stays null under every strategy; Fides writes text into nulls.
func TestFides16ExceptionNullStaysNull(t *testing.T) {
	t.Parallel()
	for strategy, configuration := range map[string]map[string]any{
		"string_rewrite":        {"rewrite_value": "MASKED"},
		"random_string_rewrite": {"length": 20},
	} {
		f := memoryFlow(t, policy(erasure(strategy, configuration, "A")), `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [A]}
`, rows{"db": {"a": {{"id": 1, "email": "a@example.com", "name": nil}, {"id": 2, "email": "a@example.com", "name": "Ada"}}}})
		req := f.run("policy", email("a@example.com"))
		require.Equal(t, counts{"db:a": 1}, masked(req))
		require.Nil(t, f.memory["db"].Rows("a")[0]["name"])
		require.NotEqual(t, "Ada", f.memory["db"].Rows("a")[1]["name"])
	}
}
