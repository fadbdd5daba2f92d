//go:build compat

package compat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestFides04Faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want string }{
		"after in a ring": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.b]}
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fides_meta: {after: [db.a]}
        fields: [{name: id, fides_meta: {identity: email}}]
`,
			want: "dsr: test.yml:5:9: error: db:a, db:b: after makes these wait for each other; remove one of the waits",
		},
		"after against the flow": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.b]}
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: a, fides_meta: {references: [{dataset: db, field: a.id, direction: from}]}}]
`,
			want: "dsr: test.yml:5:9: error: db:a, db:b: after makes these wait for each other; remove one of the waits",
		},
		"orphan": {
			src: `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields: [{name: id, data_categories: [A], fides_meta: {identity: email}}]
      - name: b
        fields: [{name: id, data_categories: [A]}]
`,
			want: "dsr: test.yml:7:9: error: db:b: the policy targets it, but no identity and no reference leads to it; " +
				"add an identity or a reference from a reached collection, or set skip_processing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := plan(t, policy(access("A")), parse(t, c.src), "email")
			require.EqualError(t, err, c.want)
		})
	}
}

// Names that lead nowhere are all told when the data map is built; a missing
// field too, which Fides takes and finds nothing by.
func TestFides04DanglingNames(t *testing.T) {
	t.Parallel()
	_, err := graph.NewDataMap(parse(t, `
dataset:
  - fides_key: db
    collections:
      - name: a
        fides_meta: {after: [db.nowhere], erase_after: [other.b]}
        fields:
          - {name: id, fides_meta: {identity: email, references: [{dataset: other, field: b.id}]}}
          - {name: b, fides_meta: {references: [{dataset: db, field: nowhere.id}]}}
          - {name: c, fides_meta: {references: [{dataset: db, field: a.nowhere}]}}
`)...)
	require.EqualError(t, err, "dsr: 5 faults:"+
		"\n\ttest.yml:5:9: error: db:a: after names db:nowhere, which is not in the data map"+
		"\n\ttest.yml:5:9: error: db:a: erase_after names other:b, which is not in the data map"+
		"\n\ttest.yml:8:67: error: db:a.id: refers to dataset \"other\", which is not in the data map; add it or remove the reference"+
		"\n\ttest.yml:9:49: error: db:a.b: refers to db.nowhere.id: no collection of that name"+
		"\n\ttest.yml:10:49: error: db:a.c: refers to db.a.nowhere: the collection has no such field")
}

// S4: a collection that refers to itself is planned and walked until no new
// row is found; Fides refuses it.
func TestFides04ExceptionSelfReferenceWorks(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A")), `
dataset:
  - fides_key: db
    collections:
      - name: person
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: parent, fides_meta: {references: [{dataset: db, field: person.id, direction: from}]}}
`, rows{"db": {"person": {
		{"id": 1, "email": "a@example.com", "parent": 3},
		{"id": 2, "parent": 1},
		{"id": 3, "parent": 2},
		{"id": 4, "parent": 9},
	}}})
	p, err := f.engine.Plan("policy", "email")
	require.NoError(t, err)
	require.Equal(t, [][]graph.Address{{{Dataset: "db", Collection: "person"}}}, p.Cycles)
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:person": 3}, found(req))
	require.JSONEq(t, `{"db:person": [{"id": 1}, {"id": 2}, {"id": 3}]}`, f.pack(req))
}

// S4: collections that feed each other in a ring are walked in rounds; Fides
// plans them and then crashes.
func TestFides04ExceptionDirectedCycleWorks(t *testing.T) {
	t.Parallel()
	f := memoryFlow(t, policy(access("A")), `
dataset:
  - fides_key: db
    collections:
      - name: a
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true, references: [{dataset: db, field: c.a, direction: from}]}}
          - {name: email, fides_meta: {identity: email}}
      - name: b
        fields:
          - {name: id, data_categories: [A], fides_meta: {primary_key: true}}
          - {name: a, fides_meta: {references: [{dataset: db, field: a.id, direction: from}]}}
      - name: c
        fields:
          - {name: a, data_categories: [A]}
          - {name: b, fides_meta: {references: [{dataset: db, field: b.id, direction: from}]}}
`, rows{"db": {
		"a": {{"id": 1, "email": "a@example.com"}, {"id": 2}, {"id": 3}},
		"b": {{"id": 10, "a": 1}, {"id": 20, "a": 2}, {"id": 30, "a": 3}},
		"c": {{"a": 2, "b": 10}, {"a": 1, "b": 20}, {"a": 1, "b": 30}},
	}})
	p, err := f.engine.Plan("policy", "email")
	require.NoError(t, err)
	require.Equal(t, [][]graph.Address{{{Dataset: "db", Collection: "a"}, {Dataset: "db", Collection: "b"}, {Dataset: "db", Collection: "c"}}}, p.Cycles)
	req := f.run("policy", email("a@example.com"))
	require.Equal(t, counts{"db:a": 2, "db:b": 2, "db:c": 2}, found(req))
	require.JSONEq(t, `{"db:a": [{"id": 1}, {"id": 2}], "db:b": [{"id": 10}, {"id": 20}], "db:c": [{"a": 2}, {"a": 1}]}`, f.pack(req))
}
