package storage_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/zip"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// benchColumns are those of the rows that benchRows returns.
func benchColumns() *storage.Collection {
	return table("shop:orders", "id", "at", "total", "paid", "note", "ship/name", "ship/street", "ship/city", "tags")
}

// benchRows are rows as a shop has them, and the same as cells.
func benchRows() (rows [][]byte, cells [][]string) {
	for i := range 1000 {
		at := time.Date(2030, 1, 2, 3, 4, i, 0, time.UTC).Format(time.RFC3339)
		id, total, paid := fmt.Sprint(100_000+i*7919), fmt.Sprintf("%d.%02d", i*31%997, i%100), fmt.Sprint(i%3 > 0)
		note := fmt.Sprintf("Parcel %x was left with a neighbour, please ring \"twice\" at no. %d", i*2_654_435_761, i)
		name, street, city := fmt.Sprintf("Person %d", i*7%911), fmt.Sprintf("%d Long Street", i), fmt.Sprintf("Town %d", i%40)
		tags := fmt.Sprintf(`["a%d","b"]`, i%20)
		rows = append(rows, fmt.Appendf(nil, `{"at":%q,"id":%s,"note":%q,"paid":%s,"ship":{"city":%q,"name":%q,"street":%q},"tags":%s,"total":%s}`, at, id, note, paid, city, name, street, tags, total))
		cells = append(cells, []string{id, at, total, paid, note, name, street, city, tags})
	}
	return rows, cells
}

// The ratio is the time of a package beside that of the yardstick: a bare
// encoder that is given the cells ready-made, into a bare zip of the same
// library.
func BenchmarkPackage(b *testing.B) {
	rows, cells := benchRows()
	const rounds = 20
	size := 0
	for _, row := range rows {
		size += len(row) * rounds
	}
	write := func(b *testing.B, format storage.Format) {
		w, err := format.NewWriter(io.Discard, about())
		require.NoError(b, err)
		require.NoError(b, w.Collection(benchColumns()))
		for range rounds {
			for _, row := range rows {
				if err := w.Row(row); err != nil {
					require.NoError(b, err)
				}
			}
		}
		require.NoError(b, w.Close(context.Background(), nil))
	}
	for _, bench := range []struct {
		name      string
		format    storage.Format
		yardstick func(b *testing.B)
	}{
		{"CSV", storage.CSV{}, func(b *testing.B) {
			z := zip.NewWriter(io.Discard)
			f, err := z.Create("orders.csv")
			require.NoError(b, err)
			w := csv.NewWriter(f)
			for range rounds {
				for _, row := range cells {
					if err := w.Write(row); err != nil {
						require.NoError(b, err)
					}
				}
			}
			w.Flush()
			require.NoError(b, w.Error())
			require.NoError(b, z.Close())
		}},
		{"JSON", storage.JSON{}, func(b *testing.B) {
			enc := json.NewEncoder(io.Discard)
			for range rounds {
				for _, row := range rows {
					if err := enc.Encode(json.RawMessage(row)); err != nil {
						require.NoError(b, err)
					}
				}
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				ours += timed(func() { write(b, bench.format) })
				theirs += timed(func() { bench.yardstick(b) })
			}
			compare(b, size, ours, theirs)
		})
	}
}

// Reading is measured beside encoding/csv, which keeps what was added for
// spreadsheets.
func BenchmarkCSVReader(b *testing.B) {
	rows, _ := benchRows()
	var lines []string
	for _, row := range rows {
		lines = append(lines, string(row))
	}
	data := []byte(tableOf(b, benchColumns(), lines...))
	var ours, theirs time.Duration
	for b.Loop() {
		n := 0
		ours += timed(func() {
			r := storage.NewCSVReader(bytes.NewReader(data))
			for _, err := r.Read(); err == nil; _, err = r.Read() {
				n++
			}
		})
		require.Equal(b, len(rows), n)
		theirs += timed(func() {
			r := csv.NewReader(bytes.NewReader(data[len(mark):]))
			r.ReuseRecord = true
			for _, err := r.Read(); err == nil; _, err = r.Read() {
				n--
			}
		})
		require.Equal(b, -1, n, "it takes the header for a row")
	}
	compare(b, len(data), ours, theirs)
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// compare reports the speed of ours, in bytes of rows, and how many times the
// yardstick's time it took.
func compare(b *testing.B, size int, ours, theirs time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size*b.N)/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(size*b.N)/1e6/theirs.Seconds(), "yardstick-MB/s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}
