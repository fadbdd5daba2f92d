package fides_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// sent are custom fields of every kind, as they are shown again.
const sent = `{"number":{"label":"Customer number","value":42},"text":{"label":"How","value":"by letter"},"tags":{"label":"Tags","value":["=1+1",7]}}`

// item is a request of an answer.
type item map[string]any

func itemOf(t *testing.T, a *answer) item {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	var all struct{ Items, Succeeded []item }
	require.NoError(t, json.Unmarshal([]byte(a.Body), &all), a.Body)
	if len(all.Items)+len(all.Succeeded) == 0 {
		var one item
		require.NoError(t, json.Unmarshal([]byte(a.Body), &one))
		return one
	}
	return append(all.Items, all.Succeeded...)[0]
}

func (i item) json(t *testing.T, key string) string {
	t.Helper()
	require.Contains(t, i, key)
	text, err := json.Marshal(i[key])
	require.NoError(t, err)
	return string(text)
}

// newForm is a desk with a request that says much, of a person with approval.
func newForm(t *testing.T) (k *desk, token string) {
	t.Helper()
	k = approvalDesk(t)
	token = k.token(t)
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com","loyalty_id":{"label":"Card","value":"L-7"}},
		"source":"Request Manager","property_id":"prop-1","consent_request_id":"con-1","location":"us_ca","custom_privacy_request_fields":`+sent+`},
		{"policy_key":"access","identity":{"email":"other@example.com"},"custom_privacy_request_fields":null}]`)
	first := itemOf(t, a)
	require.Equal(t, []any{"Request Manager", "prop-1", "US-CA", nil, nil},
		[]any{first["source"], first["property_id"], first["location"], first["identity"], first["custom_privacy_request_fields"]})
	return k, token
}

func TestWhatWasSaidIsKeptAndShownWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	k, token := newForm(t)
	one := itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_1", nil))
	require.Equal(t, []any{"Request Manager", "prop-1", nil, nil}, []any{one["source"], one["property_id"], one["identity"], one["custom_privacy_request_fields"]})
	one = itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_1&include_custom_privacy_request_fields=true", nil))
	require.JSONEq(t, sent, one.json(t, "custom_privacy_request_fields"))
	require.Nil(t, one["identity"])
	one = itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_2&include_custom_privacy_request_fields=true&include_identities=true", nil))
	require.JSONEq(t, `{}`, one.json(t, "custom_privacy_request_fields"))
	require.JSONEq(t, shownAs("email", `"other@example.com"`), one.json(t, "identity"))
	one = itemOf(t, k.send(t, token, "GET", "/privacy-request/pri_1", nil))
	require.JSONEq(t, sent, one.json(t, "custom_privacy_request_fields"))
	require.JSONEq(t, shownAs("email", `"nia.vale@example.com"`, "loyalty_id", `"L-7"`, "Card"), one.json(t, "identity"))
	opened, err := k.engine.Requests().Open(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"property_id": "prop-1", "consent_request_id": "con-1", "identity:loyalty_id": "Card"}, map[string]string(opened.Labels))
	require.NotContains(t, k.logs.String(), "by letter")
}

func TestRequestsAreFoundByTheirFields(t *testing.T) {
	t.Parallel()
	k, token := newForm(t)
	for body, want := range map[string][]string{
		`{"number":42}`:                         {"pri_1"},
		`{"number":"42"}`:                       {"pri_1"},
		`{"number":4}`:                          {},
		`{"text":"by letter"}`:                  {"pri_1"},
		`{"text":"by"}`:                         {},
		`{"number":"by letter"}`:                {},
		`{"tags":["nix",7]}`:                    {"pri_1"},
		`{"number":1,"text":"by letter"}`:       {"pri_1"},
		`null`:                                  {"pri_2", "pri_1"},
		`{"number":42},"request_id":"RI_2"`:     {},
		`{"number":42},"request_id":"RI_1"`:     {"pri_1"},
		`{"number":42},"fuzzy_search_str":"pr"`: {"pri_1"},
	} {
		ids, total := listed(t, k.send(t, token, "POST", "/privacy-request/search", `{"custom_privacy_request_fields":`+body+`}`))
		require.Equal(t, want, ids, body)
		require.Equal(t, len(want), total)
	}
	r := resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", `{"filters":{"custom_privacy_request_fields":{"number":42}}}`))
	require.Len(t, r.Succeeded, 1)
}

func TestFieldsThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for fields, detail := range map[string]string{
		`{"a":{"label":"A"}}`:                 `[{"type":"missing","loc":["body",0,"custom_privacy_request_fields","a","value"],"msg":"Field required"}]`,
		`{"a":{"value":1}}`:                   `[{"type":"missing","loc":["body",0,"custom_privacy_request_fields","a","label"],"msg":"Field required"}]`,
		`{"a":{"label":"A","value":1,"x":2}}`: `[{"type":"extra_forbidden","loc":["body",0,"custom_privacy_request_fields","a","x"],"msg":"Extra inputs are not permitted"}]`,
	} {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com"},"custom_privacy_request_fields":`+fields+`}]`)
		require.Equal(t, []any{422, `{"detail":` + detail + `}`}, []any{a.Status, a.Body})
	}
	for _, value := range []string{"true", "null", "1.5", `{"x":1}`, `[[1]]`, `[null]`, "99999999999999999999"} {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com"},"custom_privacy_request_fields":{"a":{"label":"A","value":`+value+`}}}]`)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, value)
	}
	long := strings.Repeat("x", 70_000)
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com"},"custom_privacy_request_fields":{"a":{"label":"A","value":"`+long+`"}}}]`)
	require.Contains(t, a.Body, `{"succeeded":[],"failed":[{"message":"submission: its fields have more than 1000 values, or more than 65536 bytes together"`)
}

