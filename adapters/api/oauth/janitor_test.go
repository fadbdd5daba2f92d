package oauth_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
)

func TestPurge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t, "policy:read")
	for range 3 {
		s.token(t, creds)
	}
	s.clock.Advance(time.Hour)
	living := s.token(t, creds)
	s.clock.Advance(oauth.DefaultTokenTTL - time.Hour)
	purged, err := s.Purge(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, purged)
	tokens, err := s.Tokens(t.Context(), creds.ID, "", 0)
	require.NoError(t, err)
	require.Equal(t, []oauth.TokenInfo{living.Info}, tokens)
	_, err = who(t.Context(), s, living.Value)
	require.NoError(t, err)
}

// Each damaged record is told of, and those behind it are removed all the same.
func TestPurgePassesOverDamage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	creds := s.client(t)
	s.token(t, creds)
	for _, key := range []string{"!/1", "!/2"} {
		require.NoError(t, s.records.Put(t.Context(), oauth.Record{Kind: "token", Key: key, Data: []byte("{}")}, 0))
	}
	s.clock.Advance(oauth.DefaultTokenTTL)
	purged, err := s.Purge(t.Context())
	require.EqualError(t, err, "oauth: the record of token \"!/1\" is damaged\noauth: the record of token \"!/2\" is damaged")
	require.Equal(t, 1, purged)
}

// Two that purge at once, having listed the same tokens, remove each of them
// once, and none fails.
func TestTwoPurgesAtOnce(t *testing.T) {
	t.Parallel()
	store := memory.NewStore()
	var listed sync.WaitGroup
	listed.Add(2)
	s := &site{clock: newClock()}
	servers := make([]*oauth.Server, 2)
	for i := range servers {
		records := &flaky{Records: oauth.NewStoreRecords(store), before: func(string, oauth.Record) error { return nil }}
		var once sync.Once
		records.before = func(verb string, _ oauth.Record) error {
			if verb == "delete" {
				once.Do(func() { listed.Done(); listed.Wait() })
			}
			return nil
		}
		var err error
		servers[i], err = oauth.New(&oauth.Options{Records: records, Key: key(), Clock: s.clock.Now})
		require.NoError(t, err)
	}
	s.Server = servers[0]
	creds := s.client(t)
	for range 20 {
		s.token(t, creds)
	}
	s.clock.Advance(oauth.DefaultTokenTTL)
	var purged [2]int
	var errs [2]error
	var both sync.WaitGroup
	for i, server := range servers {
		both.Go(func() { purged[i], errs[i] = server.Purge(t.Context()) })
	}
	both.Wait()
	require.Equal(t, [2]error{}, errs)
	require.Equal(t, 20, purged[0]+purged[1])
	left, err := store.Entries(t.Context(), dsr.EntryQuery{Kind: "oauth/token"})
	require.NoError(t, err)
	require.Empty(t, left)
}

// Run purges at once and then about every hour, tells what failed and goes on,
// and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rounds = 50
		ctx, stop := context.WithCancel(t.Context())
		var at []time.Time
		records := &flaky{Records: oauth.NewMemoryRecords()}
		records.before = func(verb string, r oauth.Record) error {
			if verb != "list" {
				return nil
			}
			require.Equal(t, "token", r.Kind)
			switch at = append(at, time.Now()); len(at) {
			case 2:
				return errDown
			case rounds:
				stop()
				return ctx.Err()
			}
			return nil
		}
		var logs bytes.Buffer
		server, err := oauth.New(&oauth.Options{
			Records: records, Key: key(), Root: root(), TokenTTL: 90 * time.Minute, Logger: slog.New(slog.NewJSONHandler(&logs, nil)),
		})
		require.NoError(t, err)
		_, err = server.Token(ctx, rootID, rootSecret, nil)
		require.NoError(t, err)
		begin := time.Now()
		server.Run(ctx)
		require.Len(t, at, rounds)
		require.Equal(t, begin, at[0])
		require.Equal(t, at[rounds-1], time.Now(), "it ends at once")
		gaps := map[time.Duration]bool{}
		for i := range rounds - 1 {
			gap := at[i+1].Sub(at[i])
			require.GreaterOrEqual(t, gap, 54*time.Minute)
			require.Less(t, gap, 66*time.Minute)
			gaps[gap] = true
		}
		require.Greater(t, len(gaps), 1, "no two processes go on together")
		require.Equal(t, 1, bytes.Count(logs.Bytes(), []byte("\n")), logs.String())
		require.Contains(t, logs.String(),
			`"level":"ERROR","msg":"expired tokens cannot be removed for now","error":"oauth: list token records: the store is down"}`)
		records.before = func(string, oauth.Record) error { return nil }
		tokens, err := server.Tokens(t.Context(), rootID, "", 0)
		require.NoError(t, err)
		require.Empty(t, tokens)

		server.Run(ctx) // which is over, so nothing is done
	})
}
