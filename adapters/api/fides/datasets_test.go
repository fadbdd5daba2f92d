package fides_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// peopleJSON is a dataset with keys that mean nothing here.
const peopleJSON = `{"collections":[{"fields":[{"data_categories":["user.unique_id"],"fides_meta":{"primary_key":true},"name":"id"},` +
	`{"data_categories":["user.contact.email"],"fidesops_meta":{"identity":"email"},"name":"email"}],"name":"people"}],` +
	`"data_qualifier":"aggregated","fides_key":"people","meta":{"x":1.50},"name":"People"}`

// ordersJSON is a dataset that another leads to.
const ordersJSON = `{"collections":[{"fields":[{"fides_meta":{"references":[{"dataset":"people","direction":"from","field":"people.id"}]},"name":"person"}],"name":"orders"},` +
	`{"fields":[{"data_categories":["user.name"],"name":"note"}],"name":"lonely"}],"fides_key":"orders"}`

const peopleWarnings = `[{"collection":null,"field":null,"action":"ignored","message":"people: the key data_qualifier has no effect on requests"}]`

func datasetBulk(succeeded, failed, warnings string) string {
	return `{"succeeded":[` + succeeded + `],"failed":[` + failed + `],"warnings":` + warnings + `}`
}

// withCRM is a desk with a connection.
func withCRM(t *testing.T) *caller {
	t.Helper()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write","secrets":{"host":"here","password":"x"}},
		{"key":"other","connection_type":"postgres","access":"write","secrets":{"host":"here","password":"x"}},{"key":"ask","connection_type":"https","access":"write"}]`)
	return c
}

func TestDatasetsAreKeptAsTheyWereSent(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	c.wants(t, ok, datasetBulk(peopleJSON, "", peopleWarnings), "PATCH", "/connection/crm/dataset", `[`+peopleJSON+`]`)
	c.restart(t)
	c.wants(t, ok, peopleJSON, "GET", "/connection/crm/dataset/people", nil)
	c.wants(t, ok, pages(peopleJSON, 1, 50), "GET", "/connection/crm/dataset", nil)
	c.wants(t, ok, pages("", 0, 50), "GET", "/connection/other/dataset", nil)
	changed := strings.Replace(peopleJSON, `"name":"People"`, `"name":"Persons"`, 1)
	c.wants(t, ok, datasetBulk(changed, "", peopleWarnings), "PATCH", "/connection/crm/dataset", `[`+changed+`]`)
	c.wants(t, ok, changed, "GET", "/connection/crm/dataset/people", nil)
	c.wants(t, 204, "", "DELETE", "/connection/crm/dataset/people", nil)
	c.restart(t)
	c.wants(t, 404, detail("No dataset with fides_key 'people' and connection key crm'"), "GET", "/connection/crm/dataset/people", nil)
	c.wants(t, 404, detail("No dataset with fides_key 'people' and connection_key 'crm'"), "DELETE", "/connection/crm/dataset/people", nil)
}

func TestWhatIsWrongWithDatasets(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	c.does(t, "PATCH", "/connection/other/dataset", `[{"fides_key":"taken","collections":[]}]`)
	broken := `{"collections":[{"fields":[{"fides_meta":{"data_type":"colour"},"name":"a"}],"name":"c"}],"fides_key":"broken"}`
	taken := `{"collections":[],"fides_key":"taken"}`
	fixed := `{"collections":[],"fides_key":"shop"}`
	a := c.send(t, c.token, "PATCH", "/connection/crm/dataset", `[`+broken+`,`+taken+`,`+fixed+`,`+ordersJSON+`]`)
	require.Equal(t, ok, a.Status)
	require.Regexp(t, `^\{"succeeded":\[\{"collections":\[\{"fields":.*"fides_key":"orders"\}\],"failed":\[\{"message":"broken:c\.a: .*colour.*","data":`, a.Body)
	require.Contains(t, a.Body, `{"message":"Dataset 'taken' belongs to connection 'other'.","data":`+taken+`},{"message":"It comes from the host's configuration and cannot be changed here.","data":`+fixed+`}]`)

	c.wants(t, ok, datasetBulk("", `{"message":"connections of type \"https\", such as \"ask\", have no datasets","data":{"collections":[],"fides_key":"new"}}`, "[]"),
		"PATCH", "/connection/ask/dataset", `[{"fides_key":"new","collections":[]}]`)
	c.wants(t, 404, detail("No connection config with key 'none'"), "PATCH", "/connection/none/dataset", `[`+peopleJSON+`]`)
	c.wants(t, 404, detail("No connection config with key 'none'"), "PATCH", "/connection/none/dataset", `[]`)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body",0,"collections"],"msg":"Field required"},{"type":"missing","loc":["body",0,"fides_key"],"msg":"Field required"}]}`,
		"PATCH", "/connection/crm/dataset", `[{}]`)
	c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body",0],"msg":"Value error, a text cannot hold the character U+0000"}]}`,
		"PATCH", "/connection/crm/dataset", `[{"fides_key":"a","collections":[],"meta":{"a":["\u0000"]}}]`)
	c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body",0,"fides_key"],"msg":"Value error, FidesKeys must only contain alphanumeric characters, '.', '_', '\u003c', '\u003e' or '-'."}]}`,
		"PATCH", "/connection/crm/dataset", `[{"fides_key":"","collections":[]}]`)
	c.wants(t, 422, `{"detail":[{"type":"too_long","loc":["body"],"msg":"List should have at most 1000 items after validation, not 1001"}]}`,
		"PATCH", "/connection/crm/dataset", `[`+strings.Repeat(`{},`, 1000)+`{}]`)
	c.wants(t, 409, detail("It comes from the host's configuration and cannot be changed here."), "DELETE", "/connection/shop/dataset/shop", nil)
}

