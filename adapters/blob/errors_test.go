package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/storage"
)

// failing is a driver whose reads fail.
type failing struct {
	driver.Bucket
	err  error
	code gcerrors.ErrorCode
}

func (f *failing) NewRangeReader(context.Context, string, int64, int64, *driver.ReaderOptions) (driver.Reader, error) {
	return nil, f.err
}

func (f *failing) ErrorCode(error) gcerrors.ErrorCode { return f.code }
func (*failing) Close() error                         { return nil }

// s3Error has the methods of errors of S3's client.
type s3Error struct {
	status int
	code   string
}

func (e *s3Error) Error() string       { return "https://secret.example.com/" + name }
func (e *s3Error) HTTPStatusCode() int { return e.status }
func (e *s3Error) ErrorCode() string   { return e.code }

// azureError has the text of errors of Azure's client.
func azureError(status int, code string) error {
	return fmt.Errorf("GET https://secret.example.com/%s\n----\nRESPONSE %d: %d Some Words\nERROR CODE: %s\n----\n<Error/>", name, status, status, code)
}

const name = "canary-of-a-person.json"

func TestErrors(t *testing.T) {
	t.Parallel()
	const (
		busy        = "the service is overloaded or broken for now"
		noFile      = "there is no such file"
		noBucket    = "the bucket is not there or may not be listed; check its name, region and permissions"
		permission  = "permission denied; give the account the permissions that docs/destinations.md lists"
		credentials = "the service does not know the credentials, or they have expired; check those that the bucket is opened with, and the clock"
		unreachable = "the service cannot be reached, or ended the connection"
	)
	google := func(status int, reason string) error {
		return fmt.Errorf("storage: %w", &googleapi.Error{Code: status, Message: name, Errors: []googleapi.ErrorItem{{Reason: reason}}})
	}
	for _, test := range []struct {
		err  error
		code gcerrors.ErrorCode // of the driver
		want string
		is   error
	}{
		{&s3Error{404, "NoSuchKey"}, gcerrors.NotFound, noFile + " (code NoSuchKey, status 404)", fs.ErrNotExist},
		{&s3Error{404, "NoSuchBucket"}, gcerrors.NotFound, noBucket + " (code NoSuchBucket, status 404)", nil},
		{&s3Error{403, "AccessDenied"}, gcerrors.PermissionDenied, permission + " (code AccessDenied, status 403)", fs.ErrPermission},
		{&s3Error{403, "InvalidAccessKeyId"}, gcerrors.Unknown, credentials + " (code InvalidAccessKeyId, status 403)", nil},
		{&s3Error{400, "ExpiredToken"}, gcerrors.Unknown, credentials + " (code ExpiredToken, status 400)", nil},
		{&s3Error{400, "RequestTimeout"}, gcerrors.Unknown, busy + " (code RequestTimeout, status 400)", dsr.ErrUnavailable},
		{&s3Error{409, "OperationAborted"}, gcerrors.Unknown, busy + " (code OperationAborted, status 409)", dsr.ErrUnavailable},
		{&s3Error{503, "SlowDown"}, gcerrors.Unknown, busy + " (code SlowDown, status 503)", dsr.ErrUnavailable},
		{&s3Error{500, ""}, gcerrors.Unknown, busy + " (status 500)", dsr.ErrUnavailable},
		{&s3Error{501, "NotImplemented"}, gcerrors.Unknown, "the service refused the request (code NotImplemented, status 501)", nil},
		{&s3Error{301, "PermanentRedirect"}, gcerrors.NotFound, "the bucket is elsewhere; open it with its own region and address (code PermanentRedirect, status 301)", nil},
		{&s3Error{400, "words that quote " + name}, gcerrors.Unknown, "the service refused the request (status 400)", nil},
		{google(404, "notFound"), gcerrors.NotFound, noFile + " (code notFound, status 404)", fs.ErrNotExist},
		{google(403, "forbidden"), gcerrors.NotFound, permission + " (code forbidden, status 403)", fs.ErrPermission},
		{google(401, "authError"), gcerrors.Unknown, credentials + " (code authError, status 401)", nil},
		{google(429, "rateLimitExceeded"), gcerrors.ResourceExhausted, busy + " (code rateLimitExceeded, status 429)", dsr.ErrUnavailable},
		{google(503, "backendError"), gcerrors.Unknown, busy + " (code backendError, status 503)", dsr.ErrUnavailable},
		{azureError(404, "BlobNotFound"), gcerrors.NotFound, noFile + " (code BlobNotFound, status 404)", fs.ErrNotExist},
		{azureError(404, "ContainerNotFound"), gcerrors.NotFound, noBucket + " (code ContainerNotFound, status 404)", nil},
		{azureError(403, "AuthenticationFailed"), gcerrors.PermissionDenied, credentials + " (code AuthenticationFailed, status 403)", nil},
		{azureError(503, "ServerBusy"), gcerrors.Unknown, busy + " (code ServerBusy, status 503)", dsr.ErrUnavailable},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, gcerrors.Unknown, "connection refused", dsr.ErrUnavailable},
		{&net.DNSError{Name: "secret.example.com"}, gcerrors.NotFound, unreachable, dsr.ErrUnavailable},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), gcerrors.Unknown, unreachable, dsr.ErrUnavailable},
		{&fs.PathError{Path: name, Err: syscall.ENOSPC}, gcerrors.Unknown, "no space left on device", dsr.ErrUnavailable},
		{&fs.PathError{Path: name, Err: syscall.EROFS}, gcerrors.Unknown, "read-only file system", syscall.EROFS},
		{errors.New(name), gcerrors.NotFound, noFile, fs.ErrNotExist},
		{errors.New(name), gcerrors.PermissionDenied, permission, fs.ErrPermission},
		{errors.New(name), gcerrors.ResourceExhausted, busy, dsr.ErrUnavailable},
		{errors.New(name), gcerrors.FailedPrecondition, "the bucket's driver refuses it: is the bucket closed?", nil},
		{errors.New(name), gcerrors.Internal, "the bucket's driver failed (code Internal)", nil},
	} {
		bucket := gcblob.NewBucket(&failing{err: test.err, code: test.code})
		t.Cleanup(func() { require.NoError(t, bucket.Close()) })
		_, err := blob.New(bucket, &blob.Options{Name: "archive"}).Open(t.Context(), name)
		require.EqualError(t, err, "blob: bucket archive: open a file: "+test.want)
		for _, known := range []error{dsr.ErrUnavailable, fs.ErrNotExist, fs.ErrPermission} {
			require.Equal(t, errors.Is(test.is, known), errors.Is(err, known), "%v is %v", err, known)
		}
		if test.is != nil {
			require.ErrorIs(t, err, test.is)
		}
		require.NotErrorIs(t, err, test.err)
	}
}

