package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/webhook"
	"github.com/godsr/dsr/graph"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the standard's own tests
	older  = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

func now() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// got is a call as it arrived.
type got struct {
	header http.Header
	body   string
}

// receive starts a receiver that answers with a status and a body, and returns
// a client of it and what it gets.
func receive(t *testing.T, opts webhook.Options, status int, answer string) (*webhook.Client, chan got) {
	t.Helper()
	calls := make(chan got, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		calls <- got{r.Header, string(body)}
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "https://elsewhere.shop.example/canary")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	opts.Insecure, opts.Allow, opts.Clock = true, loopback(), now
	c, err := webhook.New(server.URL+"/in?key=canary", []string{secret, older}, &opts)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, calls
}

func notice() dsr.Notice {
	return dsr.Notice{
		ID: "n-1.complete", Kind: dsr.NoticeComplete, RequestID: "r1", ExternalID: "case 7", Policy: "access",
		Actions: []graph.Action{graph.Access}, At: now(), Deadline: now().AddDate(0, 1, 0), Locale: "de", Packages: []string{"r1.zip"},
		Subject: "Ihre Daten", Text: "Hallo <canary>", HTML: "<p>canary</p>", To: dsr.Identities{"email": {"canary@example.com"}},
		Links: []dsr.NoticeLink{{Rule: "everything", URL: "https://shop.example/canary", Expires: now().Add(time.Hour)}},
	}
}

func TestNoticeOnTheWire(t *testing.T) {
	t.Parallel()
	const plain = `{"type":"privacy_request.completed","timestamp":"2030-01-02T03:04:05Z","data":{"notice_id":"n-1.complete",` +
		`"audience":"data subject","privacy_request_id":"r1","external_id":"case 7","policy_key":"access","actions":["access"],` +
		`"deadline":"2030-02-02T03:04:05Z","locale":"de","packages":["r1.zip"]}}`
	const personal = `,"personal":{"to":{"email":["canary@example.com"]},"subject":"Ihre Daten","text":"Hallo \u003ccanary\u003e",` +
		`"html":"\u003cp\u003ecanary\u003c/p\u003e","links":[{"rule":"everything","url":"https://shop.example/canary","expires":"2030-01-02T04:04:05Z"}]}}}`
	for _, open := range []bool{false, true} {
		c, calls := receive(t, webhook.Options{Personal: open, Header: http.Header{"x-team": {"privacy"}, "webhook-id": {"forged"}}}, 204, "")
		require.NoError(t, c.Notify(t.Context(), notice()))
		call := <-calls
		want := plain
		if open {
			want = strings.TrimSuffix(plain, "}}") + personal
		}
		require.Equal(t, want, call.body)
		require.Equal(t, []string{"n-1.complete"}, call.header["Webhook-Id"])
		require.Equal(t, "1893553445", call.header.Get("Webhook-Timestamp"))
		require.Equal(t, "application/json", call.header.Get("Content-Type"))
		require.Equal(t, "privacy", call.header.Get("X-Team"))
		require.Len(t, strings.Split(call.header.Get("Webhook-Signature"), " "), 2)
		for _, key := range []string{secret, older} {
			require.NoError(t, verifier(t, key).Verify(call.header, []byte(call.body)))
		}
		event, err := webhook.DecodeEvent([]byte(call.body))
		require.NoError(t, err)
		require.Equal(t, now(), event.Timestamp)
		require.Equal(t, open, event.Data.Personal != nil)
		logged, err := json.Marshal(event)
		require.NoError(t, err)
		require.NotContains(t, string(logged)+fmt.Sprintf("%v %+v %#v", event.Data.Personal, event.Data.Personal, event.Data.Personal), "canary")
	}
}

