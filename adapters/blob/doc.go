// Package blob delivers data packages to object stores: Amazon S3 and what
// speaks S3, Google Cloud Storage, Azure Blob Storage, and whatever else
// gocloud.dev/blob has a driver for. The host opens the bucket with the driver
// that it needs, so that it links no other:
//
//	bucket, err := s3blob.OpenBucket(ctx, client, "packages", nil)
//	...
//	destination := blob.New(bucket, &blob.Options{
//		Name:        "packages",
//		BeforeWrite: blobs3.BeforeWrite,
//		Sign:        blobs3.Sign,
//	})
//
// The packages blobs3, blobgcs and blobazure beside this one hold what only
// one service has. docs/destinations.md says what each service needs: its
// permissions, and the rule that clears away what crashed uploads left.
//
// No error quotes the name of a file, which may hold an identifier of a
// person, nor a link.
package blob
