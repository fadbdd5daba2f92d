package dsr_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// A start with the keyring of another store changes nothing.
func TestAnotherKeyringIsRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	before, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)

	config := o.config
	config.Keyring, err = dsr.NewLocalKeyring(bytes.Repeat([]byte{9}, 32), dsr.LocalKey{ID: "1", Key: bytes.Repeat([]byte{8}, 32)})
	require.NoError(t, err)
	wrong := newEngine(t, config)
	const text = "dsr: the store was written with another keyring: its look-up key is not the one that the audit trail was made with; nothing was changed"
	for name, call := range map[string]func() error{
		"submit": func() error {
			_, err := wrong.Requests().Submit(t.Context(), submission("access", "bob@example.com"))
			return err
		},
		"approve": func() error { _, err := wrong.Requests().Approve(t.Context(), "r1", clerk); return err },
		"advance": func() error { _, err := wrong.Requests().Advance(t.Context(), "r1"); return err },
		"run":     func() error { return wrong.Run(t.Context()) },
	} {
		err := call()
		require.ErrorIs(t, err, dsr.ErrKeyring, name)
		require.EqualError(t, err, text, name)
	}
	after, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, before, after)
	report, err := o.engine.Audit().Verify(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

// panicking panics with a person's name, wherever it is asked.
type panickingKeyring struct{ dsr.Keyring }

func (panickingKeyring) Lookup(context.Context, []byte) ([]byte, error) { panic("CANARY") }

type panickingStore struct{ dsr.Store }

func (panickingStore) Request(context.Context, string) (*dsr.Record, error) { panic("CANARY") }
func (panickingStore) Requests(context.Context, dsr.RecordQuery) ([]*dsr.Record, error) {
	panic("CANARY")
}
func (panickingStore) CountRequests(context.Context, dsr.RecordQuery) (int64, error) { panic("CANARY") }
func (panickingStore) Checkpoints(context.Context, int64, int) ([]dsr.Checkpoint, error) {
	panic("CANARY")
}

// A panic of the store or the keyring is an error of every verb, without what
// it was about.
func TestPanicsOfStoreAndKeyring(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	broken := func(change func(*dsr.Config)) *dsr.Engine {
		config := o.config
		change(&config)
		return newEngine(t, config)
	}
	keys := broken(func(c *dsr.Config) { c.Keyring = panickingKeyring{c.Keyring} }).Requests()
	store := broken(func(c *dsr.Config) { c.Store = panickingStore{c.Store} })
	for name, call := range map[string]func() error{
		"submit":   func() error { _, err := keys.Submit(t.Context(), submission("access", "ada@example.com")); return err },
		"find":     func() error { _, err := keys.FindByIdentity(t.Context(), "email", "ada@example.com"); return err },
		"get":      func() error { _, err := store.Requests().Get(t.Context(), "r1"); return err },
		"approve":  func() error { _, err := store.Requests().Approve(t.Context(), "r1", clerk); return err },
		"list":     func() error { _, err := store.Requests().List(t.Context(), dsr.Filter{}); return err },
		"count":    func() error { _, err := store.Requests().Count(t.Context(), dsr.Filter{}); return err },
		"identity": func() error { _, err := store.Requests().Identities(t.Context(), "r1"); return err },
		"verify":   func() error { _, err := store.Audit().Verify(t.Context(), nil); return err },
	} {
		err := call()
		var panicked *graph.PanicError
		require.ErrorAs(t, err, &panicked, name)
		require.NotContains(t, err.Error(), "CANARY", name)
	}
}

// What would make a request too large to handle is refused when it is submitted.
func TestLimitsOfSubmissions(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	long := strings.Repeat("x", 1001)
	many := []string{long}
	for range 1000 {
		many = append(many, "a@example.com")
	}
	_, err := o.Submit(t.Context(), dsr.Submission{
		Policy: "access", ExternalID: long, Identities: dsr.Identities{"email": many},
		RequestedAt: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), By: dsr.By{Actor: long},
	})
	require.EqualError(t, err, "dsr: 5 faults:\n"+
		"\terror: submission: it has more than 1000 identities\n"+
		"\terror: submission: its external ID has more than 1000 bytes\n"+
		"\terror: submission: RequestedAt is not within the years 1900 to 2200\n"+
		"\terror: submission: the actor's name has more than 1000 bytes\n"+
		"\terror: identity email: a value has more than 1000 bytes")
	o.submitted(t, submission("access", "ada@example.com"))
	_, err = o.Approve(t.Context(), "r1", dsr.By{Actor: "clerk", Reason: strings.Repeat("x", 32_001)})
	require.EqualError(t, err, "dsr: request r1: the reason has more than 32000 bytes")
	o.requireStatus(t, "r1", dsr.StatusPending)
	_, err = o.List(t.Context(), dsr.Filter{Page: math.MaxInt, Size: 1000})
	require.ErrorContains(t, err, "Page is beyond any list; use a Cursor")
}

