package fides_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// calledHook takes calls, and approves.
type calledHook struct {
	mu    sync.Mutex
	calls []string
}

func (h *calledHook) Call(_ context.Context, c *dsr.HookCall) (*dsr.HookAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, string(c.Phase)+" "+c.Hook)
	if c.Phase == dsr.HookPreApproval {
		yes := true
		return &dsr.HookAnswer{Eligible: &yes}, nil
	}
	return nil, nil
}

// hookDesk is a desk with the policy "mine" and the connections "desk" and
// "other" that can be called, and "paper" that cannot.
func hookDesk(t *testing.T) (*desk, *calledHook) {
	t.Helper()
	hook := &calledHook{}
	k := newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{
			"https": {
				Title: "Webhook", Fields: []dsr.SecretField{{Name: "url"}, {Name: "authorization", Optional: true, Sensitive: true}},
				Hook: func(dsr.ConnectionSettings) (dsr.Hook, error) { return hook, nil },
			},
			"paper": {Title: "A drawer"},
		}
	})
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		for _, key := range []string{"desk", "other"} {
			d.Connections[key] = &dsr.ConnectionDefinition{
				Defined: dsr.Defined{Key: key, Name: strings.ToUpper(key)}, Type: "https",
				Secrets: dsr.Secrets{"url": "https://hooks.example.com", "authorization": "a-secret-word"},
			}
		}
		d.Connections["paper"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "paper"}, Type: "paper"}
		return nil
	})
	require.NoError(t, err)
	k.play(t, exchange{"PATCH", "/policy", `[{"name":"Mine","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.name"}]}]},{"name":"Other"}]`, 200,
		`{"succeeded":[{"name":"Mine","key":"mine","rules":[{"name":"R","key":"r","action_type":"access","storage_destination":null,"masking_strategy":null}],"drp_action":null,"execution_timeframe":null,"conditions":null},` +
			policyOf("Other", "other") + `],"failed":[]}`})
	return k, hook
}

// connectionOf is a connection as its webhooks show it.
func connectionOf(key string) string {
	return `{"name":"` + strings.ToUpper(key) + `","key":"` + key + `","description":null,"connection_type":"https","access":"write",` +
		`"created_at":"2026-03-01T12:00:00.000000Z","updated_at":"2026-03-01T12:00:00.000000Z","disabled":false,"last_test_timestamp":null,"last_test_succeeded":null,` +
		`"authorized":false,"enabled_actions":null,"secrets":{"authorization":"**********","url":"https://hooks.example.com"},"saas_config":null,"linked_systems":[]}`
}

func hookOf(direction, key, name, connection, order string) string {
	return `{"direction":"` + direction + `","key":"` + key + `","name":"` + name + `","connection_config":` + connectionOf(connection) + `,"order":` + order + `}`
}

