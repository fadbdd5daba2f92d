package connectortest

import (
	"context"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const (
	crowdSize = 10_000
	// strangers are the rows of the crowd that nobody asks for.
	strangers = 100
)

func crowd() Setup {
	rows := make([][]any, crowdSize+strangers)
	for i := range rows {
		rows[i] = []any{int64(i), fmt.Sprintf("User%d@Example.com", i), int64(i % 7)}
	}
	return Setup{Tables: []Table{newTable("crowd", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("email", dsr.ColumnText), col("shard", dsr.ColumnInteger)}, rows...)}}
}

func tenThousandValues(ctx context.Context, s *session) error {
	ids := eq(graph.Path{"id"})
	emails := folded(eq(graph.Path{"email"}))
	pairs := dsr.Criterion{Fields: []graph.Path{{"id"}, {"shard"}}}
	// The values come in another order than the rows.
	value := func(i int) int { return i * 7919 % crowdSize }
	position := make(map[int64]int, crowdSize)
	for i := range crowdSize {
		id := value(i)
		position[int64(id)] = i
		ids.Values = append(ids.Values, []any{int64(id)})
		emails.Values = append(emails.Values, []any{fmt.Sprintf("uSER%d@eXAMPLE.com", id)})
		pairs.Values = append(pairs.Values, []any{int64(id), int64(id % 7)})
	}
	for _, c := range []struct {
		what      string
		criterion dsr.Criterion
	}{{"integers", ids}, {"folded texts", emails}, {"tuples", pairs}} {
		for _, withVia := range []bool{false, true} {
			q := s.query(0, c.criterion)
			q.Via = withVia
			what := fmt.Sprintf("10,000 %s, Via %t", c.what, withVia)
			if err := s.wantCrowd(ctx, what, q, position); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) wantCrowd(ctx context.Context, what string, q *dsr.Query, position map[int64]int) error {
	rows, err := s.read(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	seen := make(map[int64]bool, len(rows))
	for _, r := range rows {
		id, ok := r.values["id"].(int64)
		at, wanted := position[id]
		switch {
		case !ok || !wanted:
			return fmt.Errorf("%s: read row %v, which was not asked for", what, r.values["id"])
		case seen[id]:
			return fmt.Errorf("%s: row %d came twice", what, id)
		case q.Via && (len(r.via) != 1 || r.via[0] != dsr.Match{Value: at}):
			return fmt.Errorf("%s: row %d says that it matched %v, want value %d", what, id, r.via, at)
		}
		seen[id] = true
	}
	if len(seen) != crowdSize {
		return fmt.Errorf("%s: read %d rows, want %d", what, len(seen), crowdSize)
	}
	return nil
}
