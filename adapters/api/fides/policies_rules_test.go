package fides_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// madePolicy makes the policy "mine", with an access rule and an erasure rule.
func madePolicy(t *testing.T) *desk {
	t.Helper()
	k := newDesk(t, nil)
	k.play(t,
		exchange{"PATCH", "/dsr/policy", `[{"name":"Mine"}]`, 200, `{"succeeded":[` + policyOf("Mine", "mine") + `],"failed":[]}`},
		exchange{"PATCH", "/dsr/policy/mine/rule", `[
			{"name":"Hand over","storage_destination_key":"folder","action_type":"access"},
			{"name":"Forget","key":"forget","action_type":"erasure","masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"a-secret-word"}}}
		]`, 200, `{"succeeded":[` + handOver + `,` + forget + `],"failed":[]}`},
	)
	return k
}

const (
	folder   = `{"name":"folder","type":null,"details":{},"key":"folder","format":null,"is_default":false}`
	handOver = `{"name":"Hand over","key":"hand_over","action_type":"access","storage_destination":` + folder + `,"masking_strategy":null}`
	forget   = `{"name":"Forget","key":"forget","action_type":"erasure","storage_destination":null,"masking_strategy":{"strategy":"string_rewrite"}}`
)

// withTargets is a rule where its targets are shown.
func withTargets(rule, targets string) string {
	return strings.Replace(rule, `"storage_destination"`, `"targets":[`+targets+`],"storage_destination"`, 1)
}

func TestRulesAreListedTheNewestFirstAndHideTheirMasking(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	calls := []exchange{
		{"GET", "/dsr/policy/mine/rule", "", 200, page(2, withTargets(forget, ""), withTargets(handOver, ""))},
		{"GET", "/policy/mine/rule/forget", "", 200, withTargets(forget, "")},
		{"GET", "/policy/mine/rule?page=2&size=1", "", 200, `{"items":[` + withTargets(handOver, "") + `],"total":2,"page":2,"size":1,"pages":2}`},
		{"GET", "/policy/access/rule", "", 200, page(1, `{"name":"Everything","key":"everything","action_type":"access",`+
			`"targets":[{"name":"everything-user","key":"everything_user","data_category":"user"}],"storage_destination":null,"masking_strategy":null}`)},
		{"GET", "/policy/mine", "", 200, strings.Replace(policyOf("Mine", "mine"), `[]`, `[`+handOver+`,`+forget+`]`, 1)},
		{"GET", "/policy/nope/rule", "", 404, detailed("No Policy found for key nope.")},
		{"GET", "/policy/mine/rule/nope", "", 404, detailed("No Rule found for key nope attached to policy mine")},
		{"GET", "/policy/mine/rule/everything", "", 404, detailed("No Rule found for key everything attached to policy mine")},
	}
	k.play(t, calls...)
	k.restart(t)
	k.play(t, calls...)
	require.NotContains(t, k.logs.String(), "a-secret-word")
}

func TestARuleIsChangedByItsKeyAndKeepsItsTargets(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	target := `{"name":"hand_over-user.name","key":"hand_over_username","data_category":"user.name"}`
	changed := `{"name":"Give","key":"hand_over","action_type":"access","storage_destination":null,"masking_strategy":null}`
	k.play(t,
		exchange{"PATCH", "/policy/mine/rule/hand_over/target", `[{"data_category":"user.name"}]`, 200, `{"succeeded":[` + target + `],"failed":[]}`},
		exchange{"PATCH", "/policy/mine/rule", `[{"name":"Give","key":"hand_over","action_type":"access"}]`, 200, `{"succeeded":[` + changed + `],"failed":[]}`},
		exchange{"GET", "/policy/mine/rule/hand_over", "", 200, withTargets(changed, target)},
		exchange{"DELETE", "/policy/mine/rule/hand_over", "", 204, ""},
		exchange{"GET", "/policy/mine/rule", "", 200, page(1, withTargets(forget, ""))},
		exchange{"DELETE", "/dsr/policy/mine/rule/hand_over", "", 404, detailed("No Rule found for key hand_over on Policy mine.")},
		exchange{"DELETE", "/dsr/policy/nope/rule/hand_over", "", 404, detailed("No Policy found for key nope.")},
		exchange{"DELETE", "/dsr/policy/access/rule/everything", "", 409, detailed("Policy access comes from the host's configuration and cannot be changed.")},
	)
	k.restart(t)
	k.play(t, exchange{"GET", "/policy/mine/rule/hand_over/target", "", 404, detailed("No Rule found for key hand_over attached to policy mine")})
}

