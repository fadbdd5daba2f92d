package dsr_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// peopleYAML holds all shapes of targeted values in one collection.
const peopleYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: people
        fields:
          - {name: tenant, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
          - {name: nick, data_categories: [user.name], fides_meta: {data_type: string, read_only: true}}
          - {name: short, data_categories: [user.name], fides_meta: {data_type: string, length: 5}}
          - name: own
            data_categories: [user.name]
            fides_meta:
              masking_strategy_override: {strategy: string_rewrite, configuration: {rewrite_value: own way}}
          - {name: tags, data_categories: [user.name], fides_meta: {data_type: "string[]"}}
          - name: profile
            fides_meta: {data_type: object}
            fields:
              - {name: alias, data_categories: [user.name]}
              - {name: hobby, data_categories: [system.operations]}
          - name: whole
            data_categories: [user.name]
            fields:
              - {name: a}
          - name: list
            fields:
              - {name: who, data_categories: [user.name]}
              - {name: keep}
`

func person(id int, email string) map[string]any {
	return map[string]any{
		"tenant": 0, "id": id, "email": email, "name": "Ada", "nick": "Al", "short": "Adelaide", "own": "x",
		"tags":    []any{"one", nil, "two"},
		"profile": map[string]any{"alias": "Countess", "hobby": "maths", "more": "kept"},
		"whole":   map[string]any{"a": "A", "undeclared": map[string]any{"deep": "D"}, "n": 7, "nil": nil},
		"list":    []any{map[string]any{"who": "W1", "keep": 1}, map[string]any{"keep": 2}, map[string]any{"who": nil}},
	}
}

func people() map[string][]map[string]any {
	return map[string][]map[string]any{"people": {person(0, "ada@example.com"), person(1, "bob@example.com")}}
}

func normal(t testing.TB, row map[string]any) map[string]any {
	t.Helper()
	return memory.NewConnector(map[string][]map[string]any{"x": {row}}, nil).Rows("x")[0]
}

func TestEraseShapes(t *testing.T) {
	t.Parallel()
	text := func(masked string) map[string]any {
		p := person(0, "ada@example.com")
		p["name"], p["short"], p["own"] = masked, masked[:5], "own way"
		p["tags"] = []any{masked, nil, masked}
		p["profile"] = map[string]any{"alias": masked, "hobby": "maths", "more": "kept"}
		p["whole"] = map[string]any{"a": masked, "undeclared": map[string]any{"deep": masked}, "n": masked, "nil": nil}
		p["list"] = []any{map[string]any{"who": masked, "keep": 1}, map[string]any{"keep": 2}, map[string]any{"who": nil}}
		return p
	}
	null := person(0, "ada@example.com")
	null["name"], null["short"], null["own"], null["whole"] = nil, nil, "own way", nil
	null["tags"] = []any{nil, nil, nil}
	null["profile"] = map[string]any{"alias": nil, "hobby": "maths", "more": "kept"}
	null["list"] = []any{map[string]any{"who": nil, "keep": 1}, map[string]any{"keep": 2}, map[string]any{"who": nil}}
	kept := person(0, "ada@example.com")
	kept["own"] = "own way"
	for _, c := range []struct {
		name string
		mask graph.Masking
		want map[string]any
	}{
		{"string_rewrite", graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{"rewrite_value": "masked"}}, text("masked")},
		{"suffix", graph.Masking{Strategy: "string_rewrite", Configuration: map[string]any{"rewrite_value": "masked", "format_preservation": map[string]any{"suffix": "-x"}}}, text("masked-x")},
		{"null_rewrite", graph.Masking{Strategy: "null_rewrite"}, null},
		{"preserve", graph.Masking{Strategy: "preserve"}, kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := shop(t, peopleYAML, people(), nil)
			rule := graph.Rule{Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &c.mask}
			req := w.complete(t, "ada@example.com", rule)
			require.Equal(t, []map[string]any{normal(t, c.want), normal(t, person(1, "bob@example.com"))}, w.db().Rows("people"))
			o := outcome(t, req, "shop:people")
			require.Equal(t, []int64{1, 1, 1, 0}, []int64{o.Rows, o.Targeted, o.Masked, o.Gone})
			require.Equal(t, []string{"nick"}, o.KeptFields)
			require.Equal(t, []string{"list.who", "name", "own", "profile.alias", "short", "tags", "whole"}, o.MaskedFields)
		})
	}
}

func TestEraseKeyedStrategies(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"hash", "hmac", "aes_encrypt", "random_string_rewrite"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			w := shop(t, peopleYAML, people(), nil)
			w.complete(t, "ada@example.com", erasureRule(strategy, "user.name"))
			row := w.db().Rows("people")[0]
			name := row["name"].(string)
			require.Greater(t, len(name), 20)
			require.NotEqual(t, "Ada", name)
			require.Len(t, row["short"], 5)
			require.Equal(t, "Al", row["nick"])
			whole := row["whole"].(map[string]any)
			require.Nil(t, whole["nil"])
			require.Greater(t, len(whole["undeclared"].(map[string]any)["deep"].(string)), 20)
			require.Equal(t, normal(t, person(1, "bob@example.com")), w.db().Rows("people")[1])
		})
	}
}

// A column that takes no null is masked from the inside.
func TestEraseNotNullDocument(t *testing.T) {
	t.Parallel()
	columns := []dsr.Column{
		{Name: "tenant", Kind: dsr.ColumnInteger}, {Name: "id", Kind: dsr.ColumnInteger}, {Name: "email", Kind: dsr.ColumnText},
	}
	for _, name := range []string{"name", "nick", "short", "own"} {
		columns = append(columns, dsr.Column{Name: name, Kind: dsr.ColumnText, Nullable: true})
	}
	for _, name := range []string{"tags", "profile", "whole", "list"} {
		columns = append(columns, dsr.Column{Name: name, Kind: dsr.ColumnDocument})
	}
	w := shop(t, peopleYAML, people(), &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{"people": {Columns: columns, Key: []string{"tenant", "id"}}}})
	w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user.name"))
	row := w.db().Rows("people")[0]
	require.Equal(t, map[string]any{"a": nil, "undeclared": nil, "n": nil, "nil": nil}, row["whole"])
	require.Equal(t, []any{nil, nil, nil}, row["tags"])
}

const eraseShopYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
      - name: orders
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - name: buyer
            data_categories: [user.contact.email]
            fides_meta: {data_type: string, references: [{dataset: shop, field: customers.email, direction: from}]}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
      - name: visits
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - name: customer_id
            fides_meta: {data_type: integer, references: [{dataset: shop, field: customers.id, direction: from}]}
          - {name: page, data_categories: [user.content], fides_meta: {data_type: string}}
`

func eraseShopRows() map[string][]map[string]any {
	return map[string][]map[string]any{
		"customers": {{"id": 1, "email": "ada@example.com", "name": "Ada"}, {"id": 2, "email": "bob@example.com", "name": "Bob"}},
		"orders": {
			{"id": 10, "buyer": "ada@example.com", "note": "n10"}, {"id": 11, "buyer": "bob@example.com", "note": "n11"},
			{"id": 12, "buyer": "ada@example.com", "note": "n12"},
		},
		"visits": {{"id": 20, "customer_id": 1, "page": "p20"}, {"id": 21, "customer_id": 2, "page": "p21"}, {"id": 22, "customer_id": 1, "page": nil}},
	}
}

var eraseAll = []graph.Category{"user.contact", "user.name", "user.content"}

// once calls change before the first chunk of a collection is applied.
func once(p *probe, collection string, change func()) {
	done := false
	p.beforeApply = func(ch *dsr.Chunk) {
		if !done && ch.Collection.Name == collection {
			done = true
			change()
		}
	}
}

func TestChangedSinceIsMaskedAsItIsNow(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	once(w.db(), "visits", func() {
		w.db().Update("visits", func(row map[string]any) {
			if row["id"] == int64(20) {
				row["page"] = "fresh secret"
			}
		})
	})
	req := w.complete(t, "ada@example.com", erasureRule("hash", eraseAll...))
	rows := w.db().Rows("visits")
	require.Len(t, rows[0]["page"], 64)
	require.Equal(t, "p21", rows[1]["page"])
	require.Nil(t, rows[2]["page"])
	o := outcome(t, req, "shop:visits")
	require.Equal(t, []int64{2, 1, 1, 0, 1}, []int64{o.Rows, o.Targeted, o.Masked, o.Gone, o.Changed})
	events, err := w.store.Events(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(events, func(e dsr.Event) bool {
		return e.Kind == "changed since" && e.Collection == "shop:visits" && e.Rows == 1
	}))
}

// A row that was given to somebody else is left alone, also when the reference
// that tells so is itself to be masked.
func TestReassignedRowIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		collection, column string
		to                 any
		id                 int64
	}{
		{"visits", "customer_id", 2, 20},
		{"orders", "buyer", "bob@example.com", 12},
	} {
		t.Run(c.collection, func(t *testing.T) {
			t.Parallel()
			w := shop(t, eraseShopYAML, eraseShopRows(), nil)
			var given map[string]any
			once(w.db(), c.collection, func() {
				w.db().Update(c.collection, func(row map[string]any) {
					if row["id"] == c.id {
						row[c.column] = c.to
						given = maps.Clone(row)
					}
				})
			})
			req := w.complete(t, "ada@example.com", erasureRule("hash", eraseAll...))
			rows := w.db().Rows(c.collection)
			at := slices.IndexFunc(rows, func(row map[string]any) bool { return row["id"] == c.id })
			require.Equal(t, normal(t, given), rows[at])
			o := outcome(t, req, "shop:"+c.collection)
			require.Equal(t, "1 rows were given to somebody else since they were collected, and left alone", o.Message)
			require.Equal(t, o.Targeted-1, o.Masked)
		})
	}
}

