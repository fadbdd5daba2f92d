package fides_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/manual"
)

// guideForm is the form of the guide to manual requests.
const guideForm = `{
    "fields": [
        {"pii_field": "First Name", "dsr_package_label": "first_name"},
        {"pii_field": "Last Name", "dsr_package_label": "last_name"},
        {"pii_field": "Phone Number", "dsr_package_label": null},
        {"pii_field": "Height", "dsr_package_label": "height"}
    ]
}`

// untested is the rest of a connection that has neither secrets nor a test.
const untested = `"last_test_timestamp":null,"last_test_succeeded":null,"authorized":false,"enabled_actions":null,"secrets":null,"saas_config":null,"linked_systems":[]`

// shownForm is how that form is shown.
func shownForm(key, kind string) string {
	field := func(name, label string) string {
		return `{"pii_field":"` + name + `","dsr_package_label":"` + label + `","data_categories":null,"types":["string"]}`
	}
	return `{"fields":[` + strings.Join([]string{
		field("First Name", "first_name"), field("Last Name", "last_name"), field("Phone Number", "phone_number"), field("Height", "height"),
	}, ",") + `],"id":"` + key + `","connection_config":{"name":"Manual ` + key + `","key":"` + key + `","description":null,"connection_type":"` + kind +
		`","access":"read","created_at":"2026-03-01T12:00:00.000000Z","updated_at":"2026-03-01T12:00:00.000000Z","disabled":false,` + untested + `}}`
}

func TestTheGuideOfManualRequestsWorksAsPrinted(t *testing.T) {
	t.Parallel()
	k, folder := office(t, nil)
	token := k.token(t)
	a := k.send(t, token, "POST", "/api/v1/connection", `[
    {"name": "Manual privacy request ConnectionConfig",
    "key": "manual_request_key",
    "connection_type": "manual_request",
    "access": "read"
    }
]`)
	a.is(t, http.StatusOK)
	require.Contains(t, a.Body, `"failed":[]`)
	k.restart(t)
	k.send(t, token, "PATCH", "/api/v1/connection/manual_request_key/access_manual_request", guideForm).want(t, http.StatusOK,
		strings.Replace(shownForm("manual_request_key", "manual_request"), "Manual manual_request_key", "Manual privacy request ConnectionConfig", 1))
	k.restart(t)

	a = k.send(t, token, "POST", "/api/v1/privacy-request", `[{"policy_key":"access","identities":[{"email":"customer-3@example.com"}]}]`)
	require.Equal(t, http.StatusOK, a.Status)
	require.Equal(t, dsr.StatusRequiresInput, k.advance(t, "pri_1").Status)
	require.Contains(t, k.send(t, token, "GET", "/privacy-request/pri_1", nil).Body, `"resume_endpoint":"/privacy-request/pri_1/resume_from_requires_input"`)
	k.send(t, token, "PATCH", "/privacy-request/pri_1/access_manual_request/manual_request_key", `{
    "first_name": "Jane",
    "last_name": "Customer"
}`).want(t, http.StatusOK, "null")
	a = k.send(t, token, "POST", "/privacy-request/pri_1/resume_from_requires_input", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"id":"pri_1"`)
	require.Contains(t, a.Body, `"status":"in_processing"`)
	require.NotContains(t, a.Body, `"submitted_by":null`)

	req := k.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
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
}`, packageOf(t, folder, req))
}

func TestAFormIsMadeShownListedReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"access_manual_webhook", "access_manual_request"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := office(t, nil)
			k.connect(t, "paper", "manual_webhook")
			k.connect(t, "hook", "https")
			token, at := k.token(t), "/api/v1/connection/paper/"+name
			noForm := `{"detail":"No access manual webhook exists for connection config with key 'paper'"}`
			k.send(t, token, "GET", at, nil).want(t, http.StatusNotFound, noForm)
			k.send(t, token, "DELETE", at, nil).want(t, http.StatusNotFound, noForm)
			k.send(t, token, "GET", "/"+name, nil).want(t, http.StatusOK, `[]`)

			k.send(t, token, "POST", at, guideForm).want(t, http.StatusCreated, shownForm("paper", "manual_webhook"))
			k.send(t, token, "POST", at, guideForm).want(t, http.StatusBadRequest, `{"detail":"An Access Manual Webhook already exists for ConnectionConfig 'paper'."}`)
			k.send(t, token, "GET", "/"+name, nil).want(t, http.StatusOK, "["+shownForm("paper", "manual_webhook")+"]")
			k.restart(t)
			k.send(t, token, "GET", at, nil).want(t, http.StatusOK, shownForm("paper", "manual_webhook"))
			require.Equal(t, dsr.StatusRequiresInput, k.process(t, "access").Status)

			a := k.send(t, token, "PATCH", at, `{"fields":[{"pii_field":" Scan ","types":["file","string"],"data_categories":["user.name"]}]}`)
			require.Equal(t, http.StatusOK, a.Status)
			require.Contains(t, a.Body, `{"fields":[{"pii_field":"Scan","dsr_package_label":"scan","data_categories":["user.name"],"types":["string","file"]}],"id":"paper"`)
			k.send(t, token, "DELETE", at, nil).want(t, http.StatusNoContent, "")
			k.restart(t)
			k.send(t, token, "GET", at, nil).want(t, http.StatusNotFound, noForm)
			require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status, "what waited for the form goes on")

			for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
				body := guideForm
				if method == "GET" || method == "DELETE" {
					body = ""
				}
				k.send(t, token, method, "/connection/nix/"+name, body).want(t, http.StatusNotFound, `{"detail":"No connection config with key 'nix'"}`)
			}
			for _, method := range []string{"POST", "PATCH"} {
				for _, key := range []string{"hook", "db"} {
					k.send(t, token, method, "/connection/"+key+"/"+name, guideForm).
						want(t, http.StatusBadRequest, `{"detail":"You can only create manual webhooks for ConnectionConfigs of type 'manual_webhook'."}`)
				}
			}
			k.send(t, token, "GET", at+"?x=1", nil).want(t, http.StatusUnprocessableEntity, `{"detail":[{"type":"extra_forbidden","loc":["query","x"],"msg":"Extra inputs are not permitted"}]}`)
		})
	}
}

func TestWhichConnectionsPeopleAnswerTheHostSays(t *testing.T) {
	t.Parallel()
	k, _ := office(t, func(k *desk) { k.options.ManualTypes = []string{"https"} })
	k.connect(t, "paper", "manual_webhook")
	k.connect(t, "tool", "https")
	token := k.token(t)
	require.Equal(t, http.StatusBadRequest, k.send(t, token, "POST", "/connection/paper/access_manual_webhook", guideForm).Status)
	require.Equal(t, http.StatusCreated, k.send(t, token, "POST", "/connection/tool/access_manual_webhook", guideForm).Status)
}

func TestAFormOfTheHostNeedsNoConnection(t *testing.T) {
	t.Parallel()
	k, _ := office(t, func(k *desk) {
		k.config.Forms = []manual.Form{{Key: "cellar", Name: "Cellar", Fields: []manual.Field{{PIIField: "Found"}}}}
	})
	token := k.token(t)
	shown := `{"fields":[{"pii_field":"Found","dsr_package_label":"found","data_categories":null,"types":["string"]}],"id":"cellar","connection_config":` +
		`{"name":"Cellar","key":"cellar","description":null,"connection_type":"manual_webhook","access":"write","created_at":null,"updated_at":null,"disabled":false,` + untested + `}}`
	k.send(t, token, "GET", "/connection/cellar/access_manual_webhook", nil).want(t, http.StatusOK, shown)
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, "access").Status)
	k.send(t, token, "PATCH", "/privacy-request/pri_1/access_manual_webhook/cellar", `{}`).want(t, http.StatusOK, "null")
}

func TestAFormTakesActionsAndRestOfItsConnection(t *testing.T) {
	t.Parallel()
	k, _ := office(t, nil)
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["paper"] = &dsr.ConnectionDefinition{
			Defined: dsr.Defined{Key: "paper", Extra: []byte(`{"enabled_actions":["erasure"]}`)}, Type: "manual_webhook", Disabled: true,
		}
		return nil
	})
	require.NoError(t, err)
	token := k.token(t)
	require.Equal(t, http.StatusCreated, k.send(t, token, "POST", "/connection/paper/access_manual_webhook", guideForm).Status)
	k.send(t, token, "GET", "/access_manual_webhook", nil).want(t, http.StatusOK, `[]`)
	form, err := k.engine.Forms().Get("paper")
	require.NoError(t, err)
	require.True(t, form.Disabled)
	require.Equal(t, []manual.Action{manual.Erasure}, form.Actions)
	require.NoError(t, k.engine.Forms().Disable(t.Context(), "paper", false))
	require.Equal(t, dsr.StatusComplete, k.process(t, "access").Status)
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, "erase").Status)
	k.send(t, token, "PATCH", "/privacy-request/pri_2/access_manual_webhook/paper", `{}`).
		want(t, http.StatusBadRequest, `{"detail":"The manual webhook of connection config 'paper' is not for access requests."}`)
}

