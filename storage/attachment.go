package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// mediaType is that of the file, whose default is filled in.
func (a *Attachment) mediaType() string {
	if a.Type == "" {
		return "application/octet-stream"
	}
	return a.Type
}

// copyTo writes the file's content by way of a buffer, and returns its size in
// bytes.
func (a *Attachment) copyTo(ctx context.Context, w io.Writer, buf []byte) (n int64, err error) {
	r, err := a.Open(ctx)
	if err != nil {
		return 0, fmt.Errorf("storage: open a file for the package: %w", withoutPath(err))
	}
	defer func() {
		if e := r.Close(); err == nil && e != nil {
			err = fmt.Errorf("storage: read a file for the package: %w", withoutPath(e))
		}
	}()
	if n, err = io.CopyBuffer(w, readerOf(ctx, r), buf); err != nil {
		return n, fmt.Errorf("storage: copy a file into the package: %w", withoutPath(err))
	}
	return n, nil
}

// withoutPath drops the paths that an error of the operating system quotes: the
// name of a file may be that of a person.
func withoutPath(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// readerOf ends with its context.
func readerOf(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		return r.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
