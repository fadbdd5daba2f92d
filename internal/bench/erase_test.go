package bench_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

// BenchmarkErase masks 100,000 rows of one customer. The bulk update is the
// least that a database can be asked: one statement, one transaction, nothing
// kept of what was changed.
func BenchmarkErase(b *testing.B) {
	const rows = 100_000
	var engines, bulks, ratios []float64
	for b.Loop() {
		e := erase(b, rows, func(ctx context.Context, db *sql.DB) {
			datasets, err := bench.Wide(rows, false).Load()
			require.NoError(b, err)
			engine, err := bench.Engine(db, datasets, b.TempDir(), b.TempDir(), graph.Category("user.contact.address"))
			require.NoError(b, err)
			req, err := bench.Run(ctx, engine, "erasure", bench.Subject)
			require.NoError(b, err)
			require.Equal(b, dsr.StatusComplete, req.Status)
		})
		y := erase(b, rows, func(ctx context.Context, db *sql.DB) {
			_, err := db.ExecContext(ctx, `UPDATE parcels SET street = NULL, city = NULL WHERE order_id IN
				(SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id WHERE lower(c.email) = $1)`, bench.Subject)
			require.NoError(b, err)
		})
		engines, bulks, ratios = append(engines, e.Seconds()*1e3), append(bulks, y.Seconds()*1e3), append(ratios, e.Seconds()/y.Seconds())
	}
	b.ReportMetric(median(engines), "engine-ms")
	b.ReportMetric(median(bulks), "bulk-ms")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

// erase times one erasure on a database of its own and checks its result.
func erase(b *testing.B, rows int, do func(context.Context, *sql.DB)) time.Duration {
	b.Helper()
	ctx, db := context.Background(), dbtest.Postgres(b)
	require.NoError(b, bench.Wide(rows, false).Fill(ctx, db))
	start := time.Now()
	do(ctx, db)
	took := time.Since(start)
	var masked int
	require.NoError(b, db.QueryRowContext(ctx, "SELECT count(*) FROM parcels WHERE street IS NULL AND city IS NULL").Scan(&masked))
	require.Equal(b, rows, masked)
	return took
}
