package fides_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/api/openapitest"
)

// A round is how many requests one engine is sent before the next begins with
// an empty store. A short one lets nearly always every operation succeed, and
// others follow where one did not.
const (
	fuzzRound = 12_000
	shortFuzz = 1_500
	maxRounds = 4 // until every operation has to have succeeded
)

// fuzzTime is how long requests are sent: for DSR_API_FUZZ, such as 5m, with
// the seed DSR_API_FUZZ_SEED and those that follow it, or any if it is unset;
// without DSR_API_FUZZ one round, always the same. A round is always ended.
func fuzzTime(t *testing.T) (total time.Duration, seed uint64) {
	t.Helper()
	var err error
	if text := os.Getenv("DSR_API_FUZZ"); text != "" {
		total, err = time.ParseDuration(text)
		require.NoError(t, err)
		seed = rand.Uint64()
	}
	if text := os.Getenv("DSR_API_FUZZ_SEED"); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	return total, seed
}

func TestEveryAnswerIsAsDocumented(t *testing.T) {
	t.Parallel()
	total, seed := fuzzTime(t)
	round := fuzzRound
	if total == 0 {
		round = shortFuzz
	}
	statuses, missed := map[int]int{}, map[string]bool{}
	began := time.Now()
	for rounds := 1; ; rounds++ {
		config := newEverything(t).fuzz(t, seed+uint64(rounds)-1)
		config.Count = round
		report, err := openapitest.Run(t.Context(), config)
		require.NotNil(t, report, "%v", err)
		for _, violation := range report.Violations {
			t.Errorf("seed %d: %s", report.Seed, violation)
		}
		require.Equal(t, round, report.Sent)
		for _, op := range report.Operations {
			for status, n := range op.Statuses {
				statuses[status] += n
			}
			missed[op.ID] = (rounds == 1 || missed[op.ID]) && !op.Succeeded()
		}
		maps.DeleteFunc(missed, func(_ string, is bool) bool { return !is })
		if t.Failed() {
			return
		}
		if time.Since(began) >= total && (len(missed) == 0 || rounds >= maxRounds) {
			require.Empty(t, missed, "they never succeeded in %d rounds from seed %d", rounds, seed)
			t.Logf("%d rounds of %d requests, %d operations, answers by status: %v", rounds, round, len(report.Operations), statuses)
			return
		}
	}
}

// Several send at once to one door over one store, while requests go on and
// messages go out. Which of them succeed is left to chance.
func TestEveryAnswerIsAsDocumentedWhenManyCall(t *testing.T) {
	t.Parallel()
	const callers = 4
	total, seed := fuzzTime(t)
	e := newEverything(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work, calls sync.WaitGroup
	work.Go(func() { e.carryOut(ctx) })
	errs := make([]error, callers)
	for n := range callers {
		config := e.fuzz(t, seed+uint64(n))
		config.Partial, config.Duration = true, min(total, time.Minute)
		if total == 0 {
			config.Count = shortFuzz / 20
		}
		calls.Go(func() {
			var report *openapitest.Report
			if report, errs[n] = openapitest.Run(ctx, config); errs[n] == nil {
				t.Logf("%d requests", report.Sent)
			}
		})
	}
	calls.Wait()
	cancel()
	work.Wait()
	require.NoError(t, errors.Join(errs...))
}

// carryOut takes requests as far as they go, and sends what is due, again and
// again. What fails is seen in their statuses.
func (e *everything) carryOut(ctx context.Context) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		for req, err := range e.engine.Requests().All(ctx, dsr.Filter{Status: []dsr.Status{dsr.StatusApproved, dsr.StatusInProcessing}}) {
			if err == nil {
				_, _ = e.engine.Requests().Advance(ctx, req.ID)
			}
		}
		_, _ = e.engine.Messages().Send(ctx)
	}
}

