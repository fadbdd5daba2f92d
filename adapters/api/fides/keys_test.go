package fides_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A name that makes no key is told alike of everything that has keys.
func TestNamesThatMakeNoKey(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	const why = " requires a key: the name does not make one, which takes letters from a to z, digits or underscores. Please provide a key."
	for _, call := range []struct {
		method, path, body string
		status             int
		class              string
	}{
		{"PATCH", "/connection", `[{"name":"你好","connection_type":"postgres","access":"read"}]`, ok, "ConnectionConfig"},
		{"PATCH", "/storage/config", `[{"name":"你好","type":"local","details":{}}]`, ok, "StorageConfig"},
		{"PATCH", "/dsr/policy", `[{"name":"你好"}]`, ok, "Policy"},
		{"PATCH", "/dsr/policy/mine/rule", `[{"name":"你好","action_type":"access"}]`, ok, "Rule"},
		{"PUT", "/dsr/webhook/pre_approval", `[{"name":"你好","connection_config_key":"web"}]`, 422, "a webhook"},
		{"PUT", "/dsr/policy/mine/webhook/pre_execution", `[{"name":"你好","connection_config_key":"web","direction":"one_way"}]`, 422, "a webhook"},
	} {
		if call.class == "Rule" {
			c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine"}]`)
			c.does(t, "PATCH", "/connection", `[{"key":"web","connection_type":"https","access":"read"}]`)
		}
		a := c.send(t, c.token, call.method, "/api/v1"+call.path, call.body)
		require.Equal(t, call.status, a.Status, a.Body)
		require.Contains(t, a.Body, call.class+why, call.path)
	}
	c.wants(t, ok, `{"succeeded":[],"failed":[{"message":"ConnectionConfig requires a name.","data":{"access":"read","connection_type":"postgres"}}]}`,
		"PATCH", "/connection", `[{"connection_type":"postgres","access":"read"}]`)
}

func TestABlankKeyIsMadeOfTheName(t *testing.T) {
	t.Parallel()
	for name, blank := range map[string]string{"empty": "", "blanks": " \\t "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := configurable(t, nil).caller(t)
			key := `"key":"` + blank + `"`
			for _, call := range []struct{ method, path, body, want string }{
				{"POST", "/connection", `[{"name":"First One","connection_type":"https","access":"write",` + key + `}]`, "first_one"},
				{"PATCH", "/connection", `[{"name":"Second One","connection_type":"postgres","access":"write",` + key + `}]`, "second_one"},
				{"PATCH", "/storage/config", `[{"name":"A Folder","type":"local","details":{},` + key + `}]`, "a_folder"},
				{"PATCH", "/dsr/policy", `[{"name":"Of Mine",` + key + `,"rules":[{"name":"A Rule","action_type":"access",` + key + `,"targets":[{"name":"A Target","data_category":"user.name",` + key + `}]}]}]`, "of_mine"},
				{"PATCH", "/policy/of_mine/rule", `[{"name":"More Of It","action_type":"access",` + key + `}]`, "more_of_it"},
				{"PATCH", "/policy/of_mine/rule/more_of_it/target", `[{"name":"Some Target","data_category":"user.contact",` + key + `}]`, "some_target"},
				{"PUT", "/policy/of_mine/webhook/pre_execution", `[{"name":"Some Hook","direction":"one_way","connection_config_key":"first_one",` + key + `}]`, "some_hook"},
				{"PUT", "/policy/of_mine/webhook/post_execution", `[{"name":"Last Hook","direction":"one_way","connection_config_key":"first_one",` + key + `}]`, "last_hook"},
				{"PUT", "/dsr/webhook/pre_approval", `[{"name":"Ask It","connection_config_key":"first_one",` + key + `}]`, "ask_it"},
			} {
				require.Contains(t, c.does(t, call.method, call.path, call.body), `"key":"`+call.want+`"`, call.path)
			}
			rule := c.does(t, "GET", "/policy/of_mine/rule/a_rule", nil)
			require.Contains(t, rule, `"key":"a_target"`)
			// Without a key it is another one, as if it were left out.
			a := c.send(t, c.token, "PATCH", "/api/v1/connection", `[{"name":"First One","connection_type":"https","access":"write",`+key+`}]`)
			require.Contains(t, a.Body, `"failed":[{"message":"Key first_one already exists in ConnectionConfig. `)
		})
	}
}