func TestNoticesThatAreNotSent(t *testing.T) {
	t.Parallel()
	c, calls := receive(t, webhook.Options{Kinds: []dsr.NoticeKind{dsr.NoticeComplete, dsr.NoticeVerify}}, 200, "")
	n := notice()
	n.Kind = dsr.NoticeDenied
	require.NoError(t, c.Notify(t.Context(), n), "not for this receiver")
	n.Kind, n.Code = dsr.NoticeVerify, "canary"
	err := c.Notify(t.Context(), n)
	require.ErrorIs(t, err, dsr.ErrRejected)
	require.EqualError(t, err, "webhook: notice n-1.complete: dsr: the notice will not be taken: a notice of kind \"verify\" is of no use "+
		"without what is personal; set Options.Personal, or leave the kind out of Options.Kinds")
	n = notice()
	n.ID = "a\r\nb"
	require.ErrorIs(t, c.Notify(t.Context(), n), dsr.ErrRejected)
	require.Empty(t, calls)
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		200: nil, 201: nil, 204: nil, 299: nil,
		302: dsr.ErrRejected, 307: dsr.ErrRejected, 400: dsr.ErrRejected, 401: dsr.ErrRejected, 404: dsr.ErrRejected, 410: dsr.ErrRejected,
		408: dsr.ErrUnavailable, 425: dsr.ErrUnavailable, 429: dsr.ErrUnavailable, 500: dsr.ErrUnavailable, 503: dsr.ErrUnavailable,
	} {
		c, calls := receive(t, webhook.Options{Personal: true}, status, "")
		err := c.Notify(t.Context(), notice())
		answer, hookErr := c.Call(t.Context(), hookCall())
		require.Nil(t, answer)
		require.Len(t, calls, 2, "one attempt each")
		if want == nil {
			require.NoError(t, err)
			require.NoError(t, hookErr)
			continue
		}
		require.ErrorIs(t, err, want, status)
		require.Equal(t, errors.Is(want, dsr.ErrUnavailable), strings.Contains(err.Error(), "asks to be called again in 7s"), status)
		require.Error(t, hookErr)
		require.NotErrorIs(t, hookErr, dsr.ErrRejected)
		for _, text := range []string{err.Error(), hookErr.Error()} {
			require.NotContains(t, text, "canary")
			require.Contains(t, text, "POST http://127.0.0.1:")
		}
	}
}

func TestGuardedReceivers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	c, err := webhook.New(address, []string{secret}, &webhook.Options{Insecure: true})
	require.NoError(t, err)
	err = c.Notify(t.Context(), notice())
	require.ErrorIs(t, err, dsr.ErrRejected)
	require.EqualError(t, err, "webhook: notice n-1.complete: dsr: the notice will not be taken: POST "+address+
		": it is refused: its address is not a public one; allow its network if it is meant")
	var says dsr.ReasonError
	require.ErrorAs(t, err, &says)
	require.Equal(t, err.Error(), says.Reason())
	const nobody = "http://127.0.0.1:1" // a port that no system gives to whoever asks for any
	c, err = webhook.New(nobody, []string{secret}, &webhook.Options{Insecure: true, Allow: loopback()})
	require.NoError(t, err)
	require.ErrorIs(t, c.Notify(t.Context(), notice()), dsr.ErrUnavailable)
}

func TestFaultsOfAClientAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := webhook.New("http://10.0.0.1", []string{"whsec_c2hvcnQ=", "canary", secret}, &webhook.Options{
		ReplyTo: "/relative", Kinds: []dsr.NoticeKind{"canary", dsr.NoticeTask},
	})
	require.EqualError(t, err, `webhook: the URL cannot be called: it is refused: over http anybody on its way could read it
secret 1 of 3 has 5 bytes; 24 to 64 are needed
secret 2 of 3 is not "whsec_" followed by base64
Options.ReplyTo is neither the absolute URL of an API, without a query, nor "/"
Options.Kinds: there is no kind of notice "canary"`)
	_, err = webhook.New("https://%zz.canary", nil, nil)
	require.EqualError(t, err, "webhook: the URL cannot be parsed\nthere is no secret: give at least one, such as \"whsec_\" and 32 random bytes in base64")
}

func hookCall() *dsr.HookCall {
	return &dsr.HookCall{
		ID: "call-1", Hook: "crm", Phase: dsr.HookBefore, TwoWay: true, Token: "secret-token",
		Request:    &dsr.Request{ID: "r1", Status: dsr.StatusInProcessing, Policy: "access", RequestedAt: now()},
		Actions:    []graph.Action{graph.Access, graph.Erasure},
		Identities: dsr.Identities{"email": {"canary@example.com"}, "phone": {"1", "2"}},
	}
}

