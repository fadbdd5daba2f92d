// Package blobgcs holds what data packages need of Google Cloud Storage beyond
// gocloud.dev/blob: links that name the file.
//
//	bucket, err := gcsblob.OpenBucket(ctx, client, "packages", &gcsblob.Options{GoogleAccessID: account, PrivateKey: key})
//	...
//	destination := blob.New(bucket, &blob.Options{Name: "packages", Sign: blobgcs.Sign})
package blobgcs

import (
	"context"
	"errors"
	"net/url"

	"cloud.google.com/go/storage"
	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/adapters/blob"
)

var errNotGCS = errors.New("blobgcs: the bucket was not opened with gocloud.dev/blob/gcsblob")

// Sign is a [blob.Signer] for buckets that were opened with gcsblob. Its options
// must say who signs: GoogleAccessID, and PrivateKey, SignBytes or
// MakeSignBytes.
func Sign(ctx context.Context, bucket *gcblob.Bucket, l blob.Link) (string, error) {
	return bucket.SignedURL(ctx, l.Key, &gcblob.SignedURLOptions{
		Expiry: l.Expires,
		BeforeSign: func(as func(any) bool) error {
			var opts *storage.SignedURLOptions
			if !as(&opts) {
				return errNotGCS
			}
			opts.Scheme = storage.SigningSchemeV4 // the other one signs no parameters
			opts.QueryParameters = url.Values{"response-content-disposition": {l.Disposition}}
			return nil
		},
	})
}
