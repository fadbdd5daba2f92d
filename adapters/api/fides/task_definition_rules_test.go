package fides_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
)

// definedShown is how the task is shown.
func definedShown(users, conditions, title, instructions string) string {
	return `{"id":"paper","parent_entity_id":"paper","parent_entity_type":"connection_config","status":"pending","created_at":"2026-03-01T12:00:00.000000Z",` +
		`"updated_at":"2026-03-01T12:00:00.000000Z","assigned_users":[` + users + `],"dependency_conditions":[` + conditions + `],"title":"` + title + `","instructions":"` + instructions + `"}`
}

func definedUser(id string) string {
	return `{"id":"` + id + `","email_address":null,"first_name":null,"last_name":null}`
}

func TestATaskSaysWhoIsAskedAndWhen(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.wants(t, 404, detail("No manual task found for connection config with key 'paper'"), "GET", definedTask, nil)
	c.wants(t, ok, `[]`, "GET", "/plus/connection/paper/manual-fields", nil)
	c.wants(t, 201, definedShown("", "", "Look into the archive", "By name."), "POST", definedTask, `{"title":"Look into the archive","instructions":"By name."}`)
	c.wants(t, 400, detail("A manual task already exists for connection config with key 'paper'."), "POST", definedTask, nil)
	c.wants(t, ok, definedShown("", "", "Paper archive", ""), "PUT", definedTask, `{}`)
	c.wants(t, ok, definedShown("", "", "Look into the archive", "By name."), "PUT", definedTask, `{"title":"Look into the archive","instructions":"By name."}`)
	c.does(t, "POST", definedField, definedNote)

	two := definedUser("ann") + "," + definedUser("archivists")
	c.wants(t, ok, definedShown(two, "", "Look into the archive", "By name."), "PUT", definedTask+"/assign-users", `["ann","archivists"]`)
	c.wants(t, ok, definedShown(definedUser("bob"), "", "Look into the archive", "By name."), "PUT", definedTask+"/assign-users", `{"task_users":["bob"],"field_users":{"what_the_file_says":[]}}`)
	large := `{"field_address":"postgres_example:customer:id","operator":"gt","value":9007199254740993}`
	us := `{"field_address":"privacy_request.location","operator":"eq","value":"US"}`
	both := `{"logical_operator":"and","conditions":[` + large + `,` + us + `]}`
	for _, body := range []string{`[` + large + `,` + us + `]`, `[` + both + `]`, both, `{"task_conditions":` + both + `,"field_conditions":{}}`, `{"task_conditions":[` + both + `]}`} {
		c.wants(t, ok, definedShown(definedUser("bob"), both, "Look into the archive", "By name."), "PUT", definedTask+"/dependency-conditions", body)
		c.restart(t)
		c.wants(t, ok, definedShown(definedUser("bob"), both, "Look into the archive", "By name."), "GET", definedTask, nil)
	}
	for _, body := range []string{`[]`, `{"task_conditions":null}`, `{"task_conditions":[],"field_conditions":[]}`} {
		c.does(t, "PUT", definedTask+"/dependency-conditions", large)
		c.wants(t, ok, definedShown(definedUser("bob"), "", "Look into the archive", "By name."), "PUT", definedTask+"/dependency-conditions", body)
	}
	c.wants(t, ok, definedShown("", "", "Look into the archive", "By name."), "PUT", definedTask+"/assign-users", `[]`)

	// What is asked of people with the condition met, and not.
	c.does(t, "PUT", definedTask+"/assign-users", `["ann"]`)
	c.does(t, "PUT", definedTask+"/dependency-conditions", `[{"field_address":"postgres_example:customer:id","operator":"lt","value":1000}]`)
	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "access").Status)
	page := c.does(t, "GET", "/plus/manual-fields?assigned_user_id=ann", nil)
	require.Contains(t, page, `"inputs":[{"field":"identity","from":[],"values":["customer-3@example.com"]},{"field":"postgres_example_customer_id","from":["postgres_example:customer:id"],"values":[1]}]`)
	c.does(t, "PUT", definedTask+"/dependency-conditions", `[{"field_address":"postgres_example:customer:id","operator":"gt","value":1000}]`)
	req := c.process(t, "access")
	require.Equal(t, dsr.StatusComplete, req.Status)
	for _, col := range req.Collections {
		if col.Address.Dataset == "paper" {
			require.Equal(t, "not needed, since this does not hold: postgres_example:customer:id gt", col.Message)
		}
	}
	require.Len(t, req.Collections, 2)
}

