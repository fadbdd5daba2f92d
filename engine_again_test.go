package dsr_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const documentsYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: posts
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: doc
            fields:
              - {name: author, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
              - {name: text, data_categories: [user.content]}
      - name: groups
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: members
            data_categories: [user.content]
            fides_meta: {data_type: "integer[]", references: [{dataset: shop, field: customers.id, direction: from}]}
`

func documentsRows() map[string][]row {
	return map[string][]row{
		"customers": {{"id": 1, "email": "ada@example.com"}, {"id": 2, "email": "bob@example.com"}},
		"posts":     {{"id": 10, "doc": row{"author": 1, "text": "mine", "likes": 3}}, {"id": 11, "doc": row{"author": 1, "text": "given"}}},
		"groups":    {{"id": 20, "members": []any{1, 2}}},
	}
}

func TestReassignedDocumentIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := shop(t, documentsYAML, documentsRows(), nil)
	once(w.db(), "posts", func() {
		w.db().Update("posts", func(r row) {
			if r["id"] == int64(11) {
				r["doc"].(row)["author"] = 2
			}
		})
	})
	req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user.content"))
	require.Equal(t, []row{
		normal(t, row{"id": 10, "doc": row{"author": 1, "text": nil, "likes": 3}}),
		normal(t, row{"id": 11, "doc": row{"author": 2, "text": "given"}}),
	}, w.db().Rows("posts"))
	require.Equal(t, []any{nil, int64(2)}, w.db().Rows("groups")[0]["members"])
	o := outcome(t, req, "shop:posts")
	require.Equal(t, []int64{2, 1, 1}, []int64{o.Targeted, o.Masked, o.Changed})
}

// cutOff runs a request until the first chunk is applied, then loses the
// process and its spool.
func (w *world) cutOff(t testing.TB, p graph.Policy) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dead := &process{}
	hooked, hit := at(ctx, "applied 1", func() { dead.dead.Store(true); cancel() })
	e := newEngine(t, w.config(dead, p))
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(hooked, "r1")
	require.Error(t, err)
	require.True(t, *hit)
	require.NoError(t, w.spool.Remove(t.Context(), "r1"))
	w.clock.add(2 * time.Minute)
}

// The journal needs no spool: not for rows, and not for rows that changed.
func TestErasureGoesOnWithoutTheSpool(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	p := policy(erasureRule("hash", eraseAll...))
	w.cutOff(t, p)
	w.db().Update("visits", func(r row) {
		if r["id"] == int64(20) {
			r["page"] = "changed meanwhile"
		}
	})
	req, err := newEngine(t, w.config(nil, p)).Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Len(t, w.db().Rows("visits")[0]["page"], 64)
	require.Equal(t, "p21", w.db().Rows("visits")[1]["page"])
	o := outcome(t, req, "shop:visits")
	require.Equal(t, []int64{1, 1, 0, 1}, []int64{o.Targeted, o.Masked, o.Gone, o.Changed})
}

// Which elements of a changed array are the data subject's only the spool
// knows; without it the request says so and does not pass for complete.
func TestChangedArrayWithoutTheSpoolIsNoSuccess(t *testing.T) {
	t.Parallel()
	w := shop(t, documentsYAML, documentsRows(), nil)
	p := policy(erasureRule("null_rewrite", "user.content", "user.contact"))
	w.cutOff(t, p)
	w.db().Update("groups", func(r row) { r["members"] = []any{3, 1, 2} })
	req, err := newEngine(t, w.config(nil, p)).Requests().Advance(t.Context(), "r1")
	require.EqualError(t, err, "dsr: request r1 failed at stage erase: shop:groups: rows changed since they were collected: collected rows were lost")
	require.Equal(t, dsr.StatusError, req.Status)
	require.Equal(t, []any{int64(3), int64(1), int64(2)}, w.db().Rows("groups")[0]["members"])
}

// Rows without a key whose address is masked are found by it again.
func TestMaskedAddressOfKeylessRows(t *testing.T) {
	t.Parallel()
	const yaml = `
dataset:
  - fides_key: shop
    collections:
      - name: letters
        fields:
          - {name: mail, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: text, data_categories: [user.content]}
`
	w := shop(t, yaml, map[string][]row{"letters": {{"mail": "ada@example.com", "text": "a"}, {"mail": "bob@example.com", "text": "b"}, {"mail": "ada@example.com", "text": "c"}}}, nil)
	p := policy(erasureRule("hash", "user.contact", "user.content"))
	w.cutOff(t, p)
	req, err := newEngine(t, w.config(nil, p)).Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	o := outcome(t, req, "shop:letters")
	require.Equal(t, []int64{2, 2, 0, 0}, []int64{o.Targeted, o.Masked, o.Gone, o.Changed})
	rows := w.db().Rows("letters")
	require.Equal(t, row{"mail": "bob@example.com", "text": "b"}, rows[1])
	require.Len(t, rows[0]["mail"], 64)
	require.Equal(t, rows[0]["mail"], rows[2]["mail"])
	require.NotEqual(t, rows[0]["text"], rows[2]["text"])
}

func TestDryRunAsksNothing(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	config := w.config(nil, policy(accessRule(), erasureRule("hash", eraseAll...)))
	config.Connections[0].Connector = w.db().Connector
	var out strings.Builder
	require.NoError(t, newEngine(t, config).DryRun(t.Context(), &out, "p", "email"))
	var heads []string
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "--") {
			heads = append(heads, strings.TrimSpace(line))
		}
	}
	require.Equal(t, []string{
		"-- collect shop:customers (shop)", "-- collect shop:orders (shop)", "-- collect shop:visits (shop)",
		"-- erase shop:customers (shop)", "-- erase shop:orders (shop)", "-- erase shop:visits (shop)",
	}, heads)
	for name, rows := range eraseShopRows() {
		for i, r := range rows {
			require.Equal(t, normal(t, r), w.db().Rows(name)[i])
		}
	}
	require.ErrorIs(t, newEngine(t, config).DryRun(t.Context(), &out, "q", "email"), dsr.ErrNotFound)
}

func TestTargetedUniqueKeyIsKeptAndTold(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user.unique_id", "user.name"))
	require.Equal(t, row{"id": int64(1), "email": "ada@example.com", "name": nil}, w.db().Rows("customers")[0])
	o := outcome(t, req, "shop:customers")
	require.Equal(t, []string{"id"}, o.KeptFields)
	require.Equal(t, []string{"name"}, o.MaskedFields)
}

// A person of whom nothing is held gets an empty package that says where was
// looked.
func TestNothingFound(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	req := w.complete(t, "nobody@example.com", accessRule(), erasureRule("hash", eraseAll...))
	require.Equal(t, "{}\n", w.packages.file("r1.json"))
	var manifest struct {
		Collections []struct {
			Address, State string
			Rows           int64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(w.packages.file("r1.manifest.json")), &manifest))
	require.Len(t, manifest.Collections, 3)
	for _, c := range manifest.Collections {
		require.Equal(t, "done", c.State, c.Address)
		require.Zero(t, c.Rows)
	}
	require.Zero(t, w.db().applied())
	require.Zero(t, outcome(t, req, "shop:customers").Targeted)
	require.Equal(t, map[string]int{"customers": 1}, w.db().readCounts(), "an empty selector is never asked")
}