func TestWhoDidWhatIsTold(t *testing.T) {
	t.Parallel()
	k, token := newForm(t)
	desk := itemOf(t, k.send(t, token, "GET", "/privacy-request/pri_1", nil))["submitted_by"]
	require.NotNil(t, desk)
	_, err := k.engine.Requests().Approve(t.Context(), "pri_1", dsr.By{Actor: "ann"})
	require.NoError(t, err)
	k.wait(time.Minute)
	_, err = k.engine.Requests().Pause(t.Context(), "pri_1", dsr.By{Actor: "bob"})
	require.NoError(t, err)
	k.wait(time.Minute)
	_, err = k.engine.Requests().Deny(t.Context(), "pri_2", dsr.By{Actor: "cy", Reason: "no"})
	require.NoError(t, err)
	_, err = k.engine.Requests().Delete(t.Context(), "pri_2", dsr.By{Actor: "dee"})
	require.NoError(t, err)
	one := itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_1", nil))
	require.Equal(t, []any{desk, "ann", "ann", "2026-03-01T12:00:00.000000Z", "2026-03-01T12:01:00.000000Z", nil, nil}, []any{
		one["submitted_by"], one["reviewed_by"], one["custom_privacy_request_fields_approved_by"], one["custom_privacy_request_fields_approved_at"],
		one["paused_at"], one["finalized_by"], one["deleted_by"],
	})
	require.JSONEq(t, `{"id":"ann","username":"ann"}`, one.json(t, "reviewer"))
	require.Equal(t, map[string]any{"id": desk, "username": desk}, one["submitter"])
	one = itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_2&include_deleted_requests=true", nil))
	require.Equal(t, []any{"cy", "dee", nil}, []any{one["reviewed_by"], one["deleted_by"], one["custom_privacy_request_fields_approved_by"]})

	_, err = k.engine.Requests().Resubmit(t.Context(), "pri_1", dsr.By{})
	require.NoError(t, err)
	one = itemOf(t, k.send(t, token, "GET", "/privacy-request?id=pri_1", nil))
	require.Equal(t, []any{nil, nil, nil, desk}, []any{one["reviewed_by"], one["reviewer"], one["paused_at"], one["submitted_by"]})
}

