package blobtest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobs3"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// prefix is that of every destination.
const prefix = "packages/"

// newClient is a client of a server, with the secret of an account.
func newClient(endpoint, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: dbtest.S3Region, UsePathStyle: true, RetryMaxAttempts: 2,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: dbtest.S3AccessKey, SecretAccessKey: secret}, nil
		}),
	})
}

// bucketName is fit for a bucket and unlike any other.
func bucketName() string {
	var id [8]byte
	_, _ = rand.Read(id[:])
	return "bucket-" + hex.EncodeToString(id[:])
}

// store is a bucket of a server with a destination in it.
type store struct {
	*blob.Destination
	client *s3.Client
	name   string
	bucket *gcblob.Bucket
}

// newStore makes a bucket.
func newStore(ctx context.Context, server *dbtest.S3Server) (*store, error) {
	client := newClient(server.Endpoint(), dbtest.S3SecretKey)
	name := bucketName()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return nil, err
	}
	return openStore(ctx, client, name)
}

// openStore opens a bucket.
func openStore(ctx context.Context, client *s3.Client, name string) (*store, error) {
	bucket, err := s3blob.OpenBucket(ctx, client, name, nil)
	if err != nil {
		return nil, err
	}
	dest, err := blobs3.New(bucket, &blob.Options{Name: "archive", Prefix: prefix})
	return &store{dest, client, name, bucket}, err
}

func mustStore(t *testing.T, server *dbtest.S3Server) *store {
	t.Helper()
	s, err := newStore(t.Context(), server)
	require.NoError(t, err)
	return s
}

func (s *store) put(t *testing.T, name, content string) {
	t.Helper()
	up, err := s.Create(t.Context(), name)
	require.NoError(t, err)
	_, err = io.Copy(up, strings.NewReader(content))
	require.NoError(t, err)
	require.NoError(t, up.Commit(t.Context()))
}

func (s *store) content(t *testing.T, name string) string {
	t.Helper()
	file, err := s.Open(t.Context(), name)
	require.NoError(t, err)
	data, err := io.ReadAll(file)
	require.NoError(t, errors.Join(err, file.Close()))
	return string(data)
}

// keys are those of all objects of the bucket.
func (s *store) keys(t *testing.T) []string {
	t.Helper()
	keys := []string{}
	for object, err := range all(t.Context(), s.bucket) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	return keys
}

func all(ctx context.Context, b *gcblob.Bucket) func(func(*gcblob.ListObject, error) bool) {
	return func(yield func(*gcblob.ListObject, error) bool) {
		for list := b.List(nil); ; {
			object, err := list.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(object, err) || err != nil {
				return
			}
		}
	}
}

// unfinished counts the uploads that the bucket holds parts of.
func (s *store) unfinished(t *testing.T) int {
	t.Helper()
	out, err := s.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.name})
	require.NoError(t, err)
	return len(out.Uploads)
}

// start begins an upload with so many bytes.
func (s *store) start(t *testing.T, name string, size int) storage.Upload {
	t.Helper()
	up, err := s.Create(t.Context(), name)
	require.NoError(t, err)
	_, err = io.Copy(up, io.LimitReader(rand.Reader, int64(size)))
	require.NoError(t, err)
	return up
}
