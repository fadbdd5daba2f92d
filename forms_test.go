package dsr_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// exampleYAML is what the guide of Fides to manual privacy requests visits
// automatically.
const exampleYAML = `
dataset:
  - fides_key: postgres_example
    collections:
      - name: customer
        fields:
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
`

// The walk through the guide, with its bodies as they are printed there.
func TestManualRequestFromDefinitionToPackage(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil)
	o.world = newWorld(t, exampleYAML, map[string]*memory.Connector{"postgres_example": memory.NewConnector(map[string][]row{
		"customer": {{"name": "Jane Customer", "email": "customer-3@example.com", "id": 1}},
	}, nil)})
	o.config = o.world.config(nil, policy(accessRule()))
	o.engine = newEngine(t, o.config)
	o.Requests = o.engine.Requests()
	ctx := t.Context()

	form := manual.Form{Key: "manual_request_key", Name: "Manual privacy request ConnectionConfig"}
	require.NoError(t, json.Unmarshal([]byte(`{
    "fields": [
        {"pii_field": "First Name", "dsr_package_label": "first_name"},
        {"pii_field": "Last Name", "dsr_package_label": "last_name"},
        {"pii_field": "Phone Number", "dsr_package_label": null},
        {"pii_field": "Height", "dsr_package_label": "height"}
    ]
}`), &form))
	made, err := o.engine.Forms().Define(ctx, form)
	require.NoError(t, err)
	require.Equal(t, []string{"first_name", "last_name", "phone_number", "height"}, made.Labels(manual.Access))
	require.Equal(t, "manual_request_key", made.Key)

	submit(t, o.engine, "email", "customer-3@example.com")
	o.advanced(t, "r1", dsr.StatusRequiresInput)
	require.Empty(t, o.dbs["postgres_example"].readCounts(), "nothing is queried before")
	require.Empty(t, o.packages.names())

	o.uploads(t, "r1", "manual_request_key", `{
    "first_name": "Jane",
    "last_name": "Customer"
}`)
	require.Equal(t,
		`{"checked":true,"fields":{"first_name":"Jane","last_name":"Customer","phone_number":null,"height":null}}`,
		o.viewed(t, "r1", "manual_request_key", graph.Access))
	require.Empty(t, o.dbs["postgres_example"].readCounts())
	o.advanced(t, "r1", dsr.StatusRequiresInput) // it waits to be resumed
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusComplete)

	require.Equal(t, `{
  "postgres_example:customer": [
    {"email":"customer-3@example.com","id":1,"name":"Jane Customer"}
  ],
  "manual_request_key": [
    {"first_name":"Jane","last_name":"Customer"}
  ]
}
`, o.packages.file("r1.json"))
	require.JSONEq(t, `{
  "postgres_example:customer": [
    {
      "name": "Jane Customer",
      "email": "customer-3@example.com",
      "id": 1
    }
  ],
  "manual_request_key": [
    {
      "first_name": "Jane",
      "last_name": "Customer"
    }
  ]
}`, o.packages.file("r1.json"))
	manifest := o.packages.manifest(t, "r1")
	require.Len(t, manifest, 2)
	require.Equal(t, "manual_request_key", manifest[0].Address)
	require.Equal(t, int64(1), manifest[0].Rows)
	require.Equal(t, []string{"received", "started", "input required", "form filled in", "resumed", "planned", "collected", "delivered", "completed"}, o.actions(t, "r1"))
}

