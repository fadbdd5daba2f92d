package dsr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/fault"
)

// canary marks every personal value of these tests.
const canary = "CANARY"

func canaryRows() map[string][]map[string]any {
	return map[string][]map[string]any{
		"customers": {{"id": "CANARY-1", "email": "CANARY@example.com", "name": "CANARY Ada"}},
		"orders":    {{"id": "CANARY-10", "buyer": "CANARY@example.com", "note": strings.Repeat("CANARY note ", 10_000)}},
		"visits":    {{"id": "CANARY-20", "customer_id": "CANARY-1", "page": "CANARY page"}},
	}
}

// watchedStore keeps everything that was ever committed, as bytes.
type watchedStore struct {
	dsr.Store
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *watchedStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.mu.Lock()
	rec := &ch.Record
	fmt.Fprintf(&s.all, "%s %s %s %s %s", rec.ExternalID, rec.Failure, rec.Identity, rec.Plan, rec.Outcomes)
	for purpose, key := range rec.Keys {
		fmt.Fprintf(&s.all, " %s %s", purpose, key)
	}
	for _, hash := range rec.Lookup {
		s.all.Write(hash)
	}
	for _, chunk := range ch.AppendJournal {
		fmt.Fprintf(&s.all, " %s %s", chunk.Step, chunk.Sealed)
	}
	fmt.Fprintf(&s.all, " %v", ch.Events)
	s.mu.Unlock()
	return s.Store.Commit(ctx, ch)
}

// TestNoPersonalValueOutsideOfPackages greps everything that the engine gives
// away, over requests that end well and badly.
func TestNoPersonalValueOutsideOfPackages(t *testing.T) {
	t.Parallel()
	yaml := strings.ReplaceAll(eraseShopYAML, "data_type: integer", "data_type: string")
	for _, c := range []struct {
		name    string
		arrange func(w *world)
		status  dsr.Status
	}{
		{"complete", func(*world) {}, dsr.StatusComplete},
		{"read fails", func(w *world) { w.db().fail("visits", errors.New("connection reset")) }, dsr.StatusError},
		{"delivery fails", func(w *world) { w.packages.err = errors.New("disk full") }, dsr.StatusError},
		{"value that no strategy takes", func(w *world) {
			w.db().Update("visits", func(row map[string]any) { row["page"] = []byte("CANARY bytes") })
		}, dsr.StatusError},
		{"row without a key", func(w *world) {
			w.db().Update("visits", func(row map[string]any) { row["id"] = nil })
		}, dsr.StatusError},
		{"changed for ever", func(w *world) {
			n := 0
			w.db().beforeApply = func(*dsr.Chunk) {
				n++
				w.db().Update("visits", func(row map[string]any) { row["page"] = fmt.Sprint("CANARY ", n) })
			}
		}, dsr.StatusError},
		{"panic", func(w *world) { w.db().fail("visits", panicky{}) }, dsr.StatusError},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := shop(t, yaml, canaryRows(), nil)
			c.arrange(w)
			config := w.config(nil, policy(accessRule(), erasureRule("hash", eraseAll...)))
			store := &watchedStore{Store: config.Store}
			config.Store = store
			var told bytes.Buffer
			config.Progress = func(_ context.Context, p dsr.Progress) { fmt.Fprintf(&told, "%+v", p) }
			e := newEngine(t, config)
			s := dsr.Submission{Policy: "p", Identities: dsr.Identities{"email": {"CANARY@example.com"}}}
			req, err := e.Requests().Submit(t.Context(), s)
			require.NoError(t, err)
			fmt.Fprintf(&told, "%+v", req)
			var spooled strings.Builder
			ctx := fault.WithHook(t.Context(), func(string) {
				w.spool.mu.Lock()
				defer w.spool.mu.Unlock()
				for _, part := range w.spool.seen {
					spooled.WriteString(part.String())
				}
			})
			req, err = e.Requests().Advance(ctx, "r1")
			require.Equal(t, c.status, req.Status)
			fmt.Fprintf(&told, "%+v %v %+v %#v", req, err, err, err)
			for failed := err; failed != nil; failed = errors.Unwrap(failed) {
				fmt.Fprintf(&told, "%+v", failed)
			}
			slog.New(slog.NewJSONHandler(&told, nil)).Info("done", "request", req, "error", err, "submission", s, "identities", s.Identities)
			slog.New(slog.NewTextHandler(&told, nil)).Info("done", "request", req, "error", err, "submission", s, "identities", s.Identities)
			log, err := e.Requests().Log(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			fmt.Fprintf(&told, "%+v %+v", log, w.notifier.Notices())

			require.NotContains(t, told.String(), canary)
			require.NotContains(t, w.logs.String(), canary)
			require.NotContains(t, store.all.String(), canary)
			require.Greater(t, spooled.Len(), 100_000)
			require.NotContains(t, spooled.String(), canary)
			require.NotContains(t, w.packages.file("r1.manifest.json"), canary)
			if c.status == dsr.StatusComplete {
				require.Contains(t, w.packages.file("r1.json"), canary)
				rec, err := w.store.Request(t.Context(), "r1")
				require.NoError(t, err)
				require.Len(t, rec.Keys, 1)
				require.Contains(t, rec.Keys, "identity")
				require.Empty(t, w.spool.left(t))
			}
		})
	}
}

