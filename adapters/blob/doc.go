// Package blob delivers data packages to object stores: Amazon S3 and what
// speaks S3, Google Cloud Storage, Azure Blob Storage, and whatever else
// gocloud.dev/blob has a driver for. The host opens the bucket with the driver
// that it needs, so that it links no other:
//
//	bucket, err := gcsblob.OpenBucket(ctx, client, "packages", signing)
//	...
//	destination := blob.New(bucket, &blob.Options{Name: "packages", Sign: blobgcs.Sign})
//
// The packages blobs3, blobgcs and blobazure below this one hold what only one
// service has. For S3, use blobs3.New. docs/destinations.md says what each service needs: its
// permissions, and the rule that clears away what crashed uploads left.
//
// No error quotes the name of a file, which may hold an identifier of a
// person, nor a link.
package blob
