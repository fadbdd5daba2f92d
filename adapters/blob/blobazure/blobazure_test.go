package blobazure_test

import (
	"encoding/base64"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/memblob"

	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobazure"
)

// A link is signed offline, by the account's key, with what names the file.
func TestSign(t *testing.T) {
	t.Parallel()
	credential, err := container.NewSharedKeyCredential("account", base64.StdEncoding.EncodeToString([]byte("secret")))
	require.NoError(t, err)
	client, err := container.NewClientWithSharedKeyCredential("https://account.blob.core.windows.net/packages", credential, nil)
	require.NoError(t, err)
	bucket, err := azureblob.OpenBucket(t.Context(), client, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })

	dest := blob.New(bucket, &blob.Options{Prefix: "p/", Sign: blobazure.Sign(credential)})
	link, err := dest.Link(t.Context(), "r 1.zip", time.Hour, "your data.zip")
	require.NoError(t, err)
	parsed, err := url.Parse(link)
	require.NoError(t, err)
	require.Equal(t, "/packages/p/r 1.zip", parsed.Path)
	query := parsed.Query()
	require.Equal(t, `attachment; filename="your data.zip"`, query.Get("rscd"))
	require.Equal(t, "r", query.Get("sp"), "it may be read, nothing else")
	require.Equal(t, "b", query.Get("sr"), "and nothing but it")
	require.Equal(t, "https", query.Get("spr"))
	require.NotEmpty(t, query.Get("sig"))
	expires, err := time.Parse(time.RFC3339, query.Get("se"))
	require.NoError(t, err)
	require.WithinRange(t, expires, time.Now().Add(50*time.Minute), time.Now().Add(time.Hour))

	memory := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, memory.Close()) })
	_, err = blob.New(memory, &blob.Options{Sign: blobazure.Sign(credential)}).Link(t.Context(), "a.zip", time.Hour, "b.zip")
	require.Error(t, err)
	require.NotErrorIs(t, err, errors.ErrUnsupported)
}
