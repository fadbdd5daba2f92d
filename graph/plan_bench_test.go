package graph_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// company is a map of n collections: chains of 50 that start at a hub, stars
// of 49 around each chain's first link, every second reference undirected, three
// kinds of identity, everything annotated.
func company(t testing.TB, n int) []*graph.Dataset {
	t.Helper()
	kinds := []string{"email", "phone_number", "customer_id"}
	var b strings.Builder
	first := 0
	for i := range n {
		fmt.Fprintf(&b, "d%d:c%06d\n  id key\n  name cat=user.name\n  mail cat=user.contact.email length=40\n  note\n", i/100, i)
		direction := []string{"ref", "from"}[i%2]
		switch {
		case i == 0:
			fmt.Fprintf(&b, "  who id=%s\n  phone id=%s\n", kinds[0], kinds[1])
		case i%100 == 0:
			first = i
			fmt.Fprintf(&b, "  up %s=d0:c000000.id\n", direction)
		case i%100 == 50:
			fmt.Fprintf(&b, "  who id=%s\n", kinds[i/100%3])
			fallthrough
		case i%100 < 50:
			fmt.Fprintf(&b, "  up %s=d%d:c%06d.id\n", direction, (i-1)/100, i-1)
		default:
			fmt.Fprintf(&b, "  up %s=d%d:c%06d.id\n", direction, first/100, first)
		}
	}
	return notation(t, b.String())
}

func companyPolicy() *graph.Policy {
	p := accessTo("user.contact", "user.name")
	p.Rules = append(p.Rules, erasureOf("user.name").Rules...)
	return p
}

func BenchmarkNewPlan(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			datasets := company(b, n)
			b.ReportAllocs()
			for b.Loop() {
				m, err := graph.NewDataMap(datasets...)
				require.NoError(b, err)
				_, err = graph.NewPlan(m, companyPolicy(), []string{"email", "phone_number"}, nil)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/collection")
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, err := graph.NewDataMap(company(b, n)...)
			require.NoError(b, err)
			plan := newPlan(b, m, companyPolicy(), "email")
			visit := func(context.Context, graph.Visit) graph.Outcome { return graph.Outcome{State: graph.Done} }
			// Everything is in one group with fewer places than workers,
			// as on one small database.
			opts := graph.WalkOptions{GroupLimit: func(string) int { return 2 }}
			b.ReportAllocs()
			for b.Loop() {
				graph.Walk(b.Context(), plan, visit, opts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/collection")
		})
	}
}

// One hub with a foreign key for each of its spokes, one chain and one star of
// n collections are where quadratic time would hide.
func BenchmarkNewPlanShapes(b *testing.B) {
	shapes := map[string]func(n int) string{
		"hub": func(n int) string {
			var b strings.Builder
			b.WriteString("d:hub\n  tenant key\n  id key\n  who id=email\n")
			for i := range n {
				fmt.Fprintf(&b, "  f%d to=d:s%d.id\n", i, i)
			}
			for i := range n {
				fmt.Fprintf(&b, "d:s%d\n  id key\n", i)
			}
			return b.String()
		},
		"chain": func(n int) string {
			var b strings.Builder
			b.WriteString("d:c0\n  id key\n  who id=email\n")
			for i := 1; i < n; i++ {
				fmt.Fprintf(&b, "d:c%d\n  id key\n  up from=d:c%d.id\n", i, i-1)
			}
			return b.String()
		},
		"star": func(n int) string {
			var b strings.Builder
			b.WriteString("d:hub\n  tenant key\n  id key\n  who id=email\n")
			for i := range n {
				fmt.Fprintf(&b, "d:s%d\n  id key\n  t ref=d:hub.tenant\n  up ref=d:hub.id\n", i)
			}
			return b.String()
		},
		"ring": func(n int) string {
			var b strings.Builder
			fmt.Fprintf(&b, "d:c0\n  id key\n  who id=email\n  up from=d:c%d.id\n", n-1)
			for i := 1; i < n; i++ {
				fmt.Fprintf(&b, "d:c%d\n  id key\n  up from=d:c%d.id\n", i, i-1)
			}
			return b.String()
		},
	}
	for _, shape := range []string{"hub", "chain", "star", "ring"} {
		for _, n := range []int{1_000, 10_000} {
			b.Run(fmt.Sprint(shape, "/", n), func(b *testing.B) {
				datasets := notation(b, shapes[shape](n))
				for b.Loop() {
					m, err := graph.NewDataMap(datasets...)
					require.NoError(b, err)
					_, err = graph.NewPlan(m, everything(), []string{"email"}, nil)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/collection")
			})
		}
	}
}
