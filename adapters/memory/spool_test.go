package memory_test

import (
	"context"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

func TestSpool(t *testing.T) {
	t.Parallel()
	s := memory.NewSpool()
	read := func(requestID, part string) string {
		r, err := s.Open(t.Context(), requestID, part)
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		return string(data)
	}
	missing := func(requestID, part string) {
		_, err := s.Open(t.Context(), requestID, part)
		require.ErrorIs(t, err, dsr.ErrNotFound)
	}
	write := func(requestID, part, text string) {
		w, err := s.Create(t.Context(), requestID, part)
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		_, err = w.Write([]byte("x"))
		require.ErrorIs(t, err, fs.ErrClosed)
	}
	missing("r1", "a")
	w, err := s.Create(t.Context(), "r1", "a")
	require.NoError(t, err)
	_, err = io.WriteString(w, "one")
	require.NoError(t, err)
	missing("r1", "a")
	require.NoError(t, w.Close())
	require.Equal(t, "one", read("r1", "a"))

	old, err := s.Open(t.Context(), "r1", "a")
	require.NoError(t, err)
	write("r1", "a", "another")
	data, err := io.ReadAll(old)
	require.NoError(t, err)
	require.Equal(t, "one", string(data))
	require.Equal(t, "another", read("r1", "a"))

	write("r1", "b", "b")
	write("r1", "c", "c")
	write("r2", "a", "two")
	require.NoError(t, s.Remove(t.Context(), "r1", "a", "none", "b"))
	missing("r1", "a")
	missing("r1", "b")
	require.Equal(t, "c", read("r1", "c"))
	require.NoError(t, s.Remove(t.Context(), "r1"))
	require.NoError(t, s.Remove(t.Context(), "r1"))
	missing("r1", "c")
	require.Equal(t, "two", read("r2", "a"))

	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Create(over, "r2", "a")
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Open(over, "r2", "a")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Remove(over, "r2"), context.Canceled)
	require.Equal(t, "two", read("r2", "a"))
}
