// Package blobs3 holds what data packages need of Amazon S3, and of what speaks
// S3, beyond gocloud.dev/blob: uploads that hold little in memory and clear away
// after themselves, links that name the file, and a sweep of what crashed
// uploads left.
//
//	bucket, err := s3blob.OpenBucket(ctx, client, "packages", nil)
//	...
//	destination, err := blobs3.New(bucket, &blob.Options{Name: "packages"})
package blobs3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/adapters/blob"
)

// abortFor is how long a failed or aborted upload may take to tell the service
// that its parts can go.
const abortFor = 10 * time.Second

var errNotS3 = errors.New("blobs3: the bucket was not opened with gocloud.dev/blob/s3blob")

// New returns a destination in a bucket that was opened with s3blob. Its uploads
// keep to the memory that the options tell, and aborted ones leave no parts that
// are paid for; Options.Sign defaults to [Sign]. It fails for buckets of other
// services. opts may be nil.
//
// Checksums are calculated as the configuration of the client says; the one of
// s3blob.Options does not count.
func New(bucket *gcblob.Bucket, opts *blob.Options) (*blob.Destination, error) {
	var client *s3.Client
	if bucket == nil || !bucket.As(&client) {
		return nil, errNotS3
	}
	var o blob.Options
	if opts != nil {
		o = *opts
	}
	if o.Sign == nil {
		o.Sign = Sign
	}
	size, workers, next := o.BufferSize, o.MaxConcurrency, o.BeforeWrite
	if size <= 0 {
		size = blob.DefaultBufferSize
	}
	if workers <= 0 {
		workers = 1
	}
	o.BeforeWrite = func(as func(any) bool) error {
		var uploads *transfermanager.Client
		if !as(&uploads) {
			return errNotS3
		}
		*uploads = *transfermanager.New(client, func(t *transfermanager.Options) {
			t.PartSizeBytes = int64(size)
			// Up to here a file is held whole, to be sent in one request.
			t.MultipartUploadThreshold = int64(size)
			t.Concurrency = workers
			t.FailTimeout = abortFor
			t.RequestChecksumCalculation = client.Options().RequestChecksumCalculation
		})
		if next != nil {
			return next(as)
		}
		return nil
	}
	return blob.New(bucket, &o), nil
}

// Sign is a [blob.Signer] for buckets that were opened with s3blob. With
// credentials that expire, a link expires with them.
func Sign(ctx context.Context, bucket *gcblob.Bucket, l blob.Link) (string, error) {
	return bucket.SignedURL(ctx, l.Key, &gcblob.SignedURLOptions{
		Expiry: l.Expires,
		BeforeSign: func(as func(any) bool) error {
			var in *s3.GetObjectInput
			if !as(&in) {
				return errNotS3
			}
			in.ResponseContentDisposition = &l.Disposition
			return nil
		},
	})
}
