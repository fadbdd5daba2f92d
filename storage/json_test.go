package storage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// jsonTo writes a package as JSON.
func jsonTo(w io.Writer) storage.Writer {
	doc, err := storage.JSON{}.NewWriter(w, &storage.About{})
	if err != nil {
		panic(err)
	}
	return doc
}

// named is a collection by its key.
func named(key string) *storage.Collection {
	dataset, name, _ := strings.Cut(key, ":")
	return &storage.Collection{Dataset: dataset, Name: name}
}

// collection is one collection that a test writes.
type collection struct {
	key  string
	rows []string
}

func TestJSONBytes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   []collection
		want string
		rows int64
	}{
		"nothing": {want: "{}\n"},
		"collections without rows are left out": {
			in:   []collection{{key: "a:b"}, {key: "a:c"}},
			want: "{}\n",
		},
		"one row": {
			in:   []collection{{"a:b", []string{`{"id":1}`}}},
			want: "{\n  \"a:b\": [\n    {\"id\":1}\n  ]\n}\n",
			rows: 1,
		},
		"an empty collection before, between and after": {
			in: []collection{
				{"a:a", nil},
				{"a:b", []string{`{"id":1}`, `{"id":2,"n":{"x":[1]}}`}},
				{"b:a", nil},
				{"b:b", []string{`{}`}},
				{"c:c", nil},
			},
			want: "{\n  \"a:b\": [\n    {\"id\":1},\n    {\"id\":2,\"n\":{\"x\":[1]}}\n  ],\n  \"b:b\": [\n    {}\n  ]\n}\n",
			rows: 3,
		},
		"keys that need quoting": {
			in:   []collection{{"a:\"<&>\\\n\u2028é", []string{`{"id":1}`}}},
			want: "{\n  \"a:\\\"<&>\\\\\\n\\u2028é\": [\n    {\"id\":1}\n  ]\n}\n",
			rows: 1,
		},
		"datasets before collections": {
			in:   []collection{{"shop:z", []string{`{}`}}, {"shop-2:a", []string{`{}`}}, {"shop2:a", []string{`{}`}}},
			want: "{\n  \"shop:z\": [\n    {}\n  ],\n  \"shop-2:a\": [\n    {}\n  ],\n  \"shop2:a\": [\n    {}\n  ]\n}\n",
			rows: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			doc := jsonTo(&out)
			for _, c := range test.in {
				require.NoError(t, doc.Collection(named(c.key)))
				for _, row := range c.rows {
					require.NoError(t, doc.Row([]byte(row)))
				}
			}
			require.NoError(t, doc.Close(context.Background(), nil))
			require.NoError(t, doc.Close(context.Background(), nil), "closing again does nothing")

			require.Equal(t, test.want, out.String())
			require.True(t, json.Valid(out.Bytes()))
			require.Equal(t, test.rows, doc.Rows())
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write func(storage.Writer) error
		want  string
	}{
		"the same key twice": {
			func(j storage.Writer) error {
				return errors.Join(j.Collection(named("a:b")), j.Collection(named("a:b")))
			},
			`storage: collection "a:b" comes after "a:b": keys must ascend, each once`,
		},
		"a key that goes back": {
			func(j storage.Writer) error {
				return errors.Join(j.Collection(named("shop-2:a")), j.Collection(named("shop:b")))
			},
			`storage: collection "shop:b" comes after "shop-2:a": keys must ascend, each once`,
		},
		"a key that is no text": {
			func(j storage.Writer) error { return j.Collection(named("a:\xff")) },
			`storage: the key "a:\xff" of a collection is not valid UTF-8`,
		},
		"a row before a collection": {
			func(j storage.Writer) error { return j.Row([]byte(`{}`)) },
			"storage: a row comes before the first collection",
		},
		"a row that is no object": {
			func(j storage.Writer) error {
				return errors.Join(j.Collection(named("a:b")), j.Row([]byte(`["secret"]`)))
			},
			`storage: row 1 of the package, in collection "a:b", is not one JSON object on one line`,
		},
		"an empty row": {
			func(j storage.Writer) error { return errors.Join(j.Collection(named("a:b")), j.Row(nil)) },
			`storage: row 1 of the package, in collection "a:b", is not one JSON object on one line`,
		},
		"a row on two lines": {
			func(j storage.Writer) error { return errors.Join(j.Collection(named("a:b")), j.Row([]byte("{\n}"))) },
			`storage: row 1 of the package, in collection "a:b", is not one JSON object on one line`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := jsonTo(io.Discard)
			require.EqualError(t, test.write(doc), test.want)
			require.EqualError(t, doc.Close(context.Background(), nil), test.want, "the error stays")
		})
	}

	doc := jsonTo(io.Discard)
	require.NoError(t, doc.Close(context.Background(), nil))
	require.EqualError(t, doc.Collection(named("a:b")), "storage: the package is closed")
	require.EqualError(t, doc.Row([]byte(`{}`)), "storage: the package is closed")
}

// A writer that fails at any byte makes the package fail, at the latest when
// it is closed.
func TestJSONWriterFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	row := []byte(`{"text":"` + strings.Repeat("x", 50_000) + `"}`)
	write := func(w io.Writer) (storage.Writer, error) {
		doc := jsonTo(w)
		err := doc.Collection(named("a:b"))
		for range 3 {
			if err == nil {
				err = doc.Row(row)
			}
		}
		return doc, errors.Join(err, doc.Close(context.Background(), nil))
	}
	var whole bytes.Buffer
	_, err := write(&whole)
	require.NoError(t, err)
	for _, room := range []int{0, 1, 65_536, 65_537, 131_072, whole.Len() - 1} {
		doc, err := write(&limited{room: room, err: full})
		require.ErrorIs(t, err, full, "room for %d bytes", room)
		require.ErrorIs(t, doc.Row(row), full)
	}
	_, err = write(&limited{room: whole.Len(), err: full})
	require.NoError(t, err)
}

// limited takes room bytes, then fails.
type limited struct {
	room int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.room {
		n := l.room
		l.room = 0
		return n, l.err
	}
	l.room -= len(p)
	return len(p), nil
}

// Memory does not grow with the rows: nothing is allocated for any of them.
// It measures the heap, so it does not run beside other tests.
func TestJSONFlatMemory(t *testing.T) {
	row := fmt.Appendf(nil, `{"id":1,"text":%q}`, strings.Repeat("x", 200))
	allocated := func(rows int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		doc := jsonTo(io.Discard)
		require.NoError(t, doc.Collection(named("a:b")))
		for range rows {
			if err := doc.Row(row); err != nil {
				require.NoError(t, err)
			}
		}
		require.NoError(t, doc.Close(context.Background(), nil))
		require.Equal(t, int64(rows), doc.Rows())
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	require.Less(t, allocated(100_000), uint64(256<<10), "bytes allocated for 100,000 rows")
}

func ExampleJSON() {
	var out strings.Builder
	doc := jsonTo(&out)
	_ = doc.Collection(named("shop:customer"))
	_ = doc.Row([]byte(`{"id":7,"city":"Oslo"}`))
	_ = doc.Collection(named("shop:orders"))
	_ = doc.Row([]byte(`{"id":1}`))
	_ = doc.Row([]byte(`{"id":2}`))
	_ = doc.Close(context.Background(), nil)
	fmt.Print(out.String())
	// Output:
	// {
	//   "shop:customer": [
	//     {"id":7,"city":"Oslo"}
	//   ],
	//   "shop:orders": [
	//     {"id":1},
	//     {"id":2}
	//   ]
	// }
}

func sha256Of(s string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))
}