func TestWebhooksOfAPolicyAreAnOrderedList(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"pre", "post"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			k, _ := hookDesk(t)
			at := "/dsr/policy/mine/webhook/" + phase + "_execution"
			alias := strings.TrimPrefix(at, "/dsr")
			title, class := strings.ToUpper(phase[:1])+phase[1:], "Policy"+strings.ToUpper(phase[:1])+phase[1:]+"Webhook"
			a, b, c := hookOf("one_way", "a_hook", "A hook", "desk", "0"), hookOf("two_way", "b", "b", "other", "1"), hookOf("two_way", "c", "C", "desk", "2")
			k.play(t,
				exchange{"GET", at, "", 200, page(0)},
				exchange{"PUT", at, `[{"connection_config_key":"desk","direction":"one_way","name":"A hook"},{"connection_config_key":"other","direction":"two_way","key":"b"},{"connection_config_key":"desk","direction":"two_way","key":"c","name":"C"}]`, 200, "[" + a + "," + b + "," + c + "]"},
				exchange{"GET", alias, "", 200, page(3, a, b, c)},
				exchange{"GET", alias + "?size=2&page=2", "", 200, `{"items":[` + c + `],"total":3,"page":2,"size":2,"pages":2}`},
				exchange{"GET", at + "/b", "", 200, b},
				exchange{"PATCH", at + "/b", `{"name":"B","direction":"one_way","connection_config_key":"desk"}`, 200, `{"resource":` + hookOf("one_way", "b", "B", "desk", "1") + `,"new_order":[]}`},
				exchange{"PATCH", alias + "/c", `{"order":0}`, 200, `{"resource":` + hookOf("two_way", "c", "C", "desk", "0") + `,"new_order":[{"key":"c","order":0},{"key":"a_hook","order":1},{"key":"b","order":2}]}`},
				exchange{"PATCH", at + "/c", `{"order":0}`, 200, `{"resource":` + hookOf("two_way", "c", "C", "desk", "0") + `,"new_order":[]}`},
				exchange{"PATCH", at + "/c", `{"order":3,"name":"Lost"}`, 400, detailed("Cannot set order to 3: there are only 3 " + class + "(s) defined on this Policy.")},
				exchange{"PATCH", at + "/c", `{"order":-1}`, 400, detailed("Cannot set order to -1: there are only 3 " + class + "(s) defined on this Policy.")},
				exchange{"PATCH", at + "/c", `{"key":"d"}`, 422, `{"detail":[{"type":"value_error","loc":["body","key"],"msg":"Value error, it is told only, and the path names another one"}]}`},
				exchange{"PATCH", at + "/c", `{"name":"B"}`, 400, detailed("Name B already exists in " + class + ".")},
				exchange{"PATCH", at + "/c", `{"connection_config_key":"nope"}`, 404, detailed("No connection configuration found with key 'nope'.")},
			)
			k.restart(t)
			c, a, b = hookOf("two_way", "c", "C", "desk", "0"), hookOf("one_way", "a_hook", "A hook", "desk", "1"), hookOf("one_way", "b", "B", "desk", "2")
			notFound := detailed("No " + title + "-Execution Webhook found for key 'c' on Policy 'mine'.")
			k.play(t,
				exchange{"GET", at, "", 200, page(3, c, a, b)},
				exchange{"DELETE", at + "/b", "", 200, `{"new_order":[]}`},
				exchange{"DELETE", alias + "/c", "", 200, `{"new_order":[{"key":"a_hook","order":0}]}`},
				exchange{"GET", at + "/c", "", 404, notFound},
				exchange{"PATCH", at + "/c", `{}`, 404, notFound},
				exchange{"DELETE", at + "/c", "", 404, notFound},
				exchange{"PUT", at, `[{"connection_config_key":"other","direction":"two_way","key":"b"}]`, 200, "[" + hookOf("two_way", "b", "b", "other", "0") + "]"},
				exchange{"PUT", at, `[]`, 200, "[]"},
			)
			k.restart(t)
			k.play(t, exchange{"GET", at, "", 200, page(0)})
			require.NotContains(t, k.logs.String(), "a-secret-word")
		})
	}
}