func TestHookOnTheWire(t *testing.T) {
	t.Parallel()
	c, calls := receive(t, webhook.Options{Personal: true, ReplyTo: "https://privacy.shop.example/api/v1/"}, 200,
		` {"derived_identity":{"customer_id":7,"email":["a","b",-12345678901234567890],"phone":null,"card":{"label":"Card","value":["x",8]}},"halt":true,"new_member":[1]}`)
	answer, err := c.Call(t.Context(), hookCall())
	require.NoError(t, err)
	require.True(t, answer.Halt)
	require.Nil(t, answer.Eligible)
	require.Equal(t, map[string][]string{"customer_id": {"7"}, "email": {"a", "b", "-12345678901234567890"}, "card": {"x", "8"}}, map[string][]string(answer.Identities))
	call := <-calls
	require.Equal(t, `{"privacy_request_id":"r1","privacy_request_status":"in_processing","direction":"two_way","callback_type":"pre",`+
		`"policy_action":"access","timestamp":"2030-01-02T03:04:05.000000Z","privacy_request":`+repliedRequest(
		`"requested_at":"2030-01-02T03:04:05.000000Z"`)+`,"identity":{"email":"canary@example.com","phone":["1","2"]}}`, call.body)
	require.NoError(t, verifier(t, secret).Verify(call.header, []byte(call.body)))
	require.Equal(t, "call-1", call.header.Get("webhook-id"))
	require.Equal(t, "https://privacy.shop.example/api/v1/privacy-request/r1/resume", call.header.Get("reply-to"))
	require.Equal(t, "secret-token", call.header.Get("reply-to-token"))
	decoded, err := webhook.DecodeCall([]byte(call.body))
	require.NoError(t, err)
	require.Equal(t, webhook.Identity{"email": {"canary@example.com"}, "phone": {"1", "2"}}, decoded.Identity)
	require.NotContains(t, fmt.Sprintf("%v %+v", decoded, decoded), "canary")
}

// repliedRequest is the request of hookCall as hooks are told it, with members in
// the place of those that are null.
func repliedRequest(members ...string) string {
	const policy = `{"id":null,"name":null,"key":"access","drp_action":null,"execution_timeframe":null,"client_id":null,"rules":[` +
		`{"id":null,"name":null,"key":null,"action_type":"access","masking_strategy":null,"storage_destination_id":null},` +
		`{"id":null,"name":null,"key":null,"action_type":"erasure","masking_strategy":null,"storage_destination_id":null}]}`
	text := `{"id":"r1","external_id":null,"status":"in_processing","requested_at":null,"started_processing_at":null,"finished_processing_at":null,` +
		`"reviewed_at":null,"reviewed_by":null,"finalized_at":null,"finalized_by":null,"submitted_by":null,` +
		`"custom_privacy_request_fields_approved_by":null,"identity_verified_at":null,"custom_privacy_request_fields_approved_at":null,` +
		`"client_id":null,"origin":null,"policy_id":null,"policy":` + policy + `,"property_id":null,"cancel_reason":null,"canceled_at":null,` +
		`"consent_preferences":null,"source":null,"paused_at":null,"due_date":null,"days_left":null,"custom_fields":null,"location":null,` +
		`"policy_key":"access","actions":["access","erasure"],"created_at":null,"deadline":null}`
	for _, member := range members {
		name, _, _ := strings.Cut(member, ":")
		text = strings.Replace(text, name+":null", member, 1)
	}
	return text
}

