package dsr

import (
	"errors"
	"fmt"

	"github.com/godsr/dsr/internal/seal"
	"github.com/godsr/dsr/internal/value"
)

// openChunk reverses seal.
func (r *run) openChunk(key []byte, c JournalChunk) ([]entry, error) {
	plain, err := seal.Open(key, c.Sealed, bound(r.id, "journal "+c.Step))
	if err != nil {
		return nil, fmt.Errorf("chunk %d of the journal: %w", c.Seq, err)
	}
	entries, ok := decodeEntries(plain)
	if !ok {
		return nil, fmt.Errorf("chunk %d: %w", c.Seq, errDamaged)
	}
	return entries, nil
}

// encodeEntries encodes rows of the journal: of each its key and its changes,
// of those the path, the old and the new value.
func encodeEntries(entries []entry) ([]byte, error) {
	rows := make([]any, len(entries))
	for i, e := range entries {
		set := make([]any, len(e.set))
		for n, c := range e.set {
			path := make([]any, len(c.Path))
			for at, p := range c.Path {
				if index, ok := p.(int); ok {
					p = int64(index)
				}
				path[at] = p
			}
			set[n] = []any{path, c.Old, c.New}
		}
		rows[i] = []any{e.key, set}
	}
	return value.Append(nil, rows)
}

// decodeEntries reverses encodeEntries; not ok for what it did not write.
func decodeEntries(plain []byte) ([]entry, bool) {
	v, rest, err := value.Decode(plain)
	rows, ok := v.([]any)
	if err != nil || !ok || len(rest) > 0 {
		return nil, false
	}
	entries := make([]entry, len(rows))
	for i, row := range rows {
		if entries[i], ok = decodeEntry(row); !ok {
			return nil, false
		}
	}
	return entries, true
}

var errDamaged = errors.New("the journal is damaged")

func decodeEntry(v any) (entry, bool) {
	row, ok := v.([]any)
	if !ok || len(row) != 2 {
		return entry{}, false
	}
	key, ok1 := row[0].([]any)
	set, ok2 := row[1].([]any)
	if !ok1 || !ok2 {
		return entry{}, false
	}
	e := entry{key: key}
	for _, v := range set {
		c, ok := v.([]any)
		if !ok || len(c) != 3 {
			return entry{}, false
		}
		path, ok := c[0].([]any)
		if !ok {
			return entry{}, false
		}
		for at, p := range path {
			switch p := p.(type) {
			case int64:
				path[at] = int(p)
			case string:
			default:
				return entry{}, false
			}
		}
		e.set = append(e.set, Change{Path: path, Old: c[1], New: c[2]})
	}
	return e, true
}
