package dsr

import (
	"context"
	"encoding/json"
)

// What a journal holds in memory, besides one row.
const (
	chunkBytes   = 1 << 20 // the weight of one chunk; a heavier row is a chunk of its own
	pendingBytes = 4 << 20 // sealed chunks that wait to be stored
)

// weight is about how many bytes an entry takes, encoded or in memory.
func (e entry) weight() int {
	n := weightOf(e.key)
	for _, c := range e.set {
		n += weightOf(c.Path) + weightOf(c.Old) + weightOf(c.New)
	}
	return n
}

func weightOf(v any) int {
	n := 16
	switch v := v.(type) {
	case string:
		n += len(v)
	case json.Number:
		n += len(v)
	case []byte:
		n += len(v)
	case []any:
		for _, e := range v {
			n += weightOf(e)
		}
	case map[string]any:
		for key, e := range v {
			n += len(key) + weightOf(e)
		}
	}
	return n
}

// chunker gathers the entries of a step for chunks of bounded size.
type chunker struct {
	journal *journal
	step    *step
	entries []entry
	size    int
	rows    int64 // in all chunks
}

func (c *chunker) add(ctx context.Context, e entry) error {
	weight := e.weight()
	if len(c.entries) == c.journal.run.engine.config.Limits.ChunkRows || c.size+weight > chunkBytes {
		if err := c.cut(ctx); err != nil {
			return err
		}
	}
	c.entries, c.size, c.rows = append(c.entries, e), c.size+weight, c.rows+1
	return nil
}

// cut ends a chunk.
func (c *chunker) cut(ctx context.Context) error {
	err := c.journal.add(ctx, c.step, c.entries)
	clear(c.entries)
	c.entries, c.size = c.entries[:0], 0
	return err
}
