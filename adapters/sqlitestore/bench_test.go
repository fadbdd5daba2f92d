package sqlitestore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

const (
	benchChunks = 200
	benchBytes  = 100_000
)

// BenchmarkJournal appends 200 chunks of 100 kB and ticks them off, each in a
// commit of its own.
func BenchmarkJournal(b *testing.B) {
	sealed := bytes.Repeat([]byte("sealed"), benchBytes/6)
	for b.Loop() {
		s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "dsr.db"), nil)
		require.NoError(b, err)
		r := dsr.Record{ID: "r1", Plan: bytes.Repeat([]byte("p"), 4000), Keys: map[string][]byte{"journal": []byte("k")}}
		commit := func(ch dsr.StoreChange) {
			ch.ExpectVersion = r.Version
			r.Version++
			ch.Record = r
			require.NoError(b, s.Commit(b.Context(), &ch))
		}
		for range benchChunks {
			commit(dsr.StoreChange{AppendJournal: []dsr.JournalChunk{{Step: "a:b", Sealed: sealed}}})
		}
		for seq := range benchChunks {
			commit(dsr.StoreChange{Ticks: []dsr.Tick{{Seq: seq + 1}}})
		}
		require.NoError(b, s.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*2*benchChunks), "µs/commit")
}

// BenchmarkFsync is the yardstick: the same bytes, appended to a file that is
// synced as often.
func BenchmarkFsync(b *testing.B) {
	sealed := bytes.Repeat([]byte("sealed"), benchBytes/6)
	for b.Loop() {
		f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
		require.NoError(b, err)
		write := func(p []byte) {
			_, err := f.Write(p)
			require.NoError(b, err)
			require.NoError(b, f.Sync())
		}
		for range benchChunks {
			write(sealed)
		}
		for range benchChunks {
			write(sealed[:4096])
		}
		require.NoError(b, f.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*2*benchChunks), "µs/commit")
}
