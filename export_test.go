package dsr

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact"
)

// BreakSpoolWriter makes the next write to a part of a directory fail.
func BreakSpoolWriter(t testing.TB, w io.Writer) {
	t.Helper()
	part, ok := w.(*spoolWriter)
	require.True(t, ok)
	require.NoError(t, part.file.Close())
}

// Patterns are those of the catalogue that are compiled.
func (e *Engine) Patterns() *redact.Patterns { return e.present().patterns }
