package dsr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/webhook"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// overHTTP is a hook over HTTP, to a receiver on this machine.
func overHTTP(t testing.TB, address string, opts webhook.Options) *webhook.Client {
	t.Helper()
	opts.Personal, opts.Insecure, opts.Allow = true, true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	client, err := webhook.New(address, []string{hookSecret}, &opts)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// receiving serves a receiver that verifies what it gets.
func receiving(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, call *webhook.Call)) string {
	t.Helper()
	verifier, err := webhook.NewVerifier([]string{hookSecret}, nil)
	require.NoError(t, err)
	server := httptest.NewServer(verifier.Handler(func(w http.ResponseWriter, r *http.Request, _ string, body []byte) error {
		call, err := webhook.DecodeCall(body)
		if err == nil {
			answer(w, r, call)
		}
		return err
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestHooksOverHTTP: a receiver approves later, another one adds an identity,
// halts and resumes later, and a third one is told of the end.
func TestHooksOverHTTP(t *testing.T) {
	t.Parallel()
	var o *office
	api := http.NewServeMux() // what the host serves
	var failed atomic.Pointer[error]
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			failed.Store(&err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	api.HandleFunc("POST /privacy-request/{id}/pre-approve/eligible", func(w http.ResponseWriter, r *http.Request) {
		_, err := o.PreApproveWith(r.Context(), r.PathValue("id"), r.Header.Get("Reply-To-Token"), true)
		answer(w, err)
	})
	api.HandleFunc("POST /privacy-request/{id}/resume", func(w http.ResponseWriter, r *http.Request) {
		var body webhook.Answer
		err := json.NewDecoder(r.Body).Decode(&body)
		if err == nil {
			_, err = o.ResumeWith(r.Context(), r.PathValue("id"), r.Header.Get("Reply-To-Token"), dsr.Identities(body.Identities))
		}
		answer(w, err)
	})
	host := httptest.NewServer(api)
	t.Cleanup(host.Close)

	var calls []string
	replies := map[string]http.Header{}
	address := receiving(t, func(w http.ResponseWriter, r *http.Request, call *webhook.Call) {
		calls = append(calls, fmt.Sprint(call.CallbackType, " ", call.Direction, " ", call.Status, " ", strings.Join(call.Identity["email"], ",")))
		replies[call.CallbackType] = r.Header
		if call.CallbackType == webhook.CallbackPre {
			answer := webhook.Answer{Halt: true, Identities: webhook.Identity{"loyalty_no": {"L-4711"}}}
			_ = answer.Write(w)
		}
	})
	hook := overHTTP(t, address, webhook.Options{ReplyTo: host.URL})
	o = newOffice(t, dsr.Flow{
		PreApproval: []string{"fraud"}, Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}, After: []dsr.Hooking{{Hook: "ledger"}},
	}, func(c *dsr.Config) { c.Hooks = map[string]dsr.Hook{"fraud": hook, "crm": hook, "ledger": hook} })

	reply := func(kind, header, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, replies[kind].Get(header), strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Reply-To-Token", replies[kind].Get("Reply-To-Token"))
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Nil(t, failed.Load())
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	o.submitted(t, submission("access", "ada@example.com"))
	o.requireStatus(t, "r1", dsr.StatusAwaitingPreApproval)
	reply(webhook.CallbackPreApproval, "Reply-To-Eligible", "")
	o.advanced(t, "r1", dsr.StatusPaused)
	reply(webhook.CallbackPre, "Reply-To", `{"derived_identity": {"email": "bob@example.com"}}`)
	req := o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, int64(2), outcome(t, req, "shop:customers").Rows)
	require.Equal(t, []string{
		"pre_approval two_way awaiting_pre_approval ada@example.com", "pre two_way in_processing ada@example.com",
		"post one_way complete ada@example.com,bob@example.com",
	}, calls)
	require.Equal(t, dsr.Identities{"email": {"ada@example.com", "bob@example.com"}, "loyalty_no": {"L-4711"}}, o.identities(t, "r1"))
}

// said is what bad receivers answer with, beside the e-mail that they were
// sent.
const said = "canary-4711"

// badReceiver is one that does what it should not.
type badReceiver struct {
	name    string
	handler http.HandlerFunc
	want    string // the reason that is told
	passing bool   // it is tried again
}

func (b *badReceiver) hangs() bool { return strings.HasPrefix(b.name, "hangs") }

// badReceivers lists them. What hangs does so until done is closed; sent counts
// the bytes that the one without end got rid of, and away the calls that the
// one to which it is redirected got.
func badReceivers(done chan struct{}, sent *atomic.Int64, away string) []badReceiver {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no "+said, code) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to+"/"+said, http.StatusTemporaryRedirect)
		}
	}
	return []badReceiver{
		{"answers 500", status(500), "it answered with status 500 Internal Server Error", true},
		{"answers 503", status(503), "it answered with status 503", true},
		{"answers 429", status(429), "it answered with status 429", true},
		{"answers 400", status(400), "it answered with status 400", false},
		{"answers 401", status(401), "it answered with status 401", false},
		{"answers 410", status(410), "it answered with status 410", false},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-done:
			case <-r.Context().Done():
			}
		}, "it did not answer in time", true},
		{"hangs in its answer", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"halt": true, "`+said)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-done:
			case <-r.Context().Done():
			}
		}, "it did not answer in time", true},
		{"closes the connection", func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, "it broke the connection off", true},
		{"answers half", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"derived_identity": {"email": "`+said)
		}, "it broke the connection off", true},
		{"redirects to itself", redirect(away), "it redirects, which is not followed", false},
		{"redirects to the cloud's metadata", redirect("http://169.254.169.254"), "it redirects, which is not followed", false},
		{"redirects to a private network", redirect("http://10.0.0.1"), "it redirects, which is not followed", false},
		{"answers without end", func(w http.ResponseWriter, r *http.Request) {
			for chunk := []byte(strings.Repeat(said, 4096)); r.Context().Err() == nil; {
				n, err := w.Write(chunk)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}, "its answer is too large", false},
		{"answers garbage", body("<html>" + said), "its answer is not JSON from byte 1 on", false},
		{"answers two answers", body(`{"halt": false} {"halt": "` + said + `"}`), "its answer is not JSON from byte 17 on", false},
		{"answers a list", body(`["` + said + `"]`), "its answer is of the wrong form at byte 1: there should be a struct", false},
		{"answers a wrong type", body(`{"halt": "` + said + `"}`), "its answer is of the wrong form at byte 22: there should be a bool", false},
		{"answers a wrong identity", body(`{"derived_identity": {"email": {"` + said + `": 1}}}`), "its answer has an identity that is not made of kinds with a text or a whole number, or a list of them, each", false},
		{"answers a wrong kind", body(`{"derived_identity": {"` + said + ` of ada@example.com": "x"}}`), "it answers with a kind of identity that no dataset has, and that is not made of 1 to 64 letters, digits, dots, dashes and underscores", false},
		{"answers an empty identity", body(`{"derived_identity": {"email": ["` + said + `", ""]}}`), "dsr: error: identity email: a value is empty", false},
	}
}

