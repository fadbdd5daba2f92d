package oauth_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/api/oauth/recordstest"
	"github.com/godsr/dsr/adapters/memory"
)

func TestStoreRecords(t *testing.T) {
	t.Parallel()
	recordstest.Run(t, func() (oauth.Records, error) { return oauth.NewStoreRecords(memory.NewStore()), nil })
}

// Records are plain entries, which make no version of the catalogue, under
// kinds of their own. Entries of others beside them are left alone.
func TestStoreRecordsAreEntries(t *testing.T) {
	t.Parallel()
	store := memory.NewStore()
	others := []dsr.EntryChange{
		{Entry: dsr.Entry{Kind: "oauth", Key: "k", Version: 1}}, {Entry: dsr.Entry{Kind: "client", Key: "k", Version: 1}},
		{Entry: dsr.Entry{Kind: "oauth0", Key: "k", Version: 1}},
	}
	_, err := store.SaveEntries(t.Context(), others)
	require.NoError(t, err)
	records := oauth.NewStoreRecords(store)
	for version, data := range []string{"1", "2"} {
		require.NoError(t, records.Put(t.Context(), oauth.Record{Kind: "client", Key: "k", Data: []byte(data)}, int64(version)))
	}
	version, err := store.CatalogueVersion(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	entries, err := store.Entries(t.Context(), dsr.EntryQuery{})
	require.NoError(t, err)
	require.Len(t, entries, 4)
	require.NotZero(t, entries[2].UpdatedAt)
	entries[2].UpdatedAt = others[0].Entry.UpdatedAt
	require.Equal(t, dsr.Entry{Kind: "oauth/client", Key: "k", Version: 2, Plain: true, Data: []byte("2")}, entries[2])
	listed, err := records.List(t.Context(), "client", "", 10)
	require.NoError(t, err)
	require.Equal(t, []oauth.Record{{Kind: "client", Key: "k", Version: 2, Data: []byte("2")}}, listed)
	require.NoError(t, records.Delete(t.Context(), "client", "k", 2))
	entries, err = store.Entries(t.Context(), dsr.EntryQuery{})
	require.NoError(t, err)
	require.Len(t, entries, 3)
}

// What can be no record is refused before a store sees it, and found nowhere.
func TestStoreRecordsThatCannotBe(t *testing.T) {
	t.Parallel()
	store := memory.NewStore()
	records := oauth.NewStoreRecords(store)
	require.NoError(t, records.Put(t.Context(), oauth.Record{Kind: "one", Key: "k", Data: []byte("1")}, 0))
	for _, name := range [][2]string{
		{"one", ""}, {"one", "a b"}, {"one", "a\x00"}, {"one", "\x7f"}, {"one", "é"}, {"one", "\xff"}, {"one", strings.Repeat("k", 301)},
		{"", "k"}, {"One", "k"}, {"one/two", "k"}, {"one\x00", "k"}, {"\xff", "k"},
	} {
		err := records.Put(t.Context(), oauth.Record{Kind: name[0], Key: name[1]}, 0)
		require.ErrorContains(t, err, "its kind must be a word in lower case, its key 1 to 300 visible ASCII characters")
		_, err = records.Get(t.Context(), name[0], name[1])
		require.ErrorIs(t, err, dsr.ErrNotFound)
		require.ErrorIs(t, records.Delete(t.Context(), name[0], name[1], 1), dsr.ErrNotFound)
	}
	require.EqualError(t, records.Put(t.Context(), oauth.Record{Kind: "one", Key: "l", Data: make([]byte, 64<<10+1)}, 0),
		"oauth: a one record of 65537 bytes is too large; at most 65536 can be stored")
	for _, kind := range []string{"", "One", "\x00"} {
		found, err := records.List(t.Context(), kind, "", 10)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	for _, limit := range []int{0, -1} { // with which a store lists many
		found, err := records.List(t.Context(), "one", "", limit)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	entries, err := store.Entries(t.Context(), dsr.EntryQuery{})
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// texts are those of up to n symbols, the empty one included.
func texts(n int, symbols ...string) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var longer []string
		for _, text := range last {
			for _, symbol := range symbols {
				longer = append(longer, text+symbol)
			}
		}
		all, last = append(all, longer...), longer
	}
	return all
}

// The same keys follow a text, whatever it is, as its bytes say; and no store
// is asked for what it may be unable to compare.
func TestStoreRecordsAfterAnyText(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", strings.Repeat("a", 298)} { // the latter of keys as long as can be
		store := &entries{EntryStore: memory.NewStore()}
		records, plain := oauth.NewStoreRecords(store), oauth.NewMemoryRecords()
		for _, key := range texts(2, "!", "a", "~")[1:] {
			r := oauth.Record{Kind: "one", Key: prefix + key, Data: []byte("1")}
			require.NoError(t, records.Put(t.Context(), r, 0))
			require.NoError(t, plain.Put(t.Context(), r, 0))
		}
		for _, after := range texts(3, "!", "a", "~", "\x00", " ", "\x7f", "é", "\xff") {
			want, err := plain.List(t.Context(), "one", prefix+after, 100)
			require.NoError(t, err)
			got, err := records.List(t.Context(), "one", prefix+after, 100)
			require.NoError(t, err)
			require.Len(t, got, len(want), "%q", after)
			for i := range want {
				require.Equal(t, want[i], got[i], "%q", after)
			}
			require.Regexp(t, `^[!-~]{0,300}\x7f?$`, store.after)
		}
	}
}

func TestStoreRecordsTellWhatFailed(t *testing.T) {
	t.Parallel()
	records := oauth.NewStoreRecords(&entries{EntryStore: memory.NewStore(), read: errDown, save: func() error { return errDown }})
	_, err := records.Get(t.Context(), "token", "k")
	require.EqualError(t, err, "oauth: read a token: the store is down")
	_, err = records.List(t.Context(), "token", "", 1)
	require.EqualError(t, err, "oauth: list token records: the store is down")
	require.EqualError(t, records.Put(t.Context(), oauth.Record{Kind: "token", Key: "k"}, 0), "oauth: store a token: the store is down")
	require.EqualError(t, records.Delete(t.Context(), "token", "k", 1), "oauth: remove a token: the store is down")

	// Without an answer, nobody knows whether it is gone or changed.
	records = oauth.NewStoreRecords(&entries{EntryStore: memory.NewStore(), read: errDown})
	err = records.Delete(t.Context(), "token", "k", 1)
	require.ErrorIs(t, err, errDown)
	require.NotErrorIs(t, err, dsr.ErrNotFound)
}

// entries is a store that may fail to read, and to answer after it has saved.
type entries struct {
	dsr.EntryStore
	read  error
	save  func() error
	after string // of the last list
}

func (e *entries) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if e.read != nil {
		return nil, e.read
	}
	if q.After != nil {
		e.after = q.After.Key
	}
	return e.EntryStore.Entries(ctx, q)
}