func TestTheTableHasAColumnForEachCustomField(t *testing.T) {
	t.Parallel()
	k, token := newForm(t)
	a := k.send(t, token, "POST", "/privacy-request/search", `{"download_csv":true,"sort_direction":"asc"}`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Equal(t, strings.Join([]string{
		"Status,Request Type,Time Received,Deadline,Reviewed By,Request ID,Time Approved/Denied,Denial Reason,Last Updated,Completed On,email,loyalty_id,phone_number,Custom Field Customer number,Custom Field How,Custom Field Tags",
		`pending,access,2026-03-01T12:00:00.000000Z,,,pri_1,,,2026-03-01T12:00:00.000000Z,,nia.vale@example.com,L-7,,42,by letter,"'=1+1, 7"`,
		"pending,access,2026-03-01T12:00:00.000000Z,,,pri_2,,,2026-03-01T12:00:00.000000Z,,other@example.com,,,,,",
		"",
	}, "\n"), a.Body)
}

func TestAForgottenRequestIsListedWithoutItsPerson(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Retention.Identities = time.Hour })
	k.submit(t, "access", 1)
	_, err := k.engine.Requests().Cancel(t.Context(), "pri_1", dsr.By{Actor: "ann"})
	require.NoError(t, err)
	k.wait(2 * time.Hour)
	_, err = k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	token := k.token(t)
	for _, target := range []string{"/privacy-request?include_identities=true&include_custom_privacy_request_fields=true", "/privacy-request/pri_1"} {
		one := itemOf(t, k.send(t, token, "GET", target, nil))
		require.Equal(t, []any{"canceled", nil}, []any{one["status"], one["submitted_by"]})
		require.JSONEq(t, shownAs(), one.json(t, "identity"))
		require.JSONEq(t, `{}`, one.json(t, "custom_privacy_request_fields"))
	}
	require.Contains(t, k.send(t, token, "GET", "/privacy-request?download_csv=true", nil).Body, "canceled,access,")
	require.NotContains(t, k.logs.String(), "cannot be opened")
}

func TestTimesOfPythonAndDatesAreUTC(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"2021-10-22 14:33:19.123456":       "2021-10-22T14:33:19.123456Z",
		"2021-10-22T14:33:19.123456":       "2021-10-22T14:33:19.123456Z",
		"2021-10-22 14:33:19":              "2021-10-22T14:33:19Z",
		"2021-10-22 14:33":                 "2021-10-22T14:33:00Z",
		"2021-10-22":                       "2021-10-22T00:00:00Z",
		"2021-10-22 14:33:19.123456+02:00": "2021-10-22T12:33:19.123456Z",
		"2021-10-22 14:33:19+0200":         "2021-10-22T12:33:19Z",
		"2021-10-22T14:33:19.5Z":           "2021-10-22T14:33:19.5Z",
	} {
		k := newDesk(t, nil)
		token := k.token(t)
		a := k.send(t, token, "POST", "/privacy-request", `[{"requested_at":"`+given+`","policy_key":"access","identity":{"email":"a@example.com"}}]`)
		require.Contains(t, a.Body, `"failed":[]`)
		req, err := k.engine.Requests().Get(t.Context(), "pri_1")
		require.NoError(t, err)
		require.Equal(t, want, req.RequestedAt.Format(time.RFC3339Nano), given)
		require.Equal(t, http.StatusOK, k.send(t, token, "POST", "/privacy-request/search", map[string]string{"created_gt": given}).Status)
	}
}

func TestALocationThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for _, location := range []string{"Texas", "U", "US-", "US-TEXAS", "U1", "US/TX", "", " ", "XX", "XX-1", "UK"} {
		a := k.send(t, k.token(t), "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com"},"location":"`+location+`"}]`)
		require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body",0,"location"],"msg":"Value error, Location must be a country by ISO 3166-1, or a part of one by ISO 3166-2, such as US or US-CA"}]}`}, []any{a.Status, a.Body})
	}
}

