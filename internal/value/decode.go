package value

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"time"
)

// ErrCorrupt: the bytes are not an encoding that [Append] makes.
var ErrCorrupt = errors.New("value: corrupt encoding")

// fewElements bounds what a count in the input may allocate before its
// elements have been seen.
const fewElements = 64

// Decode reads one encoded value and returns what follows it. Times are in UTC;
// nothing of the value shares memory with src. Bytes that [Append] would not
// have written are [ErrCorrupt], and src comes back whole.
func Decode(src []byte) (v any, rest []byte, err error) {
	v, rest, ok := decode(src, 0)
	if !ok {
		return nil, src, ErrCorrupt
	}
	return v, rest, nil
}

func decode(src []byte, depth int) (v any, rest []byte, ok bool) {
	if len(src) == 0 {
		return nil, nil, false
	}
	tag, src := src[0], src[1:]
	switch tag {
	case tagNil:
		return nil, src, true
	case tagFalse:
		return false, src, true
	case tagTrue:
		return true, src, true
	case tagInt:
		i, rest, ok := readInt(src)
		return i, rest, ok
	case tagFloat:
		f, rest, ok := readFloat(src)
		return f, rest, ok
	case tagNumber:
		b, rest, ok := readBytes(src)
		return json.Number(b), rest, ok
	case tagString:
		b, rest, ok := readBytes(src)
		return string(b), rest, ok
	case tagBytes:
		b, rest, ok := readBytes(src)
		return append(make([]byte, 0, len(b)), b...), rest, ok
	case tagTime:
		t, rest, ok := readTime(src)
		return t, rest, ok
	case tagList:
		return decodeList(src, depth)
	case tagMap:
		return decodeMap(src, depth)
	}
	return nil, nil, false
}

func decodeList(src []byte, depth int) (any, []byte, bool) {
	n, src, ok := readCount(src, depth, 1)
	if !ok {
		return nil, nil, false
	}
	list := make([]any, 0, min(n, fewElements))
	for range n {
		var e any
		if e, src, ok = decode(src, depth+1); !ok {
			return nil, nil, false
		}
		list = append(list, e)
	}
	return list, src, true
}

func decodeMap(src []byte, depth int) (any, []byte, bool) {
	n, src, ok := readCount(src, depth, 2)
	if !ok {
		return nil, nil, false
	}
	m := make(map[string]any, min(n, fewElements))
	var last []byte
	for i := range n {
		var key []byte
		if key, src, ok = readKey(src, last, i); !ok {
			return nil, nil, false
		}
		last = key
		var e any
		if e, src, ok = decode(src, depth+1); !ok {
			return nil, nil, false
		}
		m[string(key)] = e
	}
	return m, src, true
}

// IsDocument reports whether an encoded value is a list or a map.
func IsDocument(src []byte) bool {
	return len(src) > 0 && (src[0] == tagList || src[0] == tagMap)
}

// Skip steps over one encoded value and returns what follows it. It allocates
// nothing. It refuses what [Decode] refuses.
func Skip(src []byte) (rest []byte, err error) {
	rest, ok := skip(src, 0)
	if !ok {
		return src, ErrCorrupt
	}
	return rest, nil
}

func skip(src []byte, depth int) (rest []byte, ok bool) {
	if len(src) == 0 {
		return nil, false
	}
	tag, src := src[0], src[1:]
	switch tag {
	case tagNil, tagFalse, tagTrue:
		return src, true
	case tagInt:
		_, rest, ok = readInt(src)
	case tagFloat:
		_, rest, ok = readFloat(src)
	case tagNumber, tagString, tagBytes:
		_, rest, ok = readBytes(src)
	case tagTime:
		_, rest, ok = readTime(src)
	case tagList:
		var n int
		n, rest, ok = readCount(src, depth, 1)
		for ; ok && n > 0; n-- {
			rest, ok = skip(rest, depth+1)
		}
	case tagMap:
		var n int
		n, rest, ok = readCount(src, depth, 2)
		var key []byte
		for i := 0; ok && i < n; i++ {
			if key, rest, ok = readKey(rest, key, i); ok {
				rest, ok = skip(rest, depth+1)
			}
		}
	}
	return rest, ok
}

// readUvarint refuses encodings that are longer than they need to be.
func readUvarint(src []byte) (uint64, []byte, bool) {
	if len(src) > 0 && src[0] < 0x80 {
		return uint64(src[0]), src[1:], true
	}
	u, n := binary.Uvarint(src)
	if n <= 0 || n > 1 && src[n-1] == 0 {
		return 0, nil, false
	}
	return u, src[n:], true
}

func readVarint(src []byte) (int64, []byte, bool) {
	u, rest, ok := readUvarint(src)
	return int64(u>>1) ^ -int64(u&1), rest, ok
}

func readInt(src []byte) (int64, []byte, bool) {
	if len(src) < 8 {
		return 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(src) ^ signBit), src[8:], true //nolint:gosec // bits
}

func readFloat(src []byte) (float64, []byte, bool) {
	if len(src) < 8 {
		return 0, nil, false
	}
	bits := binary.BigEndian.Uint64(src)
	f := math.Float64frombits(bits)
	return f, src[8:], floatBits(f) == bits
}

func readBytes(src []byte) (b, rest []byte, ok bool) {
	n, src, ok := readUvarint(src)
	if !ok || n > uint64(len(src)) {
		return nil, nil, false
	}
	return src[:n], src[n:], true
}

func readTime(src []byte) (time.Time, []byte, bool) {
	sec, src, ok := readVarint(src)
	if !ok {
		return time.Time{}, nil, false
	}
	nsec, src, ok := readUvarint(src)
	if !ok || nsec >= 1e9 {
		return time.Time{}, nil, false
	}
	return time.Unix(sec, int64(nsec)).UTC(), src, true
}

// readCount reads the count of a list or map whose elements take at least size
// bytes each.
func readCount(src []byte, depth, size int) (int, []byte, bool) {
	n, src, ok := readUvarint(src)
	if !ok || depth >= MaxDepth || n > uint64(len(src)/size) {
		return 0, nil, false
	}
	return int(n), src, true
}

// readKey reads the i-th key of a map, which must stand above the last one.
func readKey(src, last []byte, i int) (key, rest []byte, ok bool) {
	key, rest, ok = readBytes(src)
	return key, rest, ok && (i == 0 || string(key) > string(last))
}
