package dsr_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	var published []dsr.Checkpoint
	var failing error
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Audit.Publish = func(_ context.Context, p dsr.Checkpoint) error {
			published = append(published, p)
			return failing
		}
	})
	c, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.Nil(t, c, "there is nothing to sign")
	for range 3 {
		o.submitted(t, submission("access", "ada@example.com"))
	}
	first, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), begin, 0, 3}, []any{first.Seq, first.Time, len(first.Prev), len(first.Heads)})
	o.clock.add(time.Hour)
	again, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again, "nothing happened since")
	o.done(t, o.Approve, "r2", dsr.StatusApproved)
	failing = errors.New("CANARY archive is full")
	second, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{int64(2), begin.Add(time.Hour), first.Hash}, []any{second.Seq, second.Time, second.Prev})
	rec, err := o.store.Request(t.Context(), "r2")
	require.NoError(t, err)
	require.Equal(t, []dsr.AuditHead{{RequestID: "r2", Seq: 2, Hash: rec.AuditHash}}, second.Heads)
	require.Equal(t, []dsr.Checkpoint{*first, *second}, published)
	require.Contains(t, o.logs.String(), `"msg":"a checkpoint of the audit trail was not published","seq":2}`)
	require.NotContains(t, o.logs.String(), "CANARY")
	require.Zero(t, o.sound(t).Unsigned)
}

func TestManySaveCheckpoints(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	engines := []*dsr.Engine{o.engine, newEngine(t, o.config)}
	var wg sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		wg.Go(func() {
			_, err := o.Submit(t.Context(), submission("access", fmt.Sprintf("person%d@example.com", i)))
			if err == nil {
				_, err = engines[i%2].Audit().Checkpoint(t.Context())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.Equal(t, make([]error, 12), errs)
	report := o.sound(t)
	require.Equal(t, []int64{12, 12, 0}, []int64{report.Chains, report.Entries, report.Unsigned})
	all, err := o.store.Checkpoints(t.Context(), 0, 0)
	require.NoError(t, err)
	heads := map[string]int{}
	for i, c := range all {
		require.Equal(t, int64(i+1), c.Seq)
		for _, head := range c.Heads {
			heads[head.RequestID]++
		}
	}
	require.Len(t, heads, 12)
}

// overtaken is a store in which another process saves a checkpoint between two
// looks of the first one.
type overtaken struct {
	dsr.Store
	overtake func()
}

func (s *overtaken) UnsignedHeads(ctx context.Context, limit int) ([]dsr.AuditHead, error) {
	if do := s.overtake; do != nil {
		s.overtake = nil
		do()
	}
	return s.Store.UnsignedHeads(ctx, limit)
}

func TestNewestCheckpointIsReturnedThoughAnotherMadeIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	c := o.config
	var made *dsr.Checkpoint
	c.Store = &overtaken{o.config.Store, func() {
		var err error
		made, err = o.engine.Audit().Checkpoint(t.Context())
		require.NoError(t, err)
	}}
	got, err := newEngine(t, c).Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.NotNil(t, made)
	require.Equal(t, made, got)
}

func TestSigners(t *testing.T) {
	t.Parallel()
	_, own, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	wrong, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	with := func(signer crypto.Signer) *office {
		o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Audit.Signer = signer })
		o.submitted(t, submission("access", "ada@example.com"))
		return o
	}
	o := with(own)
	key, err := o.engine.Audit().PublicKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, own.Public(), key)
	c, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.True(t, ed25519.Verify(key, c.Hash, c.Signature))
	o.sound(t)
	// Without one the key comes of the keyring, and is the same in every process.
	o = with(nil)
	key, err = o.engine.Audit().PublicKey(t.Context())
	require.NoError(t, err)
	same, err := newEngine(t, o.config).Audit().PublicKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, key, same)

	config := newOffice(t, dsr.Flow{}, nil).config
	config.Audit.Signer = wrong
	_, err = dsr.New(config)
	require.EqualError(t, err, "dsr: the configuration has 1 fault(s):\n\tAudit.Signer has a key of type *ecdsa.PublicKey; checkpoints are signed with Ed25519")
}