// TestReceiversThatMisbehave: whatever a receiver does, the call is bounded, is
// tried again or refused, and nobody's data gets into a log, an error or the
// store.
func TestReceiversThatMisbehave(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	var sent, followed atomic.Int64
	away := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	t.Cleanup(away.Close)
	for _, bad := range badReceivers(done, &sent, away.URL) {
		timeout := time.Minute
		if bad.hangs() {
			timeout = 100 * time.Millisecond
		}
		for calls := calledBy(t, bad, timeout); calls != 2; calls = calledBy(t, bad, timeout) {
			// A busy machine may not even get there in so short a time.
			require.Less(t, calls, int64(2), bad.name)
			timeout *= 2
			require.Less(t, timeout, time.Minute, bad.name)
		}
	}
	require.Zero(t, followed.Load(), "no redirect is followed")
	require.Less(t, sent.Load(), int64(64<<20), "what has no end is not read")
}

// calledBy lets two requests ask a bad receiver, and counts the calls that got
// there.
func calledBy(t *testing.T, bad badReceiver, timeout time.Duration) int64 {
	t.Helper()
	var called atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), "ada@example.com") {
			return // then it answers well, and the test fails
		}
		bad.handler(w, r)
	}))
	misbehaves(t, bad, overHTTP(t, server.URL+"/"+said, webhook.Options{Timeout: timeout}))
	server.CloseClientConnections()
	go server.Close()
	return called.Load()
}

