package fides_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
)

// echoedDesk has one of everything that can be configured over the door.
func echoedDesk(t *testing.T) (c *caller, client string) {
	t.Helper()
	c = configurable(t, func(k *desk) {
		k.config.Connections, k.config.Datasets, k.config.Policies, k.config.Destinations = nil, nil, nil, nil
		k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType()
	}).caller(t)
	c.does(t, "PATCH", "/connection", `[
		{"name":"Our CRM","key":"crm","description":"All of it","connection_type":"postgres","access":"write"},
		{"key":"tickets","connection_type":"https","access":"write","secrets":{"url":"https://tickets.example.com","authorization":"`+canary+`"}},
		{"key":"help_desk","connection_type":"manual_webhook","access":"read"},
		{"key":"cellar","connection_type":"manual_task","access":"write"},{"key":"attic","connection_type":"manual_task","access":"write"}]`)
	c.does(t, "PUT", "/plus/connection/cellar/manual-task/assign-users", `["archivists"]`)
	c.does(t, "POST", "/plus/connection/cellar/manual-field", `{"label":"What the file says","key":"note","field_type":"text","request_type":"access"}`)
	c.does(t, "PUT", "/connection/crm/secret", secretsBody)
	c.does(t, "PATCH", "/connection/crm/dataset", "["+peopleJSON+"]")
	c.does(t, "PUT", "/plus/connection/cellar/manual-task/dependency-conditions", `[{"field_address":"people:people:id","operator":"gt","value":10.50}]`)
	c.does(t, "PATCH", "/storage/config", `[`+exampleStorage+`,{"name":"Bucket","key":"bucket","type":"s3","format":"csv",
		"details":{"bucket":"b","auth_method":"secret_keys","max_retries":3},"secrets":{"aws_access_key_id":"an-id","aws_secret_access_key":"`+canary+`"}}]`)
	c.does(t, "PUT", "/storage/default", `{"type":"s3","details":{"bucket":"c","auth_method":"secret_keys"},"secrets":{"aws_access_key_id":"an-id","aws_secret_access_key":"`+canary+`"}}`)
	c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine","drp_action":"deletion","execution_timeframe":30}]`)
	c.does(t, "PATCH", "/dsr/policy/mine/rule", `[
		{"name":"Send","key":"send","action_type":"access","storage_destination_key":"bucket"},
		{"name":"Hide","key":"hide","action_type":"erasure","masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"`+canary+`"}}}]`)
	c.does(t, "PATCH", "/dsr/policy/mine/rule/send/target", `[{"name":"Mail","key":"mail","data_category":"user.contact"},{"data_category":"user.name"}]`)
	c.does(t, "PATCH", "/dsr/policy/mine/rule/hide/target", `[{"data_category":"user.name"}]`)
	hooks := `[{"key":"%s_a","direction":"one_way","connection_config_key":"tickets"},{"key":"%s_b","name":"B","direction":"two_way","connection_config_key":"tickets"}]`
	c.does(t, "PUT", "/dsr/policy/mine/webhook/pre_execution", strings.ReplaceAll(hooks, "%s", "pre"))
	c.does(t, "PUT", "/dsr/policy/mine/webhook/post_execution", strings.ReplaceAll(hooks, "%s", "post"))
	c.does(t, "PUT", "/dsr/webhook/pre_approval", `[{"key":"known","name":"Known?","connection_config_key":"tickets"},{"name":"Nice?","connection_config_key":"tickets"}]`)
	c.does(t, "POST", "/connection/help_desk/access_manual_webhook", `{"fields":[{"pii_field":"Notes","data_categories":["user.contact"],"types":["string","file"]},{"pii_field":"More"}]}`)
	c.does(t, "PUT", "/privacy-request/redaction-patterns", `{"patterns":["internal_.*"]}`)
	var made struct {
		ID string `json:"client_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(c.does(t, "POST", "/oauth/client", `{"name":"Desk","description":"Of the desk","scopes":["rule:read"]}`)), &made))
	return c, made.ID
}

// echoedSecrets are those that are stored, which no answer shows.
func (k *desk) echoedSecrets(t *testing.T) (all []dsr.Secrets) {
	t.Helper()
	for _, key := range []string{"crm", "tickets"} {
		secrets, err := k.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, key)
		require.NoError(t, err)
		all = append(all, secrets)
	}
	for _, key := range []string{"bucket", "default_storage_config_s3"} {
		secrets, err := k.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueDestination, key)
		require.NoError(t, err)
		all = append(all, secrets)
	}
	return all
}

// echoedRules are the rules as the engine has them.
func (k *desk) echoedRules(t *testing.T) any {
	t.Helper()
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	return defs.Policies["mine"].Rules
}

var echoedChanged = regexp.MustCompile(`"updated_at":"[^"]*"`)

func TestWhatIsAnsweredMayBeSentBackAndChangesNothing(t *testing.T) {
	t.Parallel()
	const one, items, every, secrets = "", "items", "[]", "secrets" // what of the answer is sent: all, its items, it as the only one of a list, its secrets
	mine := "/dsr/policy/mine"
	for _, c := range []struct{ get, part, method, put string }{
		{"/connection", items, "PATCH", "/connection"},
		{"/connection?connection_type=postgres", items, "POST", "/connection"},
		{"/connection/crm", every, "PATCH", "/connection"},
		{"/connection/tickets", every, "PATCH", "/connection"},
		{"/connection/crm", secrets, "PUT", "/connection/crm/secret?verify=false"},
		{"/connection/crm", secrets, "PATCH", "/connection/crm/secret?verify=false"},
		{"/connection/crm/dataset", items, "PATCH", "/connection/crm/dataset"},
		{"/connection/crm/dataset/people", every, "PATCH", "/connection/crm/dataset"},
		{"/connection/crm/datasetconfig", items, "PUT", "/connection/crm/datasetconfig"},
		{"/connection/crm/datasetconfig/people", every, "PATCH", "/connection/crm/datasetconfig"},
		{"/storage/config", items, "PATCH", "/storage/config"},
		{"/storage/config/bucket", every, "PATCH", "/storage/config"},
		{"/storage/default/active", one, "PUT", "/storage/default"},
		{"/storage/default/s3", one, "PUT", "/storage/default"},
		{"/dsr/policy", items, "PATCH", "/dsr/policy"},
		{"/policy/mine", every, "PATCH", "/policy"},
		{mine + "/rule", items, "PATCH", mine + "/rule"},
		{mine + "/rule/send", every, "PATCH", mine + "/rule"},
		{mine + "/rule/hide", every, "PATCH", "/policy/mine/rule"},
		{mine + "/rule/send/target", items, "PATCH", mine + "/rule/send/target"},
		{mine + "/rule/send/target/mail", every, "PATCH", mine + "/rule/send/target"},
		{mine + "/webhook/pre_execution", items, "PUT", mine + "/webhook/pre_execution"},
		{mine + "/webhook/post_execution", items, "PUT", mine + "/webhook/post_execution"},
		{mine + "/webhook/pre_execution/pre_a", one, "PATCH", mine + "/webhook/pre_execution/pre_a"},
		{mine + "/webhook/post_execution/post_b", one, "PATCH", mine + "/webhook/post_execution/post_b"},
		{"/dsr/webhook/pre_approval", items, "PUT", "/dsr/webhook/pre_approval"},
		{"/dsr/webhook/pre_approval/known", one, "PATCH", "/dsr/webhook/pre_approval/known"},
		{"/connection/help_desk/access_manual_webhook", one, "PATCH", "/connection/help_desk/access_manual_webhook"},
		{"/connection/cellar", every, "PATCH", "/connection"},
		{"/plus/connection/cellar/manual-task", one, "PUT", "/plus/connection/cellar/manual-task"},
		{"/plus/connection/cellar/manual-field/note", one, "PUT", "/plus/connection/cellar/manual-field/note"},
		{"/privacy-request/redaction-patterns", one, "PUT", "/privacy-request/redaction-patterns"},
		{"/oauth/client/{client}", one, "PUT", "/oauth/client/{client}"},
		{"/oauth/client/{client}/scope", one, "PUT", "/oauth/client/{client}/scope"},
	} {
		t.Run(c.method+" "+c.put+" of "+c.get, func(t *testing.T) {
			t.Parallel()
			k, client := echoedDesk(t)
			get, put := strings.ReplaceAll(c.get, "{client}", client), strings.ReplaceAll(c.put, "{client}", client)
			was, kept, rules := k.does(t, "GET", get, nil), k.echoedSecrets(t), k.echoedRules(t)
			body := was
			switch c.part {
			case every:
				body = "[" + was + "]"
			case items, secrets:
				var parts map[string]json.RawMessage
				require.NoError(t, json.Unmarshal([]byte(was), &parts))
				body = string(parts[c.part])
				require.Greater(t, len(body), 10)
			}
			k.does(t, c.method, put, body)
			require.Equal(t, echoedChanged.ReplaceAllString(was, ""), echoedChanged.ReplaceAllString(k.does(t, "GET", get, nil), ""))
			require.Equal(t, kept, k.echoedSecrets(t))
			require.Equal(t, rules, k.echoedRules(t))
		})
	}
}

func TestWhatIsAnsweredCannotBeChangedByItsReadOnlyKeys(t *testing.T) {
	t.Parallel()
	c, client := echoedDesk(t)
	state := c.state(t)
	value := func(loc, what string) string {
		return `{"detail":[{"type":"value_error","loc":[` + loc + `],"msg":"Value error, ` + what + `"}]}`
	}
	other := `it is told only, and the path names another one`
	absent := func(loc string) string {
		return `{"detail":[{"type":"none_required","loc":[` + loc + `],"msg":"Input should be None: this is not carried out here"}]}`
	}
	masked := func(loc string) string {
		return value(loc, `It is masked: give the secret itself, or all as they are shown.`)
	}
	plain := func(loc string) string {
		return value(loc, `It stands for a secret, which this is not: give the value itself.`)
	}
	crm := `"key":"crm","connection_type":"postgres","access":"write"`
	rule := "/dsr/policy/mine/rule"
	for _, r := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		// What is not carried out here.
		{"PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine","conditions":{"a":1}}]`, 422, absent(`"body",0,"conditions"`)},
		{"PATCH", "/connection", `[{` + crm + `,"saas_config":{}}]`, 422, absent(`"body",0,"saas_config"`)},
		{"PATCH", "/connection", `[{` + crm + `,"saas_connector_type":"x"}]`, 422, absent(`"body",0,"saas_connector_type"`)},
		{"PATCH", "/connection", `[{` + crm + `,"enabled_actions":["access"]}]`, 422, absent(`"body",0,"enabled_actions"`)},
		{"PATCH", "/connection", `[{` + crm + `,"system_key":"x"}]`, 422, absent(`"body",0,"system_key"`)},
		{"PATCH", "/connection", `[{` + crm + `,"linked_systems":["x"]}]`, 422, `{"detail":[{"type":"too_long","loc":["body",0,"linked_systems"],"msg":"List should have at most 0 items after validation, not 1"}]}`},
		// What nobody knows, and what is of another kind than was answered.
		{"PATCH", "/connection", `[{` + crm + `,"saas_confg":null}]`, 422, `{"detail":[{"type":"extra_forbidden","loc":["body",0,"saas_confg"],"msg":"Extra inputs are not permitted"}]}`},
		{"PATCH", rule, `[{"name":"Send","key":"send","action_type":"access","storage_destination":"bucket"}]`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body",0,"storage_destination"],"msg":"Input should be a valid dictionary or object to extract fields from"}]}`},
		{"PATCH", rule, `[{"name":"Send","key":"send","action_type":"access","storage_destination":{"name":"\u0000"}}]`, 422, value(`"body",0,"storage_destination","name"`, `a text cannot hold the character U+0000`)},
		// Another one than that of the path.
		{"PATCH", "/dsr/policy/mine/webhook/pre_execution/pre_a", `{"key":"pre_b"}`, 422, value(`"body","key"`, other)},
		{"PATCH", "/dsr/webhook/pre_approval/known", `{"key":"x"}`, 422, value(`"body","key"`, other)},
		{"PATCH", "/connection/help_desk/access_manual_webhook", `{"id":"x","fields":[{"pii_field":"A"}]}`, 422, value(`"body","id"`, other)},
		{"PUT", "/oauth/client/" + client, `{"client_id":"x"}`, 422, value(`"body","client_id"`, other)},
		// A change that would be lost.
		{"PUT", "/oauth/client/" + client, `{"roles":["owner"]}`, 422, value(`"body","roles"`, `roles are told only: the host gives them`)},
		{"PATCH", rule, `[{"name":"Send","key":"send","action_type":"access","targets":[{"data_category":"user.contact"}]}]`, 200,
			`{"succeeded":[],"failed":[{"message":"'targets' are told only. They are changed at PATCH /dsr/policy/{policy_key}/rule/{rule_key}/target.","data":{"action_type":"access","key":"send","name":"Send","targets":[{"data_category":"user.contact"}]}}]}`},
		{"PATCH", rule, `[{"name":"New","action_type":"access","storage_destination":{"key":"bucket"}}]`, 200,
			`{"succeeded":[],"failed":[{"message":"'storage_destination' is told only. Where packages go is said by 'storage_destination_key'.","data":{"action_type":"access","name":"New","storage_destination":{"key":"bucket"}}}]}`},
		{"PATCH", rule, `[{"name":"Hide","key":"hide","action_type":"erasure","masking_strategy":{"strategy":"hmac"}}]`, 422, `{"detail":[{"type":"missing","loc":["body",0,"masking_strategy","configuration"],"msg":"Field required"}]}`},
		{"PATCH", "/dsr/policy", `[{"name":"New","rules":[{"name":"Hide","action_type":"erasure","masking_strategy":{"strategy":"hmac"}}]}]`, 422, `{"detail":[{"type":"missing","loc":["body",0,"rules",0,"masking_strategy","configuration"],"msg":"Field required"}]}`},
		{"PUT", "/dsr/webhook/pre_approval", `[{"key":"known","name":"Known?","connection_config":{"key":"crm"}}]`, 422,
			value(`"body",0,"connection_config"`, `it is told only: another connection is named by connection_config_key`)},
		{"PUT", "/dsr/webhook/pre_approval", `[{"key":"new","name":"New?","connection_config":{"key":"tickets"}}]`, 422, `{"detail":[{"type":"missing","loc":["body",0,"connection_config_key"],"msg":"Field required"}]}`},
		{"PUT", "/dsr/webhook/pre_approval", `[{"key":"known","name":"Known?"}]`, 422, `{"detail":[{"type":"missing","loc":["body",0,"connection_config_key"],"msg":"Field required"}]}`},
		{"PATCH", "/dsr/policy/mine/webhook/pre_execution/pre_a", `{"connection_config":{"key":"crm"}}`, 422,
			value(`"body","connection_config"`, `it is told only: another connection is named by connection_config_key`)},
		{"PUT", "/dsr/policy/mine/webhook/pre_execution", `[{"key":"x","direction":"one_way","connection_config_key":"tickets","order":1},{"key":"y","direction":"one_way","connection_config_key":"tickets","order":0}]`, 422,
			value(`"body",1,"order"`, `it is told only: webhooks have the order of the list`)},
		{"PATCH", "/storage/config", `[{"name":"Bucket","key":"bucket","type":"s3","details":{"bucket":"b","auth_method":"secret_keys","max_retries":3},"is_default":true}]`, 200,
			`{"succeeded":[],"failed":[{"message":"'is_default' is told only. Which destination is the default is said at PUT /storage/default.",` +
				`"data":{"details":{"auth_method":"secret_keys","bucket":"b","max_retries":3},"is_default":true,"key":"bucket","name":"Bucket","type":"s3"}}]}`},
		{"PUT", "/storage/default", `{"type":"s3","details":{"bucket":"c","auth_method":"secret_keys"},"key":"bucket"}`, 422, value(`"body","key"`, "it is told only: the default destination of this type has the key 'default_storage_config_s3'")},
		{"PATCH", "/connection/crm/datasetconfig", `[{"fides_key":"people","ctl_dataset":{"fides_key":"people","collections":[]}}]`, 200,
			`{"succeeded":[],"failed":[{"message":"'ctl_dataset' is told only. Datasets are changed at PATCH /connection/{connection_key}/dataset.","data":{"ctl_dataset":{"collections":[],"fides_key":"people"},"fides_key":"people"}}],"warnings":[]}`},
		{"PATCH", "/connection/help_desk/access_manual_webhook", `{"fields":[{"pii_field":"A"}],"connection_config":{"key":"crm"}}`, 422,
			value(`"body","connection_config"`, `it is told only: connections are changed at PATCH /connection`)},
		{"PUT", "/plus/connection/cellar/manual-task", `{"title":"T","assigned_users":[]}`, 422,
			value(`"body","assigned_users"`, `it is told only: who is asked is said at PUT /plus/connection/{connection_key}/manual-task/assign-users`)},
		{"PUT", "/plus/connection/cellar/manual-task", `{"assigned_users":[{"id":"others","email_address":null,"first_name":null,"last_name":null}]}`, 422,
			value(`"body","assigned_users"`, `it is told only: who is asked is said at PUT /plus/connection/{connection_key}/manual-task/assign-users`)},
		{"PUT", "/plus/connection/cellar/manual-task", `{"dependency_conditions":[]}`, 422,
			value(`"body","dependency_conditions"`, `it is told only: when people are asked is said at PUT /plus/connection/{connection_key}/manual-task/dependency-conditions`)},
		{"PUT", "/plus/connection/cellar/manual-task", `{"status":"done"}`, 422, value(`"body","status"`, `it is told only: a task is always pending, `+
			`and its fields are answered at POST /privacy-request/{privacy_request_id}/manual-field/{manual_field_id}/complete`)},
		{"PUT", "/plus/connection/cellar/manual-task", `{"parent_entity_id":"x"}`, 422, value(`"body","parent_entity_id"`, `it is told only, and it is something else`)},
		{"POST", "/plus/connection/attic/manual-task", `{"assigned_users":[{"id":"archivists"}]}`, 422,
			value(`"body","assigned_users"`, `it is told only: who is asked is said at PUT /plus/connection/{connection_key}/manual-task/assign-users`)},
		{"PUT", "/plus/connection/cellar/manual-field/note", `{"label":"L","field_type":"text","request_type":"access","key":"other"}`, 422,
			value(`"body","key"`, `it is told only: a field keeps the one that it was made with: make another field at POST /plus/connection/{connection_key}/manual-field`)},
		{"PUT", "/plus/connection/cellar/manual-field/note", `{"label":"L","field_type":"text","request_type":"access","policies":["mine","other"]}`, 422,
			value(`"body","policies"`, `it is told only: a field is asked for under the policies whose rules select one of its data_categories`)},
		{"POST", "/plus/connection/cellar/manual-field", `{"key":"new","label":"L","field_type":"text","request_type":"access","id":"note"}`, 422, value(`"body","id"`, `it is told only: it is the key`)},
		// What stands for a secret is none.
		{"PATCH", "/connection", `[{` + crm + `,"secrets":{"host":"db.elsewhere","port":"5432","ssl":"true","password":"**********"}}]`, 422, masked(`"body",0,"secrets","password"`)},
		{"PATCH", "/connection", `[{` + crm + `,"secrets":{"host":"db.internal","password":"**********"}}]`, 422, masked(`"body",0,"secrets","password"`)},
		{"PATCH", "/connection", `[{"key":"new","connection_type":"postgres","access":"write","secrets":{"host":"db.internal","password":"**********"}}]`, 422, masked(`"body",0,"secrets","password"`)},
		{"PUT", "/connection/crm/secret", `{"host":"db.elsewhere","port":"5432","ssl":"true","password":"**********"}`, 422, masked(`"body","password"`)},
		{"PUT", "/connection/crm/secret", `{"host":"db.internal","password":"**********"}`, 422, masked(`"body","password"`)},
		{"PATCH", "/connection/crm/secret", `{"host":"db.elsewhere","password":"**********"}`, 422, masked(`"body","password"`)},
		{"PATCH", "/connection/tickets/secret", `{"url":"https://elsewhere.example.com","authorization":"**********"}`, 422, masked(`"body","authorization"`)},
		{"PATCH", "/storage/config", `[{"name":"Bucket","key":"bucket","type":"s3","details":{"bucket":"x","auth_method":"secret_keys"},"secrets":{"aws_access_key_id":"an-id","aws_secret_access_key":"**********"}}]`, 422,
			masked(`"body",0,"secrets","aws_secret_access_key"`)},
		{"PUT", "/storage/config/bucket/secret", `{"aws_access_key_id":"an-id","aws_secret_access_key":"**********"}`, 422, masked(`"body","aws_secret_access_key"`)},
		{"PUT", "/storage/default/s3/secret", `{"aws_access_key_id":"an-id","aws_secret_access_key":"**********"}`, 422, masked(`"body","aws_secret_access_key"`)},
		// The mask as a setting that is never masked.
		{"PATCH", "/connection", `[{` + crm + `,"secrets":{"host":"**********","password":"new"}}]`, 422, plain(`"body",0,"secrets","host"`)},
		{"POST", "/connection", `[{"key":"new","connection_type":"postgres","access":"write","secrets":{"host":"**********","password":"new"}}]`, 422, plain(`"body",0,"secrets","host"`)},
		{"PUT", "/connection/crm/secret", `{"host":"db.internal","port":"**********","password":"new"}`, 422, plain(`"body","port"`)},
		{"PATCH", "/connection/crm/secret", `{"port":"**********","password":"new"}`, 422, plain(`"body","port"`)},
		{"PUT", "/storage/config/bucket/secret", `{"aws_access_key_id":"**********","aws_secret_access_key":"new"}`, 422, plain(`"body","aws_access_key_id"`)},
		{"PUT", "/storage/default/s3/secret", `{"aws_access_key_id":"**********","aws_secret_access_key":"new"}`, 422, plain(`"body","aws_access_key_id"`)},
		{"PATCH", "/storage/config", `[{"name":"Bucket","key":"bucket","type":"s3","details":{"bucket":"**********","auth_method":"secret_keys"}}]`, 422, plain(`"body",0,"details","bucket"`)},
		{"PUT", "/storage/default", `{"type":"s3","details":{"bucket":"**********","auth_method":"secret_keys"}}`, 422, plain(`"body","details","bucket"`)},
	} {
		c.wants(t, r.status, r.want, r.method, r.target, r.body)
	}
	require.Equal(t, state, c.state(t), "something was changed")
}

