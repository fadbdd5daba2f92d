package fides_test

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// newList is a desk with three requests, a minute apart: of two people, the
// second from Texas, the third an erasure that was denied.
func newList(t *testing.T) (k *desk, token string) {
	t.Helper()
	k = newDesk(t, func(k *desk) { k.config.Flows = map[string]dsr.Flow{"erase": {Approval: true}} })
	for _, s := range []dsr.Submission{
		{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}, ExternalID: "Case-1"},
		{Policy: "access", Identities: dsr.Identities{"phone_number": {"+11234567891"}}, ExternalID: "case-2", Location: "US-TX"},
		{Policy: "erase", Identities: dsr.Identities{"email": {"other@example.com"}}, ExternalID: "=1+1"},
	} {
		_, err := k.engine.Requests().Submit(t.Context(), s)
		require.NoError(t, err)
		k.wait(time.Minute)
	}
	_, err := k.engine.Requests().Deny(t.Context(), "pri_3", dsr.By{Actor: "desk", Reason: "=HYPERLINK(1)"})
	require.NoError(t, err)
	return k, k.token(t, "privacy-request:read")
}

// listed are the IDs of an answer, and the total.
func listed(t *testing.T, a *answer) (ids []string, total int) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	var page struct {
		Items []struct{ ID string }
		Total int
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &page))
	ids = []string{}
	for _, item := range page.Items {
		ids = append(ids, item.ID)
	}
	return ids, page.Total
}

func TestEveryFilterSelects(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	for query, want := range map[string][]string{
		"":                                {"pri_3", "pri_2", "pri_1"},
		"id=pri_2":                        {"pri_2"},
		"id=pri_":                         {},
		"request_id=RI_2":                 {"pri_2"},
		"request_id=case":                 {},
		"id=pri_2&request_id=pri_1":       {},
		"external_id=CASE":                {"pri_2", "pri_1"},
		"fuzzy_search_str=ase-1":          {"pri_1"},
		"identity=nia.vale@example.com":   {"pri_1"},
		"identity=nia.vale":               {},
		"identity=%2B1+(123)+456+7891":    {"pri_2"},
		"status=denied":                   {"pri_3"},
		"status=denied&status=approved":   {"pri_3", "pri_2", "pri_1"},
		"action_type=erasure":             {"pri_3"},
		"action_type=consent":             {},
		"location=us":                     {"pri_2"},
		"location=US-TX":                  {"pri_2"},
		"location=Texas":                  {},
		"created_gt=2026-03-01T12:00:00":  {"pri_3", "pri_2"},
		"created_lt=2026-03-01T12:01:00Z": {"pri_1"},
		"created_gt=2026-03-01&created_lt=2026-03-01": {},
		"completed_gt=2026-01-01":                     {},
		"started_gt=2026-01-01":                       {},
		"errored_lt=2030-01-01":                       {},
		"completed_gt=2026-01-01&status=denied":       {},
		"sort_direction=asc":                          {"pri_1", "pri_2", "pri_3"},
		"sort_field=requested_at&sort_direction=desc": {"pri_3", "pri_2", "pri_1"},
		"include_deleted_requests=true":               {"pri_3", "pri_2", "pri_1"},
		"is_overdue=true":                             {},
		"is_overdue=false":                            {"pri_3", "pri_2", "pri_1"},
		"verbose=true&include_identities=1&id=pri_1":  {"pri_1"},
	} {
		ids, total := listed(t, k.send(t, token, "GET", "/api/v1/privacy-request?"+query, nil))
		require.Equal(t, want, ids, query)
		require.Equal(t, len(want), total, query)

		body := map[string]any{}
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		for name, list := range values {
			switch {
			case name == "status" || name == "action_type":
				body[name] = list
			case list[0] == "false":
				body[name] = false
			case list[0] == "true" || list[0] == "1":
				body[name] = true
			default:
				body[name] = list[0]
			}
		}
		ids, _ = listed(t, k.send(t, token, "POST", "/api/v1/privacy-request/search", body))
		require.Equal(t, want, ids, "search %s", query)
	}
	ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", nil))
	require.Len(t, ids, 3)
	inNull, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", ` null `))
	require.Equal(t, ids, inNull, "null is no body")
	ids, _ = listed(t, k.send(t, token, "POST", "/privacy-request/search", `{"identities":{"email":"other@example.com","phone_number":"+1 123 456 7891"}}`))
	require.Equal(t, []string{"pri_3", "pri_2"}, ids)
}

