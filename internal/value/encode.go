package value

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// An encoded value is a tag and its payload. Lengths and counts are minimal
// unsigned varints, floats big-endian bits, times seconds (zigzag varint) and
// nanoseconds since 1970, and the keys of a map ascend strictly. Integers are
// big-endian with the sign bit flipped, so that their encodings sort as they do:
// sets of keys are asked for in ranges that lie together in a table. Every value
// has one encoding only.
const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagNumber
	tagString
	tagBytes
	tagTime
	tagList
	tagMap
)

const signBit = 1 << 63

// canonicalNaN is the only NaN that is encoded.
const canonicalNaN = 0x7ff8000000000001

// Append appends the encoding of v, which delimits itself: equal values of one
// type have equal bytes, different values different ones. A float's negative
// zero is written as zero, every NaN as the same one; a time keeps its instant
// only, a nil list, map or []byte is an empty one. Numbers of different types
// differ, even where [Equal] finds them equal.
//
// A value outside of the set is normalized first, with the errors of
// [Normalize]; dst then comes back as it was.
func Append(dst []byte, v any) ([]byte, error) {
	out, err := appendValue(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(dst, tagNil), nil
	case bool:
		if x {
			return append(dst, tagTrue), nil
		}
		return append(dst, tagFalse), nil
	case int64:
		return binary.BigEndian.AppendUint64(append(dst, tagInt), uint64(x)^signBit), nil //nolint:gosec // bits
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, tagFloat), floatBits(x)), nil
	case json.Number:
		return appendText(append(dst, tagNumber), string(x)), nil
	case string:
		return appendText(append(dst, tagString), x), nil
	case []byte:
		dst = binary.AppendUvarint(append(dst, tagBytes), uint64(len(x)))
		return append(dst, x...), nil
	case time.Time:
		dst = binary.AppendVarint(append(dst, tagTime), x.Unix())
		return binary.AppendUvarint(dst, uint64(x.Nanosecond())), nil
	case []any:
		return appendList(dst, x, depth)
	case map[string]any:
		return appendMap(dst, x, depth)
	}
	n, _, err := normalize(v, depth)
	if err != nil {
		return dst, err
	}
	return appendValue(dst, n, depth)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendList(dst []byte, list []any, depth int) ([]byte, error) {
	if depth >= MaxDepth {
		return dst, ErrDepth
	}
	dst = binary.AppendUvarint(append(dst, tagList), uint64(len(list)))
	var err error
	for _, e := range list {
		if dst, err = appendValue(dst, e, depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func appendMap(dst []byte, m map[string]any, depth int) ([]byte, error) {
	if depth >= MaxDepth {
		return dst, ErrDepth
	}
	dst = binary.AppendUvarint(append(dst, tagMap), uint64(len(m)))
	var few [16]string
	var err error
	for _, k := range sortedKeys(few[:0], m) {
		dst = appendText(dst, k)
		if dst, err = appendValue(dst, m[k], depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func sortedKeys(keys []string, m map[string]any) []string {
	if len(m) > cap(keys) {
		keys = make([]string, 0, len(m))
	}
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func floatBits(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return canonicalNaN
	}
	return math.Float64bits(f)
}
