package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestTrailOfALife is the whole trail of a request that goes through all there
// is, to the letter.
func TestTrailOfALife(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{VerifyIdentity: true, Approval: true, Finalization: true}, func(c *dsr.Config) {
		c.Retention = dsr.Retention{Journals: time.Hour}
	})
	s := submission("both", "ada@example.com")
	s.By = clerk
	o.submitted(t, s)
	_, err := o.Verify(t.Context(), "r1", wrongCode(o.code(t)))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
	o.done(t, o.Approve, "r1", dsr.StatusApproved)
	o.db().fail("visits", dsr.ErrUnavailable)
	for range 3 { // tries that fail one after another are told once
		o.clock.add(time.Hour)
		o.advanced(t, "r1", dsr.StatusInProcessing)
	}
	o.db().fail("visits", nil)
	o.packages.err = errors.New("disk full")
	o.clock.add(time.Hour)
	_, err = o.Advance(t.Context(), "r1")
	require.Error(t, err)
	o.packages.err = nil
	o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
	req := o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	rec, err := o.store.Request(t.Context(), "r1")
	require.NoError(t, err)
	o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{
		"received by clerk-7 policy=both",
		"verification code sent",
		"wrong verification code",
		"identity verified",
		"approved by clerk-7",
		"started",
		"planned collections=3 plan=" + sha256Hex(rec.Plan) + " skipped=0",
		"waiting",
		"collected collections=3 rows=5",
		"going on",
		"failed stage=deliver",
		"retried by clerk-7",
		"delivered bytes=259 destination=folder rows=5 rule=access sha256=" + req.Packages[0].SHA256,
		"journalled rows=4",
		"erasure begun",
		"erased changed=0 collection=shop:customers gone=0 masked=1 targeted=1",
		"erased changed=0 collection=shop:orders gone=0 masked=2 targeted=2",
		"erased changed=0 collection=shop:visits gone=0 masked=1 targeted=1",
		"finished",
		"finalized by clerk-7",
		"expired journal=gone",
	}, o.trail(t, "r1"))
	require.Equal(t, sha256Hex([]byte(o.packages.file("r1.json"))), req.Packages[0].SHA256)
	require.Equal(t, &dsr.AuditReport{Chains: 1, Entries: 21, Unsigned: 21}, o.sound(t))
	seq := int64(0)
	for entry, err := range o.engine.Audit().Entries(t.Context(), "r1") {
		require.NoError(t, err)
		seq++
		require.Equal(t, []any{"r1", seq}, []any{entry.RequestID, entry.Seq})
	}
	for _, err := range o.engine.Audit().Entries(t.Context(), "") {
		require.EqualError(t, err, "dsr: the audit trail of which request?")
	}
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	actors := map[string][]string{}
	for i, actor := range []string{"anna", "bert", "anna"} {
		id := o.submitted(t, submission("access", "ada@example.com")).ID
		_, err := o.Approve(t.Context(), id, dsr.By{Actor: actor, Reason: fmt.Sprint(i)})
		require.NoError(t, err)
		for entry, err := range o.engine.Audit().Entries(t.Context(), id) {
			require.NoError(t, err)
			if entry.Actor != "" {
				actors[actor] = append(actors[actor], entry.Actor)
			}
		}
	}
	require.Len(t, actors["anna"], 2)
	require.Equal(t, actors["anna"][0], actors["anna"][1])
	require.NotEqual(t, actors["anna"][0], actors["bert"][0])
	for actor, names := range actors {
		require.Regexp(t, `^[0-9a-f]{32}$`, names[0])
		name, err := o.engine.Audit().Pseudonym(t.Context(), actor)
		require.NoError(t, err)
		require.Equal(t, names[0], name)
		// Another keyring makes other ones.
		other, err := newOffice(t, dsr.Flow{}, nil).engine.Audit().Pseudonym(t.Context(), actor)
		require.NoError(t, err)
		require.NotEqual(t, name, other)
	}
}

// tampered is a store in which somebody changed the trail.
type tampered struct {
	dsr.Store
	entries     func([]dsr.AuditEntry) []dsr.AuditEntry
	checkpoints func([]dsr.Checkpoint) []dsr.Checkpoint
}

func (s *tampered) AuditEntries(ctx context.Context, id string, after dsr.AuditPlace, limit int) ([]dsr.AuditEntry, error) {
	page, err := s.Store.AuditEntries(ctx, id, after, limit)
	if s.entries != nil && after == (dsr.AuditPlace{}) {
		page = s.entries(page)
	}
	return page, err
}