func TestPagesHaveWhatFidesHas(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	a := k.send(t, token, "GET", "/privacy-request?page=2&size=2&sort_direction=asc", nil)
	require.Contains(t, a.Body, `"finalized_by":null,"duplicate_request_group_id":null}],"total":3,"page":2,"size":2,"pages":2}`)
	ids, _ := listed(t, a)
	require.Equal(t, []string{"pri_3"}, ids)
	ids, total := listed(t, k.send(t, token, "GET", "/privacy-request?request_id=pri&page=2&size=2", nil))
	require.Equal(t, []string{"pri_1"}, ids)
	require.Equal(t, 3, total)
	require.Equal(t, `{"items":[],"total":3,"page":9,"size":50,"pages":1}`, k.send(t, token, "GET", "/privacy-request?page=9", nil).Body)
}

func TestAnItemOfAListHasAllKeys(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	a := k.send(t, token, "GET", "/privacy-request?id=pri_3&include_identities=true", nil)
	require.Equal(t, `{"items":[{"id":"pri_3","created_at":"2026-03-01T12:02:00.000000Z","started_processing_at":null,"reviewed_at":"2026-03-01T12:03:00.000000Z","reviewed_by":"desk",`+
		`"submitted_by":null,"reviewer":{"id":"desk","username":"desk"},"submitter":null,"finished_processing_at":"2026-03-01T12:03:00.000000Z","identity_verified_at":null,"paused_at":null,`+
		`"status":"denied","external_id":"=1+1","identity":`+shownAs("email", `"other@example.com"`)+`,"custom_privacy_request_fields":null,`+
		`"policy":{"name":"erase","key":"erase","rules":[{"name":"names","key":"names","action_type":"erasure","storage_destination_key":null,"masking_strategy":{"strategy":"null_rewrite"}}],"drp_action":null,"execution_timeframe":null,"conditions":null},`+
		`"action_required_details":null,"resume_endpoint":null,"days_left":null,"custom_privacy_request_fields_approved_by":null,`+
		`"custom_privacy_request_fields_approved_at":null,"source":null,"location":null,"property_id":null,"deleted_at":null,"deleted_by":null,`+
		`"finalized_at":null,"finalized_by":null,"duplicate_request_group_id":null}],"total":1,"page":1,"size":50,"pages":1}`, a.Body)
}

func TestARequestThatFailedShowsWhenItDid(t *testing.T) {
	t.Parallel()
	k, db, token := newStock(t)
	db.down.Store(true)
	a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"stock","identity":{"email":"nia.vale@example.com"}}]`)
	require.Nil(t, itemOf(t, a)["finished_processing_at"])
	k.wait(time.Minute)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.Error(t, err)
	one := itemOf(t, k.send(t, token, "GET", "/privacy-request/pri_1", nil))
	require.Equal(t, []any{"error", "2026-03-01T12:01:00.000000Z", "/privacy-request/pri_1/retry"}, []any{one["status"], one["finished_processing_at"], one["resume_endpoint"]})
	require.JSONEq(t, `{"step":"access","collection":null,"action_needed":null}`, one.json(t, "action_required_details"))
	for query, want := range map[string]int{
		"errored_gt=2026-03-01T12:00:30": 1, "errored_lt=2026-03-01T12:00:30": 0, "errored_gt=2026-03-01T12:01:30": 0, "completed_gt=2026-03-01T12:00:30": 0,
	} {
		_, total := listed(t, k.send(t, token, "GET", "/privacy-request?"+query, nil))
		require.Equal(t, want, total, query)
	}
	a = k.send(t, token, "GET", "/privacy-request?download_csv=true", nil)
	require.Contains(t, a.Body, "error,access,2026-03-01T12:00:00.000000Z,,,pri_1,,,2026-03-01T12:01:00.000000Z,,nia.vale@example.com,")
	db.down.Store(false)
	k.wait(time.Minute)
	one = itemOf(t, k.send(t, token, "POST", "/privacy-request/pri_1/retry", nil))
	require.Equal(t, []any{"in_processing", nil}, []any{one["status"], one["finished_processing_at"]})
}

func TestDaysAreLeftByTheCalendar(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Flow = dsr.Flow{Approval: true, Timeframe: 30 * 24 * time.Hour} })
	token := k.token(t)
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","requested_at":"2026-03-01T11:59:59","identity":{"email":"nia.vale@example.com"}}]`).is(t, http.StatusOK)
	for i, want := range []string{`30`, `29`, `0`, `-1`} {
		k.wait([]time.Duration{0, 12 * time.Hour, 29 * 24 * time.Hour, 24 * time.Hour}[i])
		require.Equal(t, want, itemOf(t, k.send(t, k.token(t), "GET", "/privacy-request/pri_1", nil)).json(t, "days_left"))
	}
}

