package pgstoretest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// recorder keeps the last query that lists requests.
type recorder struct {
	mu   sync.Mutex
	sql  string
	args []any
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.Contains(data.SQL, "external_id") && strings.Contains(data.SQL, " LIMIT ") && !strings.HasPrefix(data.SQL, "EXPLAIN") {
		r.sql, r.args = data.SQL, data.Args
	}
	return ctx
}

func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Every filter has an index, and every order: a page is found without reading
// the pages before it, or sorting what matches.
func TestListsUseIndexes(t *testing.T) {
	t.Parallel()
	host := newPool(t)
	openStore(t, host)
	const n = 20_000
	statements, _ := fill(n)
	// What is known of the tables is the same each time: all rows are looked at,
	// and no autovacuum looks again.
	execute(t, host, "ALTER TABLE dsr.requests SET (autovacuum_enabled = off); ALTER TABLE dsr.lookups SET (autovacuum_enabled = off)")
	execute(t, host, statements+"; SET default_statistics_target = 1000; ANALYZE")
	config, log := host.Config(), &recorder{}
	config.ConnConfig.Tracer = log
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := openStore(t, pool)
	type test struct {
		query dsr.RecordQuery
		index string
		sorts bool
	}
	tests := map[string]test{
		"status":      {dsr.RecordQuery{Status: []dsr.Status{dsr.StatusError, dsr.StatusComplete}}, "requests_by_status", true},
		"policy":      {dsr.RecordQuery{Policies: []string{"policy rare", "policy 3"}}, "requests_by_policy", true},
		"action":      {dsr.RecordQuery{Actions: []graph.Action{"consent"}}, "requests_by_actions", false},
		"country":     {dsr.RecordQuery{Location: "IS"}, "requests_by_country", false},
		"location":    {dsr.RecordQuery{Location: "US-CA"}, "requests_by_location", false},
		"open":        {dsr.RecordQuery{Unfinished: true}, "requests_open", false},
		"external ID": {dsr.RecordQuery{ExternalID: "Ticket-5000"}, "requests_by_external_id", true},
		"prefix":      {dsr.RecordQuery{ExternalPrefix: "tICKET-500"}, "requests_by_external_start", true},
		"look-up":     {dsr.RecordQuery{Lookup: [][]byte{[]byte("00000000000000000000000000000077")}}, "lookups_by_hash", true},
		"field":       {dsr.RecordQuery{Also: [][]byte{[]byte("rare")}}, "lookups_by_hash", true},
		"usual field": {dsr.RecordQuery{Also: [][]byte{[]byte("usual")}}, "requests_by_created", false},
	}
	for _, field := range dsr.TimeFields() {
		index := "requests_by_" + strings.TrimSuffix(string(field), "_at")
		place := &dsr.RecordPlace{Time: benchTime(n / 2), ID: "x"}
		tests["by "+string(field)] = test{dsr.RecordQuery{Sort: field, After: place}, index, false}
		tests["down by "+string(field)] = test{dsr.RecordQuery{Sort: field, Descending: true, Limit: 10}, index, false}
		tests["within "+string(field)] = test{dsr.RecordQuery{
			Sort: field, Times: map[dsr.TimeField]dsr.TimeRange{field: {From: benchTime(n / 2), Before: benchTime(n/2 + 60)}},
		}, index, field == dsr.TimeDue}
	}
	for name, test := range tests {
		_, err := s.Requests(t.Context(), test.query)
		require.NoError(t, err)
		rows, err := host.Query(t.Context(), "EXPLAIN "+log.sql, log.args...)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		require.Contains(t, plan, test.index, name)
		require.NotContains(t, plan, "Seq Scan on requests", name)
		if !test.sorts {
			require.NotContains(t, plan, "Sort", name)
		}
	}
}
