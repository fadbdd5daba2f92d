package storage_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/zip"

	"github.com/godsr/dsr/storage"
)

// BenchmarkHTML writes rows of about 400 bytes, and reports how many times as
// long that takes as writing the same rows into a bare zip. An HTML package
// holds them twice: on its pages and in the search index.
func BenchmarkHTML(b *testing.B) {
	rows := make([][]byte, 5000)
	size := 0
	for i := range rows {
		rows[i] = fmt.Appendf(nil, `{"id":%d,"email":"user%x@example.com","text":"%x and %x","list":[%d,null,{"a":"%x"}],"street":"Lindenweg %d","city":"Köln","at":"2026-01-02T03:04:%02dZ","ok":%t}`,
			i, i*7919, i*104729, i*i*31, i%7, i*1299709, i%90, i%60, i%3 == 0)
		for range 4 {
			rows[i] = fmt.Appendf(rows[i][:len(rows[i])-1], `,"note%d":"something about order %d, which was sent on day %x"}`, len(rows[i])%9, i*3, i*611953)
		}
		size += len(rows[i])
	}
	bare := func() {
		z := zip.NewWriter(io.Discard)
		w, err := z.Create("rows.json")
		for _, row := range rows {
			if err == nil {
				_, err = w.Write(row)
			}
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	var yardstick time.Duration
	b.SetBytes(int64(size))
	for b.Loop() {
		w, err := storage.HTML{}.NewWriter(io.Discard, &htmlAbout)
		if err == nil {
			err = w.Collection(named("a:b"))
		}
		for _, row := range rows {
			if err == nil {
				err = w.Row(row)
			}
		}
		if err == nil {
			err = w.Close(b.Context(), nil)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		bare()
		yardstick += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(yardstick), "x/bare-zip")
}
