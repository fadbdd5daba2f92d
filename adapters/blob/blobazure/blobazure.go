// Package blobazure holds what data packages need of Azure Blob Storage beyond
// gocloud.dev/blob: links that name the file.
//
//	credential, err := container.NewSharedKeyCredential(account, key)
//	client, err := container.NewClientWithSharedKeyCredential(address, credential, nil)
//	bucket, err := azureblob.OpenBucket(ctx, client, nil)
//	...
//	destination := blob.New(bucket, &blob.Options{Name: "packages", Sign: blobazure.Sign(credential)})
package blobazure

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/adapters/blob"
)

var errNotAzure = errors.New("blobazure: the bucket was not opened with gocloud.dev/blob/azureblob")

// Sign returns a [blob.Signer] for buckets that were opened with azureblob. The
// account's key signs, since what a driver of Azure signs by itself cannot name
// the file. The clocks of this machine and of Azure may differ by fifteen
// minutes.
func Sign(credential *container.SharedKeyCredential) blob.Signer {
	return func(_ context.Context, bucket *gcblob.Bucket, l blob.Link) (string, error) {
		var client *container.Client
		if !bucket.As(&client) {
			return "", errNotAzure
		}
		object := client.NewBlobClient(l.Key)
		parts, err := sas.ParseURL(object.URL())
		if err != nil {
			return "", err
		}
		now := time.Now().UTC()
		parts.SAS, err = sas.BlobSignatureValues{
			Protocol:           sas.ProtocolHTTPS,
			StartTime:          now.Add(-15 * time.Minute),
			ExpiryTime:         now.Add(l.Expires),
			Permissions:        (&sas.BlobPermissions{Read: true}).String(),
			ContainerName:      parts.ContainerName,
			BlobName:           parts.BlobName,
			ContentDisposition: l.Disposition,
		}.SignWithSharedKey(credential)
		if err != nil {
			return "", err
		}
		return parts.String(), nil
	}
}
