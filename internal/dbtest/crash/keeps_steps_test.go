package crash_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// peopleDataset is a dataset of the table that makePeople makes.
const peopleDataset = `{"fides_key":"people","name":"People","collections":[{"name":"people","fields":[
	{"name":"id","data_categories":["user.unique_id"],"fides_meta":{"primary_key":true,"data_type":"integer"}},
	{"name":"email","data_categories":["user.contact.email"],"fides_meta":{"identity":"email","data_type":"string"}},
	{"name":"name","data_categories":["user.name"],"fides_meta":{"data_type":"string"}}]}]}`

// keptSteps configure everything that there is, and take it away again.
func keptSteps() []step {
	const (
		patch, put, post, remove = http.MethodPatch, http.MethodPut, http.MethodPost, http.MethodDelete

		form   = "/connection/paper/access_manual_webhook"
		task   = "/plus/connection/archive/manual-task"
		field  = "/plus/connection/archive/manual-field"
		policy = "/dsr/policy/copy"
		rule   = policy + "/rule/everything"
		pre    = "/dsr/webhook/pre_approval"
		client = "/oauth/client/$client_id"
	)
	steps := []step{
		{method: patch, path: "/connection", see: "/connection/", body: `[{"name":"People","key":"people","connection_type":"sqlite","access":"write"},
			{"name":"Other","key":"other","connection_type":"sqlite","access":"read","description":"Another"},{"name":"Paper","key":"paper","connection_type":"manual_webhook","access":"read"},
			{"name":"Archive","key":"archive","connection_type":"manual_task","access":"write"},
			{"name":"Hook","key":"hook","connection_type":"https","access":"read"},{"name":"Bell","key":"bell","connection_type":"https","access":"read"}]`},
		{method: patch, path: "/connection", see: "/connection/", body: `[{"name":"Others","key":"other","connection_type":"sqlite","access":"write","disabled":true}]`},
		{method: put, path: "/connection/people/secret", body: `{"path":"people.db"}`, at: "/connection/people", shows: []string{`"path":"people.db"`, `"last_test_succeeded":true`}},
		{method: put, path: "/connection/hook/secret?verify=false", body: `{"url":"https://hook.example.com/in","authorization":"word-one"}`, at: "/connection/hook", shows: []string{`"url":"*`, `"authorization":"*`}},
		{method: patch, path: "/connection/other/secret?verify=false", body: `{"path":"others.db"}`, at: "/connection/other", shows: []string{`"path":"others.db"`}},
		{method: put, path: "/connection/bell/secret?verify=false", body: `{"url":"https://bell.example.com/in","authorization":"Bearer of-the-bell"}`, at: "/connection/bell", shows: []string{`"url":"*`}},

		{method: patch, path: "/connection/people/dataset", body: "[" + peopleDataset + "]", see: "/connection/people/dataset/"},
		{method: patch, path: "/yml/connection/people/dataset", see: "/connection/people/dataset/", body: servertest.Text{Type: "application/x-yaml", Text: `dataset:
  - {fides_key: letters, name: Letters, collections: [{name: letters, fields: [{name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}]}]}
  - {fides_key: parcels, name: Parcels, collections: [{name: parcels, fields: [{name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}]}]}
`}},
		{method: patch, path: "/connection/other/datasetconfig", body: `[{"fides_key":"letters","ctl_dataset_fides_key":"letters"}]`, see: "/connection/other/dataset/"},
		{method: put, path: "/connection/other/datasetconfig", body: `[{"fides_key":"parcels","ctl_dataset_fides_key":"parcels"}]`, see: "/connection/other/dataset/", gone: "/connection/other/dataset/letters"},
		{method: remove, path: "/connection/other/dataset/parcels", want: 204, gone: "/connection/other/dataset/parcels"},

		{method: post, path: form, want: 201, body: `{"fields":[{"pii_field":"First Name","dsr_package_label":"first_name"},{"pii_field":"Height"}]}`, see: form},
		{method: patch, path: form, body: `{"fields":[{"pii_field":"Height","dsr_package_label":"cm"},{"pii_field":"Last Name","data_categories":["user.name"]}]}`, see: form},
		{method: remove, path: form, want: 204, gone: form},

		{method: post, path: task, want: 201, body: `{"title":"Look into the archive","instructions":"By name."}`, see: task},
		{method: put, path: task, body: `{"title":"Look into the cellar"}`, see: task},
		{method: put, path: task + "/assign-users", body: `["ann","archivists"]`, see: task},
		{method: put, path: task + "/dependency-conditions", body: `[{"field_address":"people:people:id","operator":"gte","value":1}]`, see: task},
		{method: post, path: field, want: 201, body: `{"label":"What it says","help_text":"One line","field_type":"text","request_type":"access"}`, see: field + "/what_it_says"},
		{
			method: put, path: field + "/what_it_says", body: `{"label":"The file","help_text":"","field_type":"attachment","request_type":"access","data_categories":["user.name"]}`,
			see: field + "/what_it_says", at: "/connection/archive/dataset/archive", shows: []string{`"data_categories":["user.name"]`, `"field":"people.id"`, `"identity":"*"`},
		},
		{method: remove, path: field + "/what_it_says", want: 204, gone: "/connection/archive/dataset/archive"},

		{method: patch, path: "/storage/config", body: `[{"name":"Here","key":"here","type":"local","format":"json","details":{"naming":"request_id"}},{"name":"Spare","key":"spare","type":"local","format":"html","details":{}}]`, see: "/storage/config/"},
		{method: put, path: "/storage/config/here/secret", body: `{}`, same: true}, // a folder has none
		{method: put, path: "/storage/default", body: `{"type":"local","format":"html","details":{}}`, see: "/storage/default/local"},
		{method: put, path: "/storage/default", body: `{"type":"local","format":"json","details":{}}`, see: "/storage/default/local"},
		{method: put, path: "/storage/default/local/secret", body: `{}`, same: true},
		{method: remove, path: "/storage/config/spare", want: 204, gone: "/storage/config/spare"},

		{method: patch, path: "/dsr/policy", body: `[{"name":"Copy","key":"copy","drp_action":"access","execution_timeframe":45},{"name":"Forget","key":"forget"}]`, see: "/dsr/policy/"},
		{method: patch, path: policy + "/rule", body: `[{"name":"Everything","key":"everything","action_type":"access","storage_destination_key":"here"},{"name":"Too much","key":"too_much","action_type":"access"}]`, see: policy + "/rule/"},
		{method: patch, path: "/dsr/policy/forget/rule", body: `[{"name":"Names","key":"names","action_type":"erasure","masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"gone"}}}]`, see: "/dsr/policy/forget/rule/"},
		{method: patch, path: rule + "/target", body: `[{"data_category":"user","name":"All","key":"all"},{"data_category":"user.name","key":"names"}]`, see: rule + "/target/"},
		{method: patch, path: "/dsr/policy/forget/rule/names/target", body: `[{"data_category":"user.name"}]`, see: "/dsr/policy/forget/rule/names/target/"},
		{method: remove, path: rule + "/target/names", want: 204, gone: rule + "/target/names"},
		{method: remove, path: policy + "/rule/too_much", want: 204, gone: policy + "/rule/too_much"},

		{method: put, path: pre, body: `[{"connection_config_key":"hook","name":"Check","key":"check"},{"connection_config_key":"bell","name":"Ask","key":"ask"}]`, see: pre + "/"},
		{method: patch, path: pre + "/check", body: `{"name":"Check again","connection_config_key":"bell"}`, see: pre + "/check"},
		{method: remove, path: pre + "/ask", gone: pre + "/ask"},
		{method: put, path: pre, body: `[]`, gone: pre + "/check"},

		{method: put, path: "/privacy-request/redaction-patterns", body: `{"patterns":["customer.*","^email$"]}`, see: "/privacy-request/redaction-patterns"},
		{method: put, path: "/privacy-request/redaction-patterns", body: `{"patterns":[]}`, see: "/privacy-request/redaction-patterns"},
		{method: put, path: "/privacy-request/notification", body: `{"email_addresses":["desk@example.com"],"notify_after_failures":2}`, see: "/privacy-request/notification"},
		{method: put, path: "/privacy-request/notification", body: `{"email_addresses":[],"notify_after_failures":2}`, gone: "/privacy-request/notification"},
	}
	for _, phase := range []string{"pre", "post"} {
		at := policy + "/webhook/" + phase + "_execution"
		steps = append(steps, []step{
			{method: put, path: at, see: at + "/", body: `[{"connection_config_key":"hook","direction":"one_way","key":"one","name":"One"},
				{"connection_config_key":"bell","direction":"two_way","key":"two","name":"Two"},{"connection_config_key":"hook","direction":"one_way","key":"three","name":"Three"}]`},
			{method: patch, path: at + "/three", body: `{"order":0,"name":"First"}`, see: at + "/three", then: ordered(at, "three", "one", "two")},
			{method: remove, path: at + "/one", gone: at + "/one", then: ordered(at, "three", "two")},
			{method: put, path: at, body: `[{"connection_config_key":"bell","direction":"two_way","key":"two","name":"Two"}]`, see: at + "/", gone: at + "/three"},
			{method: remove, path: at + "/two", gone: at + "/two"},
		}...)
	}
	steps = append(steps, clientSteps(client)...)
	return append(steps,
		step{method: post, path: "/privacy-request/$id/soft-delete", first: requested, then: deleted},
		step{method: post, path: "/privacy-request/bulk/soft-delete", body: `["$id"]`, first: requested, then: deleted},
		step{method: remove, path: "/dsr/policy/forget", want: 204, gone: "/dsr/policy/forget"},
		step{method: remove, path: "/connection/people", want: 204, gone: "/connection/people"},
	)
}

