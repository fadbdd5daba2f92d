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