// fuzz is a round over the desk. Most who call are told by plain words in place
// of tokens, which the requests sent cannot revoke.
func (e *everything) fuzz(t *testing.T, seed uint64) openapitest.Config {
	t.Helper()
	scopes, or, hooks := map[string][]string{}, map[string][]string{}, map[string]bool{}
	for _, route := range e.door.Routes() {
		at := route.Method + " " + route.Path
		scopes[at], or[at], hooks[at] = route.Scopes, route.Or, route.Hook
	}
	bearer := func(name, word string) openapitest.Caller {
		return openapitest.Caller{Name: name, Header: http.Header{"Authorization": {"Bearer " + word}}, Denied: true}
	}
	nobody := openapitest.Caller{Name: "nobody", Denied: true}
	bad := []openapitest.Caller{nobody, bearer("a bad token", "bad"), bearer("an expired token", e.expired(t)), bearer("a revoked token", e.revoked(t))}
	asked, root := 0, openapitest.Caller{}
	names := oauth.ScopeNames()
	return openapitest.Config{
		Document: []byte(e.send(t, "", "GET", "/openapi.json", nil).Body), Handler: e.door, Prefix: "/api/v1",
		Seed: seed, Example: e.example, Timeout: time.Minute, // as slow as a laden machine is with -race
		Callers: func(op openapitest.Operation) []openapitest.Caller {
			needed, instead := scopes[op.Method+" "+op.Path], or[op.Method+" "+op.Path]
			if asked%100 == 0 { // its tokens are revoked now and then
				if token, err := e.oauth.Token(e.ctx, rootID, rootSecret, nil); err == nil {
					root = bearer("root", token.Value)
					root.Denied = false
				}
			}
			asked++
			switch {
			case hooks[op.Method+" "+op.Path]:
				return append([]openapitest.Caller{bearer("no hook", "all")}, bad...)
			case len(needed) == 0:
				return []openapitest.Caller{{Name: "anybody"}}
			}
			other, only := names[asked%len(names)], bearer("its scope alone", "only-"+needed[0])
			only.Denied = len(needed) > 1
			callers := append([]openapitest.Caller{root, only, bearer("every other scope", "all-but-"+strings.Join(append(instead, needed[0]), ","))}, bad...)
			if !slices.Contains(needed, other) && !slices.Contains(instead, other) {
				callers = append(callers, bearer(other+" alone", "only-"+other))
			}
			return callers
		},
		Known: map[string][]string{
			"client_id": {rootID}, "client_secret": {rootSecret}, "grant_type": {"client_credentials"}, "scope": {"client:read"}, "scopes": {"client:read", "POLICY_READ"},
			"policy_key": {"access", "erase", "review"}, "email": {"nia.vale@example.com"}, "phone_number": {"+11234567891"}, "location": {"FR"},
		},
	}
}

// expired is a token of the server that is too old.
func (e *everything) expired(t *testing.T) string {
	t.Helper()
	old, err := oauth.New(&oauth.Options{
		Records: e.records, Key: []byte(strings.Repeat("k", 32)), Root: oauth.Credentials{ID: rootID, Secret: rootSecret},
		Clock: func() time.Time { return begin.AddDate(-20, 0, 0) },
	})
	require.NoError(t, err)
	token, err := old.Token(e.ctx, rootID, rootSecret, nil)
	require.NoError(t, err)
	return token.Value
}

// revoked is a token that was good.
func (e *everything) revoked(t *testing.T) string {
	t.Helper()
	token, err := e.oauth.Token(e.ctx, rootID, rootSecret, nil)
	require.NoError(t, err)
	require.NoError(t, e.oauth.Revoke(e.ctx, rootID, rootSecret, token.Value))
	return token.Value
}

// words take "all" for a token with every scope, "all-but-SCOPE,SCOPE" for one
// with every other, "only-SCOPE" for one with no other, and leave the rest to others.
type words struct{}

func (words) Authenticate(_ context.Context, r *http.Request) (*oauth.Principal, error) {
	word := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	but, without := strings.CutPrefix(word, "all-but-")
	one, only := strings.CutPrefix(word, "only-")
	if word != "all" && !without && !only {
		return nil, &oauth.Error{Status: http.StatusForbidden, Detail: "Not Authorized for this action"}
	}
	scopes := slices.DeleteFunc(oauth.ScopeNames(), func(s string) bool { return slices.Contains(strings.Split(but, ","), s) || only && s != one })
	return &oauth.Principal{Subject: "words", ClientID: "words", Scopes: scopes}, nil
}
