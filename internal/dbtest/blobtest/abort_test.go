package blobtest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

// An upload that is aborted, or whose context ends, leaves no parts with the
// service.
func TestAbortedUploadsLeaveNoParts(t *testing.T) {
	t.Parallel()
	s := mustStore(t, dbtest.S3(t))
	const size = 12 << 20
	require.NoError(t, s.start(t, "a.zip", size).Abort())

	ctx, cancel := context.WithCancel(t.Context())
	up, err := s.Create(ctx, "b.zip")
	require.NoError(t, err)
	_, err = io.Copy(up, io.LimitReader(pattern(), size))
	require.NoError(t, err)
	require.Equal(t, 1, s.unfinished(t))
	cancel()
	require.ErrorIs(t, up.Commit(t.Context()), context.Canceled)
	require.Zero(t, s.unfinished(t))
	require.Empty(t, s.keys(t))
}

// A Write that waits for a service that does not answer ends with the context.
func TestHangingService(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the connection is noticed
		once()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	s, err := openStore(t.Context(), newClient(server.URL, dbtest.S3SecretKey), "bucket")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	up, err := s.Create(ctx, "a.zip")
	require.NoError(t, err)
	ended := make(chan error)
	go func() {
		_, err := io.Copy(up, pattern())
		ended <- err
	}()
	<-asked
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, up.Abort())
}