// Who is in no database is asked about all the same: conditions decide, not
// what was found.
func TestPeopleAreAskedAboutSomebodyWhomNoDatabaseKnows(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.does(t, "POST", definedField, definedNote)
	c.does(t, "PUT", definedTask+"/dependency-conditions", `[{"field_address":"postgres_example:customer:id","operator":"not_exists"}]`)
	for _, ids := range []dsr.Identities{{"email": {"nobody@example.com"}}, {"file_number": {"7"}}} {
		req, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: ids})
		require.NoError(t, err)
		require.Equal(t, dsr.StatusRequiresInput, c.advance(t, req.ID).Status)
	}
}

func TestPeopleErase(t *testing.T) {
	t.Parallel()
	c, folder := definedDesk(t)
	c.does(t, "POST", definedField, definedNote)
	c.does(t, "POST", definedField, definedGone)
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Policies["both"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "both"}, Rules: []graph.Rule{
			{Key: "copy", Action: graph.Access, Targets: []graph.Category{"user"}},
			{Key: "forget", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
			{Key: "rest", Action: graph.Erasure, Targets: []graph.Category{"user.device"}, Masking: &graph.Masking{Strategy: "hash"}},
		}, AllowEmptyTargets: true}
		return nil
	})
	require.NoError(t, err)
	c.does(t, "PUT", definedField+"/gone", `{"label":"Gone","field_type":"checkbox","request_type":"erasure","data_categories":["user.name","user.device"]}`)
	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "both").Status)
	c.definedAnswer(t, "access", "what_the_file_says", "a letter")
	require.Equal(t, dsr.StatusRequiresInput, c.advance(t, "pri_1").Status)
	require.Contains(t, c.does(t, "GET", "/plus/manual-fields", nil), `"name":"Gone","description":null,"input_type":"checkbox","request_type":"erasure","status":"new"`)
	// What is told of a connection that people are asked at, once there is no way back.
	a := c.send(t, c.token, "PATCH", "/privacy-request/administrate/cancel", `["pri_1"]`)
	require.Contains(t, a.Body, `"message":"Cannot cancel privacy request in requires_input status: its erasure has begun and must be finished"`)
	c.wants(t, 422, detail("Cannot resubmit privacy request 'pri_1': status is requires_input, and its erasure has begun and must be finished."), "POST", "/privacy-request/pri_1/resubmit", nil)
	c.does(t, "PATCH", "/connection", `[{"name":"Paper archive","key":"paper","connection_type":"manual_task","access":"write","disabled":true}]`)
	a = c.send(t, c.token, "DELETE", "/connection/paper", nil)
	require.Equal(t, http.StatusConflict, a.Status)
	require.Contains(t, a.Body, "cancel the requests, which cannot be done once their erasure has begun. Disabled, it is asked for no new requests, and can be deleted when these have gone on.")
	c.definedAnswer(t, "erasure", "gone", "true")
	req := c.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.JSONEq(t, `{"postgres_example:customer":[{"id":1,"email":"customer-3@example.com","name":"Jane Customer"}],"paper:manual_data":[{"what_the_file_says":"a letter"}]}`,
		packageOf(t, folder, req), "what was confirmed is no part of the copy, and was not asked for it")
}