// Every refusal in its words; none changes anything.
func TestFormsRefuse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	o := newDesk(t, nil, textForm("crm", "first_name", "height"), accessForm("hr", "salary"))
	for i, policy := range []string{"access", "access", "erase", "access", "access"} { // r1 to r5
		o.waiting(t, policy, fmt.Sprintf("somebody-%d@example.com", i))
	}
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	o.uploads(t, "r4", "crm", `{}`)
	o.done(t, o.Requests.Delete, "r5", dsr.StatusRequiresInput)
	forms := o.engine.Forms()
	upload := func(id, form string, action graph.Action, body string) error {
		_, err := forms.UploadJSON(ctx, id, form, action, []byte(body), clerk)
		return err
	}
	view := func(id, form string, action graph.Action) error {
		_, err := forms.View(ctx, id, form, action)
		return err
	}
	resume := func(id string) error {
		_, err := forms.Resume(ctx, id, clerk)
		return err
	}
	_, err := forms.Define(ctx, textForm("crm", "first_name", "height", "shoe_size"))
	require.NoError(t, err)
	commits, defined := o.commits.Load(), forms.List()
	_, blank := forms.Define(ctx, manual.Form{Key: "x"})
	_, twice := forms.Define(ctx, manual.Form{Key: "x", Fields: []manual.Field{{PIIField: "A b"}, {PIIField: "A b"}}})
	_, exists := forms.Create(ctx, textForm("crm", "a"))
	_, noForm := forms.Get("nope")
	_, taken := forms.Define(ctx, textForm("attachments", "a"))
	_, taken2 := forms.Create(ctx, textForm("comments", "a"))
	_, long := forms.UploadJSON(ctx, "r1", "crm", graph.Access, []byte("{}"), dsr.By{Actor: string(make([]byte, 1001))})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no fields":        {blank, "manual: fields: List should have at least 1 item after validation, not 0"},
		"names twice":      {twice, "manual: 2 faults:\n\tfields: pii_fields must be unique\n\tfields: dsr_package_labels must be unique"},
		"defined":          {exists, "An Access Manual Webhook already exists for ConnectionConfig 'crm'."},
		"not defined":      {noForm, "No access manual webhook exists for connection config with key 'nope'"},
		"files' key":       {taken, `dsr: form "attachments": packages keep files or comments under that key; choose another`},
		"comments' key":    {taken2, `dsr: form "comments": packages keep files or comments under that key; choose another`},
		"disable none":     {forms.Disable(ctx, "nope", true), "No access manual webhook exists for connection config with key 'nope'"},
		"delete none":      {forms.Delete(ctx, "nope"), "No access manual webhook exists for connection config with key 'nope'"},
		"upload to none":   {upload("r1", "nope", graph.Access, `{}`), "No access manual webhook exists for connection config with key 'nope'"},
		"upload, status":   {upload("r2", "crm", graph.Access, `{}`), "Invalid manual webhook access upload request: privacy request 'r2' status = canceled."},
		"erasure, status":  {upload("r2", "crm", graph.Erasure, `{}`), "Invalid manual webhook erasure upload request: privacy request 'r2' status = canceled."},
		"upload, body":     {upload("r2", "crm", graph.Access, `[`), "Invalid manual webhook access upload request: privacy request 'r2' status = canceled."},
		"no JSON":          {upload("r1", "crm", graph.Access, `[`), "manual: JSON decode error"},
		"no object":        {upload("r1", "crm", graph.Access, `[]`), "manual: Input should be a valid dictionary"},
		"unknown field":    {upload("r1", "crm", graph.Access, `{"bad_field":"x"}`), "manual: Extra inputs are not permitted"},
		"number":           {upload("r1", "crm", graph.Access, `{"height":180}`), "manual: height: Input should be a valid string"},
		"no bool":          {upload("r3", "crm", graph.Erasure, `{"height":"yes"}`), "manual: height: Input should be a valid boolean"},
		"not for erasure":  {upload("r3", "hr", graph.Erasure, `{}`), `manual: the form "hr" is not filled in for "erasure": add the action to its enabled_actions, or upload for another`},
		"view, erasure":    {view("r3", "hr", graph.Erasure), `manual: the form "hr" is not filled in for "erasure": add the action to its enabled_actions, or upload for another`},
		"view of none":     {view("r1", "nope", graph.Access), "No access manual webhook exists for connection config with key 'nope'"},
		"view, status":     {view("r2", "crm", graph.Access), "Invalid manual webhook access upload request: privacy request 'r2' status = canceled."},
		"resume, status":   {resume("r2"), "Cannot resume privacy request from 'requires_input': privacy request 'r2' status = canceled."},
		"resume, no data":  {resume("r3"), "Cannot resume privacy request. No data cached for privacy_request_id 'r3' for connection config 'crm'"},
		"resume, all":      {resume("r1"), "Cannot resume privacy request. No data cached for privacy_request_id 'r1' for connection config 'crm'\nCannot resume privacy request. No data cached for privacy_request_id 'r1' for connection config 'hr'"},
		"resume, unset":    {resume("r4"), "Cannot resume privacy request. Fields unset for privacy_request_id 'r4' for connection config 'crm'\nCannot resume privacy request. No data cached for privacy_request_id 'r4' for connection config 'hr'"},
		"upload, deleted":  {upload("r5", "crm", graph.Access, `{}`), "dsr: the request was deleted: request r5"},
		"deleted, no form": {upload("r5", "nope", graph.Access, `{}`), "dsr: the request was deleted: request r5"},
		"view, deleted":    {view("r5", "crm", graph.Access), "dsr: the request was deleted: request r5"},
		"resume, deleted":  {resume("r5"), "dsr: the request was deleted: request r5"},
		"upload, unknown":  {upload("r9", "crm", graph.Access, `{}`), "memory: request \"r9\": dsr: not found"},
		"view, unknown":    {view("r9", "crm", graph.Access), "memory: request \"r9\": dsr: not found"},
		"resume, unknown":  {resume("r9"), "memory: request \"r9\": dsr: not found"},
		"long actor":       {long, "dsr: request r1: the actor's name has more than 1000 bytes"},
	} {
		require.EqualError(t, c.err, c.want, name)
	}
	require.Equal(t, commits, o.commits.Load(), "a refusal changes nothing")
	require.Equal(t, defined, forms.List())
	var missing *manual.MissingError
	require.ErrorAs(t, resume("r4"), &missing)
	require.Equal(t, []string{"shoe_size"}, missing.Unset)
	var faults *manual.FaultError
	require.ErrorAs(t, upload("r1", "crm", graph.Access, `{"bad_field":"x","height":1}`), &faults)
	require.Equal(t, []manual.Fault{
		{Type: "extra_forbidden", Loc: []any{"bad_field"}, Message: "Extra inputs are not permitted"},
		{Type: "string_type", Loc: []any{"height"}, Message: "Input should be a valid string"},
	}, faults.Faults)
}
