package dsr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// wide is a dataset whose collections are given in short.
func wide(collections ...string) string {
	return "dataset:\n  - fides_key: shop\n    collections:\n" + strings.Join(collections, "")
}

// coll is a collection with a field on each line, "name: settings".
func coll(name string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "      - name: %s\n        fields:\n", name)
	for _, f := range fields {
		field, settings, _ := strings.Cut(f, ": ")
		fmt.Fprintf(&b, "          - {name: %s, data_categories: [user], fides_meta: {%s}}\n", field, settings)
	}
	return b.String()
}

func ref(field, direction string) string {
	return "references: [{dataset: shop, field: " + field + ", direction: " + direction + "}]"
}

type row = map[string]any

// TestCollect shows by the rows of the package what is found.
func TestCollect(t *testing.T) {
	t.Parallel()
	customers := coll("customers", "id: primary_key: true", "email: identity: email")
	for _, c := range []struct {
		name  string
		yaml  string
		rows  map[string][]row
		kind  string
		value []string
		want  string
	}{
		{
			name: "inputs are joined by or, a row comes once", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(customers, coll("notes", "id: primary_key: true", "by: "+ref("customers.id", "from"), "mail: identity: email")),
			rows: map[string][]row{
				"customers": {{"id": 1, "email": "ada@example.com"}},
				"notes": {
					{"id": 1, "by": 1, "mail": "other@example.com"}, {"id": 2, "by": 9, "mail": "ADA@example.com"},
					{"id": 3, "by": 1, "mail": "ada@example.com"}, {"id": 4, "by": 9, "mail": nil}, {"id": 5, "by": nil, "mail": ""},
				},
			},
			want: `{"shop:customers":[{"id":1,"email":"ada@example.com"}],"shop:notes":[
				{"id":1,"by":1,"mail":"other@example.com"},{"id":2,"by":9,"mail":"ADA@example.com"},{"id":3,"by":1,"mail":"ada@example.com"}]}`,
		},
		{
			name: "tuples are linked by row", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(
				coll("accounts", "tenant: primary_key: true", "number: primary_key: true", "email: identity: email"),
				coll("bookings", "id: primary_key: true", "t: "+ref("accounts.tenant", "from"), "n: "+ref("accounts.number", "from")),
			),
			rows: map[string][]row{
				"accounts": {{"tenant": 0, "number": 1, "email": "ada@example.com"}, {"tenant": 1, "number": 0, "email": "ada@example.com"}, {"tenant": 2, "number": nil, "email": "ada@example.com"}},
				"bookings": {{"id": 1, "t": 0, "n": 1}, {"id": 2, "t": 1, "n": 0}, {"id": 3, "t": 0, "n": 0}, {"id": 4, "t": 1, "n": 1}, {"id": 5, "t": 2, "n": nil}},
			},
			want: `{"shop:accounts":[{"tenant":0,"number":1,"email":"ada@example.com"},{"tenant":1,"number":0,"email":"ada@example.com"},{"tenant":2,"number":null,"email":"ada@example.com"}],
				"shop:bookings":[{"id":1,"t":0,"n":1},{"id":2,"t":1,"n":0}]}`,
		},
		{
			name: "zero and false lead on, null and empty text do not", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(
				coll("customers", "id: primary_key: true", "email: identity: email", "k: primary_key: false"),
				coll("things", "k: "+ref("customers.k", "from")),
			),
			rows: map[string][]row{
				"customers": {{"id": 1, "email": "ada@example.com", "k": 0}, {"id": 2, "email": "ada@example.com", "k": false}, {"id": 3, "email": "ada@example.com", "k": ""}, {"id": 4, "email": "ada@example.com", "k": nil}},
				"things":    {{"k": 0}, {"k": false}, {"k": ""}, {"k": nil}, {"k": "0"}},
			},
			want: `{"shop:customers":[{"id":1,"email":"ada@example.com","k":0},{"id":2,"email":"ada@example.com","k":false},{"id":3,"email":"ada@example.com","k":""},{"id":4,"email":"ada@example.com","k":null}],
				"shop:things":[{"k":0},{"k":false}]}`,
		},
		{
			name: "all forms of a phone number", kind: "phone_number", value: []string{"+49 30 123"},
			yaml: wide(coll("calls", "id: primary_key: true", "tel: identity: phone_number")),
			rows: map[string][]row{"calls": {{"id": 1, "tel": "+49 30 123"}, {"id": 2, "tel": "+4930123"}, {"id": 3, "tel": "4930123"}, {"id": 4, "tel": "030123"}, {"id": 5, "tel": 4930123}}},
			want: `{"shop:calls":[{"id":1,"tel":"+49 30 123"},{"id":2,"tel":"+4930123"},{"id":3,"tel":"4930123"}]}`,
		},
		{
			name: "only the matching elements of an array", kind: "email", value: []string{"ada@example.com", "ada@work.example"},
			yaml: wide(coll("teams", "id: primary_key: true", "mails: identity: email, data_type: 'string[]'", "free: data_type: 'string[]'")),
			rows: map[string][]row{"teams": {
				{"id": 1, "mails": []any{"Ada@example.com", "bob@example.com", "ada@work.example", nil}, "free": []any{"x", "y"}},
				{"id": 2, "mails": []any{"bob@example.com"}, "free": nil},
			}},
			want: `{"shop:teams":[{"id":1,"mails":["Ada@example.com","ada@work.example"],"free":["x","y"]}]}`,
		},
		{
			name: "all elements where that is asked for", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(coll("teams", "id: primary_key: true", "mails: identity: email, data_type: 'string[]', return_all_elements: true")),
			rows: map[string][]row{"teams": {{"id": 1, "mails": []any{"ada@example.com", "bob@example.com"}}}},
			want: `{"shop:teams":[{"id":1,"mails":["ada@example.com","bob@example.com"]}]}`,
		},
		{
			name: "no element where another input found the row", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(coll("teams", "id: primary_key: true", "lead: identity: email", "mails: identity: email, data_type: 'string[]'")),
			rows: map[string][]row{"teams": {{"id": 1, "lead": "ada@example.com", "mails": []any{"bob@example.com"}}}},
			want: `{"shop:teams":[{"id":1,"lead":"ada@example.com","mails":[]}]}`,
		},
		{
			name: "numbers match elements whatever their type", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(customers, coll("teams", "name: data_type: string", "members: data_type: 'integer[]', "+ref("customers.id", "from")), coll("rooms", "any: data_type: 'string[]', "+ref("customers.id", "from"))),
			rows: map[string][]row{
				"customers": {{"id": json.Number("5"), "email": "ada@example.com"}},
				"teams":     {{"name": "t", "members": []any{4, 5.0, 6}}},
				"rooms":     {{"any": []any{"4", "5"}}},
			},
			want: `{"shop:customers":[{"id":5,"email":"ada@example.com"}],"shop:rooms":[{"any":["5"]}],"shop:teams":[{"name":"t","members":[5]}]}`,
		},
		{
			name: "bytes are keys", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(customers, coll("files", "owner: "+ref("customers.id", "from"))),
			rows: map[string][]row{
				"customers": {{"id": []byte{0, 255}, "email": "ada@example.com"}},
				"files":     {{"owner": []byte{0, 255}}, {"owner": []byte{0}}},
			},
			want: `{"shop:customers":[{"id":"AP8=","email":"ada@example.com"}],"shop:files":[{"owner":"AP8="}]}`,
		},
		{
			name: "a reference without direction leads away from the identity", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(
				coll("addresses", "id: primary_key: true", "street: data_type: string"),
				coll("customers", "id: primary_key: true", "email: identity: email", "address: references: [{dataset: shop, field: addresses.id}]"),
			),
			rows: map[string][]row{
				"customers": {{"id": 1, "email": "ada@example.com", "address": 0}, {"id": 2, "email": "bob@example.com", "address": 0}},
				"addresses": {{"id": 0, "street": "Elm"}, {"id": 1, "street": "Oak"}},
			},
			want: `{"shop:addresses":[{"id":0,"street":"Elm"}],"shop:customers":[{"id":1,"email":"ada@example.com","address":0}]}`,
		},
		{
			name: "a reference to itself is followed to its end", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(coll("people", "id: primary_key: true", "email: identity: email", "boss: "+ref("people.id", "from"))),
			rows: map[string][]row{"people": {
				{"id": 4, "boss": 3}, {"id": 3, "boss": 2}, {"id": 2, "boss": 1}, {"id": 1, "email": "ada@example.com", "boss": 4}, {"id": 9, "boss": 8},
			}},
			want: `{"shop:people":[{"id":1,"email":"ada@example.com","boss":4},{"id":2,"email":null,"boss":1},{"id":3,"email":null,"boss":2},{"id":4,"email":null,"boss":3}]}`,
		},
		{
			name: "a directed ring is followed to its end", kind: "email", value: []string{"ada@example.com"},
			yaml: wide(
				coll("a", "id: primary_key: true", "email: identity: email", "b: "+ref("b.id", "from")),
				coll("b", "id: primary_key: true", "a: "+ref("a.id", "from")),
			),
			rows: map[string][]row{
				"a": {{"id": 1, "email": "ada@example.com"}, {"id": 2, "b": 10}, {"id": 3, "b": 20}, {"id": 4, "b": 99}},
				"b": {{"id": 10, "a": 1}, {"id": 20, "a": 2}, {"id": 30, "a": 3}, {"id": 99, "a": 98}},
			},
			want: `{"shop:a":[{"id":1,"email":"ada@example.com","b":null},{"id":2,"email":null,"b":10},{"id":3,"email":null,"b":20}],"shop:b":[{"id":10,"a":1},{"id":20,"a":2},{"id":30,"a":3}]}`,
		},
	} {
		for _, limit := range []int{0, 1, 2} {
			t.Run(fmt.Sprint(c.name, " ", limit), func(t *testing.T) {
				t.Parallel()
				w := shop(t, c.yaml, c.rows, nil)
				config := w.config(nil, policy(accessRule()))
				config.Limits.QueryValues = limit
				e := newEngine(t, config)
				submit(t, e, c.kind, c.value...)
				req, err := e.Requests().Advance(t.Context(), "r1")
				require.NoError(t, err)
				var want, got map[string][]any
				require.NoError(t, json.Unmarshal([]byte(c.want), &want))
				require.NoError(t, json.Unmarshal([]byte(w.packages.file("r1.json")), &got))
				require.Len(t, got, len(want))
				for collection := range want { // the order of rows is that of the queries
					require.ElementsMatch(t, want[collection], got[collection])
				}
				for _, o := range req.Collections {
					require.Len(t, want[o.Address.String()], int(o.Rows), o.Address)
				}
			})
		}
	}
}

