package blob

import (
	"cmp"
	"context"
	"mime"

	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/storage"
)

// upload is one object on its way.
type upload struct {
	dest   *Destination
	writer *gcblob.Writer
	ended  func() error       // why the context of the writer is over, if it is
	cancel context.CancelFunc // drops what was written, until the writer is closed
	err    error              // why Commit must fail
	over   bool
}

// Create implements [storage.Destination]. What a process that dies has uploaded
// is never visible; see docs/destinations.md for how a service clears it away.
func (d *Destination) Create(ctx context.Context, name string) (storage.Upload, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	within, cancel := context.WithCancel(ctx)
	writer, err := d.bucket.NewWriter(within, d.key(name), &gcblob.WriterOptions{
		BufferSize:         d.opts.BufferSize,
		MaxConcurrency:     d.opts.MaxConcurrency,
		ContentType:        d.contentType(name),
		ContentDisposition: disposition(name),
		BeforeWrite:        d.opts.BeforeWrite,
	})
	if err != nil {
		cancel()
		return nil, d.fail(context.Cause(ctx), "start an upload", err)
	}
	return &upload{dest: d, writer: writer, cancel: cancel, ended: func() error { return context.Cause(ctx) }}, nil
}

// disposition makes browsers save a file under a name rather than show it: what
// a package holds was written by others.
func disposition(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// Write implements [storage.Upload].
func (u *upload) Write(p []byte) (int, error) {
	if u.over {
		return 0, storage.ErrUploadOver
	}
	if ended := u.ended(); u.err == nil && ended != nil {
		u.err = u.dest.fail(ended, "write", ended)
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.writer.Write(p)
	if err != nil {
		u.err = u.dest.fail(u.ended(), "write", err)
	}
	return n, u.err
}

// Commit implements [storage.Upload].
func (u *upload) Commit(ctx context.Context) error {
	if u.over {
		return storage.ErrUploadOver
	}
	ended := func() error { return cmp.Or(context.Cause(ctx), u.ended()) }
	if why := ended(); u.err == nil && why != nil {
		u.err = u.dest.fail(why, "commit", why)
	}
	if u.err != nil {
		_ = u.Abort()
		return u.err
	}
	u.over = true
	defer u.cancel()
	defer context.AfterFunc(ctx, u.cancel)()
	if err := u.writer.Close(); err != nil {
		e := u.dest.fail(ended(), "commit", err)
		e.unsure = e.Status == 0 // the answer may have been lost, not the request
		return e
	}
	return nil
}

// Abort implements [storage.Upload].
func (u *upload) Abort() error {
	if u.over {
		return nil
	}
	u.over = true
	u.cancel()
	_ = u.writer.Close() // It fails, for its context is over, and so writes nothing.
	return nil
}
