package fides_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// What a call reads of the catalogue does not grow with the items that it
// changes or shows.
func TestACallReadsTheCatalogueOnce(t *testing.T) {
	t.Parallel()
	counts := &thrifty{}
	k := configurable(t, func(k *desk) {
		counts.Store = k.config.Store
		k.config.Store = struct{ dsr.Store }{counts}
	})
	c := k.caller(t)
	list := func(n int, item string) string { // of items that have their number in the place of #
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(item, "#", fmt.Sprint(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	c.does(t, "PATCH", "/connection", list(50, `{"key":"c#","connection_type":"https","access":"write"}`))
	c.does(t, "PATCH", "/connection", list(10, `{"key":"f#","connection_type":"manual_webhook","access":"write"}`))
	for i := range 10 {
		c.does(t, "POST", fmt.Sprintf("/connection/f%d/access_manual_webhook", i), `{"fields":[{"pii_field":"Name"}]}`)
	}
	c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine"}]`)
	c.does(t, "PATCH", "/dsr/policy/mine/rule", `[{"name":"R","key":"r","action_type":"access"}]`)

	var categories []string
	for _, category := range k.engine.Taxonomy().All() {
		if strings.HasPrefix(string(category), "user.") && len(categories) < 50 {
			categories = append(categories, fmt.Sprintf(`{"data_category":%q}`, category))
		}
	}
	require.Len(t, categories, 50)
	hooks := list(50, `{"key":"h#","name":"H#","direction":"one_way","connection_config_key":"c#"}`)
	early := list(50, `{"key":"e#","name":"E#","connection_config_key":"c#"}`)
	for _, call := range []struct {
		method, target, body string
		most                 int64
	}{
		{"PATCH", "/dsr/policy/mine/rule/r/target", "[" + strings.Join(categories, ",") + "]", 40},
		{"PATCH", "/dsr/policy/mine/rule", list(50, `{"name":"R#","key":"r#","action_type":"access"}`), 40},
		{"PATCH", "/dsr/policy", list(50, `{"name":"P#","key":"p#"}`), 40},
		{"PUT", "/dsr/policy/mine/webhook/pre_execution", hooks, 30},
		{"GET", "/dsr/policy/mine/webhook/pre_execution", "", 15},
		{"PUT", "/dsr/webhook/pre_approval", early, 30},
		{"GET", "/dsr/webhook/pre_approval", "", 15},
		{"GET", "/access_manual_webhook", "", 15},
	} {
		counts.entries.Store(0)
		var body any
		if call.body != "" {
			body = call.body
		}
		c.does(t, call.method, call.target, body)
		require.LessOrEqual(t, counts.entries.Load(), call.most, "%s %s", call.method, call.target)
	}
}
