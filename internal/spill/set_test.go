package spill_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/spill"
)

// memory keeps parts in memory and watches how they are used.
type memory struct {
	parts   map[string][]byte
	open    int
	maxOpen int
	created int

	failCreate, failOpen, failRemove, failWrite, failRead error
}

func newMemory() *memory { return &memory{parts: map[string][]byte{}} }

func (m *memory) Create(name string) (io.WriteCloser, error) {
	if m.failCreate != nil {
		return nil, m.failCreate
	}
	if _, ok := m.parts[name]; ok {
		return nil, fmt.Errorf("part %s exists", name)
	}
	m.created++
	m.parts[name] = nil
	return &partWriter{m: m, name: name}, nil
}

func (m *memory) Open(name string) (io.ReadCloser, error) {
	data, ok := m.parts[name]
	if m.failOpen != nil || !ok {
		return nil, errors.Join(m.failOpen, fmt.Errorf("open %s", name))
	}
	m.open++
	m.maxOpen = max(m.maxOpen, m.open)
	return &partReader{Reader: bytes.NewReader(data), m: m}, nil
}

func (m *memory) Remove(names ...string) error {
	if m.failRemove != nil {
		return m.failRemove
	}
	if m.open > 0 {
		return errors.New("removed while parts are open")
	}
	for _, name := range names {
		delete(m.parts, name)
	}
	return nil
}

type partWriter struct {
	m    *memory
	name string
	data []byte
}

func (w *partWriter) Write(p []byte) (int, error) {
	if w.m.failWrite != nil {
		return 0, w.m.failWrite
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *partWriter) Close() error {
	w.m.parts[w.name] = w.data
	return nil
}

type partReader struct {
	*bytes.Reader
	m *memory
}

func (r *partReader) Read(p []byte) (int, error) {
	if r.m.failRead != nil {
		return 0, r.m.failRead
	}
	return r.Reader.Read(p)
}

func (r *partReader) Close() error {
	r.m.open--
	return nil
}

func collect(t *testing.T, s *spill.Set) []string {
	all := []string{}
	for b, err := range s.All() {
		require.NoError(t, err)
		all = append(all, string(b))
	}
	return all
}

func TestSetInMemory(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s := spill.NewSet(m, "set", 0)
	var fresh []bool
	for _, v := range []string{"b", "", "a", "b", "", strings.Repeat("long", 100), "a"} {
		f, err := s.Add([]byte(v))
		require.NoError(t, err)
		fresh = append(fresh, f)
	}
	require.Equal(t, []bool{true, true, true, false, false, true, false}, fresh)
	require.NoError(t, s.Finish())
	require.NoError(t, s.Finish())
	require.False(t, s.Spilled())
	require.EqualValues(t, 4, s.Len())
	want := []string{"", "a", "b", strings.Repeat("long", 100)}
	require.Equal(t, want, collect(t, s))
	require.Equal(t, want, collect(t, s))
	_, err := s.Add([]byte("late"))
	require.EqualError(t, err, "spill: the set is finished; nothing can be added")
	require.NoError(t, s.Close())
	require.Zero(t, m.created)
}

func TestEmptySet(t *testing.T) {
	t.Parallel()
	s := spill.NewSet(newMemory(), "set", 0)
	require.NoError(t, s.Finish())
	require.Zero(t, s.Len())
	require.Empty(t, collect(t, s))
	require.NoError(t, s.Close())
}

func TestSetAgainstAMap(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 300, 2_000, 60_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(n)))
			m := newMemory()
			s := spill.NewSet(m, "set", 1)
			want := map[string]bool{}
			for range n {
				b := make([]byte, random.IntN(40))
				for i := range b {
					b[i] = byte(random.IntN(4))
				}
				// Values recur soon, late, and across spills.
				if random.IntN(3) == 0 {
					b = binary.BigEndian.AppendUint32(nil, random.Uint32N(uint32(n)))
				}
				fresh, err := s.Add(b)
				require.NoError(t, err)
				if !want[string(b)] {
					require.True(t, fresh, "a new value is always fresh")
				} else if !s.Spilled() {
					require.False(t, fresh)
				}
				want[string(b)] = true
			}
			require.NoError(t, s.Finish())
			sorted := make([]string, 0, len(want))
			for v := range want {
				sorted = append(sorted, v)
			}
			slices.Sort(sorted)
			require.Equal(t, n >= 300, s.Spilled())
			require.EqualValues(t, len(sorted), s.Len())
			require.Equal(t, sorted, collect(t, s))
			require.Equal(t, sorted, collect(t, s))
			require.LessOrEqual(t, m.maxOpen, 16)
			if s.Spilled() {
				require.Len(t, m.parts, 1)
			}
			require.NoError(t, s.Close())
			require.Empty(t, m.parts)
			require.Zero(t, m.open)
		})
	}
}

