// Package bench measures the engine beside a yardstick: what a careful
// programmer would write by hand for one database, asking the same questions
// as concurrently as the references allow and writing the same bytes. Both run
// in one benchmark, in turns; the ratio of their times is what counts.
package bench