func (e *entries) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	version, err := e.EntryStore.SaveEntries(ctx, changes)
	if err == nil && e.save != nil {
		err = e.save()
	}
	return version, err
}

// Where the answer to a change that is stored is lost, or a store that tried
// again met its own change, the verb can be called again, and comes to what it
// would have come to.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]error{"no answer": errDown, "its own change": dsr.ErrConflict} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var losing atomic.Bool
			store := &entries{EntryStore: memory.NewStore(), save: func() error {
				if losing.Swap(false) {
					return lost
				}
				return nil
			}}
			s := &site{clock: newClock()}
			var err error
			s.Server, err = oauth.New(&oauth.Options{Records: oauth.NewStoreRecords(store), Key: key(), Clock: s.clock.Now})
			require.NoError(t, err)
			// twice calls a verb whose first answer is lost.
			twice := func(verb func() error) {
				t.Helper()
				losing.Store(true)
				if err := verb(); err != nil { // a verb may have tried again by itself
					require.ErrorIs(t, err, lost)
					require.NoError(t, verb())
				}
				require.False(t, losing.Load())
			}
			creds := s.client(t, "policy:read")
			twice(func() (err error) {
				_, creds, err = s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Name: "n"})
				return err
			})
			twice(func() error {
				_, err := s.SetScopes(t.Context(), oauth.Host(), creds.ID, []string{"rule:read"})
				return err
			})
			old := creds
			twice(func() (err error) { creds, err = s.RotateSecret(t.Context(), oauth.Host(), old.ID); return err })
			_, err = s.Token(t.Context(), old.ID, old.Secret, nil)
			require.ErrorIs(t, err, oauth.ErrCredentials)
			var token *oauth.Token
			twice(func() (err error) { token, err = s.Token(t.Context(), creds.ID, creds.Secret, nil); return err })
			p, err := who(t.Context(), s, token.Value)
			require.NoError(t, err)
			require.Equal(t, []string{"rule:read"}, p.Scopes)
			twice(func() error { return s.Revoke(t.Context(), creds.ID, creds.Secret, token.Value) })
			_, err = who(t.Context(), s, token.Value)
			notAuthorized(t, err)
			token = s.token(t, creds)
			twice(func() error { return s.RevokeAll(t.Context(), oauth.Host(), creds.ID) })
			_, err = who(t.Context(), s, token.Value)
			notAuthorized(t, err)
			s.clock.Advance(oauth.DefaultTokenTTL)
			twice(func() error { _, err := s.Purge(t.Context()); return err })
			tokens, err := s.Tokens(t.Context(), creds.ID, "", 0)
			require.NoError(t, err)
			require.Empty(t, tokens)
			twice(func() error { return s.DeleteClient(t.Context(), oauth.Host(), creds.ID) })
			_, err = s.Client(t.Context(), creds.ID)
			require.ErrorIs(t, err, oauth.ErrNoClient)
		})
	}
}