func TestAFilterThatIsNotUnderstoodListsNothing(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	for query, want := range map[string]struct {
		status int
		detail string
	}{
		"identiy=a":         {422, `[{"type":"extra_forbidden","loc":["query","identiy"],"msg":"Extra inputs are not permitted"}]`},
		"id=a&id=b":         {422, `[{"type":"value_error","loc":["query","id"],"msg":"Value error, the parameter may be given once"}]`},
		"page=0":            {422, `[{"type":"greater_than_equal","loc":["query","page"],"msg":"Input should be greater than or equal to 1"}]`},
		"size=101":          {422, `[{"type":"less_than_equal","loc":["query","size"],"msg":"Input should be less than or equal to 100"}]`},
		"page=99999999999":  {422, `[{"type":"less_than_equal","loc":["query","page"],"msg":"Input should be less than or equal to 1000000"}]`},
		"size=x":            {422, `[{"type":"int_parsing","loc":["query","size"],"msg":"Input should be a valid integer, unable to parse string as an integer"}]`},
		"verbose=perhaps":   {422, `[{"type":"bool_parsing","loc":["query","verbose"],"msg":"Input should be a valid boolean, unable to interpret input"}]`},
		"sort_field=name":   {422, `"name is not on PrivacyRequest"`},
		"sort_field=status": {422, `"Requests cannot be sorted by status, only by created_at, due_date, finished_processing_at, requested_at, started_processing_at, updated_at"`},
		"sort_direction=up": {422, `[{"type":"enum","loc":["query","sort_direction"],"msg":"Input should be 'asc' or 'desc'"}]`},
		"a=%zz":             {422, `[{"type":"value_error","loc":["query"],"msg":"Value error, the query is malformed"}]`},
		"completed_lt=2021-01-01&errored_lt=2021-01-01": {400, `"Cannot specify both succeeded and failed query params."`},
	} {
		a := k.send(t, token, "GET", "/privacy-request?"+query, nil)
		require.Equal(t, want.status, a.Status, query)
		require.Equal(t, `{"detail":`+want.detail+`}`, a.Body, query)
	}
	a := k.send(t, token, "POST", "/privacy-request/search", `{"statuses":["denied"]}`)
	require.Equal(t, `{"detail":[{"type":"extra_forbidden","loc":["body","statuses"],"msg":"Extra inputs are not permitted"}]}`, a.Body)
	a = k.send(t, token, "POST", "/privacy-request/search", `{"custom_privacy_request_fields":{"a":1.5}}`)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	a = k.send(t, token, "POST", "/privacy-request/search", `{"custom_privacy_request_fields":{"":"b"}}`)
	require.Equal(t, []any{422, `{"detail":"filter: it names a field by a key that none can have"}`}, []any{a.Status, a.Body})
}