func TestNestedDocuments(t *testing.T) {
	t.Parallel()
	const yaml = `
dataset:
  - fides_key: shop
    collections:
      - name: houses
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: doc
            fields:
              - name: people
                fides_meta: {data_type: "object[]"}
                fields:
                  - {name: mail, data_categories: [user.contact.email], fides_meta: {identity: email}}
                  - {name: name, data_categories: [user.name]}
              - {name: colour}
`
	house := func(name any) row {
		return row{"id": 1, "doc": row{"colour": "red", "people": []any{
			row{"mail": "bob@example.com", "name": "Bob"}, row{"mail": "Ada@example.com", "name": name, "age": 36}, row{"name": "Nobody"},
		}}}
	}
	w := shop(t, yaml, map[string][]row{"houses": {house("Ada")}}, nil)
	w.complete(t, "ada@example.com", accessRule(), erasureRule("null_rewrite", "user.name"))
	require.Equal(t, "{\n  \"shop:houses\": [\n    {\"doc\":{\"people\":[{\"mail\":\"Ada@example.com\",\"name\":\"Ada\"}]}}\n  ]\n}\n", w.packages.file("r1.json"))
	require.Equal(t, []row{normal(t, house(nil))}, w.db().Rows("houses"))
}

// An array that nobody declared is filtered all the same.
func TestUndeclaredArrayInsideOfADocument(t *testing.T) {
	t.Parallel()
	const yaml = `
dataset:
  - fides_key: shop
    collections:
      - name: houses
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - name: doc
            fields:
              - {name: mails, data_categories: [user.contact.email], fides_meta: {identity: email}}
`
	w := shop(t, yaml, map[string][]row{"houses": {{"id": 1, "doc": row{"mails": []any{"bob@example.com", "ada@example.com"}}}}}, nil)
	rule := graph.Rule{Key: "e", Action: graph.Erasure, Targets: []graph.Category{"user.contact"}, Masking: &graph.Masking{Strategy: "string_rewrite", Configuration: row{"rewrite_value": "x"}}}
	w.complete(t, "ada@example.com", accessRule(), rule)
	require.JSONEq(t, `{"shop:houses":[{"doc":{"mails":["ada@example.com"]}}]}`, w.packages.file("r1.json"))
	require.Equal(t, row{"mails": []any{"bob@example.com", "x"}}, w.db().Rows("houses")[0]["doc"])
}