func TestAUserDeviceIsAUUIDOfVersion4(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	const malformed, version = "badly formed hexadecimal UUID string", "UUID version 4 expected"
	for value, wrong := range map[string]string{
		"x": malformed, " " + device: malformed, "<" + device + ">": malformed,
		"c232ab00-9414-11ec-b3c8-9f6bdeced846": version, "00000000-0000-0000-0000-000000000000": version, "0b6e0bd4-8e5c-4f5e-cd5a-2f3c1f6a7b01": version,
		device: "", strings.ToUpper(device): "", strings.ReplaceAll(device, "-", ""): "", "": "",
	} {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com","fides_user_device_id":"`+value+`"}}]`)
		if wrong == "" {
			require.Equal(t, http.StatusOK, a.Status, value)
			continue
		}
		require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body",0,"identity","fides_user_device_id"],"msg":"Value error, ` + wrong + `"}]}`}, told(a), value)
	}
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identities":[{"email":"a@example.com"},{"fides_user_device_id":"x"}]}]`)
	require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body",0,"identities",1,"fides_user_device_id"],"msg":"Value error, ` + malformed + `"}]}`}, told(a))
}

func TestNumbersOfFieldsAreFoundByTheirDigits(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for _, value := range []string{`1`, `"1"`, `"01"`, `[1,"x"]`} {
		k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"a@example.com"},"custom_privacy_request_fields":{"n":{"label":"N","value":`+value+`}}}]`).is(t, http.StatusOK)
	}
	for value, want := range map[string][]string{`1`: {"pri_4", "pri_2", "pri_1"}, `"1"`: {"pri_4", "pri_2", "pri_1"}, `"01"`: {"pri_3"}, `" 1"`: {}} {
		ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", `{"custom_privacy_request_fields":{"n":`+value+`}}`))
		require.ElementsMatch(t, want, ids, value)
	}
}

// thrifty counts what a store is asked, and what a keyring unwraps.
type thrifty struct {
	dsr.Store
	dsr.Keyring
	lists, reads, entries, unwraps atomic.Int64
}

// Requests implements [dsr.Store].
func (c *thrifty) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	c.lists.Add(1)
	return c.Store.Requests(ctx, q)
}

// Request implements [dsr.Store].
func (c *thrifty) Request(ctx context.Context, id string) (*dsr.Record, error) {
	c.reads.Add(1)
	return c.Store.Request(ctx, id)
}

// Entries implements [dsr.Store].
func (c *thrifty) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	c.entries.Add(1)
	return c.Store.Entries(ctx, q)
}

// Unwrap implements [dsr.Keyring].
func (c *thrifty) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	c.unwraps.Add(1)
	return c.Keyring.Unwrap(ctx, wrapped, bound)
}

func TestAPageIsOneQueryAndATableTwo(t *testing.T) {
	t.Parallel()
	counts := &thrifty{}
	k := newDesk(t, func(k *desk) {
		counts.Store, counts.Keyring = k.config.Store, k.config.Keyring
		k.config.Store, k.config.Keyring = struct{ dsr.Store }{counts}, struct{ dsr.Keyring }{counts}
	})
	const n = 40
	k.submit(t, "access", n)
	token := k.token(t)
	for target, want := range map[string][]int64{
		"/privacy-request?include_identities=true": {1, 0, 0, n},
		"/privacy-request?download_csv=true":       {2, 0, 0, 2 * n},
	} {
		counts.lists.Store(0)
		counts.reads.Store(0)
		counts.entries.Store(0)
		counts.unwraps.Store(0)
		require.Contains(t, k.send(t, token, "GET", target, nil).Body, "nia.vale@example.com")
		require.Equal(t, want, []int64{counts.lists.Load(), counts.reads.Load(), counts.entries.Load(), counts.unwraps.Load()}, target)
	}
}
