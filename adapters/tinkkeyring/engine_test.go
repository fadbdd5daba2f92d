package tinkkeyring_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/tinkkeyring"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const shopYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - name: id
            data_categories: [user.unique_id]
            fides_meta: {primary_key: true, data_type: integer}
          - name: email
            data_categories: [user.contact.email]
            fides_meta: {identity: email, data_type: string}
          - name: name
            data_categories: [user.name]
            fides_meta: {data_type: string}
`

// host is a service with one store, restarted under other keyrings.
type host struct {
	db    *memory.Connector
	store *memory.Store
	spool *memory.Spool
	dir   string
	made  int
}

func newHost(t testing.TB) *host {
	t.Helper()
	return &host{
		db: memory.NewConnector(map[string][]map[string]any{"customers": {
			{"id": 1, "email": "ada@example.com", "name": "Ada"},
			{"id": 2, "email": "bob@example.com", "name": "Bob"},
			{"id": 3, "email": "eve@example.com", "name": "Eve"},
		}}, nil),
		store: memory.NewStore(), spool: memory.NewSpool(), dir: t.TempDir(),
	}
}

func (h *host) start(t testing.TB, keyring dsr.Keyring) *dsr.Requests {
	t.Helper()
	datasets, diags := graph.Load("shop.yml", []byte(shopYAML), nil)
	require.NoError(t, diags.Err())
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: h.db, Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "erase", Rules: []graph.Rule{
			{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}},
			{Key: "erasure", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
		}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(h.dir, nil)}},
		Store:        h.store, Keyring: keyring, Spool: h.spool,
		NewID: func() string { h.made++; return "request-" + strconv.Itoa(h.made) },
	})
	require.NoError(t, err)
	return engine.Requests()
}

func submit(t testing.TB, requests *dsr.Requests, email string) string {
	t.Helper()
	req, err := requests.Submit(t.Context(), dsr.Submission{Policy: "erase", Identities: dsr.Identities{"email": {email}}})
	require.NoError(t, err)
	return req.ID
}

func (h *host) record(t testing.TB, id string) *dsr.Record {
	t.Helper()
	rec, err := h.store.Request(t.Context(), id)
	require.NoError(t, err)
	return rec
}

func found(t testing.TB, requests *dsr.Requests, email string) []string {
	t.Helper()
	all, err := requests.FindByIdentity(t.Context(), "email", email)
	require.NoError(t, err)
	var ids []string
	for _, req := range all {
		ids = append(ids, req.ID)
	}
	return ids
}

// spy notes what a keyring wraps.
type spy struct {
	dsr.Keyring
	mu    sync.Mutex
	wraps []wrapped
}

type wrapped struct{ key, bound, wrapped []byte }

func (s *spy) Wrap(ctx context.Context, key, bound []byte) ([]byte, error) {
	out, err := s.Keyring.Wrap(ctx, key, bound)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wraps = append(s.wraps, wrapped{slices.Clone(key), slices.Clone(bound), slices.Clone(out)})
	return out, err
}

func TestEngineErasesOverRotationAndShreds(t *testing.T) {
	t.Parallel()
	h, master := newHost(t), newService(t, 'm')
	sealed := create(t, master)
	first := open(t, sealed, master)
	requests := h.start(t, first)
	one, two := submit(t, requests, "ada@example.com"), submit(t, requests, "eve@example.com")
	old := first.Keys()[0].ID
	require.Equal(t, old, wrappedBy(t, h.record(t, one).Keys["identity"]))

	// A request that was accepted before the rotation is finished after it.
	sealed = do(t, tinkkeyring.Rotate, sealed, master)
	rotated := &spy{Keyring: open(t, sealed, master)}
	requests = h.start(t, rotated)
	require.Equal(t, []string{one}, found(t, requests, "ada@example.com"))
	req, err := requests.Advance(t.Context(), one)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []map[string]any{
		{"id": int64(1), "email": "ada@example.com", "name": nil},
		{"id": int64(2), "email": "bob@example.com", "name": "Bob"},
		{"id": int64(3), "email": "eve@example.com", "name": "Eve"},
	}, h.db.Rows("customers"))

	// The keys that the request needed on its way were the new key's to
	// wrap, each opens under its own purpose only, and none is kept.
	require.NotEmpty(t, rotated.wraps)
	kept := h.record(t, one).Keys
	for i, w := range rotated.wraps {
		require.NotEqual(t, old, wrappedBy(t, w.wrapped))
		key, err := rotated.Unwrap(t.Context(), w.wrapped, w.bound)
		require.NoError(t, err)
		require.Equal(t, w.key, key)
		_, err = rotated.Unwrap(t.Context(), w.wrapped, rotated.wraps[(i+1)%len(rotated.wraps)].bound)
		require.Error(t, err)
		for purpose, stored := range kept {
			require.NotEqual(t, w.wrapped, stored, "the %s key is still there", purpose)
		}
	}

	// With the old key retired, what it wrapped is lost for good; who asked
	// is still found, and new requests go on.
	sealed, err = tinkkeyring.Retire(t.Context(), sealed, master, old)
	require.NoError(t, err)
	requests = h.start(t, open(t, sealed, master))
	_, err = requests.Advance(t.Context(), two)
	require.ErrorContains(t, err, fmt.Sprintf("the keyring lacks the key %d", old))
	require.NotContains(t, err.Error(), "eve")
	require.Equal(t, []string{two}, found(t, requests, "eve@example.com"))
	three := submit(t, requests, "bob@example.com")
	req, err = requests.Advance(t.Context(), three)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Nil(t, h.db.Rows("customers")[1]["name"])
	require.Equal(t, "Eve", h.db.Rows("customers")[2]["name"])
}

func TestEngineMovesFromALocalKeyring(t *testing.T) {
	t.Parallel()
	h, master, secret := newHost(t), newService(t, 'm'), bytesOf('l', 32)
	local, err := dsr.NewLocalKeyring(secret, dsr.LocalKey{ID: "2024", Key: bytesOf('a', 32)})
	require.NoError(t, err)
	id := submit(t, h.start(t, local), "ada@example.com")

	sealed, err := tinkkeyring.Import(t.Context(), master, secret)
	require.NoError(t, err)
	keyring, err := tinkkeyring.Open(t.Context(), sealed, master, &tinkkeyring.Options{Earlier: local})
	require.NoError(t, err)
	requests := h.start(t, keyring)
	require.Equal(t, []string{id}, found(t, requests, "ada@example.com"))
	req, err := requests.Advance(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Nil(t, h.db.Rows("customers")[0]["name"])
}
