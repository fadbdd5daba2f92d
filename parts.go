package dsr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/godsr/dsr/internal/seal"
)

// Parts of a request's spool. What is small stays in memory, so that a request
// over many little tables writes no file for each; it reaches the spool when
// the request stops to wait, and is collected again after a crash.
const (
	smallPart  = 64 << 10 // the largest part that stays in memory
	smallParts = 8 << 20  // what all of them may hold together
)

// create opens a part for writing.
func (r *run) create(ctx context.Context, part, purpose string) io.WriteCloser {
	return &partWriter{run: r, ctx: ctx, part: part, purpose: purpose}
}

// createSealed opens a part of the spool itself for sealed writing.
func (r *run) createSealed(ctx context.Context, part, purpose string) (io.WriteCloser, error) {
	key, err := r.key(ctx, purpose)
	if err != nil {
		return nil, err
	}
	w, err := r.engine.config.Spool.Create(ctx, r.id, part)
	if err != nil {
		return nil, fmt.Errorf("dsr: spool: %w", err)
	}
	return seal.NewWriter(r.engine.config.Random, w, key, bound(r.id, part))
}

// errLost says that a part is not there any more, or damaged: with the machine
// that had it, or with a process that died. What it held is collected again.
var errLost = errors.New("collected rows were lost")

// open reads a part from its beginning; errLost if there is none.
func (r *run) open(ctx context.Context, part, purpose string) (io.ReadCloser, error) {
	r.partsMu.Lock()
	small, ok := r.small[part]
	r.partsMu.Unlock()
	if ok {
		return &smallReader{Reader: bytes.NewReader(small.data), data: small.data}, nil
	}
	key, err := r.key(ctx, purpose)
	if err != nil {
		return nil, err
	}
	rc, err := r.engine.config.Spool.Open(ctx, r.id, part)
	if errors.Is(err, ErrNotFound) {
		return nil, errLost
	}
	if err != nil {
		return nil, fmt.Errorf("dsr: spool: %w", err)
	}
	opened, err := seal.NewReader(rc, key, bound(r.id, part))
	return opened, lost(err)
}

// lost turns the error by which a part shows that it is damaged or cut off
// into errLost.
func lost(err error) error {
	if errors.Is(err, seal.ErrOpen) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errLost
	}
	return err
}

// remove drops parts.
func (r *run) remove(ctx context.Context, parts ...string) error {
	r.partsMu.Lock()
	for _, part := range parts {
		r.smallSize -= len(r.small[part].data)
		delete(r.small, part)
	}
	r.partsMu.Unlock()
	if err := r.engine.config.Spool.Remove(ctx, r.id, parts...); err != nil {
		return fmt.Errorf("dsr: spool: %w", err)
	}
	return nil
}

// keepParts writes what is in memory to the spool.
func (r *run) keepParts(ctx context.Context) error {
	r.partsMu.Lock()
	defer r.partsMu.Unlock()
	for _, part := range slices.Sorted(maps.Keys(r.small)) {
		w, err := r.createSealed(ctx, part, r.small[part].purpose)
		if err != nil {
			return err
		}
		if _, err := w.Write(r.small[part].data); err != nil {
			_ = w.Close()
			return fmt.Errorf("dsr: spool: %w", err)
		}
		if err := w.Close(); err != nil {
			return fmt.Errorf("dsr: spool: %w", err)
		}
	}
	r.small, r.smallSize = map[string]smallEntry{}, 0
	return nil
}

// smallEntry is a part that stayed in memory.
type smallEntry struct {
	purpose string
	data    []byte
}

// smallReader reads a part that stayed in memory.
type smallReader struct {
	*bytes.Reader
	data []byte
}

// Close implements io.Closer.
func (*smallReader) Close() error { return nil }

// keepSmall keeps a part in memory; not ok when there is no room.
func (r *run) keepSmall(part, purpose string, data []byte) bool {
	r.partsMu.Lock()
	defer r.partsMu.Unlock()
	size := r.smallSize - len(r.small[part].data) + len(data)
	if size > smallParts {
		return false
	}
	r.small[part] = smallEntry{purpose, data}
	r.smallSize = size
	return true
}

// partWriter holds a part in memory until it is known to be large. It lives
// for one call, whose context it carries.
type partWriter struct {
	run     *run
	ctx     context.Context //nolint:containedctx // io.Writer takes none
	part    string
	purpose string
	data    []byte
	large   io.WriteCloser
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	if w.large == nil && len(w.data)+len(p) > smallPart {
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	if w.large != nil {
		return w.large.Write(p)
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *partWriter) spill() error {
	large, err := w.run.createSealed(w.ctx, w.part, w.purpose)
	if err != nil {
		return err
	}
	w.large = large
	_, err = large.Write(w.data)
	w.data = nil
	return err
}

// Close ends the part.
func (w *partWriter) Close() error {
	if w.large == nil {
		if w.run.keepSmall(w.part, w.purpose, w.data) {
			return nil
		}
		if err := w.spill(); err != nil {
			if w.large != nil {
				return errors.Join(err, w.large.Close())
			}
			return err
		}
	}
	return w.large.Close()
}

// sealedParts lets a spill.Set write to the spool, sealed.
type sealedParts struct {
	run     *run
	ctx     context.Context //nolint:containedctx // spill.Parts takes none
	purpose string
}

// Create implements spill.Parts.
func (p *sealedParts) Create(name string) (io.WriteCloser, error) {
	return p.run.createSealed(p.ctx, name, p.purpose)
}

// Open implements spill.Parts.
func (p *sealedParts) Open(name string) (io.ReadCloser, error) {
	return p.run.open(p.ctx, name, p.purpose)
}

// Remove implements spill.Parts.
func (p *sealedParts) Remove(names ...string) error { return p.run.remove(p.ctx, names...) }