func TestWebhooksThatDoNotHoldChangeNothing(t *testing.T) {
	t.Parallel()
	k, _ := hookDesk(t)
	const at, taken = "/dsr/policy/mine/webhook/pre_execution", " Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name."
	there := hookOf("one_way", "a", "A", "desk", "0")
	k.play(t,
		exchange{"PUT", at, `[{"connection_config_key":"desk","direction":"one_way","key":"a","name":"A"}]`, 200, "[" + there + "]"},
		exchange{"PUT", "/policy/other/webhook/pre_execution", `[{"connection_config_key":"desk","direction":"one_way","name":"Over there"}]`, 200, "[" + hookOf("one_way", "over_there", "Over there", "desk", "0") + "]"},
		exchange{"PUT", "/policy/mine/webhook/post_execution", `[{"connection_config_key":"desk","direction":"one_way","key":"after"}]`, 200, "[" + hookOf("one_way", "after", "after", "desk", "0") + "]"},
		exchange{"PUT", "/dsr/webhook/pre_approval", `[{"connection_config_key":"desk","name":"Check"}]`, 200, "[" + preApprovalOf("check", "Check", "desk") + "]"},
	)
	const twice = "Check request body: there are multiple webhooks whose keys or names resolve to the same value."
	tests := []struct {
		body   string
		status int
		answer string
	}{
		{`[{"connection_config_key":"desk","direction":"one_way","name":"B"},{"connection_config_key":"desk","direction":"one_way","key":"b","name":"C"}]`, 400, detailed(twice)},
		{`[{"connection_config_key":"desk","direction":"one_way","key":"b","name":"B"},{"connection_config_key":"desk","direction":"one_way","key":"c","name":"B"}]`, 400, detailed(twice)},
		{`[{"connection_config_key":"nope","direction":"one_way","name":"B"}]`, 404, detailed("No connection configuration found with key 'nope'.")},
		{`[{"connection_config_key":"shop","direction":"one_way","name":"B"}]`, 422, detailed("Connection shop comes from the host's configuration and is no webhook.")},
		{`[{"connection_config_key":"paper","direction":"one_way","name":"B"}]`, 422, detailed(`hook b: connections of type "paper", such as "paper", cannot be called`)},
		{`[{"connection_config_key":"desk","direction":"one_way","key":"over_there"}]`, 400, detailed("Key over_there already exists in PolicyPreWebhook." + taken)},
		{`[{"connection_config_key":"desk","direction":"one_way","key":"b","name":"Over there"}]`, 400, detailed("Name Over there already exists in PolicyPreWebhook.")},
		{`[{"connection_config_key":"desk","direction":"one_way","key":"after"}]`, 400, detailed("Key after already exists in PolicyPostWebhook." + taken)},
		{`[{"connection_config_key":"desk","direction":"one_way","key":"check"}]`, 400, detailed("Key check already exists in PreApprovalWebhook." + taken)},
		{`[{"connection_config_key":"desk","direction":"one_way"}]`, 422, `{"detail":[{"type":"value_error","loc":["body",0],"msg":"Value error, a webhook requires a name or a key"}]}`},
		{`[{"connection_config_key":"desk","direction":"sideways","name":"B"}]`, 422, `{"detail":[{"type":"enum","loc":["body",0,"direction"],"msg":"Input should be 'one_way' or 'two_way'"}]}`},
		{"[" + strings.TrimSuffix(strings.Repeat(`{"connection_config_key":"desk","direction":"one_way","name":"B"},`, 51), ",") + "]", 422,
			`{"detail":[{"type":"too_long","loc":["body"],"msg":"List should have at most 50 items after validation, not 51"}]}`},
	}
	for _, test := range tests {
		k.play(t, exchange{"PUT", at, test.body, test.status, test.answer})
	}
	const fixed = "Policy access comes from the host's configuration and cannot be changed."
	k.play(t,
		exchange{"GET", at, "", 200, page(1, there)},
		exchange{"PUT", "/policy/access/webhook/pre_execution", `[]`, 409, detailed(fixed)},
		exchange{"PATCH", "/policy/access/webhook/pre_execution/x", `{}`, 409, detailed(fixed)},
		exchange{"DELETE", "/policy/access/webhook/post_execution/x", "", 409, detailed(fixed)},
		exchange{"GET", "/policy/access/webhook/post_execution", "", 200, page(0)},
		exchange{"GET", "/policy/nope/webhook/post_execution", "", 404, detailed("No Policy found for key nope.")},
		exchange{"PUT", "/policy/nope/webhook/post_execution", `[]`, 404, detailed("No Policy found for key nope.")},
		exchange{"GET", "/policy/nope/webhook/pre_execution/a", "", 404, detailed("No Policy found for key nope.")},
	)
}