// A request keeps the task that it was planned with; so does one whose task lost
// its last field.
func TestARequestKeepsItsTask(t *testing.T) {
	t.Parallel()
	c, folder := definedDesk(t)
	c.does(t, "POST", definedField, definedNote)
	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "access").Status)
	c.wants(t, 204, ``, "DELETE", definedField+"/what_the_file_says", nil)
	c.wants(t, 404, detail("No manual field found with id 'what_the_file_says'."), "GET", definedField+"/what_the_file_says", nil)
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: paper.","test_status":"failed","failure_reason":"No fields are defined for it."}`, "GET", "/connection/paper/test", nil)
	c.wants(t, ok, pages("", 0, 50), "GET", "/connection/paper/dataset", nil)
	c.restart(t)
	require.Equal(t, dsr.StatusComplete, c.process(t, "access").Status, "nobody is asked any more")
	const busy = "Connection 'paper' cannot be deleted, since people are asked there for these requests: pri_1. " +
		"Have them answered or skipped first, or cancel the requests, which cannot be done once their erasure has begun. Disabled, it is asked for no new requests, and can be deleted when these have gone on."
	c.wants(t, 409, detail(busy), "DELETE", "/connection/paper", nil)
	c.definedAnswer(t, "access", "what_the_file_says", "a letter")
	req := c.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, packageOf(t, folder, req), `"what_the_file_says":"a letter"`)
	c.wants(t, 204, ``, "DELETE", "/connection/paper", nil)
	c.wants(t, 404, detail("No connection config with key 'paper'"), "GET", definedTask, nil)
}

func TestTheDatasetOfATaskFollowsFromIt(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.does(t, "POST", definedField, `{"key":"identity","label":"Its number","field_type":"attachment","request_type":"access","data_categories":["user.name","user.contact"]}`)
	c.does(t, "PUT", definedTask+"/dependency-conditions", `[{"field_address":"postgres_example:customer:id","operator":"exists"}]`)
	dataset := `{"collections":[{"fields":[{"description":"Whoever the request is about.","fides_meta":{"identity":"*"},"name":"identity_"},` +
		`{"fides_meta":{"references":[{"dataset":"postgres_example","direction":"from","field":"customer.id"}]},"name":"postgres_example_customer_id"},` +
		`{"data_categories":["user.contact","user.name"],"description":"Its number","fides_meta":{"masking_strategy_override":{"strategy":"null_rewrite"}},"name":"identity"}],"name":"manual_data"}],` +
		`"description":"What people answer. It follows from the manual task of the connection.","fides_key":"paper","name":"Paper archive"}`
	c.wants(t, ok, pages(dataset, 1, 50), "GET", "/connection/paper/dataset", nil)
	c.wants(t, ok, `{"reachable":true,"details":null}`, "GET", "/connection/paper/dataset/paper/reachability", nil)
	c.wants(t, ok, `{"*":null,"postgres_example.customer.id":null}`, "GET", "/connection/paper/dataset/paper/inputs", nil)

	const why = "The dataset of connection 'paper' follows from its manual task: change that at /plus/connection/paper/manual-field."
	for _, key := range []string{"paper", "other"} {
		a := c.send(t, c.token, "PATCH", "/connection/paper/dataset", `[{"fides_key":"`+key+`","collections":[]}]`)
		require.Equal(t, `{"succeeded":[],"failed":[{"message":"`+why+`","data":{"fides_key":"`+key+`","collections":[]}}],"warnings":[]}`, strings.ReplaceAll(a.Body, `"collections":[],"fides_key":"`+key+`"`, `"fides_key":"`+key+`","collections":[]`))
	}
	c.wants(t, 409, detail(why), "DELETE", "/connection/paper/dataset/paper", nil)
	c.wants(t, 409, detail(why), "PUT", "/connection/paper/datasetconfig", `[]`)
	c.wants(t, 409, detail(why), "PATCH", "/connection/paper/datasetconfig", `[{"fides_key":"paper","ctl_dataset_fides_key":"paper"}]`)
	c.does(t, "PATCH", "/connection", `[{"key":"shelf","connection_type":"manual_task","access":"write"}]`)
	c.connect(t, "plain", "https")
	a := c.send(t, c.token, "PATCH", "/connection/plain/datasetconfig", `[{"fides_key":"paper","ctl_dataset_fides_key":"paper"}]`)
	require.Contains(t, a.Body, why)
	c.wants(t, ok, pages(dataset, 1, 50), "GET", "/connection/paper/dataset", nil)
}