// misbehaves lets a request ask a bad receiver before its work, and another one
// for its approval.
func misbehaves(t *testing.T, bad badReceiver, hook dsr.Hook) {
	t.Helper()
	o := newOffice(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, func(c *dsr.Config) {
		c.Hooks = map[string]dsr.Hook{"crm": hook}
		c.Flows = map[string]dsr.Flow{"both": {PreApproval: []string{"crm"}}}
	})
	o.submitted(t, submission("access", "ada@example.com"))
	req, err := o.Advance(t.Context(), "r1")
	var told string
	if bad.passing {
		require.NoError(t, err, bad.name)
		require.Equal(t, dsr.StatusInProcessing, req.Status, bad.name)
		require.NotNil(t, req.Waiting, bad.name)
		told = req.Waiting.Reason
	} else {
		require.Error(t, err, bad.name)
		require.Equal(t, dsr.StatusError, req.Status, bad.name)
		told = req.Failure + err.Error()
	}
	require.Contains(t, told, ": "+bad.want, bad.name)
	require.Empty(t, req.Hooks, bad.name)
	require.Empty(t, o.db().readCounts(), bad.name)
	require.Equal(t, dsr.Identities{"email": {"ada@example.com"}}, o.identities(t, "r1"), bad.name)

	o.submitted(t, submission("both", "ada@example.com"))
	o.requireStatus(t, "r2", dsr.StatusAwaitingPreApproval)
	o.send(t)
	list, err := o.engine.Messages().Pending(t.Context(), "r2", 0)
	require.NoError(t, err)
	require.Len(t, list, 1, bad.name)
	require.Equal(t, []any{"crm", 1, !bad.passing}, []any{list[0].Hook, list[0].Tries, list[0].Refused}, bad.name)
	require.Equal(t, !bad.passing, strings.Contains(strings.Join(o.notices(), "\n"), "r2 input required pre_approval hook crm was called in vain"), bad.name)

	all := told + o.kept(t, "r1", "r2") + strings.Join(o.notices(), "\n")
	for _, personal := range []string{"ada@example.com", said} {
		require.NotContains(t, all, personal, bad.name)
	}
}

// kept is all that is kept in the open of some requests, and what was logged.
func (o *office) kept(t testing.TB, requests ...string) string {
	t.Helper()
	var all strings.Builder
	for _, id := range requests {
		rec, err := o.store.Request(t.Context(), id)
		require.NoError(t, err)
		events, err := o.Log(t.Context(), id, 0, 0)
		require.NoError(t, err)
		fmt.Fprintf(&all, "%s %s %s %s %s %s %+v %+v %v\n", rec.State, rec.Outcomes, rec.Plan, rec.Identity, rec.Details, rec.Failure, o.get(t, id), events, o.trail(t, id))
	}
	messages, err := o.store.Messages(t.Context(), dsr.MessageQuery{Limit: 1000})
	require.NoError(t, err)
	for _, m := range messages {
		fmt.Fprintf(&all, "%s %s %s\n", m.ID, m.Data, m.Sealed)
	}
	return all.String() + o.logs.String()
}

// TestReceiverThatIsSlow is waited for.
func TestReceiverThatIsSlow(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	address := receiving(t, func(w http.ResponseWriter, _ *http.Request, _ *webhook.Call) {
		_ = http.NewResponseController(w).Flush() // its headers come at once
		<-release
		_, _ = io.WriteString(w, `{"halt": true}`)
	})
	hook := overHTTP(t, address, webhook.Options{Timeout: time.Hour})
	o := newOffice(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, func(c *dsr.Config) {
		c.Hooks = map[string]dsr.Hook{"crm": &releasing{hook, release}}
	})
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusPaused)
}

// releasing releases a receiver once it was called.
type releasing struct {
	dsr.Hook
	release chan struct{}
}

func (h *releasing) Call(ctx context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
	go close(h.release)
	return h.Hook.Call(ctx, c)
}