// panicky panics when it is asked what it is.
type panicky struct{}

func (panicky) Error() string { panic("CANARY") }

func TestIdentitiesPrintNothing(t *testing.T) {
	t.Parallel()
	ids := dsr.Identities{"email": {"CANARY@example.com"}}
	s := dsr.Submission{Policy: "p", Identities: ids, ExternalID: "x1"}
	for _, v := range []any{ids, &ids, s, &s, []dsr.Identities{ids}, map[string]any{"a": ids}, struct{ I dsr.Identities }{ids}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%t", "%5.3v", "%!"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "CANARY", verb)
			require.NotContains(t, fmt.Sprintf(verb, v), "43414e415259", verb)
		}
		require.NotContains(t, fmt.Sprint(v), "CANARY")
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(encoded), "CANARY")
	}
	var read dsr.Identities
	require.NoError(t, json.Unmarshal([]byte(`{"email": ["CANARY@example.com"]}`), &read))
	require.Equal(t, "CANARY@example.com", read["email"][0])
	require.Equal(t, "[redacted]", ids.LogValue().String())
}

func TestRequestsAreFoundByIdentity(t *testing.T) {
	t.Parallel()
	w := shop(t, shopYAML, shopRows(), nil)
	e := newEngine(t, w.config(nil, policy(accessRule())))
	submit(t, e, "email", " Ada@Example.com ")
	for value, want := range map[string]int{"ada@example.com": 1, "ADA@EXAMPLE.COM": 1, "ada": 0, "ada@example.co": 0, "": 0} {
		found, err := e.Requests().FindByIdentity(t.Context(), "email", value)
		require.NoError(t, err)
		require.Len(t, found, want, value)
	}
	found, err := e.Requests().FindByIdentity(t.Context(), "phone_number", "ada@example.com")
	require.NoError(t, err)
	require.Empty(t, found)
	_, err = e.Requests().Get(t.Context(), "r2")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// The plan that a request is planned with survives its way through the store:
// the numbers of a masking configuration mean the same.
func TestStoredPlanMasksAlike(t *testing.T) {
	t.Parallel()
	w := shop(t, peopleYAML, people(), nil)
	rule := erasureRule("random_string_rewrite", "user.name")
	rule.Masking.Configuration = map[string]any{"length": 7, "format_preservation": map[string]any{"suffix": "@x"}}
	ctx, cancel := context.WithCancel(t.Context())
	e := newEngine(t, w.config(nil, policy(rule)))
	submit(t, e, "email", "ada@example.com")
	hooked, hit := at(ctx, "at journal", cancel)
	_, err := e.Requests().Advance(hooked, "r1")
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, *hit)
	req, err := newEngine(t, w.config(nil, policy(rule))).Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Regexp(t, `^[a-z0-9]{7}@x$`, w.db().Rows("people")[0]["name"])
	rec, err := w.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.True(t, json.Valid(rec.Plan))
}