func TestWhatATaskDoesNotTakeIsToldAtOnce(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.connect(t, "other", "https")
	c.does(t, "PATCH", "/connection", `[{"key":"postgres_example","connection_type":"manual_task","access":"write"}]`)
	c.does(t, "POST", definedField, definedFound)
	const kind = `{"type":"value_error","loc":["body","request_type"],"msg":"Value error, preferences are not carried out here, so nobody would be asked; it must be access or erasure"}`
	const looks = `{"type":"value_error","loc":["body"],"msg":"Value error, a condition looks at dataset:collection:field, or at a field of the request, such as privacy_request.location"}`
	const nowhere = `{"type":"value_error","loc":["body"],"msg":"Value error, a condition looks at a field that no other dataset has"}`
	leaf := func(address string) string { return `[{"field_address":"` + address + `","operator":"exists"}]` }
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		detail             string
	}{
		"no connection":      {"POST", "/plus/connection/nix/manual-field", definedNote, 404, `"No connection config with key 'nix'"`},
		"the host's":         {"POST", "/plus/connection/db/manual-field", definedNote, 409, `"It comes from the host's configuration and cannot be changed here."`},
		"no type of people":  {"GET", "/plus/connection/other/manual-task", "", 400, `"Connection 'other' is of type 'https', whose connections have no manual task."`},
		"a dataset's name":   {"POST", "/plus/connection/postgres_example/manual-field", definedNote, 409, `"There is another dataset 'postgres_example', of connection 'db', which has the name of that of the manual task."`},
		"a field again":      {"POST", definedField, definedFound, 400, `"A manual field with key 'found' already exists for connection config with key 'paper'."`},
		"no field":           {"PUT", definedField + "/nix", `{"label":"a","field_type":"text","request_type":"access"}`, 404, `"No manual field found with id 'nix'."`},
		"preferences":        {"POST", definedField, `{"label":"a","field_type":"text","request_type":"consent"}`, 422, `[` + kind + `]`},
		"later preferences":  {"PUT", definedField + "/found", `{"label":"a","field_type":"text","request_type":"consent"}`, 422, `[` + kind + `]`},
		"no category":        {"POST", definedField, `{"label":"a","field_type":"text","request_type":"access","data_categories":["user.nix"]}`, 422, `"Invalid data categories: ['user.nix']"`},
		"no key":             {"POST", definedField, `{"label":"文書","field_type":"text","request_type":"access"}`, 422, `[{"type":"value_error","loc":["body","key"],"msg":"Value error, the label makes no key: give one"}]`},
		"a bad key":          {"POST", definedField, `{"key":"a.b","label":"a","field_type":"text","request_type":"access"}`, 422, `[{"type":"value_error","loc":["body","key"],"msg":"Value error, a key has 1 to 200 letters, digits, '_' and '-', and begins with a letter or digit"}]`},
		"users of a field":   {"PUT", definedTask + "/assign-users", `{"task_users":[],"field_users":{"found":["ann"]}}`, 422, `[{"type":"value_error","loc":["body","field_users"],"msg":"Value error, a task is assigned as a whole: name its users in task_users"}]`},
		"a user twice":       {"PUT", definedTask + "/assign-users", `["ann","ann"]`, 422, `"connection paper: manualtask: collection \"manual_data\": assignee 2 is named before: remove it"`},
		"field conditions":   {"PUT", definedTask + "/dependency-conditions", `{"task_conditions":[],"field_conditions":{"found":` + leaf("privacy_request.location") + `}}`, 422, `[{"type":"value_error","loc":["body","field_conditions"],"msg":"Value error, conditions hold for a task as a whole: give them in task_conditions"}]`},
		"an unknown address": {"PUT", definedTask + "/dependency-conditions", leaf("asdas.asdas123"), 422, `[` + looks + `]`},
		"no dataset":         {"PUT", definedTask + "/dependency-conditions", leaf("nix:customer:id"), 422, `[` + nowhere + `]`},
		"no field of it":     {"PUT", definedTask + "/dependency-conditions", leaf("postgres_example:customer:nix"), 422, `[` + nowhere + `]`},
		"its own":            {"PUT", definedTask + "/dependency-conditions", leaf("paper:manual_data:found"), 422, `[` + nowhere + `]`},
		"a custom field":     {"PUT", definedTask + "/dependency-conditions", leaf("privacy_request.custom_privacy_request_fields.department"), 422, `"connection paper: manualtask: collection \"manual_data\": When looks at \"privacy_request.custom_privacy_request_fields.department\", which is no field of a request"`},
		"no operator":        {"PUT", definedTask + "/dependency-conditions", `[{"field_address":"privacy_request.location"},{"logical_operator":"and","conditions":[]}]`, 422, `[{"type":"enum","loc":["body",0,"operator"],"msg":"Input should be one of [eq neq lt lte gt gte exists not_exists list_contains not_in_list list_intersects list_disjoint list_subset list_superset starts_with ends_with contains]"},{"type":"value_error","loc":["body",1,"conditions"],"msg":"Value error, conditions list cannot be empty"}]`},
		"an unknown key":     {"PUT", definedTask + "/dependency-conditions", `{"task_conditions":{"field":"x"}}`, 422, `[{"type":"extra_forbidden","loc":["body","task_conditions","field"],"msg":"Extra inputs are not permitted"}]`},
	} {
		var body any
		if test.body != "" {
			body = test.body
		}
		a := c.send(t, c.token, test.method, "/api/v1"+test.path, body)
		require.Equal(t, `{"detail":`+test.detail+`}`, a.Body, name)
		require.Equal(t, test.status, a.Status, name)
	}
	c.wants(t, ok, "["+definedFoundShown+"]", "GET", "/plus/connection/paper/manual-fields", nil)
}

