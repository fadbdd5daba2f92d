package fides_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// filterBulk are the calls that take filters.
var filterBulk = []string{
	"PATCH /privacy-request/administrate/approve", "PATCH /privacy-request/administrate/deny", "PATCH /privacy-request/administrate/cancel",
	"POST /privacy-request/bulk/retry", "POST /privacy-request/bulk/finalize", "POST /privacy-request/bulk/soft-delete",
}

// filterNames are all filters of the document: those of a body, and those of
// the query.
func filterNames(t *testing.T, k *desk) (body, query []string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &doc))
	for name := range doc.Components.Schemas["Filters"].Properties {
		body = append(body, name)
	}
	for _, p := range doc.Paths["/privacy-request"]["get"].Parameters {
		query = append(query, p.Name)
	}
	return body, query
}

// A script whose variable is not set gets no list of everybody.
func TestNoFilterCanBeEmpty(t *testing.T) {
	t.Parallel()
	k, _ := newList(t)
	token := k.token(t)
	body, query := filterNames(t, k)
	require.Len(t, body, 27)
	require.Len(t, query, 27, "with page and size, without the objects")
	for _, name := range query {
		for _, empty := range []string{"", "%20", "+%09%0A", "%C2%A0"} {
			a := k.send(t, token, "GET", "/privacy-request?"+name+"="+empty, nil)
			require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s=%s: %s", name, empty, a.Body)
			require.Contains(t, a.Body, `"loc":["query","`+name+`"`, name)
		}
	}
	for _, name := range body {
		for i, empty := range []string{
			`""`, `"  "`, `"\t\n"`, `"\u00a0"`, `[]`, `[[]]`, `[""]`, `[" "]`, `[null]`, `{}`,
			`{"email":""}`, `{"email":" "}`, `{"email":[]}`, `{"email":[""]}`, `{"email":[" "]}`, `{"email":[null]}`, `{"email":{}}`, `{"email":null}`,
		} {
			filters := `{"` + name + `":` + empty + `}`
			a := k.send(t, token, "POST", "/privacy-request/search", filters)
			require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s: %s", filters, a.Body)
			require.Contains(t, a.Body, `"loc":["body","`+name+`"`, filters)
			calls := filterBulk
			if i > 0 { // they have one schema
				calls = filterBulk[:1]
			}
			for _, call := range calls {
				method, target, _ := strings.Cut(call, " ")
				a := k.send(t, token, method, target, `{"filters":`+filters+`,"reason":"because"}`)
				require.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s %s: %s", call, filters, a.Body)
				require.Contains(t, a.Body, `"loc":["body","filters","`+name+`"`, filters)
			}
		}
		null := `{"` + name + `":null}`
		ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", null))
		require.Equal(t, []string{"pri_3", "pri_2", "pri_1"}, ids, null)
		for _, call := range filterBulk {
			method, target, _ := strings.Cut(call, " ")
			a := k.send(t, token, method, target, `{"filters":`+null+`}`)
			require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body","filters"],"msg":"Value error, The filters may select every request; say which, with more than fuzzy_search_str."}]}`}, told(a), null)
		}
	}
	count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{Status: []dsr.Status{dsr.StatusApproved}})
	require.NoError(t, err)
	require.EqualValues(t, 2, count, "nothing was done to any")
}

