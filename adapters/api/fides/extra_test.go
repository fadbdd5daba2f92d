package fides_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
)

// keptWith is what is kept with the definitions that the test is about.
func (c *caller) keptWith(t *testing.T) map[string]*dsr.Defined {
	t.Helper()
	defs, err := c.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	return map[string]*dsr.Defined{
		"a policy": &defs.Policies["mine"].Defined, "a destination": &defs.Destinations["bucket"].Defined, "a task": &defs.Connections["paper"].Defined,
	}
}

func TestWhatOtherDoorsKeepStays(t *testing.T) {
	t.Parallel()
	set := func(t *testing.T, c *caller, text string) {
		t.Helper()
		_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
			d.Policies["mine"].Extra, d.Destinations["bucket"].Extra, d.Connections["paper"].Extra = json.RawMessage(text), json.RawMessage(text), json.RawMessage(text)
			return nil
		})
		require.NoError(t, err)
	}
	made := func(t *testing.T) *caller {
		t.Helper()
		c := configurable(t, func(k *desk) { k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType() }).caller(t)
		c.does(t, "PATCH", "/connection", `[{"key":"paper","connection_type":"manual_task","access":"write"}]`)
		c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","rules":[{"name":"R","key":"r","action_type":"access"}]}]`)
		c.does(t, "PATCH", "/storage/config", `[`+bucket+`]`)
		return c
	}
	t.Run("beside what this one keeps", func(t *testing.T) {
		t.Parallel()
		c := made(t)
		set(t, c, `{"theirs":{"a":1.50}}`)
		c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine","drp_action":"access"}]`)
		c.does(t, "PATCH", "/dsr/policy/mine/rule/r/target", `[{"data_category":"user.name","key":"n","name":"N"}]`)
		c.does(t, "PATCH", "/storage/config", `[{"key":"bucket",`+bucket[1:]+`]`)
		c.does(t, "POST", "/plus/connection/paper/manual-field", `{"label":"L","help_text":"h","field_type":"text","request_type":"access","data_categories":["user.name"]}`)
		for what, want := range map[string]string{
			"a policy":      `{"theirs":{"a":1.50},"drp_action":"access","targets":{"r":{"user.name":{"key":"n","name":"N"}}}}`,
			"a destination": `{"theirs":{"a":1.50},"details":{"auth_method":"secret_keys","bucket":"b","max_retries":0}}`,
		} {
			require.JSONEq(t, want, string(c.keptWith(t)[what].Extra), what)
		}
		require.Contains(t, string(c.keptWith(t)["a task"].Extra), `"theirs":{"a":1.50}`)
		c.does(t, "DELETE", "/dsr/policy/mine/rule/r/target/n", nil)
		c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine"}]`)
		require.Equal(t, `{"theirs":{"a":1.50}}`, string(c.keptWith(t)["a policy"].Extra))
	})
	t.Run("also where it is no object", func(t *testing.T) {
		t.Parallel()
		c := made(t)
		set(t, c, `["theirs"]`)
		why := func(key string) string {
			return "The host's code keeps with '" + key + "' what is no object, where this would be kept, too: change it there."
		}
		for _, body := range []struct{ method, target, body, key string }{
			{"PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine","drp_action":"access"}]`, "mine"},
			{"PATCH", "/dsr/policy/mine/rule/r/target", `[{"data_category":"user.name"}]`, "mine"},
			{"PATCH", "/storage/config", `[{"key":"bucket",` + bucket[1:] + `]`, "bucket"},
			{"DELETE", "/dsr/policy/mine/rule/r", ``, "mine"},
			{"POST", "/plus/connection/paper/manual-field", definedNote, "paper"},
		} {
			a := c.send(t, c.token, body.method, "/api/v1"+body.target, body.body)
			require.Contains(t, a.Body, why(body.key), body.target)
		}
		for what, def := range c.keptWith(t) {
			require.Equal(t, `["theirs"]`, string(def.Extra), what)
		}
	})
}
