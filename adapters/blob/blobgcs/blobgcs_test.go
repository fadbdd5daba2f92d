package blobgcs_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcp"

	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobgcs"
)

// A link is signed offline, by the account's key, with what names the file.
func TestSign(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	open := func(opts *gcsblob.Options) *gcblob.Bucket {
		bucket, err := gcsblob.OpenBucket(t.Context(), gcp.NewAnonymousHTTPClient(gcp.DefaultTransport()), "packages", opts)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, bucket.Close()) })
		return bucket
	}
	account := &gcsblob.Options{
		GoogleAccessID: "dsr@example.iam.gserviceaccount.com",
		PrivateKey:     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
	dest := blob.New(open(account), &blob.Options{Prefix: "p/", Sign: blobgcs.Sign})
	link, err := dest.Link(t.Context(), "r1.zip", time.Hour, "your data.zip")
	require.NoError(t, err)
	parsed, err := url.Parse(link)
	require.NoError(t, err)
	require.Equal(t, "/packages/p/r1.zip", parsed.Path)
	query := parsed.Query()
	require.Equal(t, `attachment; filename="your data.zip"`, query.Get("response-content-disposition"))
	require.Equal(t, "3599", query.Get("X-Goog-Expires"))
	require.NotEmpty(t, query.Get("X-Goog-Signature"))

	_, err = blob.New(open(nil), &blob.Options{Sign: blobgcs.Sign}).Link(t.Context(), "r1.zip", time.Hour, "your data.zip")
	require.ErrorIs(t, err, errors.ErrUnsupported, "nobody to sign")
	memory := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, memory.Close()) })
	_, err = blobgcs.Sign(t.Context(), memory, blob.Link{Key: "a", Expires: time.Hour})
	require.Error(t, err)
}