func TestWhatRulesCannotBe(t *testing.T) {
	t.Parallel()
	tests := []struct{ policy, body, message string }{
		{"mine", `{"name":"R","action_type":"access","storage_destination_key":"nowhere"}`, "A StorageConfig with key nowhere does not exist"},
		{"mine", `{"name":"R","action_type":"erasure"}`, "Erasure Rules must have masking strategies."},
		{"mine", `{"name":"R","action_type":"access","masking_strategy":{"strategy":"hmac","configuration":{}}}`, "Access Rules cannot have masking strategies."},
		{"mine", `{"name":"R","action_type":"update"}`, "update Rules are not supported at this time."},
		{"mine", `{"name":"R","action_type":"consent"}`, "consent Rules are not supported at this time."},
		{"mine", `{"name":"R","key":"everything","action_type":"access"}`, "Rule with identifier everything belongs to another policy."},
		{"mine", `{"name":"Hand over","action_type":"access"}`, "Key hand_over already exists in Rule. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name."},
		{"mine", `{"name":"Everything","key":"another","action_type":"access"}`, "Name Everything already exists in Rule."},
		{"mine", `{"name":"Forget","key":"hand_over","action_type":"access"}`, "Name Forget already exists in Rule."},
		{"mine", `{"name":"...","action_type":"access"}`, "Rule requires a key: the name does not make one, which takes letters from a to z, digits or underscores. Please provide a key."},
		{"mine", `{"name":"R","key":"HAND_OVER","action_type":"access"}`, `policy mine: rules \"hand_over\" and \"HAND_OVER\" differ in case only, and so would their packages`},
		{"mine", `{"name":"R","action_type":"erasure","masking_strategy":{"strategy":"nope","configuration":{}}}`,
			`rule \"r\": mask: strategy \"nope\": unknown; the strategies are aes_encrypt, hash, hmac, null_rewrite, preserve, random_string_rewrite, string_rewrite`},
		{"mine", `{"name":"R","key":"a..b","action_type":"access"}`, "The key of an access Rule becomes part of a file's name and cannot be a..b."},
		{"access", `{"name":"R","action_type":"access"}`, "Policy access comes from the host's configuration and cannot be changed."},
	}
	k := madePolicy(t)
	for _, test := range tests {
		k.play(t, exchange{"PATCH", "/dsr/policy/" + test.policy + "/rule", "[" + test.body + "]", 200, failedWith(test.message, test.body)})
	}
	k.play(t,
		exchange{"PATCH", "/policy/nope/rule", `[]`, 404, detailed("No Policy found for key nope.")},
		exchange{"PATCH", "/policy/mine/rule", `[{"name":"R","action_type":"nope"}]`, 422,
			`{"detail":[{"type":"enum","loc":["body",0,"action_type"],"msg":"Input should be 'access', 'erasure', 'consent' or 'update'"}]}`},
		exchange{"PATCH", "/policy/mine/rule", `[{"name":"R","action_type":"erasure","masking_strategy":{"strategy":"hmac"}}]`, 422,
			`{"detail":[{"type":"missing","loc":["body",0,"masking_strategy","configuration"],"msg":"Field required"}]}`},
		exchange{"PATCH", "/policy/mine/rule", `[{"name":"R","action_type":"erasure","masking_strategy":{"strategy":"hmac","configuration":{"x":[1e999,"\u0000"]}}}]`, 422,
			`{"detail":[{"type":"float_parsing","loc":["body",0,"masking_strategy","configuration","x",0],"msg":"Input should be a valid number, it is out of range"},` +
				`{"type":"value_error","loc":["body",0,"masking_strategy","configuration","x",1],"msg":"Value error, a text cannot hold the character U+0000"}]}`},
		exchange{"GET", "/policy/mine/rule", "", 200, page(2, withTargets(forget, ""), withTargets(handOver, ""))},
	)
}