func TestRowGoneIsTold(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	once(w.db(), "orders", func() {
		w.db().Delete("orders", func(row map[string]any) bool { return row["id"] == int64(10) })
	})
	req := w.complete(t, "ada@example.com", erasureRule("hash", eraseAll...))
	o := outcome(t, req, "shop:orders")
	require.Equal(t, []int64{2, 2, 1, 1}, []int64{o.Rows, o.Targeted, o.Masked, o.Gone})
	require.Len(t, w.db().Rows("orders"), 2)
}

func TestChangedForEverFailsAndRetries(t *testing.T) {
	t.Parallel()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	n := 0
	w.db().beforeApply = func(ch *dsr.Chunk) {
		if ch.Collection.Name == "visits" {
			n++
			w.db().Update("visits", func(row map[string]any) {
				if row["id"] == int64(20) {
					row["page"] = fmt.Sprint("restless ", n)
				}
			})
		}
	}
	e := newEngine(t, w.config(nil, policy(erasureRule("random_string_rewrite", eraseAll...))))
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrChangedSince)
	require.Equal(t, "dsr: request r1 failed at stage erase: shop:visits: dsr: rows changed since they were collected: 1 rows, after 5 attempts; retry when they are at rest", err.Error())
	require.Equal(t, dsr.StatusError, req.Status)
	_, err = e.Requests().Advance(t.Context(), "r1")
	require.Error(t, err)
	w.db().beforeApply = nil
	req, err = retry(t, e, "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Len(t, w.db().Rows("visits")[0]["page"], 30)
	require.Equal(t, "p21", w.db().Rows("visits")[1]["page"])
	require.Equal(t, int64(1), outcome(t, req, "shop:visits").Masked)
}