// clientSteps are those of clients and their tokens.
func clientSteps(at string) []step {
	const put, post, remove = http.MethodPut, http.MethodPost, http.MethodDelete
	var old servertest.Server // with a token that is to end
	token := func(t *testing.T, w *keptWorld) {
		_, before := w.get(t, at+"/token?size=100")
		old = servertest.Server{Options: w.Options, URL: w.URL}
		old.LogIn(t, w.names["client_id"], w.names["client_secret"])
		old.Call(t, http.MethodGet, "/api/v1/connection", nil, http.StatusOK)
		w.names["access"] = old.Token
		var list struct{ Items []map[string]any }
		_, text := w.get(t, at+"/token?size=100")
		readJSON(t, text, &list)
		for _, item := range list.Items {
			id, _ := item["id"].(string)
			require.NotEmpty(t, id, text)
			if !strings.Contains(before, id) {
				w.names["token_id"] = id
			}
		}
	}
	ended := func(t *testing.T, w *keptWorld) {
		old.URL = w.URL
		require.JSONEq(t, `{"detail":"Not Authorized for this action"}`, old.Call(t, http.MethodGet, "/api/v1/connection", nil, http.StatusForbidden))
	}
	lasts := func(t *testing.T, w *keptWorld) {
		old.URL = w.URL
		old.Call(t, http.MethodGet, "/api/v1/connection", nil, http.StatusOK)
	}
	remember := func(t *testing.T, w *keptWorld) {
		token(t, w)
		w.names["old_secret"] = w.names["client_secret"]
	}
	return []step{
		{method: post, path: "/oauth/client", body: `["connection:read"]`, names: []string{"client_id", "client_secret"}, at: at, shows: []string{`"scopes":["connection:read"]`}, then: func(t *testing.T, w *keptWorld) { token(t, w) }},
		{method: put, path: at, body: `{"name":"Script","description":"Asks"}`, see: at, then: lasts},
		{method: put, path: at + "/scope", body: `["policy:read","connection:read"]`, at: at + "/scope", shows: []string{`"policy:read"`, `"connection:read"`}, then: lasts},
		{method: post, path: at + "/secret", first: remember, names: []string{"client_secret"}, same: true, then: func(t *testing.T, w *keptWorld) {
			old = servertest.Server{Options: w.Options, URL: w.URL}
			old.Call(t, http.MethodPost, "/api/v1/oauth/token", servertest.Form(w.named("grant_type=client_credentials&client_id=$client_id&client_secret=$old_secret")), http.StatusUnauthorized)
			old.LogIn(t, w.names["client_id"], w.names["client_secret"])
		}},
		{method: remove, path: at + "/token/$token_id", first: token, then: ended},
		{method: remove, path: at + "/token", first: token, then: ended},
		{method: post, path: "/oauth/revoke", first: token, body: servertest.Form("token=$access"), then: ended},
		{method: put, path: at + "/scope", first: token, body: `["policy:read"]`, then: func(t *testing.T, w *keptWorld) {
			old.URL = w.URL
			old.Call(t, http.MethodGet, "/api/v1/connection", nil, http.StatusForbidden)
			old.Call(t, http.MethodGet, "/api/v1/policy", nil, http.StatusOK)
		}},
		{method: remove, path: at, gone: at, then: func(t *testing.T, w *keptWorld) {
			ended(t, w)
			old.Token = ""
			old.Call(t, http.MethodPost, "/api/v1/oauth/token", servertest.Form(w.named("grant_type=client_credentials&client_id=$client_id&client_secret=$client_secret")), http.StatusUnauthorized)
		}},
	}
}