func (s *tampered) Checkpoints(ctx context.Context, after int64, limit int) ([]dsr.Checkpoint, error) {
	page, err := s.Store.Checkpoints(ctx, after, limit)
	if s.checkpoints != nil {
		page = s.checkpoints(page)
	}
	return page, err
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	for range 3 {
		id := o.submitted(t, submission("access", "ada@example.com")).ID
		o.done(t, o.Approve, id, dsr.StatusApproved)
		o.done(t, o.Pause, id, dsr.StatusPaused)
		_, err := o.engine.Audit().Checkpoint(t.Context())
		require.NoError(t, err)
	}
	last, err := o.engine.Audit().Checkpoint(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), last.Seq)
	o.done(t, o.Resume, "r2", dsr.StatusApproved) // not yet signed
	require.Equal(t, &dsr.AuditReport{
		Chains: 3, Entries: 10, Checkpoints: 3, Unsigned: 1, Last: dsr.AuditMark{Seq: 3, Hash: last.Hash},
	}, o.sound(t))

	entries := func(do func([]dsr.AuditEntry) []dsr.AuditEntry) tampered { return tampered{entries: do} }
	without := func(from, to int) tampered {
		return entries(func(all []dsr.AuditEntry) []dsr.AuditEntry { return slices.Delete(all, from, to) })
	}
	// r1 stands at 0 to 2, r2 at 3 to 6, r3 at 7 to 9.
	for name, c := range map[string]struct {
		store  tampered
		expect dsr.AuditMark
		want   []string
	}{
		"action edited": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[4].Action = "denied"
			return all
		}), want: []string{"r2 2 edited"}},
		"actor edited": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[4].Actor = all[4].Actor[1:]
			return all
		}), want: []string{"r2 2 edited"}},
		"details edited": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[0].Details["policy"] = "erase"
			return all
		}), want: []string{"r1 1 edited"}},
		"time edited": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[9].Time = all[9].Time.Add(time.Microsecond)
			return all
		}), want: []string{"r3 3 edited"}},
		"unsigned entry edited": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[6].Action = "paused"
			return all
		}), want: []string{"r2 4 edited"}},
		"removed":       {store: without(4, 5), want: []string{"r2 2 removed"}},
		"two removed":   {store: without(3, 5), want: []string{"r2 1 removed"}},
		"chain removed": {store: without(3, 7), want: []string{"r2 0 removed"}},
		"cut off":       {store: without(8, 10), want: []string{"r3 2 cut off"}},
		"reordered": {store: entries(func(all []dsr.AuditEntry) []dsr.AuditEntry {
			all[3], all[4] = all[4], all[3]
			return all
		}), want: []string{"r2 1 reordered"}},
		"checkpoint edited": {store: tampered{checkpoints: func(all []dsr.Checkpoint) []dsr.Checkpoint {
			all[1].Heads[0].Seq++
			return all
		}}, want: []string{" 2 edited"}},
		"checkpoint removed": {store: tampered{checkpoints: func(all []dsr.Checkpoint) []dsr.Checkpoint {
			return slices.Delete(all, 1, 2)
		}}, want: []string{" 2 removed"}},
		"newest checkpoint removed": {store: tampered{checkpoints: func(all []dsr.Checkpoint) []dsr.Checkpoint {
			return all[:2]
		}}, expect: dsr.AuditMark{Seq: 3, Hash: last.Hash}, want: []string{" 3 removed"}},
		"another checkpoint expected": {expect: dsr.AuditMark{Seq: 3, Hash: make([]byte, 32)}, want: []string{" 3 rewritten"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := o.config
			c.store.Store = config.Store
			config.Store = &c.store
			report, err := newEngine(t, config).Audit().Verify(t.Context(), &dsr.AuditOptions{Expect: c.expect})
			require.NoError(t, err)
			var got []string
			for _, f := range report.Findings {
				got = append(got, fmt.Sprint(f.RequestID, " ", f.Seq, " ", f.Kind))
				require.NotEmpty(t, f.Message)
			}
			require.Equal(t, c.want, got)
		})
	}
	// Asked for one request, only that one is verified.
	config := o.config
	config.Store = &tampered{Store: o.config.Store, entries: func(all []dsr.AuditEntry) []dsr.AuditEntry {
		if all[0].RequestID == "r1" {
			all[0].Action = "denied"
		}
		return all
	}}
	for id, want := range map[string]int{"r1": 1, "r2": 0} {
		report, err := newEngine(t, config).Audit().Verify(t.Context(), &dsr.AuditOptions{Requests: []string{id, id}})
		require.NoError(t, err)
		require.Len(t, report.Findings, want)
		require.Equal(t, int64(1), report.Chains)
	}
}