func (c *caller) yaml(t *testing.T, target, media, body string) *answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/api/v1"+target, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.do(t, r)
}

func TestDatasetsInYAML(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	const file = `
dataset:
  - fides_key: people
    name: People
    third_country_transfers: [USA]
    collections:
      - name: people
        fields: &fields
          - {name: id, data_categories: [user.unique_id], fidesops_meta: {primary_key: True}}
          - {name: email, data_categories: [user.contact.email], fidesops_meta: {identity: email, length: 40}}
      - name: copies
        fields: *fields
---
dataset:
  - {fides_key: more, collections: [], meta: {since: 2020-01-31, at: 2020-01-31T10:00:00Z, 1: .inf}}
`
	const fields = `[{"data_categories":["user.unique_id"],"fidesops_meta":{"primary_key":true},"name":"id"},{"data_categories":["user.contact.email"],"fidesops_meta":{"identity":"email","length":40},"name":"email"}]`
	people := `{"collections":[{"fields":` + fields + `,"name":"people"},{"fields":` + fields + `,"name":"copies"}],"fides_key":"people","name":"People","third_country_transfers":["USA"]}`
	more := `{"collections":[],"fides_key":"more","meta":{"1":"+Inf","at":"2020-01-31T10:00:00Z","since":"2020-01-31"}}`
	a := c.yaml(t, "/yml/connection/crm/dataset", "application/x-yaml", file)
	require.Equal(t, datasetBulk(people+","+more, "", `[{"collection":null,"field":null,"action":"ignored","message":"people: the key third_country_transfers has no effect on requests"}]`), a.Body)
	require.Equal(t, ok, a.Status)
	c.restart(t)
	c.wants(t, ok, people, "GET", "/connection/crm/dataset/people", nil)

	refused := func(status int, want, media, target, body string) {
		t.Helper()
		a := c.yaml(t, target, media, body)
		require.Equal(t, want, a.Body)
		require.Equal(t, status, a.Status)
	}
	const at = "/yml/connection/crm/dataset"
	refused(415, detail("Content-Type must be application/x-yaml"), "application/json", at, file)
	refused(404, detail("No connection config with key 'none'"), "application/x-yaml", "/yml/connection/none/dataset", file)
	refused(422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, line 1, column 1: there is no list of datasets: want one under \"dataset\""}]}`, "application/x-yaml", at, "a: 1")
	refused(422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, line 1, column 14: the anchor \"a\" holds itself"}]}`, "application/x-yaml", at, "dataset: &a [*a]")
	refused(422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, line 1, column 23: fides_key must be text, found a number: put it in quotes"}]}`, "application/x-yaml", at, "dataset: [{fides_key: 5, collections: []}]")
	refused(422, `{"detail":[{"type":"value_error","loc":["body","dataset",0],"msg":"Value error, a text cannot hold the character U+0000"}]}`, "application/x-yaml", at,
		`dataset: [{fides_key: a, collections: [], meta: {a: "\0"}}]`)
	refused(422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, line 1, column 23: a�: the fides_key may hold only letters, digits and _ . \u003c \u003e -"}]}`, "application/x-yaml", at, `dataset: [{fides_key: "a\0", collections: []}]`)
	refused(400, detail("Invalid YAML format: not YAML: found invalid Unicode character escape code"), "application/x-yaml", at, `{"dataset": [{"fides_key": "a", "name": "\ud800", "collections": []}]}`)
	broken := c.yaml(t, at, "application/x-yaml", "dataset: [")
	require.Equal(t, 400, broken.Status)
	require.Regexp(t, `^\{"detail":"Invalid YAML format: `, broken.Body)
}

func TestADatasetIsValidatedAndNotKept(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	c.wants(t, ok, `{"dataset":`+peopleJSON+`,"traversal_details":{"is_traversable":true,"msg":null},"warnings":`+peopleWarnings+`}`, "PUT", "/connection/crm/validate_dataset", peopleJSON)
	c.wants(t, ok, `{"dataset":`+ordersJSON+`,"traversal_details":{"is_traversable":false,"msg":"orders:orders.person: refers to dataset \"people\", which is not in the data map; add it or remove the reference"},"warnings":[]}`,
		"PUT", "/connection/crm/validate_dataset", ordersJSON)
	c.does(t, "PATCH", "/connection/other/dataset", `[`+peopleJSON+`]`)
	c.wants(t, ok, `{"dataset":`+ordersJSON+`,"traversal_details":{"is_traversable":false,"msg":"Some nodes were not reachable: orders:lonely"},"warnings":[]}`,
		"PUT", "/connection/crm/validate_dataset", ordersJSON)
	c.wants(t, ok, pages("", 0, 50), "GET", "/connection/crm/dataset", nil)
	a := c.send(t, c.token, "PUT", "/connection/crm/validate_dataset", `{"fides_key":"x","collections":[{"name":"c","fields":[{"name":"a","fides_meta":{"data_type":"colour"}}]}]}`)
	require.Equal(t, 422, a.Status)
	require.Regexp(t, `^\{"detail":\[\{"type":"value_error","loc":\["body"\],"msg":"Value error, .*x:c\.a: .*colour`, a.Body)
	c.wants(t, 404, detail("No connection config with key 'none'"), "PUT", "/connection/none/validate_dataset", peopleJSON)
}

func TestWhatLeadsToADataset(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	c.does(t, "PATCH", "/connection/other/dataset", `[`+peopleJSON+`]`)
	c.does(t, "PATCH", "/connection/crm/dataset", `[`+ordersJSON+`]`)
	c.wants(t, ok, `{"email":null}`, "GET", "/connection/other/dataset/people/inputs", nil)
	c.wants(t, ok, `{"people.people.id":null}`, "GET", "/connection/crm/dataset/orders/inputs", nil)
	c.wants(t, 404, detail("No dataset config with fides_key 'people'"), "GET", "/connection/crm/dataset/people/inputs", nil)
	const lonely = `{"reachable":false,"details":"The following collections are not reachable \"orders:lonely\""}`
	c.wants(t, ok, `{"reachable":true,"details":null}`, "GET", "/connection/other/dataset/people/reachability", nil)
	c.wants(t, ok, lonely, "GET", "/connection/crm/dataset/orders/reachability", nil)
	c.wants(t, ok, lonely, "GET", "/connection/crm/dataset/orders/reachability?policy_key=erase", nil)
	c.wants(t, 404, detail(`Policy with key \"none\" not found`), "GET", "/connection/crm/dataset/orders/reachability?policy_key=none", nil)
	c.wants(t, 404, detail("No dataset config with fides_key 'none'"), "GET", "/connection/crm/dataset/none/reachability", nil)
	c.wants(t, ok, `{"reachable":true,"details":null}`, "GET", "/connection/shop/dataset/shop/reachability?policy_key=access", nil)
	c.does(t, "PATCH", "/connection", `[{"key":"other","connection_type":"postgres","access":"write","disabled":true}]`)
	c.wants(t, ok, `{"reachable":false,"details":"orders:orders.person: refers to dataset \"people\", which is not in the data map; add it or remove the reference"}`,
		"GET", "/connection/crm/dataset/orders/reachability", nil)
	require.Contains(t, c.does(t, "GET", "/connection/shop/dataset/shop", nil), `{"fides_key":"shop","name":"shop","collections":[{"name":"customers","fields":[{"name":"email","data_categories":["user.contact.email"]}`)
}

func TestDatasetConfigsArePairs(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	const more = `{"collections":[],"fides_key":"more"}`
	c.does(t, "PATCH", "/connection/other/dataset", `[`+peopleJSON+`,`+more+`]`)
	const pair = `{"fides_key":"people","ctl_dataset_fides_key":"people"}`
	c.wants(t, ok, datasetBulk(peopleJSON, `{"message":"A dataset has one key: fides_key and ctl_dataset_fides_key must be the same.","data":{"ctl_dataset_fides_key":"more","fides_key":"x"}}`, "[]"),
		"PATCH", "/connection/crm/datasetconfig", `[`+pair+`,{"fides_key":"x","ctl_dataset_fides_key":"more"}]`)
	c.restart(t)
	c.wants(t, ok, pages(`{"fides_key":"people","ctl_dataset":`+peopleJSON+`}`, 1, 50), "GET", "/connection/crm/datasetconfig", nil)
	c.wants(t, ok, `{"fides_key":"people","ctl_dataset":`+peopleJSON+`}`, "GET", "/connection/crm/datasetconfig/people", nil)
	c.wants(t, 404, detail("No dataset config with fides_key 'people' and connection key other'"), "GET", "/connection/other/datasetconfig/people", nil)
	c.wants(t, 404, detail("No CTL dataset found with fides_key 'none'"), "PUT", "/connection/crm/datasetconfig", `[{"fides_key":"none","ctl_dataset_fides_key":"none"}]`)
	c.wants(t, 404, detail("No connection config with key 'none'"), "PUT", "/connection/none/datasetconfig", `[]`)
	c.wants(t, ok, datasetBulk(more, "", "[]"), "PUT", "/connection/crm/datasetconfig", `[{"fides_key":"more","ctl_dataset_fides_key":"more"}]`)
	c.wants(t, ok, pages(more, 1, 50), "GET", "/connection/crm/dataset", nil)
	c.wants(t, ok, pages("", 0, 1000), "GET", "/connection/other/datasetconfig?size=1000", nil)
}

// A dataset that is left out of the pairs is deleted, as at DELETE.
func TestDatasetsAreDeletedByWhoMayDeleteThemOnly(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	const more, pair = `{"collections":[],"fides_key":"more"}`, `{"fides_key":"more","ctl_dataset_fides_key":"more"}`
	c.does(t, "PATCH", "/connection/crm/dataset", `[`+peopleJSON+`,`+more+`]`)
	writes, deletes := &caller{c.desk, c.desk.token(t, "dataset:create_or_update")}, &caller{c.desk, c.desk.token(t, "dataset:create_or_update", "dataset:delete")}
	for _, body := range []string{`[]`, `[` + pair + `]`} {
		writes.wants(t, 403, detail("Not Authorized for this action. Required scope(s): [dataset:create_or_update, dataset:delete]"), "PUT", "/connection/crm/datasetconfig", body)
	}
	c.wants(t, ok, pages(more+","+peopleJSON, 2, 50), "GET", "/connection/crm/dataset", nil)
	writes.wants(t, ok, datasetBulk(more, "", "[]"), "PATCH", "/connection/crm/datasetconfig", `[`+pair+`]`)
	deletes.wants(t, ok, datasetBulk(more, "", "[]"), "PUT", "/connection/crm/datasetconfig", `[`+pair+`]`)
	writes.wants(t, ok, datasetBulk(more, "", "[]"), "PUT", "/connection/crm/datasetconfig", `[`+pair+`]`)
	c.wants(t, ok, pages(more, 1, 50), "GET", "/connection/crm/dataset", nil)
}

func TestPairsTellWhatCannotBeUsedSince(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	c.does(t, "PATCH", "/connection", `[{"key":"bare","connection_type":"postgres","access":"write"}]`)
	c.does(t, "PATCH", "/connection/crm/dataset", `[`+peopleJSON+`]`)
	const pair = `[{"fides_key":"people","ctl_dataset_fides_key":"people"}]`
	c.wants(t, ok, datasetBulk(peopleJSON, "", `[{"collection":null,"field":null,"action":"unusable","message":"dataset people: connection \"bare\": secret \"host\" is missing; secret \"password\" is missing"}]`),
		"PATCH", "/connection/bare/datasetconfig", pair)
	c.wants(t, ok, datasetBulk(peopleJSON, "", "[]"), "PATCH", "/connection/bare/datasetconfig", pair)
	c.wants(t, ok, datasetBulk(peopleJSON, "", "[]"), "PUT", "/connection/crm/datasetconfig", pair)
}