func TestABulkOfRulesKeepsWhatHolds(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	second := `{"name":"Second","key":"second","action_type":"access","storage_destination":null,"masking_strategy":null}`
	k.play(t, exchange{"PATCH", "/policy/mine/rule", `[{"name":"R","action_type":"erasure"},{"name":"Second","action_type":"access"}]`, 200,
		`{"succeeded":[` + second + `],"failed":[{"message":"Erasure Rules must have masking strategies.","data":{"action_type":"erasure","name":"R"}}]}`})
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), defs.Version)
}

// TestPeer25CreateConflictingRuleTargets is test_create_conflicting_rule_targets.
func TestPeer25CreateConflictingRuleTargets(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	k.play(t, exchange{"PATCH", "/dsr/policy/mine/rule/forget/target", `[{"data_category":"user.contact.email"},{"data_category":"user.contact"}]`, 200,
		`{"succeeded":[{"name":"forget-user.contact.email","key":"forget_usercontactemail","data_category":"user.contact.email"}],"failed":[` +
			`{"message":"Policy rules are invalid, action conflict in erasure rules detected for categories user.contact.email and user.contact","data":{"data_category":"user.contact"}}]}`})
}

func TestErasureRulesOfAPolicyDoNotOverlapWhateverChanges(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	const message = "Policy rules are invalid, action conflict in erasure rules detected for categories user.contact.email and user.contact"
	rule := `{"name":"Hand over","key":"hand_over","action_type":"erasure","masking_strategy":{"strategy":"hmac","configuration":{}}}`
	target := `{"data_category":"user.contact","key":"a"}`
	k.play(t,
		exchange{"PATCH", "/policy/mine/rule/forget/target", `[{"data_category":"user.contact.email"},{"data_category":"user.name","key":"a"}]`, 200,
			`{"succeeded":[{"name":"forget-user.contact.email","key":"forget_usercontactemail","data_category":"user.contact.email"},{"name":"forget-user.name","key":"a","data_category":"user.name"}],"failed":[]}`},
		exchange{"PATCH", "/policy/mine/rule/hand_over/target", `[{"data_category":"user.contact"}]`, 200,
			`{"succeeded":[{"name":"hand_over-user.contact","key":"hand_over_usercontact","data_category":"user.contact"}],"failed":[]}`},
		exchange{"PATCH", "/policy/mine/rule", "[" + rule + "]", 200, failedWith(message, rule)},
		exchange{"PATCH", "/policy/mine/rule/forget/target", "[" + target + "]", 200, failedWith(message, target)},
		exchange{"GET", "/policy/mine/rule/hand_over", "", 200, withTargets(handOver, `{"name":"hand_over-user.contact","key":"hand_over_usercontact","data_category":"user.contact"}`)},
	)
}

