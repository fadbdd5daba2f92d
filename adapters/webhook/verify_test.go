package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/webhook"
)

func verifier(t testing.TB, secrets ...string) *webhook.Verifier {
	t.Helper()
	v, err := webhook.NewVerifier(secrets, &webhook.VerifierOptions{Clock: now})
	require.NoError(t, err)
	return v
}

// signedHeader is the vector of the standard's own libraries.
func signedHeader() http.Header {
	return http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
}

const signedBody = `{"test": 2432232314}`

func TestVerify(t *testing.T) {
	t.Parallel()
	const wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	right := signedHeader().Get("Webhook-Signature")
	for name, test := range map[string]struct {
		change func(h http.Header)
		body   string
		after  time.Duration
		want   error
	}{
		"the vector":             {},
		"one of several":         {change: func(h http.Header) { h.Set("webhook-signature", wrong+" v2,x "+right+" "+wrong) }},
		"at the end of the time": {after: 5 * time.Minute},
		"before its time":        {after: -5 * time.Minute},
		"too old":                {after: 5*time.Minute + time.Second, want: webhook.ErrTooOld},
		"too new":                {after: -5*time.Minute - time.Second, want: webhook.ErrTooNew},
		"no id":                  {change: func(h http.Header) { h.Del("webhook-id") }, want: webhook.ErrNoSignature},
		"no time":                {change: func(h http.Header) { h.Del("webhook-timestamp") }, want: webhook.ErrNoSignature},
		"no signature":           {change: func(h http.Header) { h.Del("webhook-signature") }, want: webhook.ErrNoSignature},
		"two ids":                {change: func(h http.Header) { h.Add("webhook-id", "x") }, want: webhook.ErrNoSignature},
		"hostile id":             {change: func(h http.Header) { h.Set("webhook-id", "a b") }, want: webhook.ErrNoSignature},
		"no number":              {change: func(h http.Header) { h.Set("webhook-timestamp", "now") }, want: webhook.ErrNoSignature},
		"another id":             {change: func(h http.Header) { h.Set("webhook-id", "msg") }, want: webhook.ErrWrongSignature},
		"another time":           {change: func(h http.Header) { h.Set("webhook-timestamp", "1614265331") }, want: webhook.ErrWrongSignature},
		"another body":           {body: signedBody + " ", want: webhook.ErrWrongSignature},
		"another signature":      {change: func(h http.Header) { h.Set("webhook-signature", wrong) }, want: webhook.ErrWrongSignature},
		"half a signature":       {change: func(h http.Header) { h.Set("webhook-signature", right[:20]) }, want: webhook.ErrWrongSignature},
		"another version":        {change: func(h http.Header) { h.Set("webhook-signature", "v1a"+right[2:]) }, want: webhook.ErrWrongSignature},
		"very many":              {change: func(h http.Header) { h.Set("webhook-signature", strings.Repeat("v1,x ", 40)+right) }, want: webhook.ErrWrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := webhook.NewVerifier([]string{older, secret}, &webhook.VerifierOptions{
				Clock: func() time.Time { return time.Unix(1614265330, 0).Add(test.after) },
			})
			require.NoError(t, err)
			header, body := signedHeader(), signedBody
			if test.change != nil {
				test.change(header)
			}
			if test.body != "" {
				body = test.body
			}
			require.ErrorIs(t, v.Verify(header, []byte(body)), test.want)
		})
	}
	require.ErrorIs(t, verifier(t, older).Verify(signedHeader(), []byte(signedBody)), webhook.ErrWrongSignature)
}

func TestFaultsOfSecrets(t *testing.T) {
	t.Parallel()
	_, err := webhook.NewVerifier([]string{"whsec_c2hvcnQ=", "canary"}, nil)
	require.EqualError(t, err, "webhook: secret 1 of 2 has 5 bytes; 24 to 64 are needed\nsecret 2 of 2 is not \"whsec_\" followed by base64")
}

// remembered is a webhook.Seen in memory, of one test.
type remembered map[string]bool

func (r remembered) Has(_ context.Context, id string) (bool, error) { return r[id], nil }
func (r remembered) Add(_ context.Context, id string) error         { r[id] = true; return nil }

func TestHandler(t *testing.T) {
	t.Parallel()
	seen := remembered{}
	v, err := webhook.NewVerifier([]string{secret}, &webhook.VerifierOptions{
		Clock: func() time.Time { return time.Unix(1614265330, 0) }, MaxBody: int64(len(signedBody)), Seen: seen,
	})
	require.NoError(t, err)
	calls, fail := 0, errors.New("canary")
	handler := v.Handler(func(_ http.ResponseWriter, _ *http.Request, id string, body []byte) error {
		calls++
		require.Equal(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", id)
		require.Equal(t, signedBody, string(body))
		return fail
	})
	call := func(method, body string, header http.Header) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/in", strings.NewReader(body))
		r.Header = header
		handler.ServeHTTP(w, r)
		require.Empty(t, w.Body.String())
		return w.Code
	}
	require.Equal(t, 405, call(http.MethodGet, signedBody, signedHeader()))
	require.Equal(t, 413, call(http.MethodPost, signedBody+" ", signedHeader()))
	require.Equal(t, 400, call(http.MethodPost, signedBody, http.Header{}))
	require.Equal(t, 401, call(http.MethodPost, "{}", signedHeader()))
	require.Zero(t, calls)
	require.Equal(t, 500, call(http.MethodPost, signedBody, signedHeader()))
	fail = nil
	require.Equal(t, 200, call(http.MethodPost, signedBody, signedHeader()), "what failed comes again")
	require.Equal(t, 200, call(http.MethodPost, signedBody, signedHeader()), "what was taken does not")
	require.Equal(t, 2, calls)
}

func FuzzVerify(f *testing.F) {
	f.Add("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signedBody)
	v, err := webhook.NewVerifier([]string{secret}, &webhook.VerifierOptions{Clock: func() time.Time { return time.Unix(1614265330, 0) }})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		err := v.Verify(http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}, []byte(body))
		if err == nil { // nothing else was ever signed
			require.Equal(t, "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330."+signedBody, id+"."+timestamp+"."+body)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"a","timestamp":"2030-01-02T03:04:05Z","data":{"notice_id":"n","personal":{"to":{"email":["a"]}}}}`))
	f.Add([]byte(`{"privacy_request_id":"r","callback_type":"pre","direction":"two_way","identity":{"a":"b","c":["d"]}}`))
	f.Add([]byte(`{"derived_identity":{"a":["b",7],"c":{"label":"C","value":[]},"d":null},"halt":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer webhook.Answer
		if err := json.Unmarshal(body, &answer); err == nil {
			for kind, values := range answer.Identities {
				require.NotEmpty(t, values, kind)
			}
		}
		if event, err := webhook.DecodeEvent(body); err == nil {
			require.NotEmpty(t, event.Data.NoticeID)
		}
		if call, err := webhook.DecodeCall(body); err == nil {
			require.NotEmpty(t, call.RequestID)
			for kind, values := range call.Identity {
				require.NotEmpty(t, values, kind)
			}
		}
	})
}
