package oauth

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godsr/dsr"
)

// MemoryRecords are [Records] that end with their process: for tests and
// try-outs. [StoreRecords] last.
type MemoryRecords struct {
	mu      sync.RWMutex
	records map[string]map[string]Record // by kind and key
}

// NewMemoryRecords returns empty records.
func NewMemoryRecords() *MemoryRecords {
	return &MemoryRecords{records: map[string]map[string]Record{}}
}

var _ Records = (*MemoryRecords)(nil)

// Get implements [Records].
func (m *MemoryRecords) Get(ctx context.Context, kind, key string) (Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.records[kind][key]
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	if !ok {
		return Record{}, absent(kind)
	}
	return r.clone(), nil
}

// List implements [Records].
func (m *MemoryRecords) List(ctx context.Context, kind, after string, limit int) ([]Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Record
	for key, r := range m.records[kind] {
		if key > after {
			found = append(found, r.clone())
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(len(found), max(limit, 0))], ctx.Err()
}

// Put implements [Records].
func (m *MemoryRecords) Put(ctx context.Context, r Record, expectVersion int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if at := m.records[r.Kind][r.Key].Version; at != expectVersion {
		return conflict(r.Kind, at, expectVersion)
	}
	if m.records[r.Kind] == nil {
		m.records[r.Kind] = map[string]Record{}
	}
	r = r.clone()
	r.Version = expectVersion + 1
	m.records[r.Kind][r.Key] = r
	return nil
}

// Delete implements [Records].
func (m *MemoryRecords) Delete(ctx context.Context, kind, key string, expectVersion int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	r, ok := m.records[kind][key]
	switch {
	case !ok:
		return absent(kind)
	case r.Version != expectVersion:
		return conflict(kind, r.Version, expectVersion)
	}
	delete(m.records[kind], key)
	return nil
}

func conflict(kind string, at, expected int64) error {
	return fmt.Errorf("oauth: the %s is at version %d, not %d: %w", kind, at, expected, dsr.ErrConflict)
}

func (r Record) clone() Record {
	r.Data = bytes.Clone(r.Data)
	return r
}
