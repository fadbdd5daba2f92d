package fides_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// waiting is a desk with the form of the guide, and a request that waits for it.
func waiting(t *testing.T, policy string) (k *desk, token, folder string) {
	t.Helper()
	return waitingFor(t, policy, guideForm)
}

// waitingFor is a desk with a request that waits for a form.
func waitingFor(t *testing.T, policy, form string) (k *desk, token, folder string) {
	t.Helper()
	k, folder = office(t, func(k *desk) {
		k.config.Policies = append(k.config.Policies, graph.Policy{Key: "both", Rules: []graph.Rule{
			{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}},
			{Key: "name", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
		}})
	})
	k.connect(t, "paper", "manual_webhook")
	token = k.token(t)
	require.Equal(t, http.StatusCreated, k.send(t, token, "POST", "/connection/paper/access_manual_webhook", form).Status)
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, policy).Status)
	return k, token, folder
}

const (
	accessForm  = "/privacy-request/pri_1/access_manual_webhook/paper"
	erasureForm = "/privacy-request/pri_1/erasure_manual_webhook/paper"
	resumeForms = "/privacy-request/pri_1/resume_from_requires_input"
	nothingYet  = `{"checked":false,"fields":{"first_name":null,"last_name":null,"phone_number":null,"height":null}}`
)

func TestWhatDoesNotFitTheFormIsToldAtOnce(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "both")
	for name, c := range map[string]struct{ at, body, detail string }{
		"a number": {accessForm, `{"height":180,"first_name":"Nia","x":1}`, `{"type":"string_type","loc":["height"],"msg":"Input should be a valid string"},{"type":"extra_forbidden","loc":["x"],"msg":"Extra inputs are not permitted"}`},
		// Fides takes these for true. What somebody says to have erased is not guessed here.
		"a yes":     {erasureForm, `{"height":"yes","first_name":1}`, `{"type":"bool_type","loc":["first_name"],"msg":"Input should be a valid boolean"},{"type":"bool_type","loc":["height"],"msg":"Input should be a valid boolean"}`},
		"a list":    {accessForm, `[]`, `{"type":"dict_type","loc":["body"],"msg":"Input should be a valid dictionary"}`},
		"no JSON":   {accessForm, `{`, `{"type":"json_invalid","loc":["body"],"msg":"JSON decode error"}`},
		"no body":   {accessForm, ``, `{"type":"missing","loc":["body"],"msg":"Field required"}`},
		"two alike": {accessForm, `{"height":"1","height":"2"}`, `{"type":"duplicate_key","loc":["body"],"msg":"A key may be given once only"}`},
	} {
		a := k.send(t, token, "PATCH", c.at, c.body)
		require.Equal(t, `{"detail":[`+c.detail+`]}`, a.Body, name)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, name)
	}
	require.NotContains(t, k.logs.String(), "Nia")
}

func TestAnUploadIsRefusedInFidesOrder(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "access")
	k.connect(t, "bare", "manual_webhook")
	refused := func(path string, status int, body string) {
		k.send(t, token, "PATCH", path, `{"bad":1}`).want(t, status, body)
		k.send(t, token, "GET", path, nil).want(t, status, body)
	}
	refused("/privacy-request/nix/access_manual_webhook/nix", http.StatusNotFound, `{"detail":"No connection config with key 'nix'"}`)
	refused("/privacy-request/nix/access_manual_webhook/bare", http.StatusNotFound, `{"detail":"No privacy request found with id 'nix'."}`)
	refused("/privacy-request/pri_1/access_manual_webhook/bare", http.StatusNotFound, `{"detail":"No access manual webhook exists for connection config with key 'bare'"}`)
	_, err := k.engine.Requests().Delete(t.Context(), "pri_1", dsr.By{})
	require.NoError(t, err)
	refused("/privacy-request/pri_1/access_manual_webhook/bare", http.StatusUnprocessableEntity, `{"detail":"Privacy request with id pri_1 has been deleted."}`)
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusUnprocessableEntity, `{"detail":"Privacy request with id pri_1 has been deleted."}`)
	k.send(t, token, "POST", "/privacy-request/nix/resume_from_requires_input", nil).want(t, http.StatusNotFound, `{"detail":"No privacy request found with id 'nix'."}`)
}

// In Fides only the access forms are looked at when such a request is resumed,
// and it stops again for those of erasure. Here all of them are, so that
// resuming means going on.
func TestAPolicyOfBothAsksForBothForms(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "both")
	k.send(t, token, "PATCH", accessForm, `{}`).want(t, http.StatusOK, "null")
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request. No data cached for privacy_request_id 'pri_1' for connection config 'paper'"}`)
	k.send(t, token, "PATCH", erasureForm, `{"first_name":true,"last_name":true,"phone_number":true,"height":true}`).want(t, http.StatusOK, "null")
	k.send(t, token, "GET", erasureForm, nil).want(t, http.StatusOK, `{"checked":true,"fields":{"first_name":true,"last_name":true,"phone_number":true,"height":true}}`)
	require.Equal(t, http.StatusOK, k.send(t, token, "POST", resumeForms, nil).Status)
	require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
}

func TestAFileFieldTakesIDsOfAttachments(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "access")
	require.Equal(t, http.StatusOK, k.send(t, token, "PATCH", "/connection/paper/access_manual_webhook", `{"fields":[{"pii_field":"Scan","types":["file"]}]}`).Status)
	k.send(t, token, "PATCH", accessForm, `{"scan":["nix"]}`).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, there is no attachment of that ID; attach the file first"}]}`)
	info := k.attached(t, token, "scan.pdf", "internal_use_only")
	k.send(t, token, "PATCH", accessForm, `{"scan":["`+info.ID+`"]}`).want(t, http.StatusOK, "null")
	k.send(t, token, "GET", accessForm, nil).want(t, http.StatusOK, `{"checked":true,"fields":{"scan":["`+info.ID+`"]}}`)
}
