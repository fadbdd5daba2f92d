package redact_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// benchPatterns are a hundred as an organisation may have them: what names
// begin and end with, whole names, what they contain, some with classes, and
// long lists of up to 500 characters.
func benchPatterns() []string {
	words := strings.Fields("customer user account member employee vendor partner tenant session device payment invoice order shipment address contact profile consent ticket audit")
	var patterns []string
	for i, word := range words {
		list := "^(" + word
		for n := 0; len(list) < 85+20*i; n++ {
			list += fmt.Sprintf("|%s_%s_%d", word, words[(i+n)%len(words)], n)
		}
		patterns = append(patterns, word+"_internal_.*", ".*_"+word+"_private", "^"+word+"_id$", ".*"+word+"[0-9]{2,}.*", list+")$")
	}
	return patterns
}

func benchNames() []string {
	words := strings.Fields("customer user account created updated deleted first last street city zip country phone email total amount currency status kind score device payment invoice order")
	var names []string
	for i := range 10_000 {
		name := words[i%len(words)] + "_" + words[i/len(words)%len(words)]
		if i >= len(words)*len(words) {
			name += fmt.Sprint("_", i)
		}
		names = append(names, name)
	}
	return names
}

// plain is what a program would write by hand.
func plain(patterns, names []string) (time.Duration, int) {
	var all []*regexp.Regexp
	for _, p := range patterns {
		all = append(all, regexp.MustCompile(`(?is)\A(?:`+p+`)\z`))
	}
	hidden, start := 0, time.Now()
	for _, name := range names {
		for _, re := range all {
			if re.MatchString(name) {
				hidden++
				break
			}
		}
	}
	return time.Since(start), hidden
}

// BenchmarkPatterns matches 10,000 names against 100 patterns, each run beside
// package regexp in a loop. x-regexp is the ratio to that: less is faster.
func BenchmarkPatterns(b *testing.B) {
	patterns, names := benchPatterns(), benchNames()
	require.Len(b, patterns, redact.MaxPatterns)
	opts := &redact.Options{Budget: time.Hour}
	for _, c := range []struct {
		name       string
		remembered bool
	}{{"first pass", false}, {"remembered", true}} {
		b.Run(c.name, func(b *testing.B) {
			p := compiled(b, opts, patterns...)
			p.Hides(names...)
			var ours, yardstick time.Duration
			for b.Loop() {
				if !c.remembered {
					p = compiled(b, opts, patterns...)
				}
				start := time.Now()
				hides := p.Hides(names...)
				ours += time.Since(start)
				took, want := plain(patterns, names)
				yardstick += took
				hidden := 0
				for _, hide := range hides {
					if hide {
						hidden++
					}
				}
				require.Equal(b, want, hidden)
			}
			b.ReportMetric(float64(ours)/float64(yardstick), "x-regexp")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*len(names)), "ns/name")
			b.ReportMetric(float64(yardstick.Nanoseconds())/float64(b.N*len(names)), "regexp-ns/name")
		})
	}
}

// BenchmarkLookahead matches 10,000 names against 100 patterns that package
// regexp does not know. x-regexp is the ratio to the same ones without what
// they exclude, in a loop over package regexp.
func BenchmarkLookahead(b *testing.B) {
	var patterns, loose []string
	for _, p := range benchPatterns() {
		p = strings.TrimSuffix(strings.TrimPrefix(p, "^"), "$")
		patterns, loose = append(patterns, "(?!x_)"+p), append(loose, p)
	}
	names := benchNames()
	var ours, yardstick time.Duration
	for b.Loop() {
		p := compiled(b, &redact.Options{Budget: time.Hour}, patterns...)
		start := time.Now()
		p.Hides(names...)
		ours += time.Since(start)
		took, _ := plain(loose, names)
		yardstick += took
	}
	b.ReportMetric(float64(ours)/float64(yardstick), "x-regexp")
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*len(names)), "ns/name")
}

// BenchmarkRunaway matches 10,000 names that a pattern backtracks on for ever.
// x-budget is the time taken as a ratio to the default budget.
func BenchmarkRunaway(b *testing.B) {
	var names []string
	for i := range 10_000 {
		names = append(names, strings.Repeat("a", 100)+fmt.Sprint(i))
	}
	var took time.Duration
	for b.Loop() {
		p := compiled(b, &redact.Options{}, `(?=(a+)+b)a*.*`)
		start := time.Now()
		hides := p.Hides(names...)
		took += time.Since(start)
		require.NotContains(b, hides, false)
	}
	b.ReportMetric(float64(took)/float64(b.N)/float64(redact.DefaultBudget), "x-budget")
}