// Attempts are counted for each row: one change in each of many chunks is no
// restless row.
func TestOneChangeInEachOfManyChunks(t *testing.T) {
	t.Parallel()
	rows := eraseShopRows()
	rows["visits"] = nil
	for i := range 40 {
		rows["visits"] = append(rows["visits"], map[string]any{"id": i, "customer_id": 1, "page": fmt.Sprint("page ", i)})
	}
	w := shop(t, eraseShopYAML, rows, nil)
	changed := map[any]bool{}
	w.db().beforeApply = func(ch *dsr.Chunk) {
		if key := ch.Rows[0].Key[0]; ch.Collection.Name == "visits" && !changed[key] {
			changed[key] = true
			w.db().Update("visits", func(row map[string]any) {
				if row["id"] == key {
					row["page"] = "changed"
				}
			})
		}
	}
	c := w.config(nil, policy(erasureRule("hash", eraseAll...)))
	c.Limits.ChunkRows = 2
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	o := outcome(t, req, "shop:visits")
	require.Equal(t, []int64{40, 40, 20}, []int64{o.Targeted, o.Masked, o.Changed})
	for _, row := range w.db().Rows("visits") {
		require.Len(t, row["page"], 64)
	}
}

const keylessYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
      - name: log
        fields:
          - {name: who, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: line, data_categories: [user.content]}
