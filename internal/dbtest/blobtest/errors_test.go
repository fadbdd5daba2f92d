package blobtest_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/memblob"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobs3"
	"github.com/godsr/dsr/internal/dbtest"
)

// What is wrong for good is told as such, and no error quotes the name of a
// file.
func TestPermanentErrors(t *testing.T) {
	t.Parallel()
	server := dbtest.S3(t)
	const (
		name        = "canary-of-a-person.json"
		credentials = "the service does not know the credentials, or they have expired; check those that the bucket is opened with, and the clock (code SignatureDoesNotMatch, status 403)"
		noBucket    = "the bucket is not there or may not be listed; check its name, region and permissions"
		unsigned    = "permission denied; give the account the permissions that docs/destinations.md lists (code Forbidden, status 403)"
	)
	wrong, err := openStore(t.Context(), newClient(server.Endpoint(), "another secret"), mustStore(t, server).name)
	require.NoError(t, err)
	missing, err := openStore(t.Context(), newClient(server.Endpoint(), dbtest.S3SecretKey), bucketName())
	require.NoError(t, err)
	for _, test := range []struct {
		name                 string
		dest                 *store
		commit, open, remove string
	}{
		// An answer to HEAD has no body that tells more.
		{"wrong credentials", wrong, "commit: " + credentials, "open a file: " + credentials, "remove a file: " + unsigned},
		{"missing bucket", missing, "commit: " + noBucket + " (code NoSuchBucket, status 404)", "open a file: " + noBucket + " (code NoSuchBucket, status 404)", "remove a file: " + noBucket},
	} {
		for _, size := range []int{1000, 12 << 20} {
			up, err := test.dest.Create(t.Context(), name)
			require.NoError(t, err)
			_, writeErr := up.Write(make([]byte, size))
			if writeErr == nil {
				_, writeErr = up.Write(make([]byte, size))
			}
			err = up.Commit(t.Context())
			if writeErr != nil {
				require.Equal(t, writeErr, err)
			}
			var e *blob.Error
			require.ErrorAs(t, err, &e)
			e.Operation = "commit"
			require.EqualError(t, err, "blob: bucket archive: "+test.commit, test.name)
			require.NotErrorIs(t, err, dsr.ErrUnavailable)
		}
		_, err = test.dest.Open(t.Context(), name)
		require.EqualError(t, err, "blob: bucket archive: "+test.open, test.name)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
		err = test.dest.Remove(t.Context(), name)
		require.EqualError(t, err, "blob: bucket archive: "+test.remove, test.name)
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
		_, err = blobs3.Sweep(t.Context(), test.dest.bucket, test.dest.name, nil)
		require.Error(t, err)
	}
}

func TestOnlyS3(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	_, err := blobs3.New(bucket, nil)
	require.EqualError(t, err, "blobs3: the bucket was not opened with gocloud.dev/blob/s3blob")
	_, err = blobs3.Sweep(t.Context(), bucket, "name", nil)
	require.EqualError(t, err, "blobs3: the bucket was not opened with gocloud.dev/blob/s3blob")
	_, err = blob.New(bucket, &blob.Options{Sign: blobs3.Sign}).Link(t.Context(), "a.json", time.Hour, "b.json")
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