func TestTargetsAreCreatedChangedListedAndDeleted(t *testing.T) {
	t.Parallel()
	k := madePolicy(t)
	const at = "/dsr/policy/mine/rule/hand_over/target"
	email, name := `{"name":"hand_over-user.contact.email","key":"hand_over_usercontactemail","data_category":"user.contact.email"}`, `{"name":"A name","key":"the_name","data_category":"user.name"}`
	k.play(t,
		exchange{"GET", at, "", 200, page(0)},
		exchange{"PATCH", at, `[{"data_category":"user.contact.email"},{"data_category":"user.name","name":"A name","key":"the_name"}]`, 200, `{"succeeded":[` + email + `,` + name + `],"failed":[]}`},
		exchange{"GET", at, "", 200, page(2, name, email)},
		exchange{"GET", "/policy/mine/rule/hand_over/target/the_name", "", 200, name},
		exchange{"PATCH", at, `[{"data_category":"user.location","key":"the_name"}]`, 200, `{"succeeded":[{"name":"A name","key":"the_name","data_category":"user.location"}],"failed":[]}`},
		exchange{"DELETE", at + "/hand_over_usercontactemail", "", 204, ""},
		exchange{"DELETE", at + "/hand_over_usercontactemail", "", 404, detailed("No RuleTarget found for key hand_over_usercontactemail at Rule hand_over on Policy mine.")},
		exchange{"DELETE", "/policy/mine/rule/nope/target/x", "", 404, detailed("No Rule found for key nope on Policy mine.")},
		exchange{"DELETE", "/policy/nope/rule/nope/target/x", "", 404, detailed("No Policy found for key nope.")},
		exchange{"DELETE", "/policy/access/rule/everything/target/everything_user", "", 409, detailed("Policy access comes from the host's configuration and cannot be changed.")},
		exchange{"GET", at + "/x", "", 404, detailed("No Rule Target found for key x attached to rule hand_over.")},
		exchange{"GET", "/policy/mine/rule/nope/target/x", "", 404, detailed("No Rule found for key nope attached to policy mine")},
	)
	k.restart(t)
	k.play(t, exchange{"GET", at, "", 200, page(1, `{"name":"A name","key":"the_name","data_category":"user.location"}`)})
}

func TestWhatTargetsCannotBe(t *testing.T) {
	t.Parallel()
	tests := []struct{ at, body, message string }{
		{"mine/rule/hand_over", `{"data_category":"user.name"}`, "DataCategory user.name is already specified on Rule with ID hand_over"},
		{"mine/rule/hand_over", `{"data_category":"user.name","key":"another","name":"Another"}`, "DataCategory user.name is already specified on Rule with ID hand_over"},
		{"mine/rule/hand_over", `{"data_category":"user.name","key":"mail"}`, "DataCategory user.name is already specified on Rule with ID hand_over"},
		{"mine/rule/hand_over", `{"data_category":"user.location","key":"everything_user"}`, "RuleTarget with identifier everything_user belongs to another rule."},
		{"mine/rule/hand_over", `{"data_category":"user.location","name":"Mail"}`, "Key mail already exists in RuleTarget. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name."},
		{"mine/rule/hand_over", `{"data_category":"user.location","name":"Mail","key":"another"}`, "Name Mail already exists in RuleTarget."},
		{"mine/rule/hand_over", `{"data_category":"user.location","name":"***"}`, "RuleTarget requires a key: the name does not make one, which takes letters from a to z, digits or underscores. Please provide a key."},
		{"access/rule/everything", `{"data_category":"user.location"}`, "Policy access comes from the host's configuration and cannot be changed."},
	}
	k := madePolicy(t)
	const there = `{"name":"Mail","key":"mail","data_category":"user.contact.email"},{"name":"hand_over-user.name","key":"hand_over_username","data_category":"user.name"}`
	k.play(t, exchange{"PATCH", "/policy/mine/rule/hand_over/target", `[{"data_category":"user.contact.email","name":"Mail","key":"mail"},{"data_category":"user.name"}]`, 200, `{"succeeded":[` + there + `],"failed":[]}`})
	for _, test := range tests {
		k.play(t, exchange{"PATCH", "/dsr/policy/" + test.at + "/target", "[" + test.body + "]", 200, failedWith(test.message, test.body)})
	}
	k.play(t,
		exchange{"PATCH", "/policy/mine/rule/hand_over/target", `[{"data_category":"user.zip"},{"data_category":"user.location"},{"data_category":"it's"}]`, http.StatusUnprocessableEntity,
			detailed(`Invalid data categories: ['it\'s', 'user.zip']`)},
		exchange{"PATCH", "/policy/mine/rule/nope/target", `[]`, 404, detailed("No Rule found for key nope on Policy mine.")},
		exchange{"GET", "/policy/mine/rule/hand_over", "", 200, withTargets(handOver, there)},
	)
}
