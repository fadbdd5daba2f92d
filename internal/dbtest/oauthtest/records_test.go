package oauthtest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/api/oauth/recordstest"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/internal/dbtest"
)

// place is where a store is; each open is what a process does that begins, and
// what it returns ends the store as the process ends.
type place func(t testing.TB) (open func() (store dsr.Store, end func()))

func places() map[string]place {
	return map[string]place{
		"SQLite": func(t testing.TB) func() (dsr.Store, func()) {
			path := filepath.Join(t.TempDir(), "dsr.db")
			return func() (dsr.Store, func()) {
				s, err := sqlitestore.Open(t.Context(), path, &sqlitestore.Options{BusyTimeout: 5 * time.Minute})
				require.NoError(t, err)
				return s, func() { require.NoError(t, s.Close()) }
			}
		},
		"PostgreSQL": func(t testing.TB) func() (dsr.Store, func()) {
			dsn := dbtest.PostgresDSN(t)
			return func() (dsr.Store, func()) {
				pool, err := pgxpool.New(t.Context(), dsn)
				require.NoError(t, err)
				s, err := pgstore.Open(t.Context(), pool, nil)
				require.NoError(t, err)
				return s, pool.Close
			}
		},
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	for name, newPlace := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recordstest.Run(t, func() (oauth.Records, error) {
				store, end := newPlace(t)()
				t.Cleanup(end)
				return oauth.NewStoreRecords(store), nil
			})
		})
	}
}

func newServer(t testing.TB, store dsr.EntryStore, clock func() time.Time) *oauth.Server {
	t.Helper()
	server, err := oauth.New(&oauth.Options{Records: oauth.NewStoreRecords(store), Key: bytes.Repeat([]byte{7}, 32), Clock: clock})
	require.NoError(t, err)
	return server
}

func request(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// A process that begins where another ended, or runs beside it, takes the
// tokens that the other made, and none that it revoked.
func TestServersOfOneStore(t *testing.T) {
	t.Parallel()
	for name, newPlace := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := newPlace(t)
			store, end := open()
			first := newServer(t, store, nil)
			_, creds, err := first.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Name: "help desk", Scopes: []string{"policy:read"}})
			require.NoError(t, err)
			tokens := make([]*oauth.Token, 3)
			for i := range tokens {
				tokens[i], err = first.Token(t.Context(), creds.ID, creds.Secret, nil)
				require.NoError(t, err)
			}
			require.NoError(t, first.Revoke(t.Context(), creds.ID, creds.Secret, tokens[0].Value))
			end()

			store, end = open()
			t.Cleanup(end)
			second := newServer(t, store, nil)
			_, err = second.Authenticate(t.Context(), request(tokens[0].Value))
			require.ErrorIs(t, err, oauth.ErrForbidden)
			for _, token := range tokens[1:] {
				p, err := second.Authenticate(t.Context(), request(token.Value))
				require.NoError(t, err)
				require.Equal(t, &oauth.Principal{Subject: creds.ID, ClientID: creds.ID, Scopes: []string{"policy:read"}, Expires: token.Expires}, p)
			}
			more, err := second.Token(t.Context(), creds.ID, creds.Secret, nil)
			require.NoError(t, err)

			beside, end := open()
			t.Cleanup(end)
			third := newServer(t, beside, nil)
			_, err = third.Authenticate(t.Context(), request(more.Value))
			require.NoError(t, err)
			require.NoError(t, third.RevokeToken(t.Context(), oauth.Host(), creds.ID, tokens[1].Info.ID))
			_, err = second.Authenticate(t.Context(), request(tokens[1].Value))
			require.ErrorIs(t, err, oauth.ErrForbidden)
			_, err = second.Authenticate(t.Context(), request(tokens[2].Value))
			require.NoError(t, err)
			require.NoError(t, third.RevokeAll(t.Context(), oauth.Host(), creds.ID))
			for _, token := range []*oauth.Token{tokens[2], more} {
				_, err = second.Authenticate(t.Context(), request(token.Value))
				require.ErrorIs(t, err, oauth.ErrForbidden)
			}
		})
	}
}

// Processes that purge at the same time remove every token once.
func TestPurgesAtOnce(t *testing.T) {
	t.Parallel()
	for name, newPlace := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const processes, many = 3, 60
			open := newPlace(t)
			servers := make([]*oauth.Server, processes)
			var later time.Duration
			var store dsr.Store
			for i := range servers {
				var end func()
				store, end = open()
				t.Cleanup(end)
				servers[i] = newServer(t, store, func() time.Time { return time.Now().Add(later) })
			}
			_, creds, err := servers[0].CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Name: "help desk"})
			require.NoError(t, err)
			for range many {
				_, err := servers[0].Token(t.Context(), creds.ID, creds.Secret, nil)
				require.NoError(t, err)
			}
			later = oauth.DefaultTokenTTL + time.Minute
			var purged [processes]int
			var errs [processes]error
			var all sync.WaitGroup
			for i, server := range servers {
				all.Go(func() { purged[i], errs[i] = server.Purge(t.Context()) })
			}
			all.Wait()
			require.Equal(t, [processes]error{}, errs)
			require.Equal(t, many, purged[0]+purged[1]+purged[2])
			left, err := store.Entries(t.Context(), dsr.EntryQuery{})
			require.NoError(t, err)
			require.Len(t, left, 1, "the client")
		})
	}
}
