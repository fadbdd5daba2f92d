package smtp

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartialIsBounded(t *testing.T) {
	t.Parallel()
	var p partial
	for i := range 2 * maxPartial {
		notice := fmt.Sprintf("n-%d", i)
		p.add(notice, "a@example.com")
		p.add(notice, "b@example.com")
		require.True(t, p.has(notice, "a@example.com"))
		require.Equal(t, 2, p.count(notice))
	}
	require.Len(t, p.have, maxPartial)
	for notice := range p.have {
		p.forget(notice)
	}
	require.Empty(t, p.have)
}
