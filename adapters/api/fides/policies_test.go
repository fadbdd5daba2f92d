package fides_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// accessAnswer and eraseAnswer are the policies of a desk's configuration.
const (
	accessAnswer = `{"name":"Access","key":"access","rules":[{"name":"Everything","key":"everything","action_type":"access","storage_destination":null,"masking_strategy":null}],"drp_action":null,"execution_timeframe":null,"conditions":null}`
	eraseAnswer  = `{"name":"erase","key":"erase","rules":[{"name":"names","key":"names","action_type":"erasure","storage_destination":null,"masking_strategy":{"strategy":"null_rewrite"}}],"drp_action":null,"execution_timeframe":null,"conditions":null}`
)

// policyOf is an answer of a policy without rules.
func policyOf(name, key string) string {
	return `{"name":"` + name + `","key":"` + key + `","rules":[],"drp_action":null,"execution_timeframe":null,"conditions":null}`
}

// failedWith is the answer to a bulk call of which nothing succeeded.
func failedWith(message, data string) string {
	var tree any
	if err := json.Unmarshal([]byte(data), &tree); err != nil {
		return err.Error()
	}
	sorted, _ := json.Marshal(tree) // as it is when it was validated
	data = string(sorted)
	return `{"succeeded":[],"failed":[{"message":"` + message + `","data":` + data + `}]}`
}

// exchange is a call and its answer.
type exchange struct {
	method, target, body string
	status               int
	answer               string
}

// play sends calls one after the other, with a token that opens everything.
func (k *desk) play(t *testing.T, calls ...exchange) {
	t.Helper()
	token := k.token(t)
	for i, c := range calls {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := k.send(t, token, c.method, c.target, body)
		require.Equal(t, c.status, a.Status, "call %d: %s %s: %s", i, c.method, c.target, a.Body)
		require.Equal(t, c.answer, a.Body, "call %d: %s %s", i, c.method, c.target)
	}
}

// detailed is a refusal with any text.
func detailed(text string) string {
	encoded, _ := json.Marshal(map[string]string{"detail": text})
	return string(encoded)
}

func page(total int, items ...string) string {
	return fmt.Sprintf(`{"items":[%s],"total":%d,"page":1,"size":50,"pages":%d}`, strings.Join(items, ","), total, (total+49)/50)
}

func TestPoliciesAreListedTheNewestFirst(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.play(t,
		exchange{"GET", "/dsr/policy", "", 200, page(2, accessAnswer, eraseAnswer)},
		exchange{"PATCH", "/api/v1/dsr/policy", `[{"name":"Second-hand  Access*","drp_action":"access","execution_timeframe":45}]`, 200,
			`{"succeeded":[{"name":"Second-hand  Access*","key":"second_hand_access","rules":[],"drp_action":"access","execution_timeframe":45,"conditions":null}],"failed":[]}`},
	)
	k.wait(time.Minute)
	k.play(t,
		exchange{"PATCH", "/policy", `[{"name":"Third","key":"a.third-1"}]`, 200, `{"succeeded":[` + policyOf("Third", "a.third-1") + `],"failed":[]}`},
		exchange{"GET", "/policy?size=1", "", 200, `{"items":[` + policyOf("Third", "a.third-1") + `],"total":4,"page":1,"size":1,"pages":4}`},
		exchange{"GET", "/policy?size=3&page=2", "", 200, `{"items":[` + eraseAnswer + `],"total":4,"page":2,"size":3,"pages":2}`},
		exchange{"GET", "/policy?size=3&page=3", "", 200, `{"items":[],"total":4,"page":3,"size":3,"pages":2}`},
		exchange{"GET", "/policy?sort=name", "", 422, `{"detail":[{"type":"extra_forbidden","loc":["query","sort"],"msg":"Extra inputs are not permitted"}]}`},
		exchange{"GET", "/dsr/policy/a.third-1", "", 200, policyOf("Third", "a.third-1")},
		exchange{"GET", "/policy/access", "", 200, accessAnswer},
		exchange{"GET", "/dsr/policy/nope", "", 404, detailed("No Policy found for key nope.")},
	)
}