func TestSetKeepsValuesBeyondItsMemory(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s := spill.NewSet(m, "set", 1)
	huge := strings.Repeat("x", 100_000)
	for _, v := range []string{huge + "2", "small", huge + "1", huge + "2"} {
		_, err := s.Add([]byte(v))
		require.NoError(t, err)
	}
	require.NoError(t, s.Finish())
	require.EqualValues(t, 3, s.Len())
	require.Equal(t, []string{"small", huge + "1", huge + "2"}, collect(t, s))
}

func TestAllCanBeLeft(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s := filled(t, m)
	require.NoError(t, s.Finish())
	for b, err := range s.All() {
		require.NoError(t, err)
		require.Equal(t, "00000", string(b))
		break
	}
	require.Zero(t, m.open)
	require.Len(t, collect(t, s), 5_000)
}

// filled has spilled several parts.
func filled(t *testing.T, m *memory) *spill.Set {
	s := spill.NewSet(m, "set", 1)
	for i := range 5_000 {
		_, err := s.Add(fmt.Appendf(nil, "%05d", i))
		require.NoError(t, err)
	}
	require.True(t, s.Spilled())
	return s
}

func TestPartNames(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s := filled(t, m)
	for name := range m.parts {
		require.Regexp(t, `^set\.\d+$`, name)
	}
	require.NoError(t, s.Close())
	require.Empty(t, m.parts, "parts of an unfinished set are removed, too")
}

func TestAllBeforeFinishAndAfterClose(t *testing.T) {
	t.Parallel()
	s := spill.NewSet(newMemory(), "set", 0)
	last := func() (err error) {
		for _, err = range s.All() {
		}
		return err
	}
	require.EqualError(t, last(), "spill: the set is not finished; call Finish first")
	require.NoError(t, s.Finish())
	require.NoError(t, s.Close())
	require.EqualError(t, last(), "spill: the set is closed")
	_, err := s.Add(nil)
	require.EqualError(t, err, "spill: the set is closed")
	require.EqualError(t, s.Finish(), "spill: the set is closed")
	require.NoError(t, s.Close())
}

func TestFailingParts(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk failure")
	faults := map[string]func(*memory){
		"create": func(m *memory) { m.failCreate = broken },
		"open":   func(m *memory) { m.failOpen = broken },
		"remove": func(m *memory) { m.failRemove = broken },
		"write":  func(m *memory) { m.failWrite = broken },
		"read":   func(m *memory) { m.failRead = broken },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			s := filled(t, m)
			fault(m)
			require.ErrorIs(t, s.Finish(), broken)
			require.ErrorIs(t, s.Finish(), broken)
			_, err := s.Add([]byte("more"))
			require.ErrorIs(t, err, broken)
			require.Zero(t, m.open)
			m.failRemove = nil
			require.NoError(t, s.Close())
			require.Empty(t, m.parts)
		})
	}
}

func TestCorruptParts(t *testing.T) {
	t.Parallel()
	corrupt := map[string]func([]byte) []byte{
		"cut in a value":      func(b []byte) []byte { return b[:len(b)-1] },
		"cut behind a value":  func(b []byte) []byte { return b[:len(b)-6] },
		"extended":            func(b []byte) []byte { return append(b, 1, 'x') },
		"length out of range": func(b []byte) []byte { return append([]byte{0xff, 0xff, 0xff, 0x7f}, b...) },
		"endless length":      func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, 20) },
	}
	for name, change := range corrupt {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			s := filled(t, m)
			require.NoError(t, s.Finish())
			for name, data := range m.parts {
				m.parts[name] = change(data)
			}
			var last error
			for _, err := range s.All() {
				last = err
			}
			require.EqualError(t, last, "spill: a part is corrupt")
			require.Zero(t, m.open)
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for name, budget := range map[string]int{"spilled": 0, "memory": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			const n = 1_000_000
			value := make([]byte, 20)
			b.ReportAllocs()
			for b.Loop() {
				m := newMemory()
				s := spill.NewSet(m, "set", budget)
				random := rand.New(rand.NewPCG(1, 2))
				for range n {
					binary.BigEndian.PutUint64(value, random.Uint64())
					_, err := s.Add(value)
					if err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, s.Finish())
				require.EqualValues(b, n, s.Len())
				for _, err := range s.All() {
					if err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, s.Close())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
		})
	}
}