func TestExports(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { c.Retention = dsr.Retention{Requests: time.Hour} })
	for _, who := range []string{"ada", "bob", "cleo"} {
		o.submitted(t, submission("both", who+"@example.com"))
	}
	o.done(t, o.Deny, "r2", dsr.StatusDenied)
	_, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	o.clock.add(time.Hour)
	o.advanced(t, "r2", dsr.StatusDenied)
	_, err = o.Get(t.Context(), "r2")
	require.ErrorIs(t, err, dsr.ErrNotFound)
	last, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	key, err := o.engine.Audit().PublicKey(t.Context())
	require.NoError(t, err)

	export := func(ids ...string) string {
		var b bytes.Buffer
		require.NoError(t, o.engine.Audit().Export(t.Context(), &b, ids...))
		return b.String()
	}
	whole := export()
	for name, c := range map[string]struct {
		text string
		opts *dsr.AuditOptions
		want dsr.AuditReport
	}{
		"whole":                          {whole, &dsr.AuditOptions{Key: key}, dsr.AuditReport{Chains: 3, Entries: 5, Checkpoints: 2}},
		"without key":                    {whole, nil, dsr.AuditReport{Chains: 3, Entries: 5, Checkpoints: 2, Unauthenticated: true}},
		"expected":                       {whole, &dsr.AuditOptions{Key: key, Expect: dsr.AuditMark{Seq: 2, Hash: last.Hash}}, dsr.AuditReport{Chains: 3, Entries: 5, Checkpoints: 2}},
		"one that retention removed":     {export("r2"), &dsr.AuditOptions{Key: key, Requests: []string{"r2"}}, dsr.AuditReport{Chains: 1, Entries: 3, Checkpoints: 2}},
		"one is looked for in the whole": {whole, &dsr.AuditOptions{Key: key, Requests: []string{"r1"}}, dsr.AuditReport{Chains: 1, Entries: 1, Checkpoints: 2}},
	} {
		c.want.Last = dsr.AuditMark{Seq: 2, Hash: last.Hash}
		report, err := dsr.VerifyAudit(strings.NewReader(c.text), c.opts)
		require.NoError(t, err, name)
		require.Equal(t, &c.want, report, name)
	}
	// An auditor notices what was changed in the file.
	require.Equal(t, 1, strings.Count(whole, `"denied"`))
	report, err := dsr.VerifyAudit(strings.NewReader(strings.Replace(whole, `"denied"`, `"paused"`, 1)), &dsr.AuditOptions{Key: key})
	require.Error(t, err)
	require.Equal(t, dsr.AuditFinding{RequestID: "r2", Seq: 2, Kind: "edited"}, dsr.AuditFinding{
		RequestID: report.Findings[0].RequestID, Seq: report.Findings[0].Seq, Kind: report.Findings[0].Kind,
	})
	report, err = dsr.VerifyAudit(strings.NewReader("no export"), nil)
	require.Nil(t, report)
	require.ErrorContains(t, err, "dsr: ")
	other, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	report, err = dsr.VerifyAudit(strings.NewReader(whole), &dsr.AuditOptions{Key: other})
	require.NoError(t, err)
	for i, f := range report.Findings[:3] { // header and checkpoints: signed by somebody else
		require.Equal(t, []any{"", int64(i), "edited"}, []any{f.RequestID, f.Seq, f.Kind})
	}
}

// Run makes checkpoints where something happened, and says when it cannot.
func TestRunMakesCheckpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
			c.Clock, c.Poll = time.Now, time.Minute
			c.Audit.Every = 10 * time.Minute
		})
		start := time.Now().UTC()
		ended := make(chan error)
		go func() { ended <- o.engine.Run(ctx) }()
		<-time.After(25 * time.Minute)
		o.submitted(t, submission("access", "ada@example.com"))
		<-time.After(30 * time.Minute)
		o.done(t, o.Deny, "r1", dsr.StatusDenied)
		<-time.After(time.Hour)
		all, err := o.store.Checkpoints(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, []time.Time{start.Add(30 * time.Minute), start.Add(60 * time.Minute)}, []time.Time{all[0].Time, all[1].Time})
		cancel()
		require.NoError(t, <-ended)
	})
}
