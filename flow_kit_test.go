package dsr_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// office is an engine over a shop. Its requests are r1, r2 and so on, under the
// policies access, erase and both.
type office struct {
	*world
	*dsr.Requests
	engine  *dsr.Engine
	config  dsr.Config
	commits *atomic.Int64
}

var clerk = dsr.By{Actor: "clerk-7", Reason: "as the letter says"}

// countedStore counts the changes that were stored.
type countedStore struct {
	dsr.Store
	commits *atomic.Int64
}

func (s *countedStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	err := s.Store.Commit(ctx, ch)
	if err == nil {
		s.commits.Add(1)
	}
	return err
}

// newOffice opens an office under a flow; change may alter what else it is made
// of.
func newOffice(t testing.TB, flow dsr.Flow, change func(*dsr.Config)) *office {
	t.Helper()
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	erase := erasureRule("random_string_rewrite", eraseAll...)
	o := &office{world: w, commits: &atomic.Int64{}}
	o.config = w.config(nil,
		graph.Policy{Key: "access", Rules: []graph.Rule{accessRule()}},
		graph.Policy{Key: "erase", Rules: []graph.Rule{erase}},
		graph.Policy{Key: "both", Rules: []graph.Rule{accessRule(), erase}},
	)
	o.config.Store = &countedStore{o.config.Store, o.commits}
	o.config.Flow = flow
	var n atomic.Int64
	o.config.NewID = func() string { return fmt.Sprint("r", n.Add(1)) }
	if change != nil {
		change(&o.config)
	}
	o.engine = newEngine(t, o.config)
	o.Requests = o.engine.Requests()
	return o
}

// submission is one for e-mail addresses.
func submission(policy string, emails ...string) dsr.Submission {
	return dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": emails}}
}

// submitted submits a request that must be accepted. Hooks are then called, as
// by an engine that runs.
func (o *office) submitted(t testing.TB, s dsr.Submission) *dsr.Request {
	t.Helper()
	req, err := o.Submit(t.Context(), s)
	require.NoError(t, err)
	if len(o.config.Hooks) == 0 {
		return req
	}
	o.send(t)
	return o.get(t, req.ID)
}

// get returns a request that must be there.
func (o *office) get(t testing.TB, id string) *dsr.Request {
	t.Helper()
	req, err := o.Get(t.Context(), id)
	require.NoError(t, err)
	return req
}

func (o *office) requireStatus(t testing.TB, id string, want dsr.Status) *dsr.Request {
	t.Helper()
	req := o.get(t, id)
	require.Equal(t, want, req.Status)
	return req
}

// advanced advances a request, which must end up in a status.
func (o *office) advanced(t testing.TB, id string, want dsr.Status) *dsr.Request {
	t.Helper()
	req, err := o.Advance(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, want, req.Status)
	return req
}

// done applies a verb, which must end in a status.
func (o *office) done(t testing.TB, verb dsr.Verb, id string, want dsr.Status) *dsr.Request {
	t.Helper()
	req, err := verb(t.Context(), id, clerk)
	require.NoError(t, err)
	require.Equal(t, want, req.Status)
	require.Equal(t, want, o.get(t, id).Status)
	return req
}

// refused applies a verb, which must be refused in these words and change
// nothing.
func (o *office) refused(t testing.TB, verb dsr.Verb, id string, cause error, text string) {
	t.Helper()
	before, commits := o.get(t, id), o.commits.Load()
	req, err := verb(t.Context(), id, clerk)
	require.Nil(t, req)
	require.EqualError(t, err, text)
	require.ErrorIs(t, err, cause)
	var refusal *dsr.RefusedError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, id, refusal.RequestID)
	require.Equal(t, before.Status, refusal.Status)
	require.Equal(t, before, o.get(t, id))
	require.Equal(t, commits, o.commits.Load())
}

// code is the verification code that was sent last.
func (o *office) code(t testing.TB) string {
	t.Helper()
	notices := o.notifier.Notices()
	slices.Reverse(notices)
	at := slices.IndexFunc(notices, func(n dsr.Notice) bool { return n.Kind == dsr.NoticeVerify })
	require.GreaterOrEqual(t, at, 0, "no code was sent")
	require.Regexp(t, `^[0-9]{6}$`, notices[at].Code)
	return notices[at].Code
}

// wrongCode is none of the code given.
func wrongCode(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// notices lists what was sent, one line each: kind, request and what is open.
func (o *office) notices() []string {
	var lines []string
	for _, n := range o.notifier.Notices() {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(n.RequestID, " ", n.Kind, " ", strings.Join(n.Packages, ","), n.Message)))
	}
	return lines
}

// trail lists the audit trail of a request, one line each: the action, who did
// it by name if it was the clerk, and the details in order.
func (o *office) trail(t testing.TB, id string) []string {
	t.Helper()
	name, err := o.engine.Audit().Pseudonym(t.Context(), clerk.Actor)
	require.NoError(t, err)
	var lines []string
	for entry, err := range o.engine.Audit().Entries(t.Context(), id) {
		require.NoError(t, err)
		line := entry.Action
		switch entry.Actor {
		case "":
		case name:
			line += " by clerk-7"
		default:
			line += " by somebody"
		}
		for _, key := range slices.Sorted(maps.Keys(entry.Details)) {
			line += " " + key + "=" + entry.Details[key]
		}
		lines = append(lines, line)
	}
	return lines
}

// actions are the first words of the trail.
func (o *office) actions(t testing.TB, id string) []string {
	t.Helper()
	var actions []string
	for entry, err := range o.engine.Audit().Entries(t.Context(), id) {
		require.NoError(t, err)
		actions = append(actions, entry.Action)
	}
	return actions
}

// sound says that the audit trail is as it was written.
func (o *office) sound(t testing.TB) *dsr.AuditReport {
	t.Helper()
	report, err := o.engine.Audit().Verify(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	return report
}

// ids of requests, in their order.
func ids(reqs []*dsr.Request) []string {
	out := []string{}
	for _, req := range reqs {
		out = append(out, req.ID)
	}
	return out
}

// begin is when the clock of a world starts.
var begin = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
