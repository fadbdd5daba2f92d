package dsr

import (
	"context"
	"io"
)

// Spool keeps the rows of running requests outside of memory. What it is given
// is sealed already. A spool may lose everything with its machine: what is
// missing is collected again. Errors are logged as they are: they must hold
// nothing personal.
type Spool interface {
	// Create opens a new part for writing and replaces an older one of
	// that name. The part can be opened once its writer is closed.
	Create(ctx context.Context, requestID, part string) (io.WriteCloser, error)
	// Open reads a part from its beginning; [ErrNotFound] if there is
	// none.
	Open(ctx context.Context, requestID, part string) (io.ReadCloser, error)
	// Remove deletes the named parts, or all of the request when none is
	// named. What is not there is no error.
	Remove(ctx context.Context, requestID string, parts ...string) error
}