// What Fides sends of a request is there, what is personal only where the
// receiver gets that.
func TestRequestOfAHook(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return now().Add(time.Duration(hour-24) * time.Hour) }
	told := func(personal bool, edit func(*dsr.Request)) string {
		c, calls := receive(t, webhook.Options{Personal: personal}, 200, "")
		call := hookCall()
		call.Request = &dsr.Request{
			ID: "r1", ExternalID: "case 7", Status: dsr.StatusInProcessing, Policy: "access", Location: "FR", RequestedAt: at(1), CreatedAt: at(2),
			VerifiedAt: at(3), ReviewedAt: at(4), StartedAt: at(5), PausedAt: at(6), DeadlineAt: now().Add(47 * time.Hour),
			Opened: &dsr.Opened{
				Identities: dsr.Identities{"email": {"canary@example.com"}}, Source: "Privacy Center", Labels: dsr.Labels{"property_id": "shop", "note": "canary"},
				Fields: dsr.Fields{"size": {Label: "Size", Value: int64(4)}, "tags": {Value: []any{"a", "b"}}},
				Remarks: []dsr.Remark{
					{Time: at(2), Action: "received", Actor: "cy"}, {Time: at(4), Action: "approved", Actor: "dee", Reason: "canary"},
				},
			},
		}
		edit(call.Request)
		_, err := c.Call(t.Context(), call)
		require.NoError(t, err)
		var body struct {
			Request json.RawMessage `json:"privacy_request"`
		}
		text := (<-calls).body
		require.NoError(t, json.Unmarshal([]byte(text), &body))
		decoded, err := webhook.DecodeCall([]byte(text))
		require.NoError(t, err)
		require.Equal(t, at(4), decoded.Request.ReviewedAt)
		require.Equal(t, "FR", decoded.Request.Location)
		require.True(t, decoded.Request.FinalizedAt.IsZero())
		return string(body.Request)
	}
	plain := []string{
		`"external_id":"case 7"`, `"requested_at":"2030-01-01T04:04:05.000000Z"`, `"started_processing_at":"2030-01-01T08:04:05.000000Z"`,
		`"reviewed_at":"2030-01-01T07:04:05.000000Z"`, `"identity_verified_at":"2030-01-01T06:04:05.000000Z"`, `"paused_at":"2030-01-01T09:04:05.000000Z"`,
		`"due_date":"2030-01-04T02:04:05.000000Z"`, `"days_left":2`, `"location":"FR"`, `"created_at":"2030-01-01T05:04:05.000000Z"`, `"deadline":"2030-01-04T02:04:05.000000Z"`,
	}
	personal := []string{
		`"reviewed_by":"dee"`, `"submitted_by":"cy"`, `"custom_privacy_request_fields_approved_by":"dee"`,
		`"custom_privacy_request_fields_approved_at":"2030-01-01T07:04:05.000000Z"`, `"property_id":"shop"`, `"source":"Privacy Center"`,
		`"custom_fields":{"size":{"label":"Size","value":4},"tags":{"label":"","value":["a","b"]}}`,
	}
	same := func(*dsr.Request) {}
	require.Equal(t, repliedRequest(plain...), told(false, same))
	require.Equal(t, repliedRequest(append(plain, personal...)...), told(true, same))

	// Days are those of the calendar in UTC, whatever the hour and the zone.
	for deadline, want := range map[time.Time]string{
		time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC):                  "1",
		time.Date(2030, 1, 3, 0, 30, 0, 0, time.FixedZone("", 3600)): "0",
		time.Date(2030, 1, 1, 23, 0, 0, 0, time.UTC):                 "-1",
	} {
		require.Contains(t, told(false, func(r *dsr.Request) { r.DeadlineAt = deadline }), `"days_left":`+want+`,`)
	}

	before := func(r *dsr.Request) { // the approval was of the submission before
		r.Opened.Remarks[1].Time = at(3)
		r.Opened.Fields = nil
	}
	require.Equal(t, repliedRequest(append(plain, `"submitted_by":"cy"`, `"property_id":"shop"`, `"source":"Privacy Center"`)...), told(true, before))
}

func TestHookPhases(t *testing.T) {
	t.Parallel()
	c, calls := receive(t, webhook.Options{ReplyTo: "https://privacy.shop.example"}, 200, `{"eligible":false}`)
	call := hookCall()
	call.Phase, call.TwoWay = dsr.HookPreApproval, false
	answer, err := c.Call(t.Context(), call)
	require.NoError(t, err)
	require.False(t, *answer.Eligible)
	sent := <-calls
	require.Contains(t, sent.body, `"direction":"two_way","callback_type":"pre_approval"`)
	require.Contains(t, sent.body, `"identity":{}`)
	require.Equal(t, "https://privacy.shop.example/privacy-request/r1/pre-approve/eligible", sent.header.Get("reply-to-eligible"))
	require.Equal(t, "https://privacy.shop.example/privacy-request/r1/pre-approve/not-eligible", sent.header.Get("reply-to-not-eligible"))

	call.Phase, call.Token = dsr.HookAfter, ""
	answer, err = c.Call(t.Context(), call)
	require.NoError(t, err)
	require.Nil(t, answer, "of a one-way hook nothing is read")
	sent = <-calls
	require.Contains(t, sent.body, `"direction":"one_way","callback_type":"post"`)
	require.Empty(t, sent.header["Reply-To-Token"])
}

