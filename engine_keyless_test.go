package dsr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

const guestsYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: guests
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`

// A key that is only declared may be shared with somebody else.
func TestRowsOfOthersWithTheSameDeclaredKeyAreLeftAlone(t *testing.T) {
	t.Parallel()
	deletes := strings.Replace(guestsYAML, "- name: guests\n", "- name: guests\n        fides_meta: {masking_strategy_override: {strategy: delete}}\n", 1)
	bob := map[string]any{"id": int64(0), "email": "bob@example.com", "name": "Guest"}
	for name, c := range map[string]struct {
		yaml string
		want []map[string]any
	}{
		"masked":  {guestsYAML, []map[string]any{bob, {"id": int64(0), "email": "ada@example.com", "name": nil}}},
		"deleted": {deletes, []map[string]any{bob}},
	} {
		for _, changes := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := shop(t, c.yaml, map[string][]map[string]any{"guests": {
					bob, {"id": 0, "email": "ada@example.com", "name": "Guest"},
				}}, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{"guests": {Columns: anyColumns("id", "email", "name"), Keyless: true}}})
				if changes {
					once(w.db(), "guests", func() {
						w.db().Update("guests", func(row map[string]any) {
							if row["email"] == "ada@example.com" {
								row["name"] = "Ada"
							}
						})
					})
				}
				req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user"))
				require.Equal(t, c.want, w.db().Rows("guests"))
				o := outcome(t, req, "shop:guests")
				require.Equal(t, []int64{1, 1, 1}, []int64{o.Rows, o.Targeted, o.Masked})
			})
		}
	}
}

const notesYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: notes
        fields:
          - {name: kind, fides_meta: {identity: kind}}
          - name: who
            fides_meta: {data_type: object}
            fields:
              - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: body, data_categories: [user.content]}
`

// Rows that nothing tells apart but what they hold are all kept, whichever
// query finds them, and each once.
func TestKeylessRowsOfSeveralQueriesAreAllKept(t *testing.T) {
	t.Parallel()
	note := func(email, body string) map[string]any {
		return map[string]any{"kind": "k", "who": map[string]any{"email": email}, "body": body}
	}
	w := shop(t, notesYAML, map[string][]map[string]any{"notes": {
		note("ada@example.com", "first"), note("ada@example.org", "second"), note("bob@example.com", "third"),
	}}, nil)
	c := w.config(nil, policy(accessRule()))
	c.Limits.QueryValues = 1
	e := newEngine(t, c)
	_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"ada@example.com", "ada@example.org"}, "kind": {"none"}}})
	require.NoError(t, err)
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, int64(2), outcome(t, req, "shop:notes").Rows)
	require.JSONEq(t, `{"shop:notes": [{"who": {"email": "ada@example.com"}, "body": "first"}, {"who": {"email": "ada@example.org"}, "body": "second"}]}`, w.packages.file("r1.json"))
}

func TestKeylessRowsWithoutTheirAddressAreRefused(t *testing.T) {
	t.Parallel()
	w := shop(t, notesYAML, map[string][]map[string]any{"notes": {{"who": map[string]any{"email": "ada@example.com"}, "body": "b"}}}, nil)
	e := newEngine(t, w.config(nil, policy(erasureRule("hash", "user"))))
	_, err := e.Requests().Submit(t.Context(), dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"ada@example.com"}, "kind": {"none"}}})
	require.NoError(t, err)
	_, err = e.Requests().Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "shop:notes: a targeted row has no value in its key (kind), so that it cannot be addressed")
	require.Zero(t, w.db().applied())
}

const messagesYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
      - name: messages
        fields:
          - {name: sender, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: recipient, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: body, data_categories: [user.content]}
`

func TestKeylessRowsWithAPartOfTheirAddressAreMasked(t *testing.T) {
	t.Parallel()
	w := shop(t, messagesYAML, map[string][]map[string]any{
		"customers": {{"id": 1, "email": "ada@example.com"}},
		"messages": {
			{"sender": 1, "recipient": nil, "body": "a"}, {"sender": nil, "recipient": 1, "body": "b"},
			{"sender": 1, "recipient": 2, "body": "c"}, {"sender": 2, "recipient": nil, "body": "d"},
		},
	}, nil)
	once(w.db(), "messages", func() {
		w.db().Update("messages", func(row map[string]any) {
			if row["sender"] == nil {
				row["body"] = "changed"
			}
		})
	})
	req := w.complete(t, "ada@example.com", graph.Rule{Key: "e", Action: graph.Erasure, Targets: []graph.Category{"user.content"}, Masking: &graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{"rewrite_value": "x"}}})
	require.Equal(t, []map[string]any{
		{"sender": int64(1), "recipient": nil, "body": "x"}, {"sender": nil, "recipient": int64(1), "body": "x"},
		{"sender": int64(1), "recipient": int64(2), "body": "x"}, {"sender": int64(2), "recipient": nil, "body": "d"},
	}, w.db().Rows("messages"))
	o := outcome(t, req, "shop:messages")
	require.Equal(t, []int64{3, 3, 3, 1}, []int64{o.Rows, o.Targeted, o.Masked, o.Changed})
}