func TestAFormThatDoesNotValidateIs422(t *testing.T) {
	t.Parallel()
	k, _ := office(t, nil)
	k.connect(t, "paper", "manual_webhook")
	token := k.token(t)
	long := strings.Repeat("x", 201)
	for name, c := range map[string]struct{ body, detail string }{
		"nothing":     {``, `{"type":"missing","loc":["body"],"msg":"Field required"}`},
		"no fields":   {`{}`, `{"type":"missing","loc":["body","fields"],"msg":"Field required"}`},
		"an empty":    {`{"fields":[]}`, `{"type":"too_short","loc":["body","fields"],"msg":"List should have at least 1 item after validation, not 0"}`},
		"null":        {`{"fields":null}`, `{"type":"list_type","loc":["body","fields"],"msg":"Input should be a valid list"}`},
		"same fields": {`{"fields":[{"pii_field":"a","dsr_package_label":"b"},{"pii_field":"a"}]}`, `{"type":"value_error","loc":["body"],"msg":"Value error, pii_fields must be unique"}`},
		"same labels": {`{"fields":[{"pii_field":"a"},{"pii_field":"b","dsr_package_label":"a"}]}`, `{"type":"value_error","loc":["body"],"msg":"Value error, dsr_package_labels must be unique"}`},
		"lengths": {
			`{"fields":[{"pii_field":" "},{"pii_field":"` + long + `"},{"pii_field":"a","dsr_package_label":"` + long + `"}]}`,
			`{"type":"string_too_short","loc":["body","fields",0,"pii_field"],"msg":"String should have at least 1 character"},` +
				`{"type":"string_too_long","loc":["body","fields",1,"pii_field"],"msg":"String should have at most 200 characters"},` +
				`{"type":"string_too_long","loc":["body","fields",2,"dsr_package_label"],"msg":"String should have at most 200 characters"}`,
		},
		"a type":  {`{"fields":[{"pii_field":"a","types":["bool"]}]}`, `{"type":"literal_error","loc":["body","fields",0,"types",0],"msg":"Input should be 'string' or 'file'"}`},
		"unknown": {`{"fields":[{"pii_field":"a","x":1}],"y":2}`, `{"type":"extra_forbidden","loc":["body","fields",0,"x"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","y"],"msg":"Extra inputs are not permitted"}`},
	} {
		for _, method := range []string{"POST", "PATCH"} {
			a := k.send(t, token, method, "/connection/paper/access_manual_webhook", c.body)
			require.Equal(t, `{"detail":[`+c.detail+`]}`, a.Body, name)
			require.Equal(t, http.StatusUnprocessableEntity, a.Status, name)
		}
	}
	require.Empty(t, k.engine.Forms().List())
}

func TestAKeyThatPackagesNeedForThemselvesIsRefused(t *testing.T) {
	t.Parallel()
	k, _ := office(t, nil)
	k.connect(t, "attachments", "manual_webhook")
	a := k.send(t, k.token(t), "POST", "/connection/attachments/access_manual_webhook", guideForm)
	a.is(t, http.StatusBadRequest)
	require.Contains(t, a.Body, "packages keep files or comments under that key; choose another")
	require.Empty(t, k.engine.Forms().List())
}

func TestAFormThatAnotherProcessMadeTakesUploadsAtOnce(t *testing.T) {
	t.Parallel()
	k, _ := office(t, nil)
	engine, err := dsr.New(k.config)
	require.NoError(t, err)
	door, err := fides.New(engine, &k.options)
	require.NoError(t, err)
	other := &desk{engine: engine, door: door}
	token := k.token(t)
	k.connect(t, "paper", "manual_webhook")
	k.send(t, token, "POST", "/connection/paper/access_manual_webhook", guideForm).is(t, http.StatusCreated)
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, "access").Status)
	other.send(t, token, "PATCH", accessForm, `{"first_name":"Jane"}`).want(t, http.StatusOK, "null")

	k.send(t, token, "PATCH", "/connection/paper/access_manual_webhook", `{"fields":[{"pii_field":"Notes"}]}`).is(t, http.StatusOK)
	other.send(t, token, "GET", accessForm, nil).want(t, http.StatusOK, `{"checked":false,"fields":{"notes":null}}`)
	other.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request. Fields unset for privacy_request_id 'pri_1' for connection config 'paper'"}`)
}