// With "/" receivers are told paths alone, and those that know Fides' former
// headers find them as well.
func TestRepliesByPath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{"/": "", "https://privacy.shop.example/api/v1/": "https://privacy.shop.example/api/v1"} {
		c, calls := receive(t, webhook.Options{ReplyTo: base}, 200, "")
		replies := func(phase dsr.HookPhase, token string) map[string]string {
			call := hookCall()
			call.Phase, call.Token = phase, token
			_, err := c.Call(t.Context(), call)
			require.NoError(t, err)
			told := map[string]string{}
			for name, values := range (<-calls).header {
				if strings.HasPrefix(name, "Reply-To") {
					told[strings.ToLower(name)] = strings.Join(values, "|")
				}
			}
			return told
		}
		require.Equal(t, map[string]string{
			"reply-to": want + "/privacy-request/r1/resume", "reply-to-token": "secret-token",
		}, replies(dsr.HookBefore, "secret-token"))
		yes, no := want+"/privacy-request/r1/pre-approve/eligible", want+"/privacy-request/r1/pre-approve/not-eligible"
		require.Equal(t, map[string]string{
			"reply-to-eligible": yes, "reply-to-approve": yes, "reply-to-not-eligible": no, "reply-to-deny": no, "reply-to-token": "secret-token",
		}, replies(dsr.HookPreApproval, "secret-token"))
		require.Empty(t, replies(dsr.HookBefore, ""))
	}
	c, calls := receive(t, webhook.Options{}, 200, "")
	_, err := c.Call(t.Context(), hookCall())
	require.NoError(t, err)
	require.Empty(t, (<-calls).header["Reply-To-Token"], "nobody is to answer later")
}

func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"<html>canary":                  "its answer is not JSON from byte 1 on",
		"[]":                            "its answer is of the wrong form at byte 1: there should be a struct",
		`{"halt":"canary"}`:             "its answer is of the wrong form at byte 16: there should be a bool",
		`{"eligible":1}`:                "its answer is of the wrong form at byte 13: there should be a bool",
		`{"derived_identity":"canary"}`: "its answer has an identity that is not made of kinds with a text or a whole number, or a list of them, each",
		`{"derived_identity":{"canary":{"label":"canary"}}}`:  "its answer has an identity that is not made of kinds with a text or a whole number, or a list of them, each",
		`{"derived_identity":{"canary":{"value":"7","x":1}}}`: "its answer has an identity that is not made of kinds with a text or a whole number, or a list of them, each",
		`{"derived_identity":{"canary":7.5}}`:                 "its answer has an identity that is not made of kinds with a text or a whole number, or a list of them, each",
		`{"derived_identity":{"email":"canary\ud800"}}`:       "its answer has an identity with a text that is no Unicode, such as half a surrogate pair",
		`{"derived_identity":{"email":["a","canary\udc00"]}}`: "its answer has an identity with a text that is no Unicode, such as half a surrogate pair",
		`{"derived_identity":{"canary\ud800":"a"}}`:           "its answer has an identity with a text that is no Unicode, such as half a surrogate pair",
		"{\"derived_identity\":{\"email\":\"canary\xff\"}}":   "its answer has an identity with a text that is no Unicode, such as half a surrogate pair",
	} {
		c, _ := receive(t, webhook.Options{}, 200, answer)
		_, err := c.Call(t.Context(), hookCall())
		require.EqualError(t, err, "webhook: hook crm: "+want)
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
	}
}

// An answer without an end stops the request; for a notice it does not matter.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<16)
		for range 10 << 30 / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	c, err := webhook.New(server.URL, []string{secret}, &webhook.Options{Insecure: true, Allow: loopback(), MaxAnswer: 100})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.Call(t.Context(), hookCall())
	require.EqualError(t, err, "webhook: hook crm: POST "+server.URL+": its answer is too large: it has more than 100 bytes")
	require.NotErrorIs(t, err, dsr.ErrUnavailable)
	require.NoError(t, c.Notify(t.Context(), notice()))
}