// No path leads to what is called . or .., which could never be deleted.
func TestKeysToWhichNoPathLeads(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"web","connection_type":"https","access":"read"},{"key":"crm","connection_type":"postgres","access":"read"}]`)
	c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","rules":[{"name":"All","action_type":"access"}]}]`)
	state := c.state(t)
	for _, key := range []string{".", ".."} {
		named := `"name":"Dots","key":"` + key + `"`
		for _, call := range []struct{ method, path, body, loc string }{
			{"PATCH", "/connection", `[{` + named + `,"connection_type":"postgres","access":"read"}]`, `"body",0,"key"`},
			{"PATCH", "/storage/config", `[{` + named + `,"type":"local","details":{}}]`, `"body",0,"key"`},
			{"PATCH", "/connection/crm/dataset", `[{"fides_key":"` + key + `","collections":[]}]`, `"body",0,"fides_key"`},
			{"PUT", "/connection/crm/validate_dataset", `{"fides_key":"` + key + `","collections":[]}`, `"body","fides_key"`},
			{"PATCH", "/dsr/policy", `[{` + named + `}]`, `"body",0,"key"`},
			{"PATCH", "/dsr/policy", `[{"name":"Two","rules":[{` + named + `,"action_type":"access","targets":[]}]}]`, `"body",0,"rules",0,"key"`},
			{"PATCH", "/dsr/policy/mine/rule", `[{` + named + `,"action_type":"access"}]`, `"body",0,"key"`},
			{"PATCH", "/dsr/policy/mine/rule/all/target", `[{` + named + `,"data_category":"user.name"}]`, `"body",0,"key"`},
			{"PUT", "/dsr/policy/mine/webhook/pre_execution", `[{` + named + `,"connection_config_key":"web","direction":"one_way"}]`, `"body",0,"key"`},
			{"PUT", "/dsr/policy/mine/webhook/post_execution", `[{` + named + `,"connection_config_key":"web","direction":"one_way"}]`, `"body",0,"key"`},
			{"PUT", "/dsr/webhook/pre_approval", `[{` + named + `,"connection_config_key":"web"}]`, `"body",0,"key"`},
		} {
			c.wants(t, 422, `{"detail":[{"type":"value_error","loc":[`+call.loc+`],"msg":"Value error, FidesKeys must not be '.' or '..': no path leads to them."}]}`,
				call.method, call.path, call.body)
		}
		// A name makes no such key.
		require.Contains(t, c.send(t, c.token, "PATCH", "/api/v1/connection", `[{"name":"`+key+`","connection_type":"postgres","access":"read"}]`).Body, "ConnectionConfig requires a key")
	}
	require.Equal(t, state, c.state(t), "something was written")
}

// Of entries of one call with one key none is answered as another one left it.
func TestOneKeyTwiceInACall(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	const again = `"failed":[{"message":"Key twice is in this call twice: the first of them counts. Change it again in another call.","data":`
	for _, call := range []struct{ path, list, first, later, shown string }{
		{"/connection", "/connection/twice", `{"name":"T","key":"twice","connection_type":"postgres","access":"write"}`, `{"name":"T","key":"twice","connection_type":"postgres","access":"read"}`, `"access":"write"`},
		{"/storage/config", "/storage/config/twice", `{"name":"T","key":"twice","type":"local","details":{},"format":"html"}`, `{"name":"T","key":"twice","type":"local","details":{},"format":"json"}`, `"format":"html"`},
		{"/connection/crm/dataset", "/connection/crm/dataset/twice", `{"fides_key":"twice","name":"One","collections":[]}`, `{"fides_key":"twice","name":"Two","collections":[]}`, `"name":"One"`},
	} {
		a := c.send(t, c.token, "PATCH", "/api/v1"+call.path, `[`+call.first+`,`+call.later+`]`)
		require.Equal(t, ok, a.Status, a.Body)
		require.Contains(t, a.Body, again, call.path)
		require.Contains(t, a.Body, `"succeeded":[{`, call.path)
		require.Contains(t, c.does(t, "GET", call.list, nil), call.shown)
	}
	// The later one counts where the one before it could not be put in.
	a := c.send(t, c.token, "PATCH", "/api/v1/connection", `[{"name":"T","key":"spare","connection_type":"postgres","access":"write"},{"name":"S","key":"spare","connection_type":"postgres","access":"read"}]`)
	require.Contains(t, a.Body, `"message":"Name T already exists in ConnectionConfig."`)
	require.Contains(t, a.Body, `"succeeded":[{"name":"S","key":"spare",`)

	// Policies, rules and targets are answered as they were when each was done.
	two := func(path, first, later string, shown ...string) {
		a := c.send(t, c.token, "PATCH", "/api/v1"+path, `[`+first+`,`+later+`]`)
		require.Equal(t, ok, a.Status, a.Body)
		require.Contains(t, a.Body, `"failed":[]`)
		before, after := strings.Index(a.Body, shown[0]), strings.Index(a.Body, shown[1])
		require.True(t, 0 <= before && before < after, a.Body)
	}
	two("/dsr/policy", `{"name":"First","key":"p"}`, `{"name":"Later","key":"p"}`, `"name":"First"`, `"name":"Later"`)
	two("/dsr/policy/p/rule", `{"name":"First","key":"r","action_type":"access"}`, `{"name":"Later","key":"r","action_type":"access"}`, `"name":"First"`, `"name":"Later"`)
	two("/dsr/policy/p/rule/r/target", `{"key":"t","data_category":"user.name"}`, `{"key":"t","data_category":"user.contact"}`, `"data_category":"user.name"`, `"data_category":"user.contact"`)
}
