package bench_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

// compare runs engine and yardstick in turns and reports the medians of their
// times and of the ratio.
func compare(b *testing.B, engine, yardstick func(n int)) {
	b.Helper()
	var es, ys, ratios []float64
	engine(-1)
	yardstick(-1)
	n := 0
	for b.Loop() {
		start := time.Now()
		yardstick(n)
		y := time.Since(start)
		start = time.Now()
		engine(n)
		e := time.Since(start)
		es, ys, ratios = append(es, e.Seconds()*1e3), append(ys, y.Seconds()*1e3), append(ratios, e.Seconds()/y.Seconds())
		n++
	}
	b.ReportMetric(median(es), "engine-ms")
	b.ReportMetric(median(ys), "yardstick-ms")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// access compares one access request with the yardstick, after showing that
// both write the same bytes.
func access(b *testing.B, f *bench.Fixture, db *sql.DB, email string) {
	b.Helper()
	ctx := b.Context()
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	datasets, err := f.Load()
	require.NoError(b, err)
	dir := b.TempDir()
	engine, err := bench.Engine(db, datasets, dir, b.TempDir())
	require.NoError(b, err)

	req, err := bench.Run(ctx, engine, "access", email)
	require.NoError(b, err)
	require.NoError(b, bench.Yardstick(ctx, db, datasets[0].Key, f.Tables, email, dir, "yardstick"))
	ours, err := os.ReadFile(filepath.Join(dir, req.ID+".json"))
	require.NoError(b, err)
	theirs, err := os.ReadFile(filepath.Join(dir, "yardstick.json"))
	require.NoError(b, err)
	require.Equal(b, len(theirs), len(ours))
	require.Equal(b, lines(theirs), lines(ours))

	compare(b,
		func(int) {
			_, err := bench.Run(ctx, engine, "access", email)
			require.NoError(b, err)
		},
		func(n int) {
			require.NoError(b, bench.Yardstick(ctx, db, datasets[0].Key, f.Tables, email, dir, "yardstick-"+strconv.Itoa(n)))
		})
}

// lines sorts the lines of a package, since rows come in no order.
func lines(data []byte) []string {
	var out []string
	start := 0
	for i, c := range data {
		if c == '\n' {
			line := string(data[start:i])
			if n := len(line); n > 0 && line[n-1] == ',' {
				line = line[:n-1]
			}
			out, start = append(out, line), i+1
		}
	}
	slices.Sort(out)
	return out
}

func BenchmarkAccessTree(b *testing.B) {
	f, db := bench.Tree(), dbtest.Postgres(b)
	require.NoError(b, f.Fill(context.Background(), db))
	access(b, f, db, bench.Subject)
}

func BenchmarkAccessRows(b *testing.B) {
	for _, shape := range []struct {
		name  string
		inner bool
	}{{"leaf", false}, {"inner", true}} {
		for _, rows := range []int{10_000, 1_000_000} {
			b.Run(shape.name+"/"+strconv.Itoa(rows), func(b *testing.B) {
				f, db := bench.Wide(rows, shape.inner), dbtest.Postgres(b)
				require.NoError(b, f.Fill(context.Background(), db))
				access(b, f, db, bench.Subject)
			})
		}
	}
}