func TestARequestShowsTheTimeframeThatItsPolicyItselfHas(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{"none": {}}
		k.config.Flow.Timeframe = 30 * 24 * time.Hour
	})
	token := k.token(t)
	all := []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}
	k.define(t, func(d *dsr.Definitions) {
		for key, timeframe := range map[string]time.Duration{"plain": 0, "slow": 45 * 24 * time.Hour} {
			d.Policies[key] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: key}, Rules: all, Timeframe: timeframe}
		}
	})
	k.send(t, token, "PATCH", "/dsr/policy", `[{"name":"plain","key":"plain","drp_action":"access"}]`).is(t, http.StatusOK)
	for key, want := range map[string][]any{"plain": {nil, "access", 30.0}, "slow": {45.0, nil, 45.0}, "access": {30.0, nil, 30.0}} {
		one := itemOf(t, k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"`+key+`","identity":{"email":"nia.vale@example.com"}}]`))
		for range 2 {
			policy, _ := one["policy"].(map[string]any)
			require.Equal(t, want, []any{policy["execution_timeframe"], policy["drp_action"], one["days_left"]}, key)
			id, _ := one["id"].(string)
			one = itemOf(t, k.send(t, token, "GET", "/privacy-request?id="+id, nil))
		}
		policy := itemOf(t, k.send(t, token, "GET", "/dsr/policy/"+key, nil))
		require.Equal(t, want[0], policy["execution_timeframe"], key)
		require.Equal(t, want[1], policy["drp_action"], key)
	}
}

func TestAPolicyIsChangedByItsKeyAndKeepsItsRules(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	rule := `{"name":"All of it","key":"all_of_it","action_type":"access","storage_destination":null,"masking_strategy":null}`
	k.play(t,
		exchange{"PATCH", "/policy", `[{"name":"Mine","drp_action":"deletion","execution_timeframe":7}]`, 200,
			`{"succeeded":[{"name":"Mine","key":"mine","rules":[],"drp_action":"deletion","execution_timeframe":7,"conditions":null}],"failed":[]}`},
		exchange{"PATCH", "/policy/mine/rule", `[{"name":"All of it","action_type":"access"}]`, 200, `{"succeeded":[` + rule + `],"failed":[]}`},
		exchange{"PATCH", "/policy", `[{"name":"Ours","key":"mine"}]`, 200,
			`{"succeeded":[{"name":"Ours","key":"mine","rules":[` + rule + `],"drp_action":null,"execution_timeframe":null,"conditions":null}],"failed":[]}`},
		exchange{"PATCH", "/policy", `[{"name":"Mine","key":"mine_2","drp_action":"deletion"}]`, 200,
			`{"succeeded":[{"name":"Mine","key":"mine_2","rules":[],"drp_action":"deletion","execution_timeframe":null,"conditions":null}],"failed":[]}`},
	)
}

func TestABulkOfPoliciesIsOneCommitOfWhatHolds(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.play(t, exchange{"PATCH", "/dsr/policy", `[{"name":"One"},{"name":"One"},{"name":"Two","key":"access"},{"name":"Two"}]`, 200,
		`{"succeeded":[` + policyOf("One", "one") + `,` + policyOf("Two", "two") + `],"failed":[` +
			`{"message":"Key one already exists in Policy. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name.","data":{"name":"One"}},` +
			`{"message":"Policy access comes from the host's configuration and cannot be changed.","data":{"key":"access","name":"Two"}}]}`})
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), defs.Version)
}

func TestWhatPoliciesCannotBe(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, message string }{
		{"a name of another", `{"name":"Access","key":"other"}`, "Name Access already exists in Policy."},
		{"a name of another that has only a key", `{"name":"erase","key":"other"}`, "Name erase already exists in Policy."},
		{"a name that makes no key", `{"name":"?!"}`, "Policy requires a key: the name does not make one, which takes letters from a to z, digits or underscores. Please provide a key."},
		{"consent", `{"name":"C","action_type":"consent"}`, "Unsupported action_type 'consent'. Must be one of: access, erasure"},
		{"update", `{"name":"C","action_type":"update"}`, "Unsupported action_type 'update'. Must be one of: access, erasure"},
		{"a sale", `{"name":"C","drp_action":"sale:opt_in"}`, "sale:opt_in action is not supported at this time."},
		{"an action that another has", `{"name":"C","drp_action":"access"}`, "Policy there has drp_action access already."},
		{"a consent rule", `{"name":"C","rules":[{"name":"R","action_type":"consent"}]}`, "consent Rules are not supported at this time."},
		{"a category that there is not", `{"name":"C","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.nope"}]}]}`,
			"The data category 'user.nope' was not found in the database, and is therefore not valid for use here."},
		{"erasure within erasure", `{"name":"C","rules":[{"name":"R","action_type":"erasure","masking_strategy":{"strategy":"hmac","configuration":{}},"targets":[{"data_category":"user.contact"},{"data_category":"user.contact.email"}]}]}`,
			"Policy rules are invalid, action conflict in erasure rules detected for categories user.contact.email and user.contact"},
		{"a rule of another policy", `{"name":"C","rules":[{"name":"R","key":"everything","action_type":"access"}]}`, "Rule with identifier everything belongs to another policy."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, nil)
			k.play(t,
				exchange{"PATCH", "/policy", `[{"name":"There","drp_action":"access"}]`, 200,
					`{"succeeded":[{"name":"There","key":"there","rules":[],"drp_action":"access","execution_timeframe":null,"conditions":null}],"failed":[]}`},
				exchange{"PATCH", "/policy", "[" + test.body + "]", 200, failedWith(test.message, test.body)},
				exchange{"GET", "/policy/c", "", 404, detailed("No Policy found for key c.")},
			)
		})
	}
}

func TestPoliciesThatDoNotValidate(t *testing.T) {
	t.Parallel()
	many := "[" + strings.TrimSuffix(strings.Repeat(`{"name":"x"},`, 51), ",") + "]"
	tests := []struct{ name, body, answer string }{
		{"51", many, `{"type":"too_long","loc":["body"],"msg":"List should have at most 50 items after validation, not 51"}`},
		{"no name", `[{}]`, `{"type":"missing","loc":["body",0,"name"],"msg":"Field required"}`},
		{"an unknown key", `[{"name":"x","colour":"red"}]`, `{"type":"extra_forbidden","loc":["body",0,"colour"],"msg":"Extra inputs are not permitted"}`},
		{"a key with a space", `[{"name":"x","key":"a b"}]`, `{"type":"value_error","loc":["body",0,"key"],"msg":"Value error, FidesKeys must only contain alphanumeric characters, '.', '_', '\u003c', '\u003e' or '-'."}`},
		{"both", `[{"name":"x","action_type":"access","rules":[]}]`, `{"type":"value_error","loc":["body",0],"msg":"Value error, Provide either 'action_type' or 'rules', not both."}`},
		{"a timeframe of nothing", `[{"name":"x","execution_timeframe":0}]`, `{"type":"greater_than_equal","loc":["body",0,"execution_timeframe"],"msg":"Input should be greater than or equal to 1"}`},
		{"an action of the protocol that there is not", `[{"name":"x","drp_action":"nope"}]`,
			`{"type":"enum","loc":["body",0,"drp_action"],"msg":"Input should be 'access', 'deletion', 'sale:opt_out', 'sale:opt_in', 'access:categories' or 'access:specific'"}`},
	}
	k := newDesk(t, nil)
	for _, test := range tests {
		k.play(t, exchange{"PATCH", "/dsr/policy", test.body, 422, `{"detail":[` + test.answer + `]}`})
	}
	k.play(t, exchange{"GET", "/dsr/policy", "", 200, page(2, accessAnswer, eraseAnswer)})
}

func TestAPolicyOfAnActionGetsARuleForPeople(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	a := k.send(t, token, "PATCH", "/dsr/policy", `[{"name":"Forget me","action_type":"erasure"}]`)
	require.Equal(t, `{"succeeded":[{"name":"Forget me","key":"forget_me","rules":[{"name":"Forget me Rule","key":"forget_me_rule","action_type":"erasure",`+
		`"storage_destination":null,"masking_strategy":{"strategy":"hmac"}}],"drp_action":null,"execution_timeframe":null,"conditions":null}],"failed":[]}`, a.Body)
	a = k.send(t, token, "GET", "/policy/forget_me/rule/forget_me_rule/target?size=100", nil)
	require.Contains(t, a.Body, `"total":21,`)
	require.Contains(t, a.Body, `{"name":"forget_me_rule-user.contact","key":"forget_me_rule_usercontact","data_category":"user.contact"}`)
	for _, money := range []string{"user.financial", "user.payment", "user.authorization"} {
		require.NotContains(t, a.Body, money)
	}
	problems, err := k.engine.Catalogue().Problems(t.Context())
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestAPolicyWithItsRulesIsMadeAtOnceAndRequestsAreTakenUnderIt(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	rule := `{"name":"Contact","key":"contact","action_type":"access","storage_destination":{"name":"folder","type":null,"details":{},"key":"folder","format":null,"is_default":false},"masking_strategy":null}`
	k.play(t, exchange{"PATCH", "/policy", `[{"name":"Made","rules":[{"name":"Contact","action_type":"access","storage_destination_key":"folder","targets":[{"data_category":"user.contact","name":"A way","key":"way"}]}]}]`, 200,
		`{"succeeded":[{"name":"Made","key":"made","rules":[` + rule + `],"drp_action":null,"execution_timeframe":null,"conditions":null}],"failed":[]}`})
	a := k.send(t, k.token(t), "POST", "/privacy-request", `[{"policy_key":"made","identity":{"email":"nia.vale@example.com"}}]`)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"failed":[]`)
	req, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	k.restart(t)
	a = k.send(t, k.token(t), "GET", "/privacy-request/pri_1", nil)
	require.Contains(t, a.Body, `"policy":{"name":"Made","key":"made","rules":[{"name":"Contact"`)
	a = k.send(t, k.token(t), "POST", "/privacy-request", `[{"policy_key":"made","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, a.Body, `"failed":[]`)
	k.play(t, exchange{"GET", "/policy/made/rule/contact/target", "", 200, page(1, `{"name":"A way","key":"way","data_category":"user.contact"}`)})
}

func TestAPolicyInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.play(t, exchange{"PATCH", "/policy", `[{"name":"Used","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.name"}]}]}]`, 200,
		`{"succeeded":[{"name":"Used","key":"used","rules":[{"name":"R","key":"r","action_type":"access","storage_destination":null,"masking_strategy":null}],"drp_action":null,"execution_timeframe":null,"conditions":null}],"failed":[]}`})
	_, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "used", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	k.play(t,
		exchange{"DELETE", "/policy/used", "", 409, detailed("Cannot delete policy used: it is referenced by one or more privacy requests.")},
		exchange{"DELETE", "/dsr/policy/access", "", 409, detailed("Policy access comes from the host's configuration and cannot be changed.")},
		exchange{"DELETE", "/dsr/policy/nope", "", 404, detailed("No Policy found for key nope.")},
	)
	_, err = k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	k.play(t,
		exchange{"DELETE", "/policy/used", "", 204, ""},
		exchange{"GET", "/policy/used", "", 404, detailed("No Policy found for key used.")},
	)
	k.restart(t)
	k.play(t, exchange{"GET", "/policy/used", "", 404, detailed("No Policy found for key used.")})
	for _, target := range []string{"/privacy-request/pri_1", "/privacy-request?action_type=access"} {
		require.Contains(t, k.send(t, k.token(t), "GET", target, nil).Body, `"policy":{"name":"used","key":"used","rules":[],`, "its requests are left")
	}
}

func TestAPolicyThatIsNotReadySaysSo(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	body := `{"policy_key":"bare","identity":{"email":"nia.vale@example.com"}}`
	k.play(t,
		exchange{"POST", "/privacy-request", "[" + body + "]", 200, failedWith("Policy with key bare does not exist", body)},
		exchange{"PATCH", "/policy", `[{"name":"Bare"}]`, 200, `{"succeeded":[` + policyOf("Bare", "bare") + `],"failed":[]}`},
		exchange{"POST", "/privacy-request", "[" + body + "]", 200, failedWith("Policy with key bare is not ready for requests: it has no rules", body)},
		exchange{"PATCH", "/policy/bare/rule", `[{"name":"R","action_type":"access"}]`, 200,
			`{"succeeded":[{"name":"R","key":"r","action_type":"access","storage_destination":null,"masking_strategy":null}],"failed":[]}`},
		exchange{"POST", "/privacy-request", "[" + body + "]", 200, failedWith(`Policy with key bare is not ready for requests: rule \"r\" has no targets`, body)},
	)
}

