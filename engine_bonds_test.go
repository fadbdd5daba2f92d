package dsr_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

const forumYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: threads
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: owner, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: posts
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: author, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

func anyColumns(names ...string) []dsr.Column {
	var columns []dsr.Column
	for _, name := range names {
		columns = append(columns, dsr.Column{Name: name, Kind: dsr.ColumnAny, Nullable: true})
	}
	return columns
}

// forum is a world in which posts refer to threads, by their slug, and to the
// posts that they answer. No dataset declares it.
func forum(t *testing.T, onDelete string) *world {
	t.Helper()
	return shop(t, forumYAML, map[string][]map[string]any{
		"threads": {
			{"id": 10, "slug": "a", "owner": "ada@example.com"}, {"id": 11, "slug": "b", "owner": "ada@example.com"},
			{"id": 12, "slug": "c", "owner": "bob@example.com"}, {"id": 13, "slug": nil, "owner": "ada@example.com"},
			{"id": 14, "slug": "d", "owner": "ada@example.com"},
		},
		"posts": {
			{"id": 100, "author": "ada@example.com", "thread": "a"},
			{"id": 101, "author": "bob@example.com", "thread": "a"},
			{"id": 102, "author": "ada@example.com", "thread": "b"},
			{"id": 103, "author": "bob@example.com", "thread": "c"},
			{"id": 104, "author": "bob@example.com", "thread": nil},
			{"id": 105, "author": "ada@example.com", "thread": "d"},
			{"id": 106, "author": "ada@example.com", "thread": "c", "answers": 105},
			{"id": 107, "author": "bob@example.com", "thread": "c", "answers": 106},
		},
	}, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"threads": {Columns: anyColumns("id", "slug", "owner"), Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{
			{Name: "post_thread", Table: "posts", Columns: []string{"thread"}, References: []string{"slug"}, OnDelete: onDelete},
		}},
		"posts": {Columns: anyColumns("id", "author", "thread", "answers"), Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{
			{Name: "post_answers", Table: "posts", Columns: []string{"answers"}, References: []string{"id"}, OnDelete: onDelete},
		}},
	}})
}

func (w *world) ids(collection string) []int64 {
	var ids []int64
	for _, row := range w.db().Rows(collection) {
		ids = append(ids, row["id"].(int64))
	}
	return ids
}

func TestRowsOfOthersForbidADeletion(t *testing.T) {
	t.Parallel()
	for _, onDelete := range []string{"cascade", "restrict", "set default"} {
		for _, mode := range []dsr.SharedRows{dsr.SharedErase, dsr.SharedRefuse} {
			t.Run(onDelete+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				w := forum(t, onDelete)
				c := w.config(nil, policy(erasureRule("null_rewrite", "user")))
				c.SharedRows = mode
				e := newEngine(t, c)
				submit(t, e, "email", "ada@example.com")
				_, err := e.Requests().Advance(t.Context(), "r1")
				require.ErrorContains(t, err, "shop:posts: its rows are to be deleted, but rows of others refer to them: 1 of table posts (post_answers, on delete "+onDelete+")")
				require.Zero(t, w.db().applied())
			})
		}
	}
}

// A row that stays keeps what it refers to, through any number of rows and
// tables.
func TestRowsOfOthersKeepWhatTheyReferTo(t *testing.T) {
	t.Parallel()
	w := forum(t, "cascade")
	c := w.config(nil, policy(erasureRule("null_rewrite", "user")))
	c.SharedRows = dsr.SharedKeep
	c.Limits.QueryValues = 1
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []int64{101, 103, 104, 105, 106, 107}, w.ids("posts"))
	require.Equal(t, []int64{10, 12, 14}, w.ids("threads"))
	posts, threads := outcome(t, req, "shop:posts"), outcome(t, req, "shop:threads")
	require.Equal(t, []int64{4, 2, 2, 2}, []int64{posts.Rows, posts.Shared, posts.Targeted, posts.Masked})
	require.Equal(t, []int64{4, 2, 2, 2}, []int64{threads.Rows, threads.Shared, threads.Targeted, threads.Masked})
}

func TestForeignKeysThatSetNullBindNothing(t *testing.T) {
	t.Parallel()
	w := forum(t, "set null")
	req := w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user"))
	require.Equal(t, []int64{101, 103, 104, 107}, w.ids("posts"))
	require.Equal(t, []int64{12}, w.ids("threads"))
	require.Zero(t, outcome(t, req, "shop:threads").Shared)
}

const repliesYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: comments
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: author, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