func TestThePolicyThatThereIsHasOtherRules(t *testing.T) {
	t.Parallel()
	c, _ := echoedDesk(t)
	state := c.state(t)
	send := `{"name":"Send","key":"send","action_type":"access","storage_destination_key":"bucket","targets":[{"name":"Mail","key":"mail","data_category":"user.contact"},{"data_category":"user.name"}]}`
	hide := `{"name":"Hide","key":"hide","action_type":"erasure","masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"` + canary + `"}},"targets":[{"data_category":"user.name"}]}`
	in := func(text, old, new string) string { return strings.Replace(text, old, new, 1) }
	for what, rules := range map[string]string{
		"it has 2, and 'rules' 0.":                                  `"rules":[]`,
		"it has 2, and 'rules' 1.":                                  `"rules":[` + send + `]`,
		"'rules' has another one at 1.":                             `"rules":[` + send + `,` + send + `]`,
		"'rules' has another one at 0.":                             `"rules":[` + in(send, `"key":"send"`, `"key":"sent"`) + `,` + hide + `]`,
		"'name' of rule send is something else.":                    `"rules":[` + in(send, `"Send"`, `"Sent"`) + `,` + hide + `]`,
		"'action_type' of rule hide is something else.":             `"rules":[` + send + `,{"name":"Hide","key":"hide","action_type":"access"}]`,
		"'storage_destination_key' of rule send is something else.": `"rules":[` + in(send, `"bucket"`, `"example_storage"`) + `,` + hide + `]`,
		"'storage_destination' of rule send is something else.":     `"rules":[{"name":"Send","key":"send","action_type":"access","storage_destination":{"key":"example_storage"}},` + hide + `]`,
		"'masking_strategy' of rule hide is something else.":        `"rules":[` + send + `,` + in(hide, canary, "other") + `]`,
		"'targets' of rule hide is something else.":                 `"rules":[` + send + `,` + in(hide, `user.name`, `user.contact`) + `]`,
		"'targets' of rule send is something else.":                 `"rules":[` + in(send, `"Mail"`, `"Post"`) + `,` + hide + `]`,
	} {
		var answer struct {
			Failed []struct{ Message string }
		}
		require.NoError(t, json.Unmarshal([]byte(c.send(t, c.token, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine",`+rules+`}]`).Body), &answer), what)
		require.Len(t, answer.Failed, 1, what)
		require.Equal(t, "The rules of a policy that there is are changed at PATCH and DELETE /dsr/policy/{policy_key}/rule, and their targets at …/rule/{rule_key}/target, not here: "+what, answer.Failed[0].Message)
	}
	require.Equal(t, state, c.state(t), "something was changed")
	c.does(t, "PATCH", "/dsr/policy", `[{"name":"Short","key":"short","action_type":"access"}]`)
	require.Contains(t, c.send(t, c.token, "PATCH", "/dsr/policy", `[{"name":"Short","key":"short","action_type":"erasure"}]`).Body, "it has no rule of action_type 'erasure'.")
	// What is so may be told, also in another order and in part, and the rest of it changes.
	for _, same := range []string{
		`{"name":"Ours","key":"mine","drp_action":"deletion","rules":[` + hide + `,` + send + `]}`,
		`{"name":"Ours","key":"mine","drp_action":"deletion","rules":[{"name":"Send","action_type":"access"},{"name":"Hide","action_type":"erasure","masking_strategy":{"strategy":"string_rewrite"}}]}`,
		`{"name":"Short","key":"short","action_type":"access"}`,
	} {
		require.Contains(t, c.does(t, "PATCH", "/dsr/policy", "["+same+"]"), `"failed":[]`)
	}
	require.Contains(t, c.does(t, "GET", "/dsr/policy/mine", nil), `"name":"Ours"`)
}

func TestWhatAFieldIsAskedUnderMayComeWithTheChangeOfIt(t *testing.T) {
	t.Parallel()
	c, _ := echoedDesk(t)
	field := func(category, policies string) string {
		return `{"label":"L","field_type":"text","request_type":"access","data_categories":["` + category + `"],"policies":[` + policies + `]}`
	}
	at := "/plus/connection/cellar/manual-field/note"
	require.Contains(t, c.does(t, "GET", at, nil), `"policies":[]`)
	require.Contains(t, c.does(t, "PUT", at, field("user.name", ``)), `"policies":["mine"]`, "as it was")
	require.Contains(t, c.does(t, "PUT", at, field("user.device", ``)), `"policies":[]`, "as it becomes")
}

func TestAnObjectThatIsSentBackMayBeChanged(t *testing.T) {
	t.Parallel()
	c, _ := echoedDesk(t)
	kept := c.echoedSecrets(t)
	was := c.does(t, "GET", "/connection/crm", nil)
	c.does(t, "PATCH", "/connection", "["+strings.Replace(was, `"All of it"`, `"A part"`, 1)+"]")
	require.Equal(t, echoedChanged.ReplaceAllString(strings.Replace(was, `"All of it"`, `"A part"`, 1), ""), echoedChanged.ReplaceAllString(c.does(t, "GET", "/connection/crm", nil), ""))
	require.Equal(t, kept, c.echoedSecrets(t))

	rule := c.does(t, "GET", "/dsr/policy/mine/rule/send", nil)
	c.does(t, "PATCH", "/dsr/policy/mine/rule", "["+strings.Replace(rule, `"name":"Send"`, `"name":"Other"`, 1)+"]")
	require.Equal(t, strings.Replace(rule, `"name":"Send"`, `"name":"Other"`, 1), c.does(t, "GET", "/dsr/policy/mine/rule/send", nil))
	c.does(t, "PATCH", "/dsr/policy/mine/rule", "["+strings.Replace(rule, `"name":"Send"`, `"storage_destination_key":"example_storage","name":"Send"`, 1)+"]")
	require.Contains(t, c.does(t, "GET", "/dsr/policy/mine/rule/send", nil), `"key":"example_storage"`)
	c.does(t, "PATCH", "/dsr/policy/mine/rule", "["+strings.Replace(c.does(t, "GET", "/dsr/policy/mine/rule/send", nil), `"name":"Send"`, `"storage_destination_key":null,"name":"Send"`, 1)+"]")
	require.Contains(t, c.does(t, "GET", "/dsr/policy/mine/rule/send", nil), `"storage_destination":null`)

	moved := strings.Replace(c.does(t, "GET", "/dsr/policy/mine/webhook/pre_execution/pre_a", nil), `"order":0`, `"order":1`, 1)
	require.Contains(t, c.does(t, "PATCH", "/dsr/policy/mine/webhook/pre_execution/pre_a", moved), `"new_order":[{"key":"pre_b","order":0},{"key":"pre_a","order":1}]`)

	// A script that leaves one out sends the others back as they were answered.
	var hooks struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(c.does(t, "GET", "/dsr/policy/mine/webhook/pre_execution", nil)), &hooks))
	require.Len(t, hooks.Items, 2)
	require.Contains(t, string(hooks.Items[1]), `"key":"pre_a"`)
	require.Contains(t, string(hooks.Items[1]), `"order":1`)
	c.does(t, "PUT", "/dsr/policy/mine/webhook/pre_execution", "["+string(hooks.Items[1])+"]")
	require.JSONEq(t, strings.Replace(string(hooks.Items[1]), `"order":1`, `"order":0`, 1), c.does(t, "GET", "/dsr/policy/mine/webhook/pre_execution/pre_a", nil))

	// A script that may change policies only may send back one that has rules.
	limited := &caller{c.desk, c.desk.token(t, "policy:read", "policy:create_or_update")}
	policy := limited.does(t, "GET", "/dsr/policy/mine", nil)
	limited.does(t, "PATCH", "/dsr/policy", "["+policy+"]")
	require.Equal(t, policy, limited.does(t, "GET", "/dsr/policy/mine", nil))
}

func TestTheDocumentTellsWhatMayComeBack(t *testing.T) {
	t.Parallel()
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type     any
					ReadOnly bool `json:"readOnly"`
				}
				Required []string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(configurable(t, nil).send(t, "", "GET", "/openapi.json", nil).Body), &document))
	schemas := document.Components.Schemas
	told := func(schema string) (names []string) {
		for name, p := range schemas[schema].Properties {
			if p.ReadOnly {
				names = append(names, name)
				require.NotContains(t, schemas[schema].Required, name)
			}
		}
		slices.Sort(names)
		return names
	}
	require.Equal(t, strings.Fields("authorized created_at enabled_actions last_test_succeeded last_test_timestamp linked_systems saas_config system_key updated_at"), told("NewConnection"))
	require.Equal(t, []string{"conditions"}, told("NewPolicy"))
	require.Equal(t, []string{"storage_destination"}, told("NewRule"))
	require.Equal(t, []string{"storage_destination", "targets"}, told("PlainRule"))
	require.Empty(t, told("NewTarget"))
	require.Equal(t, []string{"connection_config", "order"}, told("NewHook"))
	require.Equal(t, []string{"connection_config", "key"}, told("HookChange"))
	require.Equal(t, []string{"connection_config"}, told("NewPreApproval"))
	require.Equal(t, []string{"connection_config", "id"}, told("FormBody"))
	require.Equal(t, []string{"is_default"}, told("NewStorage"))
	require.Equal(t, []string{"is_default", "key", "name"}, told("DefaultStorage"))
	require.Equal(t, []string{"client_id", "roles"}, told("ClientChange"))
	require.Empty(t, told("ClientFields"))
	require.Equal(t, []string{"ctl_dataset"}, told("DatasetPair"))
	require.Empty(t, told("ConnectionView"), "only bodies")
	require.Equal(t, "null", schemas["NewPolicy"].Properties["conditions"].Type)
	require.Equal(t, []any{"object", "null"}, schemas["PlainRule"].Properties["storage_destination"].Type)
}