func TestUncastableValuesAreCounted(t *testing.T) {
	t.Parallel()
	yaml := wide(coll("customers", "id: primary_key: true", "email: identity: email"), coll("orders", "id: primary_key: true", "c: data_type: integer, "+ref("customers.id", "from")))
	w := shop(t, yaml, map[string][]row{
		"customers": {{"id": "7", "email": "ada@example.com"}, {"id": "x7", "email": "ada@example.com"}, {"id": 7.5, "email": "ada@example.com"}},
		"orders":    {{"id": 1, "c": 7}},
	}, nil)
	req := w.complete(t, "ada@example.com", accessRule())
	o := outcome(t, req, "shop:orders")
	require.Equal(t, []int64{1, 2}, []int64{o.Rows, o.Uncastable})
	require.Contains(t, w.packages.file("r1.manifest.json"), `"address": "shop:orders",
      "state": "done",
      "rows": 1,
      "uncastable": 2
`)
	require.Equal(t, 1, strings.Count(w.packages.file("r1.manifest.json"), "uncastable"))
}

// Rows that no key tells apart are all kept, and several queries do not double
// them.
func TestDuplicatesOfKeylessRows(t *testing.T) {
	t.Parallel()
	yaml := wide(coll("log", "mail: identity: email", "other: identity: email", "line: data_type: string"))
	both := row{"mail": "ada@example.com", "other": "ada@work.example", "line": "same"}
	w := shop(t, yaml, map[string][]row{"log": {both, both, {"mail": "ada@work.example", "line": "one"}}}, nil)
	c := w.config(nil, policy(accessRule()))
	c.Limits.QueryValues = 1
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com", "ada@work.example")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, int64(3), outcome(t, req, "shop:log").Rows)
	require.Equal(t, 3, strings.Count(w.packages.file("r1.json"), `"line"`))
	require.Contains(t, w.packages.file("r1.manifest.json"), `"rows": 3`)
}

