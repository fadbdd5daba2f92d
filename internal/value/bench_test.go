package value_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

// row is an ordinary row of a customer table.
func row() []any {
	return []any{
		int64(123456), "customer-123456@example.com", "A customer's name", "Some street 17", "Sometown",
		json.Number("1234.50"), true, nil, time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		map[string]any{"newsletter": false, "language": "en", "tags": []any{"a", "b"}},
	}
}

func BenchmarkAppend(b *testing.B) {
	v := any(row())
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = value.Append(buf[:0], v)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	src := encode(b, row())
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := value.Decode(src)
		require.NoError(b, err)
	}
}

func BenchmarkSkip(b *testing.B) {
	src := encode(b, row())
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		_, _ = value.Skip(src)
	}
}

func BenchmarkTranscodeJSON(b *testing.B) {
	src := encode(b, row())
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf, _, _ = value.TranscodeJSON(buf[:0], src)
	}
}

func BenchmarkStandardJSON(b *testing.B) {
	v := row()
	b.ReportAllocs()
	for b.Loop() {
		_, err := json.Marshal(v)
		require.NoError(b, err)
	}
}
