package blob

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"

	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/storage"
)

// DefaultBufferSize is the size of the parts in which files are uploaded, in
// bytes: the smallest that S3 takes.
const DefaultBufferSize = 5 << 20

// Options tune a [Destination].
type Options struct {
	// Name is what errors call the bucket. Defaults to no name.
	Name string
	// Prefix comes before the name of every file, without a separator
	// between: "packages/" makes a folder. Defaults to none.
	Prefix string
	// ContentType is the media type of every file. Defaults to that of the
	// file's extension: application/json for .json, application/zip for
	// .zip, application/octet-stream for all others.
	ContentType string
	// BufferSize is the size of the parts of an upload in bytes, of which an
	// upload holds about three in memory, five at most; on S3, only with
	// blobs3.New. A file on S3 has at most 10,000 parts: those of 5 MiB make
	// 48 GiB.
	// Defaults to [DefaultBufferSize].
	BufferSize int
	// MaxConcurrency is how many parts of a file are uploaded at once. Each
	// above the first holds one more part in memory. Defaults to 1.
	MaxConcurrency int
	// BeforeWrite is called with every upload that starts, and may change
	// its request, for server-side encryption or tags: see BeforeWrite of
	// [gcblob.WriterOptions]. It is called by many uploads at once.
	// Defaults to nothing.
	BeforeWrite func(as func(any) bool) error
	// Sign signs the links of [Destination.Link]: blobs3.Sign, blobgcs.Sign,
	// blobazure.Sign. Defaults to what the
	// bucket's driver signs, which cannot call a file otherwise than it is
	// called in the bucket.
	Sign Signer
}

// Signer signs a link to a file of a bucket. Its errors may quote what they
// like: nothing of them is shown.
type Signer func(ctx context.Context, bucket *gcblob.Bucket, l Link) (string, error)

// Link is what a [Signer] signs.
type Link struct {
	// Key is that of the object, with its prefix.
	Key string
	// Expires is for how long the link is valid.
	Expires time.Duration
	// Disposition is the Content-Disposition of the answer: that it is to
	// be saved, under which name.
	Disposition string
}

// Destination is a [storage.Destination] in a bucket. Its files can also be
// removed, read and linked to.
//
// An older file of the same name is replaced at once: who opens it gets all of
// the one or all of the other. Of uploads that run side by side, the one that is
// committed last stays.
type Destination struct {
	bucket *gcblob.Bucket
	opts   Options
}

var (
	_ storage.Destination = (*Destination)(nil)
	_ storage.Remover     = (*Destination)(nil)
	_ storage.Opener      = (*Destination)(nil)
	_ storage.Linker      = (*Destination)(nil)
)

// New returns a destination in a bucket, which stays the host's to close. opts
// may be nil.
func New(bucket *gcblob.Bucket, opts *Options) *Destination {
	d := &Destination{bucket: bucket}
	if opts != nil {
		d.opts = *opts
	}
	if d.opts.BufferSize <= 0 {
		d.opts.BufferSize = DefaultBufferSize
	}
	if d.opts.MaxConcurrency <= 0 {
		d.opts.MaxConcurrency = 1
	}
	return d
}

// key is that of the object with a file's name.
func (d *Destination) key(name string) string { return d.opts.Prefix + name }

// contentType is the media type of the file with a name.
func (d *Destination) contentType(name string) string {
	if d.opts.ContentType != "" {
		return d.opts.ContentType
	}
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".zip":
		return "application/zip"
	}
	return "application/octet-stream"
}

// Remove implements [storage.Remover]. Where the bucket keeps versions, earlier
// ones stay: the bucket needs a rule that removes them.
func (d *Destination) Remove(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	err := d.bucket.Delete(ctx, d.key(name))
	if err == nil {
		return nil
	}
	if err := d.fail(context.Cause(ctx), "remove a file", err); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// That a file is gone must not be said of a bucket that is not there.
	there, err := d.bucket.IsAccessible(ctx)
	if err != nil {
		return d.fail(context.Cause(ctx), "remove a file: list the bucket", err)
	}
	if !there {
		return &Error{Operation: "remove a file", Bucket: d.opts.Name, reason: reasonNoBucket}
	}
	return nil
}

// check says why nothing is to be done with a name.
func check(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return storage.CheckName(name)
}