// Rows that several queries return are dropped but once, within a limit.
func TestLimitOfRepeatedRowsWaitsForAPerson(t *testing.T) {
	t.Parallel()
	yaml := wide(coll("log", "id: primary_key: true", "mail: identity: email", "other: identity: email"), coll("lines", "id: primary_key: true", "log: "+ref("log.id", "from")))
	rows := map[string][]row{}
	for i := range 6 {
		rows["log"] = append(rows["log"], row{"id": i, "mail": "ada@example.com", "other": "ada@work.example"})
		rows["lines"] = append(rows["lines"], row{"id": i, "log": i})
	}
	for limit, want := range map[int]dsr.Status{5: dsr.StatusRequiresInput, 6: dsr.StatusComplete} {
		w := shop(t, yaml, rows, nil)
		c := w.config(nil, policy(accessRule()))
		c.Limits.QueryValues, c.Limits.CycleValues = 1, limit
		e := newEngine(t, c)
		submit(t, e, "email", "ada@example.com", "ada@work.example")
		req, err := e.Requests().Advance(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, want, req.Status)
		if want == dsr.StatusComplete {
			require.Equal(t, int64(6), outcome(t, req, "shop:log").Rows)
			continue
		}
		require.Equal(t, "shop:log: several queries returned more rows twice than Limits.CycleValues allows to hold in memory; raise it, or Limits.QueryValues so that there are fewer queries", req.Failure)
		require.Empty(t, w.packages.names())
		c.Limits.CycleValues = 6
		req, err = retry(t, newEngine(t, c), "r1")
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		require.Equal(t, []int64{6, 6}, []int64{outcome(t, req, "shop:log").Rows, outcome(t, req, "shop:lines").Rows})
	}
}

func TestLimitsOfCyclesWaitForAPerson(t *testing.T) {
	t.Parallel()
	yaml := wide(coll("people", "id: primary_key: true", "email: identity: email", "boss: "+ref("people.id", "from")))
	var people []row
	for i := range 20 {
		people = append(people, row{"id": i + 1, "boss": i})
	}
	people[0]["email"] = "ada@example.com"
	for _, c := range []struct {
		name   string
		limits dsr.Limits
		want   string
	}{
		{"rounds", dsr.Limits{CycleRounds: 5}, "shop:people: the cycle still found new values after 5 rounds; raise the limit, or break the cycle in the datasets"},
		{"values", dsr.Limits{CycleValues: 5}, "shop:people: more distinct values than Limits.CycleValues allows to hold in memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := shop(t, yaml, map[string][]row{"people": people}, nil)
			config := w.config(nil, policy(accessRule(), graph.Rule{Key: "e", Action: graph.Erasure, Targets: []graph.Category{"user.contact"}, Masking: &graph.Masking{Strategy: "null_rewrite"}}))
			config.Policies[0].AllowEmptyTargets = true
			config.Limits = c.limits
			e := newEngine(t, config)
			submit(t, e, "email", "ada@example.com")
			req, err := e.Requests().Advance(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusRequiresInput, req.Status)
			require.Equal(t, c.want, req.Failure)
			require.Empty(t, w.packages.names())
			require.Zero(t, w.db().applied())
			again, err := e.Requests().Advance(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, req, again)

			config.Limits = dsr.Limits{}
			req, err = retry(t, newEngine(t, config), "r1")
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
			require.Equal(t, int64(20), outcome(t, req, "shop:people").Rows)
		})
	}
}