// tree is a world of one table that refers to itself: comment i+1 to its
// parents[i], where 0 is none.
func tree(t *testing.T, parents ...int) *world {
	t.Helper()
	var rows []map[string]any
	for i, parent := range parents {
		row := map[string]any{"id": i + 1, "author": "ada@example.com"}
		if parent > 0 {
			row["parent"] = parent
		}
		rows = append(rows, row)
	}
	return shop(t, repliesYAML, map[string][]map[string]any{"comments": rows}, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"comments": {Columns: anyColumns("id", "author", "parent"), Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{
			{Name: "comment_parent", Table: "comments", Columns: []string{"parent"}, References: []string{"id"}, OnDelete: "restrict"},
		}},
	}})
}

func TestRowsThatReferToEachOtherGoChildrenFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parents []int
		want    string
	}{
		"a chain":                 {[]int{0, 1, 2, 3}, "[[4] [3] [2] [1]]"},
		"a chain, upside down":    {[]int{2, 3, 4, 0}, "[[1] [2] [3] [4]]"},
		"many children":           {[]int{0, 1, 1, 1, 1, 2}, "[[3 4] [5 6] [2] [1]]"},
		"no reference":            {[]int{0, 0, 0}, "[[1 2] [3]]"},
		"a row that is its own":   {[]int{1, 1}, "[[2] [1]]"},
		"a ring, and what hangs":  {[]int{2, 1, 1, 3}, "[[4] [3] [1 2]]"},
		"two rings":               {[]int{2, 1, 4, 3}, "[[1 2] [3 4]]"},
		"one that is not there":   {[]int{9, 1}, "[[2] [1]]"},
		"a comment of a far away": {[]int{0, 8, 1}, "[[2 3] [1]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tree(t, c.parents...)
			var chunks [][]int64
			w.db().beforeApply = func(ch *dsr.Chunk) {
				var ids []int64
				for _, row := range ch.Rows {
					ids = append(ids, row.Key[0].(int64))
				}
				chunks = append(chunks, ids)
			}
			config := w.config(nil, policy(erasureRule("null_rewrite", "user")))
			config.Limits.ChunkRows = 2
			e := newEngine(t, config)
			submit(t, e, "email", "ada@example.com")
			req, err := e.Requests().Advance(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, c.want, fmt.Sprint(chunks))
			require.Empty(t, w.ids("comments"))
			require.Equal(t, int64(len(c.parents)), outcome(t, req, "shop:comments").Masked)
		})
	}
}

func TestRowsThatCannotBePutInOrderAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits dsr.Limits
		want   string
	}{
		"a ring larger than a chunk": {dsr.Limits{ChunkRows: 2}, "shop:comments: 3 of its rows refer to each other in a ring (comment_parent), so that one transaction has to delete them, and Limits.ChunkRows allows 2; raise it"},
		"more rows than memory":      {dsr.Limits{CycleValues: 3}, "there are more than Limits.CycleValues (3) allows to hold in memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tree(t, 2, 3, 1, 1)
			config := w.config(nil, policy(erasureRule("null_rewrite", "user")))
			config.Limits = c.limits
			e := newEngine(t, config)
			submit(t, e, "email", "ada@example.com")
			_, err := e.Requests().Advance(t.Context(), "r1")
			require.ErrorContains(t, err, c.want)
			require.Zero(t, w.db().applied())
		})
	}
}

const setNullYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: orders
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: customer, fides_meta: {references: [{dataset: shop, field: customers.id, direction: from}]}}
          - {name: note, data_categories: [user.content]}
`

// The deletion of a customer takes the reference from the orders, after which
// nothing would tell whose they were.
func TestRowsAreMaskedBeforeADeletionSetsTheirReferenceNull(t *testing.T) {
	t.Parallel()
	w := shop(t, setNullYAML, map[string][]map[string]any{
		"customers": {{"id": 1, "email": "ada@example.com"}},
		"orders":    {{"id": 5, "customer": 1, "note": "n"}},
	}, &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{
		"customers": {Columns: anyColumns("id", "email"), Key: []string{"id"}, ReferencedBy: []dsr.ForeignKey{
			{Name: "fk", Table: "orders", Columns: []string{"customer"}, References: []string{"id"}, OnDelete: "set null"},
		}},
		"orders": {Columns: anyColumns("id", "customer", "note"), Key: []string{"id"}},
	}})
	var order []string
	w.db().beforeApply = func(ch *dsr.Chunk) {
		if order = append(order, ch.Collection.Name); ch.Delete {
			w.db().Update("orders", func(row map[string]any) { row["customer"] = nil })
		}
	}
	w.complete(t, "ada@example.com", erasureRule("null_rewrite", "user"))
	require.Equal(t, []string{"orders", "customers"}, slices.Compact(order))
	require.Equal(t, []map[string]any{{"id": int64(5), "customer": nil, "note": nil}}, w.db().Rows("orders"))
}