func preApprovalOf(key, name, connection string) string {
	return `{"key":"` + key + `","name":"` + name + `","connection_config":` + connectionOf(connection) + `}`
}

func TestPreApprovalWebhooks(t *testing.T) {
	t.Parallel()
	k, _ := hookDesk(t)
	const at = "/dsr/webhook/pre_approval"
	one, two := preApprovalOf("first_check", "First check", "desk"), preApprovalOf("second", "Second", "other")
	nothing := detailed("No PreApprovalWebhook found for key nope.")
	k.play(t,
		exchange{"GET", at, "", 200, page(0)},
		exchange{"PUT", at, `[{"name":"First check","connection_config_key":"desk"},{"name":"Second","key":"second","connection_config_key":"other"}]`, 200, "[" + one + "," + two + "]"},
		exchange{"PUT", at, `[{"name":"Third","connection_config_key":"desk"},{"name":"Fourth","connection_config_key":"nope"}]`, 404, detailed("No connection configuration found with key 'nope'.")},
		exchange{"PUT", at, `[{"name":"Third","connection_config_key":"desk"},{"name":"third","connection_config_key":"desk"}]`, 400,
			detailed("Check request body: there are multiple webhooks whose keys or names resolve to the same value.")},
		exchange{"PUT", at, `[{"key":"third","connection_config_key":"desk"}]`, 422, `{"detail":[{"type":"missing","loc":["body",0,"name"],"msg":"Field required"}]}`},
		exchange{"GET", at, "", 200, page(2, one, two)},
		exchange{"GET", at + "/second", "", 200, two},
		exchange{"GET", at + "/nope", "", 404, nothing},
		exchange{"PATCH", at + "/second", `{"name":"Last","connection_config_key":"desk"}`, 200, preApprovalOf("second", "Last", "desk")},
		exchange{"PATCH", at + "/second", `{"name":"First check"}`, 400, detailed("Name First check already exists in PreApprovalWebhook.")},
		exchange{"PATCH", at + "/second", `{"connection_config_key":"nope"}`, 404, detailed("No connection configuration found with key 'nope'.")},
		exchange{"PATCH", at + "/second", `{"direction":"one_way"}`, 422, `{"detail":[{"type":"extra_forbidden","loc":["body","direction"],"msg":"Extra inputs are not permitted"}]}`},
		exchange{"PATCH", at + "/nope", `{}`, 404, nothing},
		exchange{"DELETE", at + "/nope", "", 404, nothing},
		exchange{"DELETE", at + "/first_check", "", 200, "null"},
	)
	k.restart(t)
	k.play(t,
		exchange{"GET", at, "", 200, page(1, preApprovalOf("second", "Last", "desk"))},
		exchange{"PUT", at, `[]`, 200, "[]"},
		exchange{"GET", at, "", 200, page(0)},
	)
}

func TestWebhooksThatAreConfiguredAreCalled(t *testing.T) {
	t.Parallel()
	k, hook := hookDesk(t)
	k.play(t,
		exchange{"PUT", "/policy/mine/webhook/pre_execution", `[{"connection_config_key":"desk","direction":"two_way","key":"before"}]`, 200, "[" + hookOf("two_way", "before", "before", "desk", "0") + "]"},
		exchange{"PUT", "/policy/mine/webhook/post_execution", `[{"connection_config_key":"desk","direction":"two_way","key":"after"}]`, 200, "[" + hookOf("two_way", "after", "after", "desk", "0") + "]"},
		exchange{"PUT", "/dsr/webhook/pre_approval", `[{"connection_config_key":"desk","name":"Check"}]`, 200, "[" + preApprovalOf("check", "Check", "desk") + "]"},
	)
	_, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "mine", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	req, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []string{"pre_approval check", "pre_execution before", "post_execution after"}, hook.calls)
}