func TestAnEmptyFilterIsToldAsOne(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	const blank = `"msg":"Value error, A filter cannot be empty: give it a value, or leave it out"}]}`
	for query, want := range map[string]string{
		"request_id=":                `{"detail":[{"type":"value_error","loc":["query","request_id"],` + blank,
		"fuzzy_search_str=%20":       `{"detail":[{"type":"value_error","loc":["query","fuzzy_search_str"],` + blank,
		"status=denied&status=":      `{"detail":[{"type":"enum","loc":["query","status",1],"msg":"Input should be `,
		"action_type=":               `{"detail":[{"type":"enum","loc":["query","action_type",0],"msg":"Input should be 'access', 'consent', 'erasure' or 'update'"}]}`,
		"created_gt=":                `{"detail":[{"type":"datetime_parsing","loc":["query","created_gt"],"msg":"Input should be a valid datetime"}]}`,
		"include_deleted_requests=":  `{"detail":[{"type":"bool_parsing","loc":["query","include_deleted_requests"],"msg":"Input should be a valid boolean, unable to interpret input"}]}`,
		"id=&sort_field=&location=+": `{"detail":[{"type":"value_error","loc":["query","id"],` + strings.TrimSuffix(blank, "]}") + `,{"type":"value_error","loc":["query","location"],` + strings.TrimSuffix(blank, "]}") + `,{"type":"value_error","loc":["query","sort_field"],` + blank,
	} {
		a := k.send(t, token, "GET", "/privacy-request?"+query, nil)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, query)
		require.True(t, strings.HasPrefix(a.Body, want), "%s: %s", query, a.Body)
	}
	for body, want := range map[string]string{
		`{"external_id":""}`:           `{"detail":[{"type":"value_error","loc":["body","external_id"],` + blank,
		`{"status":[]}`:                `{"detail":[{"type":"too_short","loc":["body","status"],"msg":"List should have at least 1 item after validation, not 0"}]}`,
		`{"action_type":""}`:           `{"detail":[{"type":"enum","loc":["body","action_type"],"msg":"Input should be 'access', 'consent', 'erasure' or 'update'"}]}`,
		`{"identities":{}}`:            `{"detail":[{"type":"too_short","loc":["body","identities"],"msg":"Dictionary should have at least 1 item after validation, not 0"}]}`,
		`{"identities":{"email":" "}}`: `{"detail":[{"type":"value_error","loc":["body","identities","email"],` + blank,
		`{"identities":{"email":["jane@example.com","bob@example.com"]}}`: `{"detail":[{"type":"value_error","loc":["body","identities","email"],"msg":"Value error, Input should be a valid integer or a valid string"}]}`,
		`{"custom_privacy_request_fields":{"dept":{"value":"x/y"}}}`:      `{"detail":[{"type":"value_error","loc":["body","custom_privacy_request_fields","dept"],"msg":"Value error, Input should be a valid integer, a valid string or a valid list"}]}`,
		`{"custom_privacy_request_fields":{"shop":["a",""]}}`:             `{"detail":[{"type":"value_error","loc":["body","custom_privacy_request_fields","shop",1],` + blank,
	} {
		a := k.send(t, token, "POST", "/privacy-request/search", body)
		require.Equal(t, []any{422, want}, told(a), body)
	}
}

// All routes are asked, by what the document says that their queries can hold.
func TestNoParameterOfAQueryIsBlank(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, nil)
	token := k.token(t, oauth.ScopeNames()...)
	type parameter struct {
		Name, In string
		Required bool
	}
	var doc struct {
		Paths map[string]struct {
			Get struct{ Parameters []parameter }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &doc))
	names, told := regexp.MustCompile(`\{[a-z_]+\}`), map[string]string{}
	for path, item := range doc.Paths {
		for _, p := range item.Get.Parameters {
			if p.In != "query" || p.Required {
				continue
			}
			for _, blank := range []string{"", "%20", "%09+"} {
				target := names.ReplaceAllString(path, "a") + "?" + p.Name + "=" + blank
				a := k.send(t, token, "GET", target, nil)
				require.Equal(t, http.StatusUnprocessableEntity, a.Status, target)
				require.Contains(t, a.Body, `"loc":["query","`+p.Name+`"`, target)
				told[path+"?"+p.Name] = a.Body
			}
		}
	}
	const blank = `"msg":"Value error, A filter cannot be empty: give it a value, or leave it out"}]}`
	for parameter, loc := range map[string]string{
		"/connection?search": `"search"`, "/connection?connection_type": `"connection_type",0`, "/connection_type?search": `"search"`,
		"/plus/manual-fields?system_name": `"system_name"`, "/plus/manual-fields?assigned_user_id": `"assigned_user_id"`,
		"/plus/manual-fields?privacy_request_id": `"privacy_request_id"`, "/privacy-request?request_id": `"request_id"`,
	} {
		require.Equal(t, `{"detail":[{"type":"value_error","loc":["query",`+loc+`],`+blank, told[parameter], parameter)
	}
	require.Contains(t, told["/oauth/client/{client_id}/token?after"], `"type":"string_pattern_mismatch"`)
}