func TestWhatAnotherProcessConfiguresCountsHere(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	submit := func() string {
		return k.send(t, k.token(t), "POST", "/privacy-request", `[{"policy_key":"made","identity":{"email":"nia.vale@example.com"}}]`).Body
	}
	require.Contains(t, submit(), "Policy with key made does not exist")
	other := newDesk(t, func(o *desk) { o.config, o.store = k.config, k.store })
	other.play(t, exchange{"PATCH", "/policy", `[{"name":"Made","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.name"}]}]}]`, 200,
		`{"succeeded":[{"name":"Made","key":"made","rules":[{"name":"R","key":"r","action_type":"access","storage_destination":null,"masking_strategy":null}],"drp_action":null,"execution_timeframe":null,"conditions":null}],"failed":[]}`})
	require.Contains(t, submit(), `"failed":[]`)
	require.NoError(t, deletePolicy(t, other))
	require.Contains(t, submit(), "Policy with key made does not exist")
}

// deletePolicy deletes the policy "made", whatever is under it.
func deletePolicy(t *testing.T, k *desk) error {
	t.Helper()
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		delete(d.Policies, "made")
		return nil
	})
	return err
}

func TestRulesInsideAPolicyTakeTheScopeOfRules(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	policies, both := k.token(t, "policy:create_or_update"), k.token(t, "policy:create_or_update", "rule:create_or_update")
	for _, body := range []string{`[{"name":"Plain"},{"name":"A","rules":[]}]`, `[{"name":"A","action_type":"access"}]`} {
		a := k.send(t, policies, "PATCH", "/policy", body)
		require.Equal(t, 403, a.Status)
		require.Equal(t, detailed("Not Authorized for this action. Required scope(s): [policy:create_or_update, rule:create_or_update]"), a.Body)
	}
	require.Contains(t, k.send(t, policies, "PATCH", "/policy", `[{"name":"Plain"}]`).Body, `"failed":[]`)
	require.Contains(t, k.send(t, both, "PATCH", "/policy", `[{"name":"A","action_type":"access"}]`).Body, `"failed":[]`)
}

func TestPoliciesOfOneCallAreEquallyNew(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	token := k.token(t)
	for _, names := range [][]string{{"b", "c", "a"}, {"e", "d"}} {
		var body []map[string]string
		for _, name := range names {
			body = append(body, map[string]string{"name": name, "key": name})
		}
		k.send(t, token, "PATCH", "/dsr/policy", body).is(t, http.StatusOK)
		k.wait(time.Second)
	}
	var keys []string
	page := struct{ Items []struct{ Key string } }{}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, token, "GET", "/dsr/policy", nil).Body), &page))
	for _, item := range page.Items {
		keys = append(keys, item.Key)
	}
	require.Equal(t, []string{"d", "e", "a", "b", "c"}, keys[:5])
}
