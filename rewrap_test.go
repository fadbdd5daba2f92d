package dsr_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Keys that were wrapped anew need the old key of the keyring no more.
func TestRewrap(t *testing.T) {
	t.Parallel()
	lookup, old, current := bytes.Repeat([]byte{1}, 32), dsr.LocalKey{ID: "1", Key: bytes.Repeat([]byte{2}, 32)}, dsr.LocalKey{ID: "2", Key: bytes.Repeat([]byte{3}, 32)}
	ring := func(keys ...dsr.LocalKey) dsr.Keyring {
		k, err := dsr.NewLocalKeyring(lookup, keys...)
		require.NoError(t, err)
		return k
	}
	w, p := eraseShop(t)
	engine := func(k dsr.Keyring) *dsr.Engine {
		c := w.config(nil, p)
		c.Keyring = k
		return newEngine(t, c)
	}
	submit(t, engine(ring(old)), "email", "ada@example.com")
	_, err := engine(ring(current)).Requests().Advance(t.Context(), "r1")
	require.Error(t, err, "the new key alone opens nothing")
	_, err = engine(ring(old, current)).Requests().Retry(t.Context(), "r1", dsr.By{})
	require.NoError(t, err)

	rec, err := w.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	rec.LeaseUntil, rec.Version = w.clock.Now().Add(time.Hour), rec.Version+1
	require.NoError(t, w.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
	_, err = engine(ring(old, current)).Requests().Rewrap(t.Context(), "r1", dsr.By{})
	require.ErrorIs(t, err, dsr.ErrLeased)
	rec.LeaseUntil, rec.Version = time.Time{}, rec.Version+1
	require.NoError(t, w.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))

	_, err = engine(ring(old, current)).Requests().Rewrap(t.Context(), "r1", dsr.By{Actor: "ops"})
	require.NoError(t, err)
	req, err := engine(ring(current)).Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.NoError(t, w.check(t, req))
}