// Of requests that come at once, one is the first and all others repeat it.
func TestDuplicatesThatComeAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true, Duplicates: &dsr.Duplicates{}}, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
			if err != nil {
				panic(err)
			}
		})
	}
	wg.Wait()
	n, err := o.Count(t.Context(), dsr.Filter{Status: []dsr.Status{dsr.StatusDuplicate}})
	require.NoError(t, err)
	require.Equal(t, int64(19), n)
}

// Nothing is done to one person's data while an erasure of it stands half done.
func TestHalfErasedPersonsComeFirst(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("erase", "ada@example.com"))
	o.submitted(t, submission("access", "ada@example.com"))
	ctx, hit := at(t.Context(), "applied 1", func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
	_, err := o.Advance(ctx, "r1")
	require.Error(t, err)
	require.True(t, *hit)
	_, err = o.Advance(t.Context(), "r2")
	require.ErrorIs(t, err, dsr.ErrLeased)
	require.EqualError(t, err, "dsr: the request is being advanced elsewhere: request r1 of the same data subject stopped in the middle of its erasure (paused) and has to be finished first")
	// Its log says so once, however often and by whom it is looked at.
	for _, requests := range []*dsr.Requests{o.Requests, newEngine(t, o.config).Requests()} {
		_, err = requests.Advance(t.Context(), "r2")
		require.ErrorIs(t, err, dsr.ErrLeased)
		events, err := requests.Log(t.Context(), "r2", 0, 0)
		require.NoError(t, err)
		require.Equal(t, []dsr.Event{
			{Seq: 1, Time: o.clock.Now(), Kind: "received"},
			{Seq: 2, Time: o.clock.Now(), Kind: "waits", Status: "retrying", Message: "request r1 of the same data subject stopped in the middle of its erasure (paused) and has to be finished first"},
		}, events)
	}
	const warned = `"msg":"a request waits until another of the same data subject is finished, whose erasure stopped halfway","request":"r2","for":"r1","status":"paused"`
	require.Equal(t, 2, strings.Count(o.logs.String(), warned), "once by each engine")
	require.Equal(t, dsr.StatusApproved, get(t, o.engine, "r2").Status)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusComplete)
	o.advanced(t, "r2", dsr.StatusComplete)
}

// An erasure under way comes before a request that started first and was paused
// meanwhile, also while nobody holds either.
func TestErasuresUnderWayComeFirst(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.submitted(t, submission("erase", "ada@example.com"))
	ctx, hit := at(t.Context(), "at deliver", func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
	_, err := o.Advance(ctx, "r1")
	require.Error(t, err)
	require.True(t, *hit)

	o.clock.add(time.Minute)
	stopped, cancel := context.WithCancel(t.Context())
	ctx, hit = at(stopped, "applied 1", cancel)
	_, err = o.Advance(ctx, "r2")
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, *hit)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	_, err = o.Advance(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrLeased)
	require.EqualError(t, err, "dsr: the request is being advanced elsewhere: request r2 of the same data subject comes first")
	o.advanced(t, "r2", dsr.StatusComplete)
	o.advanced(t, "r1", dsr.StatusComplete)
}