`

func keylessRows() map[string][]map[string]any {
	return map[string][]map[string]any{
		"customers": {{"id": 0, "email": "ada@example.com"}},
		"log":       {{"who": 0, "line": "a"}, {"who": 1, "line": "a"}, {"who": 0, "line": "b"}, {"who": 0, "line": "a"}},
	}
}

func TestKeylessRowsAreMaskedEachOnce(t *testing.T) {
	t.Parallel()
	w := shop(t, keylessYAML, keylessRows(), nil)
	once(w.db(), "log", func() {
		w.db().Update("log", func(row map[string]any) {
			if row["line"] == "b" {
				row["line"] = "c"
			}
		})
	})
	rule := graph.Rule{Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user.content"}, Masking: &graph.Masking{
		Strategy: "hash", Configuration: map[string]any{"format_preservation": map[string]any{"suffix": "!"}},
	}}
	req := w.complete(t, "ada@example.com", rule)
	rows := w.db().Rows("log")
	require.Equal(t, "a", rows[1]["line"])
	for _, i := range []int{0, 2, 3} {
		require.Len(t, rows[i]["line"], 65)
	}
	require.Equal(t, rows[0]["line"], rows[3]["line"], "masked once: equal values stay equal")
	o := outcome(t, req, "shop:log")
	require.Equal(t, []int64{3, 3, 3, 0}, []int64{o.Rows, o.Targeted, o.Masked, o.Gone})
}

const deleteYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: orders
        fides_meta: {masking_strategy_override: {strategy: delete}, erase_after: [shop.lines]}
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
      - name: lines
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: order_id, fides_meta: {references: [{dataset: shop, field: orders.id, direction: from}]}}
          - {name: text, data_categories: [user.content]}
`

func TestDeleteInTheOrderOfReferences(t *testing.T) {
	t.Parallel()
	rows := map[string][]map[string]any{
		"customers": {{"id": 1, "email": "ada@example.com"}, {"id": 2, "email": "bob@example.com"}},
		"orders":    {{"id": 0, "customer_id": 1}, {"id": 5, "customer_id": 2}, {"id": 6, "customer_id": 1}},
		"lines":     {{"id": 7, "order_id": 0, "text": "t"}},
	}
	columns := func(names ...string) (cs []dsr.Column) {
		for _, n := range names {
			cs = append(cs, dsr.Column{Name: n, Kind: dsr.ColumnAny, Nullable: true})
		}
		return cs
	}
	w := shop(t, deleteYAML, rows, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"customers": {Columns: columns("id", "email"), Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{{Name: "fk", Table: "orders", Columns: []string{"customer_id"}, References: []string{"id"}, OnDelete: "restrict"}}},
		"orders":    {Columns: columns("id", "customer_id"), Key: []string{"id"}},
		"lines":     {Columns: columns("id", "order_id", "text"), Key: []string{"id"}},
	}})
	var order []string
	w.db().beforeApply = func(ch *dsr.Chunk) { order = append(order, ch.Collection.Name) }
	req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user"))
	require.Equal(t, []string{"lines", "orders", "customers"}, order)
	require.Equal(t, []map[string]any{{"id": int64(2), "email": "bob@example.com"}}, w.db().Rows("customers"))
	require.Equal(t, []map[string]any{{"id": int64(5), "customer_id": int64(2)}}, w.db().Rows("orders"))
	o := outcome(t, req, "shop:orders")
	require.True(t, o.Deleted)
	require.Equal(t, []int64{2, 2, 2}, []int64{o.Rows, o.Targeted, o.Masked})
}

// An order that cannot be kept is told before anything is read.
func TestNoEraseOrderIsRefusedFirst(t *testing.T) {
	t.Parallel()
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "ada@example.com"}}, "orders": {}, "lines": {}}
	fk := func(table string) []dsr.ForeignKey {
		return []dsr.ForeignKey{{Name: "fk", Table: table, OnDelete: "restrict"}}
	}
	column := func(name string) dsr.Column { return dsr.Column{Name: name, Kind: dsr.ColumnAny, Nullable: true} }
	w := shop(t, deleteYAML, rows, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"customers": {Columns: []dsr.Column{column("id"), column("email")}, Key: []string{"id"}, ReferencedBy: fk("orders")},
		"orders":    {Columns: []dsr.Column{column("id"), column("customer_id")}, Key: []string{"id"}, ReferencedBy: fk("customers")},
	}})
	_, err := w.run(t, "ada@example.com", accessRule(), erasureRule("null_rewrite", "user"))
	require.ErrorContains(t, err, "foreign keys and erase_after leave no order in which to erase shop:customers, shop:orders; remove an erase_after")
	require.Empty(t, w.db().readCounts())
	require.Empty(t, w.packages.names())
	e := newEngine(t, w.config(nil, policy(erasureRule("null_rewrite", "user"))))
	require.ErrorContains(t, e.Check(t.Context(), "p", "email"), "leave no order")
}
