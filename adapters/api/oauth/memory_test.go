package oauth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/api/oauth/recordstest"
)

func TestMemoryRecords(t *testing.T) {
	t.Parallel()
	recordstest.Run(t, func() (oauth.Records, error) { return oauth.NewMemoryRecords(), nil })
}

func TestMemoryRecordsHeedTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	records := oauth.NewMemoryRecords()
	require.ErrorIs(t, records.Put(ctx, oauth.Record{Kind: "k", Key: "1"}, 0), context.Canceled)
	require.ErrorIs(t, records.Delete(ctx, "k", "1", 1), context.Canceled)
	_, err := records.Get(ctx, "k", "1")
	require.ErrorIs(t, err, context.Canceled)
	_, err = records.List(ctx, "k", "", 10)
	require.ErrorIs(t, err, context.Canceled)
	found, err := records.List(t.Context(), "k", "", 10)
	require.NoError(t, err)
	require.Empty(t, found)
}
