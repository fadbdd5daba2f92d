package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/godsr/dsr"
)

// Spool is a [dsr.Spool] in memory, for tests and for small data. It holds all
// rows of all running requests.
type Spool struct {
	mu    sync.Mutex
	parts map[string]map[string][]byte // by request, then by part
}

// NewSpool returns an empty spool.
func NewSpool() *Spool { return &Spool{parts: map[string]map[string][]byte{}} }

var _ dsr.Spool = (*Spool)(nil)

// Create implements [dsr.Spool].
func (s *Spool) Create(ctx context.Context, requestID, part string) (io.WriteCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &spoolWriter{spool: s, requestID: requestID, part: part}, nil
}

// Open implements [dsr.Spool].
func (s *Spool) Open(ctx context.Context, requestID, part string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.parts[requestID][part]
	if !ok {
		return nil, fmt.Errorf("memory: spool: no such part: %w", dsr.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(data)), nil // a finished part never changes
}

// Remove implements [dsr.Spool].
func (s *Spool) Remove(ctx context.Context, requestID string, parts ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range parts {
		delete(s.parts[requestID], part)
	}
	if len(parts) == 0 || len(s.parts[requestID]) == 0 {
		delete(s.parts, requestID)
	}
	return nil
}

type spoolWriter struct {
	spool           *Spool
	requestID, part string
	buf             bytes.Buffer
	closed          bool
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, fmt.Errorf("memory: spool: write a part: %w", fs.ErrClosed)
	}
	return w.buf.Write(p)
}

func (w *spoolWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	w.spool.mu.Lock()
	defer w.spool.mu.Unlock()
	if w.spool.parts[w.requestID] == nil {
		w.spool.parts[w.requestID] = map[string][]byte{}
	}
	w.spool.parts[w.requestID][w.part] = w.buf.Bytes()
	return nil
}