// What the host's code defined in another way stays as it is.
func TestATaskOfTheHostsCodeIsLeftAlone(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["paper"].Options = []byte(`{"collections":{"archive":{"fields":[{"key":"note"}]}}}`)
		return nil
	})
	require.NoError(t, err)
	const why = "The manual task of connection 'paper' was defined in another way, by the host's code: change it there."
	c.wants(t, 409, detail(why), "POST", definedField, definedNote)
	c.wants(t, 409, detail(why), "GET", definedTask, nil)
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: paper.","test_status":"succeeded","failure_reason":null}`, "GET", "/connection/paper/test", nil)
	c.wants(t, ok, `{"msg":"Secrets updated for ConnectionConfig with key: paper.","test_status":"succeeded","failure_reason":null}`, "PUT", "/connection/paper/secret", `{}`)
}

func TestTaskTypes(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	require.Contains(t, c.does(t, "GET", "/connection_type?system_type=manual", nil), `"identifier":"manual_task","type":"manual","human_readable":"Manual task"`)
	require.Contains(t, c.does(t, "GET", "/connection?system_type=manual", nil), `"key":"paper"`)
	k, _ := office(t, func(k *desk) {
		k.config.ConnectionTypes["archive"] = manualtask.ConnectionType()
		k.options.TaskTypes = []string{"archive"}
	})
	k.connect(t, "drawer", "archive")
	k.send(t, k.token(t), "POST", "/plus/connection/drawer/manual-field", definedFound).want(t, http.StatusCreated, definedFoundShown)
}