// Errors of the context are found, and tell no name either.
func TestContextErrors(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	dest := blob.New(bucket, nil)
	why := errors.New("the host stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	up, err := dest.Create(ctx, name)
	require.NoError(t, err)
	cancel(why)
	_, err = up.Write([]byte("x"))
	require.EqualError(t, err, "blob: write: the host stops")
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, up.Commit(t.Context()), why)
	require.ErrorIs(t, up.Commit(t.Context()), storage.ErrUploadOver)
	_, err = dest.Open(ctx, name)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, dest.Remove(ctx, name), why)
	_, err = dest.Link(ctx, name, time.Hour, name)
	require.ErrorIs(t, err, why)
}

func TestLinksThatCannotBe(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	dest := blob.New(bucket, nil)
	for _, test := range []struct {
		fileName string
		expires  time.Duration
		want     string
	}{
		{"a.zip", time.Hour, "blob: sign a link: the bucket's driver cannot do this the way it was opened"},
		{"b.zip", time.Hour, "blob: sign a link: the bucket's driver alone cannot give a file another name; set Options.Sign, which blobs3.New does"},
		{"../b.zip", time.Hour, "blob: what the file is to be called: storage: the name cannot be used for a file: it holds a path separator; it leads to a directory, or holds two dots in a row"},
		{"b.zip", 0, "blob: a link is valid for more than nothing and at most 168h0m0s"},
		{"b.zip", 169 * time.Hour, "blob: a link is valid for more than nothing and at most 168h0m0s"},
	} {
		_, err := dest.Link(t.Context(), "a.zip", test.expires, test.fileName)
		require.EqualError(t, err, test.want)
		require.Equal(t, test.expires == time.Hour && test.fileName[0] != '.', errors.Is(err, errors.ErrUnsupported))
	}
}

// A file that is replaced while it is read is not read on from the other.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	dest := blob.New(bucket, nil)
	require.NoError(t, bucket.WriteAll(t.Context(), "a.json", []byte("first"), nil))
	file, err := dest.Open(t.Context(), "a.json")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	two := make([]byte, 2)
	_, err = io.ReadFull(file, two)
	require.NoError(t, err)
	require.NoError(t, bucket.WriteAll(t.Context(), "a.json", []byte("second"), nil))
	_, err = io.ReadFull(file, two)
	require.NoError(t, err)
	require.Equal(t, "rs", string(two), "the old one goes on")
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	_, err = file.Read(two)
	require.EqualError(t, err, "blob: the file was replaced while it was read; open it again")
}

// What is stored tells its type, and that it is to be saved.
func TestHeaders(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	for _, test := range []struct {
		name, kind, want string
	}{
		{"r1.json", "", "application/json"}, {"r1.zip", "", "application/zip"}, {"r1.zip.age", "", "application/octet-stream"},
		{"r1.json", "text/plain", "text/plain"},
	} {
		called := 0
		dest := blob.New(bucket, &blob.Options{Prefix: "p-", ContentType: test.kind, BeforeWrite: func(func(any) bool) error {
			called++
			return nil
		}})
		up, err := dest.Create(t.Context(), test.name)
		require.NoError(t, err)
		require.NoError(t, up.Commit(t.Context()))
		require.Equal(t, 1, called)
		attrs, err := bucket.Attributes(t.Context(), "p-"+test.name)
		require.NoError(t, err)
		require.Equal(t, test.want, attrs.ContentType)
		require.Equal(t, "attachment; filename="+test.name, attrs.ContentDisposition)
	}
}
