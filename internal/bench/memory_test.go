package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
)

// The high-water mark belongs to a whole process, so every measurement runs in
// a child: this binary, told by the environment what to do.
const (
	childDSN   = "DSR_BENCH_DSN"
	childShape = "DSR_BENCH_SHAPE"
	childRows  = "DSR_BENCH_ROWS"
	childWaits = "DSR_BENCH_WAITS"

	childServes  = "DSR_BENCH_SERVES"
	childData    = "DSR_BENCH_DATA"
	childProfile = "DSR_BENCH_PROFILE"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDSN) != "" {
		do := child
		switch {
		case os.Getenv(childWaits) != "":
			do = waitingChild
		case os.Getenv(childServes) != "":
			do = servingChild
		}
		if err := do(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child runs one access request and prints its process's high-water mark in
// KiB and the rows of the package.
func child(ctx context.Context) error {
	rows, err := strconv.Atoi(os.Getenv(childRows))
	if err != nil {
		return err
	}
	f := bench.Wide(rows, os.Getenv(childShape) == "inner")
	db, err := sql.Open("pgx", os.Getenv(childDSN))
	if err != nil {
		return err
	}
	datasets, err := f.Load()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	engine, err := bench.Engine(db, datasets, dir+"/packages", dir+"/spool")
	if err != nil {
		return err
	}
	req, err := bench.Run(ctx, engine, "access", bench.Subject)
	if err != nil {
		return err
	}
	peak, err := bench.HighWater("self")
	if err != nil {
		return err
	}
	fmt.Println(peak, req.Packages[0].Rows)
	return db.Close()
}

// maxApart is how many MiB the two marks of BenchmarkMemory may be apart.
const maxApart = 32

// BenchmarkMemory reports the high-water marks of two processes that collect
// 10,000 and 1,000,000 rows, and how far they are apart. It fails when memory
// grows with the number of rows.
func BenchmarkMemory(b *testing.B) {
	for _, shape := range []string{"leaf", "inner"} {
		b.Run(shape, func(b *testing.B) {
			var marks []float64
			for _, rows := range []int{10_000, 1_000_000} {
				dsn := dbtest.PostgresDSN(b)
				db, err := sql.Open("pgx", dsn)
				require.NoError(b, err)
				require.NoError(b, bench.Wide(rows, shape == "inner").Fill(b.Context(), db))
				require.NoError(b, db.Close())
				marks = append(marks, peak(b, dsn, shape, rows))
			}
			for b.Loop() { // measured once, in children
			}
			b.ReportMetric(marks[0], "MiB-at-10k")
			b.ReportMetric(marks[1], "MiB-at-1M")
			b.ReportMetric(marks[1]-marks[0], "MiB-apart")
			b.ReportMetric(0, "ns/op")
			require.LessOrEqual(b, marks[1]-marks[0], float64(maxApart), "MiB between 10,000 and 1,000,000 rows")
		})
	}
}

func peak(b *testing.B, dsn, shape string, rows int) float64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // this binary
	cmd.Env = append(os.Environ(), childDSN+"="+dsn, childShape+"="+shape, childRows+"="+strconv.Itoa(rows))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(b, err)
	var kib, written int
	_, err = fmt.Sscan(string(out), &kib, &written)
	require.NoError(b, err)
	require.Greater(b, written, rows)
	return float64(kib) / 1024
}
