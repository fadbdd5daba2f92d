package memory_test

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// A connector in memory stands in for a database in a unit test: it is found
// by case-insensitive e-mail inside a document, masked, and looked at.
func ExampleConnector() {
	ctx := context.Background()
	conn := memory.NewConnector(map[string][]map[string]any{
		"customers": {
			{"id": 1, "profile": map[string]any{"email": "Ada@Example.com", "plan": "free"}},
			{"id": 2, "profile": map[string]any{"email": "bob@example.com", "plan": "team"}},
		},
	}, nil)
	customers := &graph.Collection{Name: "customers"}

	for row, err := range conn.Read(ctx, &dsr.Query{
		Collection: customers,
		Columns:    []string{"id", "profile"},
		Criteria: []dsr.Criterion{{
			Fields:   []graph.Path{{"profile", "email"}},
			Values:   [][]any{{"ada@example.com"}},
			FoldCase: true,
		}},
	}) {
		fmt.Println(row.Values, err)
	}

	chunk := &dsr.Chunk{
		Collection: customers,
		Key:        []graph.Path{{"id"}},
		Rows: []dsr.RowChange{{
			Key: []any{1},
			Set: []dsr.Change{{Path: []any{"profile", "email"}, Old: "Ada@Example.com", New: "masked"}},
		}},
	}
	// Another program changes the row in between: its value is kept.
	conn.Update("customers", func(row map[string]any) {
		if row["id"] == int64(1) {
			row["profile"].(map[string]any)["plan"] = "team"
		}
	})
	fmt.Println(conn.Apply(ctx, chunk))
	fmt.Println(conn.Apply(ctx, chunk))
	for _, row := range conn.Rows("customers") {
		fmt.Println(row)
	}
	// Output:
	// [1 map[email:Ada@Example.com plan:free]] <nil>
	// [written] <nil>
	// [already] <nil>
	// map[id:1 profile:map[email:masked plan:team]]
	// map[id:2 profile:map[email:bob@example.com plan:team]]
}
