package memory

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
)

// selector finds the tuples that a row's fields equal, by hash, so that the
// cost of a row does not grow with the number of tuples.
type selector struct {
	fields []graph.Path
	tuples [][]any
	fold   bool
	nulls  bool // a null of a tuple of several matches null
	// buckets hold the indexes of tuples that may be equal.
	buckets map[string][]int
	scratch []byte
}

func newSelector(fields []graph.Path, tuples [][]any, fold bool) (*selector, error) {
	s := &selector{
		fields:  fields,
		tuples:  make([][]any, len(tuples)),
		fold:    fold,
		buckets: make(map[string][]int, len(tuples)),
	}
	for _, path := range fields {
		if len(path) == 0 {
			return nil, fmt.Errorf("a field without a name: %w", dsr.ErrEmptyQuery)
		}
	}
	for i, tuple := range tuples {
		if len(tuple) == 0 {
			return nil, fmt.Errorf("tuple %d: %w", i, dsr.ErrEmptyQuery)
		}
		if len(tuple) != len(fields) {
			return nil, fmt.Errorf("tuple %d has %d values for %d fields", i, len(tuple), len(fields))
		}
		normal := make([]any, len(tuple))
		for j, v := range tuple {
			n, err := value.Normalize(v)
			if err != nil {
				return nil, fmt.Errorf("tuple %d: %w", i, err)
			}
			normal[j] = s.folded(n)
		}
		s.tuples[i] = normal
		bucket := string(s.bucket(normal))
		s.buckets[bucket] = append(s.buckets[bucket], i)
	}
	return s, nil
}

// find yields the index of every tuple that the row matches; an index may come
// more than once where the path leads through arrays. A null matches nothing,
// unless nulls is set.
func (s *selector) find(row map[string]any) iter.Seq[int] {
	return func(yield func(int) bool) {
		if len(s.fields) > 1 {
			tuple := make([]any, len(s.fields))
			for i, path := range s.fields {
				v, _ := lookup(row, path)
				if v == nil && !s.nulls {
					return
				}
				tuple[i] = s.folded(v)
			}
			s.equal(tuple, yield)
			return
		}
		path := s.fields[0]
		var tuple [1]any
		for leaf := range leaves(row[path[0]], path[1:]) {
			tuple[0] = s.folded(leaf)
			if !s.equal(tuple[:], yield) {
				return
			}
		}
	}
}

func (s *selector) equal(tuple []any, yield func(int) bool) bool {
	for _, i := range s.buckets[string(s.bucket(tuple))] {
		same := true
		for j := range tuple {
			same = same && value.Equal(tuple[j], s.tuples[i][j])
		}
		if same && !yield(i) {
			return false
		}
	}
	return true
}

func (s *selector) folded(v any) any {
	if text, ok := v.(string); ok && s.fold {
		return value.Fold(text)
	}
	return v
}

// bucket returns the same bytes for tuples that are equal, and rarely for
// others. They are valid until the next call.
func (s *selector) bucket(tuple []any) []byte {
	b := s.scratch[:0]
	for _, v := range tuple {
		switch v := v.(type) {
		case string:
			b = append(strconv.AppendInt(append(b, 's'), int64(len(v)), 10), ':')
			b = append(b, v...)
		case []byte:
			b = append(strconv.AppendInt(append(b, 'b'), int64(len(v)), 10), ':')
			b = append(b, v...)
		case time.Time:
			b = strconv.AppendInt(append(b, 't'), v.Unix(), 10)
		case bool:
			b = strconv.AppendBool(append(b, 'o'), v)
		case int64:
			b = appendFloat(b, float64(v))
		case float64:
			b = appendFloat(b, v)
		case json.Number:
			// Numbers beyond the range become infinities, which will do.
			f, _ := strconv.ParseFloat(string(v), 64)
			b = appendFloat(b, f)
		default:
			b = append(b, 'd')
		}
	}
	s.scratch = b
	return b
}

func appendFloat(b []byte, f float64) []byte {
	// Negative zero equals zero.
	return strconv.AppendUint(append(b, 'n'), math.Float64bits(f+0), 16)
}

// lookup follows a path through objects only.
func lookup(row map[string]any, path graph.Path) (any, bool) {
	var v any = row
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[key]; !ok {
			return nil, false
		}
	}
	return v, true
}