func TestTheTableHoldsNoFormulas(t *testing.T) {
	t.Parallel()
	k, token := newList(t)
	a := k.send(t, token, "GET", "/privacy-request?download_csv=true", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Equal(t, "text/csv; charset=utf-8", a.Header.Get("Content-Type"))
	require.Equal(t, "attachment; filename=privacy_requests_download_2026-03-01.csv", a.Header.Get("Content-Disposition"))
	require.Equal(t, strings.Join([]string{
		"Status,Request Type,Time Received,Deadline,Reviewed By,Request ID,Time Approved/Denied,Denial Reason,Last Updated,Completed On,email,phone_number",
		"denied,erasure,2026-03-01T12:02:00.000000Z,,desk,pri_3,2026-03-01T12:03:00.000000Z,'=HYPERLINK(1),2026-03-01T12:03:00.000000Z,2026-03-01T12:03:00.000000Z,other@example.com,",
		"approved,access,2026-03-01T12:01:00.000000Z,,,pri_2,,,2026-03-01T12:01:00.000000Z,,,'+11234567891",
		"approved,access,2026-03-01T12:00:00.000000Z,,,pri_1,,,2026-03-01T12:00:00.000000Z,,nia.vale@example.com,",
		"",
	}, "\n"), a.Body)
	a = k.send(t, token, "POST", "/privacy-request/search", `{"download_csv":true,"location":"nowhere"}`)
	require.Equal(t, 1, strings.Count(a.Body, "\n"))
}

// Reading this number takes a prefix away, and reading what is left another.
func TestARequestIsFoundByANumberThatNoCountryHas(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	const number = "+1110000AAA0000"
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"phone_number":"`+number+`"}}]`).is(t, ok)
	kept, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	for _, v := range append(kept["phone_number"], number) {
		ids, _ := listed(t, k.send(t, token, "POST", "/privacy-request/search", map[string]any{"identities": map[string]string{"phone_number": v}}))
		require.Equal(t, []string{"pri_1"}, ids, v)
	}
}

func TestATextThatIsNoUTF8IsToldFromOneWithACharacterThatCannotBeKept(t *testing.T) {
	t.Parallel()
	c := newDesk(t, nil).caller(t)
	for target, want := range map[string]string{
		"/privacy-request?identity=%ff%fe":       `["query","identity"],"msg":"Value error, a text must be UTF-8"`,
		"/privacy-request?identity=a%00":         `["query","identity"],"msg":"Value error, a text cannot hold the character U+0000"`,
		"/privacy-request?status=%ff":            `["query","status",0],"msg":"Value error, a text must be UTF-8"`,
		"/privacy-request/%ff%00":                `["path","privacy_request_id"],"msg":"Value error, a text must be UTF-8"`,
		"/privacy-request/a%00":                  `["path","privacy_request_id"],"msg":"Value error, a text cannot hold the character U+0000"`,
		"/connection?connection_type=a%ed%a0%80": `["query","connection_type",0],"msg":"Value error, a text must be UTF-8"`,
	} {
		c.wants(t, 422, `{"detail":[{"type":"value_error","loc":`+want+`}]}`, "GET", target, nil)
	}
}

// Lists have the pages of Fides: 50 to a page unless the caller says otherwise,
// 100 at most, but for two lists that are longer there as well.
func TestEveryListHasThePagesOfFides(t *testing.T) {
	t.Parallel()
	c := newDesk(t, nil).caller(t)
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name   string
				Schema struct {
					Default          any
					Minimum, Maximum int
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.send(t, "", "GET", "/openapi.json", nil).Body), &document))
	type limits struct {
		usual any
		most  int
	}
	longer := map[string]limits{"/connection_type": {100.0, 100}, "/connection/{connection_key}/datasetconfig": {50.0, 1000}}
	lists := 0
	for path, item := range document.Paths {
		paged := map[string]limits{}
		for _, p := range item["get"].Parameters {
			paged[p.Name] = limits{p.Schema.Default, p.Schema.Maximum}
			if p.Name == "page" || p.Name == "size" {
				require.Equal(t, 1, p.Schema.Minimum, path)
			}
		}
		size, ok := paged["size"]
		if !ok {
			require.NotContains(t, paged, "page", path)
			continue
		}
		want, ok := longer[path]
		if !ok {
			want = limits{50.0, 100}
		}
		require.Equal(t, want, size, path)
		if _, numbered := paged["page"]; !numbered { // tokens, which Fides does not list
			continue
		}
		lists++
		if strings.Contains(path, "{") {
			continue
		}
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.does(t, "GET", path+"?page=7", nil)), &got))
		require.Empty(t, got["items"], path)
		total, isNumber := got["total"].(float64)
		require.True(t, isNumber, path)
		usual, _ := want.usual.(float64)
		require.Equal(t, []any{7.0, usual, math.Ceil(total / usual)}, []any{got["page"], got["size"], got["pages"]}, path)
	}
	require.Greater(t, lists, 20)
}
