package bench_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/bench"
)

// parts are the tables that a request's bytes are in. A request that completed
// has no journal left.
var parts = map[string][]string{
	"record": {"requests", "documents", "lookups"},
	"keys":   {"keys"},
	"audit":  {"audit", "heads"},
	"log":    {"events"},
}

// BenchmarkSize reports what a request takes in the store, with its share of
// the indexes, once it is submitted and once it is complete.
func BenchmarkSize(b *testing.B) {
	const requests = 2000
	sites(b, false, func(product string, site bench.Site) {
		store, err := site.Store(b.Context(), "size")
		require.NoError(b, err)
		desk, err := bench.NewDesk(store, bench.DeskOptions{Workers: 4})
		require.NoError(b, err)
		report := func(b *testing.B) {
			sizes, err := site.Sizes(b.Context(), "size")
			require.NoError(b, err)
			for b.Loop() { // measured once
			}
			whole := int64(0)
			for _, part := range slices.Sorted(maps.Keys(parts)) {
				sum := int64(0)
				for _, table := range parts[part] {
					sum += sizes[table]
				}
				whole += sum
				b.ReportMetric(float64(sum)/requests, part+"-bytes")
			}
			b.ReportMetric(float64(whole)/requests, "bytes")
			b.ReportMetric(0, "ns/op")
		}
		b.Run(product+"/submitted", func(b *testing.B) {
			share(b, 4, requests, func(ctx context.Context) error {
				_, err := desk.Submit(ctx)
				return err
			})
			report(b)
		})
		b.Run(product+"/complete", func(b *testing.B) {
			_, err := desk.RunFor(b.Context(), requests)
			require.NoError(b, err)
			report(b)
		})
	})
}