func TestAConnectionThatRequestsWaitForIsNotDisabled(t *testing.T) {
	t.Parallel()
	k, _ := hookDesk(t)
	token := k.token(t)
	patch := func(body string) string {
		a := k.send(t, token, "PATCH", "/connection", body)
		require.Equal(t, 200, a.Status)
		return a.Body
	}
	put := func(path, body string) {
		a := k.send(t, token, "PUT", path, body)
		require.Equal(t, 200, a.Status, a.Body)
	}
	put("/dsr/webhook/pre_approval", `[{"name":"Fraud","connection_config_key":"desk"}]`)
	put("/policy/mine/webhook/pre_execution", `[{"name":"Asked","direction":"two_way","connection_config_key":"desk"},{"name":"Told","direction":"one_way","connection_config_key":"other"}]`)
	put("/policy/mine/webhook/post_execution", `[{"name":"After","direction":"two_way","connection_config_key":"other"}]`)
	const off = `{"access":"write","connection_type":"https","disabled":true,"key":"desk"}`
	require.Equal(t, `{"succeeded":[],"failed":[{"message":"Connection 'desk' cannot be disabled, since requests wait for these webhooks: asked, fraud. Delete them first.","data":`+off+`}]}`, patch("["+off+"]"))
	require.Contains(t, patch(`[{"key":"other","connection_type":"https","access":"write","disabled":true}]`), `"failed":[]`)
	require.Contains(t, patch(`[{"key":"desk","connection_type":"https","access":"write","disabled":false}]`), `"failed":[]`)

	put("/dsr/webhook/pre_approval", `[]`)
	put("/policy/mine/webhook/pre_execution", `[]`)
	require.Contains(t, patch("["+off+"]"), `"failed":[]`)
	require.Contains(t, patch("["+off+"]"), `"failed":[]`, "it is disabled already")
}

func TestNoRequestIsMadeToWaitForADisabledConnection(t *testing.T) {
	t.Parallel()
	k, _ := hookDesk(t)
	const before, after, approval = "/policy/mine/webhook/pre_execution", "/policy/mine/webhook/post_execution", "/dsr/webhook/pre_approval"
	hook := func(direction, connection string) string {
		return `[{"key":"a","direction":"` + direction + `","connection_config_key":"` + connection + `"}]`
	}
	token := k.token(t)
	sends := func(status int, method, path, body string) {
		t.Helper()
		a := k.send(t, token, method, path, body)
		require.Equal(t, status, a.Status, a.Body)
		if status == 409 {
			require.Regexp(t, "^"+`{"detail":"Connection 'other' is disabled, and requests would wait for webhook '(a|check)'. Enable it first."}`+"$", a.Body)
		}
	}
	off := func(disabled string) {
		t.Helper()
		sends(200, "PATCH", "/connection", `[{"key":"other","connection_type":"https","access":"write","disabled":`+disabled+`}]`)
	}
	off("true")
	sends(409, "PUT", approval, `[{"key":"check","name":"Check","connection_config_key":"other"}]`)
	sends(200, "PUT", approval, `[{"key":"check","name":"Check","connection_config_key":"desk"}]`)
	sends(409, "PATCH", approval+"/check", `{"connection_config_key":"other"}`)
	sends(409, "PUT", before, hook("two_way", "other"))
	sends(200, "PUT", before, hook("two_way", "desk"))
	sends(409, "PATCH", before+"/a", `{"connection_config_key":"other"}`)
	sends(200, "PATCH", before+"/a", `{"connection_config_key":"other","direction":"one_way"}`)
	sends(409, "PATCH", before+"/a", `{"direction":"two_way"}`)
	sends(200, "PATCH", before+"/a", `{"name":"Still told nothing"}`)
	sends(200, "PUT", after, `[{"key":"after","direction":"two_way","connection_config_key":"other"}]`)
	k.submit(t, "mine", 1) // policies take requests still

	off("false")
	sends(200, "PATCH", before+"/a", `{"direction":"two_way"}`)
	sends(200, "PATCH", approval+"/check", `{"connection_config_key":"other"}`)
}
