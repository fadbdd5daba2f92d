package blob

import (
	"context"
	"errors"
	"io"
	"time"

	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/storage"
)

// Open implements [storage.Opener]. The file is read while it is asked for, and
// ends with ctx. Where a file is replaced while it is read, reading goes on in
// what it was, or fails after a Seek: it never goes on in the other.
func (d *Destination) Open(ctx context.Context, name string) (storage.File, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	reader, err := d.bucket.NewReader(ctx, d.key(name), nil)
	if err != nil {
		return nil, d.fail(context.Cause(ctx), "open a file", err)
	}
	return &file{
		reader: reader, size: reader.Size(), modified: reader.ModTime(),
		fail: func(err error) error { return d.fail(context.Cause(ctx), "read a file", err) },
	}, nil
}

// file is an object that is read.
type file struct {
	reader   *gcblob.Reader
	size     int64
	modified time.Time
	at       int64
	fail     func(error) error
}

var (
	errReplaced = errors.New("blob: the file was replaced while it was read; open it again")
	errSeek     = errors.New("blob: a file cannot be read before its beginning")
)

// Size implements [storage.File].
func (f *file) Size() int64 { return f.size }

// Read implements [io.Reader].
func (f *file) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	n, err := f.reader.Read(p)
	if f.reader.Size() != f.size || !f.reader.ModTime().Equal(f.modified) {
		return 0, errReplaced
	}
	f.at += int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && f.at >= f.size:
		return n, io.EOF
	}
	return n, f.fail(err)
}

// Seek implements [io.Seeker]. What is read next is asked for only then.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, errSeek
	}
	f.at = offset
	if offset >= f.size { // nothing to be read, and the reader complains
		return offset, nil
	}
	if _, err := f.reader.Seek(offset, io.SeekStart); err != nil {
		return 0, f.fail(err)
	}
	return offset, nil
}

// Close implements [io.Closer].
func (f *file) Close() error {
	if err := f.reader.Close(); err != nil {
		return f.fail(err)
	}
	return nil
}
