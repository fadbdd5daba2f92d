package pgstoretest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// recorder keeps the last query that reads requests.
type recorder struct {
	mu   sync.Mutex
	sql  string
	args []any
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.Contains(data.SQL, `FROM "dsr".requests LEFT JOIN`) && !strings.HasPrefix(data.SQL, "EXPLAIN") {
		r.sql, r.args = data.SQL, data.Args
	}
	return ctx
}

func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Every filter has an index, and a page deep in the list is found without
// reading the pages before it.
func TestFiltersUseIndexes(t *testing.T) {
	t.Parallel()
	host := newPool(t)
	openStore(t, host)
	execute(t, host, `
		INSERT INTO dsr.requests SELECT 'r' || g, 1, 0, CASE WHEN g % 2 = 0 THEN 'x' || g ELSE '' END, 'p',
			CASE WHEN g % 500 = 0 THEN 'error' ELSE 'complete' END, 'done', '',
			'-infinity', '-infinity', '2026-01-01'::timestamptz + g * interval '1 minute', '-infinity', '-infinity',
			CASE WHEN g % 100 = 0 THEN '2026-01-01'::timestamptz + g * interval '1 minute' ELSE '-infinity' END
			FROM generate_series(1, 20000) AS g;
		INSERT INTO dsr.lookups SELECT 'r' || g, 0, convert_to('hash' || g, 'UTF8') FROM generate_series(1, 20000) AS g;
		ANALYZE`)
	config, log := host.Config(), &recorder{}
	config.ConnConfig.Tracer = log
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := openStore(t, pool)
	for name, test := range map[string]struct {
		filter      dsr.RequestFilter
		first, last string
		index       string
	}{
		"first page":  {dsr.RequestFilter{}, "r1", "r100", "requests_by_age"},
		"deep page":   {dsr.RequestFilter{After: "r15000", Limit: 10}, "r15001", "r15010", "requests_by_age"},
		"status":      {dsr.RequestFilter{Status: []dsr.Status{dsr.StatusError}, Limit: 10}, "r500", "r5000", "requests_by_status"},
		"external ID": {dsr.RequestFilter{ExternalID: "x5000"}, "r5000", "r5000", "requests_by_external_id"},
		"look-up":     {dsr.RequestFilter{Lookup: []byte("hash77")}, "r77", "r77", "lookups_by_hash"},
		"due":         {dsr.RequestFilter{DueBefore: time.Date(2026, 1, 1, 3, 21, 0, 0, time.UTC)}, "r100", "r200", "requests_by_due"},
	} {
		list, err := s.Requests(t.Context(), test.filter)
		require.NoError(t, err)
		require.Equal(t, test.first, list[0].ID, name)
		require.Equal(t, test.last, list[len(list)-1].ID, name)
		rows, err := host.Query(t.Context(), "EXPLAIN "+log.sql, log.args...)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		require.Contains(t, plan, test.index, name)
		require.NotContains(t, plan, "Seq Scan on requests", name)
	}
}
