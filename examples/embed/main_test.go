package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The service serves, says where, and stops cleanly when it is asked to.
func TestServeAndStop(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in, out := io.Pipe()
	stopped := make(chan error, 1)
	dir := filepath.Join(t.TempDir(), "new")
	go func() { stopped <- run(ctx, "127.0.0.1:0", dir, out) }()
	first, err := bufio.NewReader(in).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, in) }()
	base := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
	require.NotEmpty(t, base)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/orders/1", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	stop()
	require.NoError(t, <-stopped)
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), "127.0.0.1:nowhere", t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "nowhere")
}