// Fides takes one status or action, or a list of them, in every body.
func TestAFilterOfOneNeedsNoList(t *testing.T) {
	t.Parallel()
	k, _ := newList(t)
	token := k.token(t)
	for body, want := range map[string][]string{
		`{"status":"denied"}`:                             {"pri_3"},
		`{"status":["denied"]}`:                           {"pri_3"},
		`{"status":["denied","approved"]}`:                {"pri_3", "pri_2", "pri_1"},
		`{"action_type":"erasure"}`:                       {"pri_3"},
		`{"action_type":["erasure","access"]}`:            {"pri_3", "pri_2", "pri_1"},
		`{"action_type":"access","status":"denied"}`:      {},
		`{"action_type":null,"status":["denied"]}`:        {"pri_3"},
		`{"action_type":"consent","status":["approved"]}`: {},
	} {
		ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", body))
		require.Equal(t, want, ids, body)
	}
	a := k.send(t, token, "POST", "/privacy-request/search", `{"status":"gone"}`)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	require.True(t, strings.HasPrefix(a.Body, `{"detail":[{"type":"enum","loc":["body","status"],`), a.Body)
	a = k.send(t, token, "POST", "/privacy-request/search", `{"status":7}`)
	require.Equal(t, []any{422, `{"detail":[{"type":"value_error","loc":["body","status"],"msg":"Value error, Input should be a valid string or a valid list"}]}`}, told(a))

	a = k.send(t, token, "POST", "/privacy-request/bulk/soft-delete", `{"filters":{"status":"denied"}}`)
	require.Equal(t, []any{200, `{"succeeded":["pri_3"],"failed":[]}`}, told(a))
	r := resultOf(t, k.send(t, token, "PATCH", "/privacy-request/administrate/cancel", `{"filters":{"action_type":"access"}}`))
	require.Len(t, r.Succeeded, 2)

	doc := k.send(t, "", "GET", "/openapi.json", nil).Body
	require.Contains(t, doc, `"action_type":{"anyOf":[{"enum":["access","consent","erasure","update"],"type":"string"},{"items":{"enum":["access","consent","erasure","update"],"type":"string"},"maxItems":50,"minItems":1,"type":"array"},{"type":"null"}],"description":"Requests under a policy that does one of these."}`)
}

// What was created with a number is found by a number.
func TestAFilterTakesNumbersAsTheCreateRouteDoes(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"nia.vale@example.com","loyalty_id":12345678901234567},`+
		`"custom_privacy_request_fields":{"number":{"label":"Number","value":42}}}]`).is(t, ok)
	for _, body := range []string{
		`{"identities":{"loyalty_id":12345678901234567}}`, `{"identities":{"loyalty_id":"12345678901234567"}}`, `{"identities":{"loyalty_id":123456789012345670e-1}}`,
		`{"custom_privacy_request_fields":{"number":42}}`, `{"custom_privacy_request_fields":{"number":"42"}}`,
	} {
		ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", body))
		require.Equal(t, []string{"pri_1"}, ids, body)
	}
	// A request has no identity and no field that is a boolean.
	for _, body := range []string{`{"identities":{"loyalty_id":true}}`, `{"identities":{"loyalty_id":1.5}}`, `{"custom_privacy_request_fields":{"number":true}}`} {
		a := k.send(t, token, "POST", "/privacy-request/search", body)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, body)
	}
	for _, one := range []string{`"identity":{"loyalty_id":true}`, `"identity":{"email":"a@example.com"},"custom_privacy_request_fields":{"number":{"label":"Number","value":true}}`} {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access",`+one+`}]`)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, one)
	}
}
