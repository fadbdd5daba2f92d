//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

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
	f := memoryFlow(t, policy(access("user.name")), `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
          - {name: first, data_categories: [user.name.first]}
          - {name: earlier, data_categories: [user.name_history]}
`, rows{"db": {"a": {{"email": "a@example.com", "name": "Ada L.", "first": "Ada", "earlier": "Ada B."}}}})
	require.JSONEq(t, `{"db:a": [{"name": "Ada L.", "first": "Ada"}]}`, f.pack(f.run("policy", email("a@example.com"))))
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
