package fides_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// peerFields is the form that the tests of Fides have.
const peerFields = `{"fields":[
	{"pii_field":"email","dsr_package_label":"email","data_categories":["user.contact.email"]},
	{"pii_field":"Last Name","dsr_package_label":"last_name","data_categories":["user.name"]}
]}`

// TestPeer10SupplyInvalidFields is test_supply_invalid_fields, of both actions.
func TestPeer10SupplyInvalidFields(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "both", peerFields)
	for _, at := range []string{accessForm, erasureForm} {
		k.send(t, token, "PATCH", at, `{"bad_field":"value"}`).want(t, http.StatusUnprocessableEntity,
			`{"detail":[{"type":"extra_forbidden","loc":["bad_field"],"msg":"Extra inputs are not permitted"}]}`)
		k.send(t, token, "GET", at, nil).want(t, http.StatusOK, `{"checked":false,"fields":{"email":null,"last_name":null}}`)
	}
}

// TestPeer11PatchInputsBadPrivacyRequestStatus is
// test_patch_inputs_bad_privacy_request_status, of both actions.
func TestPeer11PatchInputsBadPrivacyRequestStatus(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "both", peerFields)
	k.send(t, token, "PATCH", accessForm, `{}`).is(t, http.StatusOK)
	k.send(t, token, "PATCH", erasureForm, `{}`).is(t, http.StatusOK)
	k.send(t, token, "POST", resumeForms, nil).is(t, http.StatusOK)
	for at, body := range map[string]string{accessForm: `{"email":"customer-1@example.com","last_name":"McCustomer"}`, erasureForm: `{"email":false,"last_name":true}`} {
		action := map[string]string{accessForm: "access", erasureForm: "erasure"}[at]
		for _, c := range [][2]string{{"PATCH", body}, {"PATCH", `{"bad_field":1}`}, {"GET", ""}} {
			k.send(t, token, c[0], at, c[1]).want(t, http.StatusBadRequest,
				`{"detail":"Invalid manual webhook `+action+` upload request: privacy request 'pri_1' status = in_processing."}`)
		}
	}
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request from 'requires_input': privacy request 'pri_1' status = in_processing."}`)
}

// TestPeer12NoManualWebhookDataExists is test_no_manual_webhook_data_exists, of
// both actions.
func TestPeer12NoManualWebhookDataExists(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "both", peerFields)
	for _, at := range []string{accessForm, erasureForm, "/privacy-request/pri_1/access_manual_request/paper", "/privacy-request/pri_1/erasure_manual_request/paper"} {
		k.send(t, token, "GET", at, nil).want(t, http.StatusOK, `{"checked":false,"fields":{"email":null,"last_name":null}}`)
	}
}

// TestPeer13CachedDataMissingSavedWebhookField is
// test_cached_data_missing_saved_webhook_field, of both actions.
func TestPeer13CachedDataMissingSavedWebhookField(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "both", peerFields)
	const form = "/connection/paper/access_manual_webhook"
	read := func(checked, access, erasure string) {
		t.Helper()
		k.send(t, token, "GET", accessForm, nil).want(t, http.StatusOK, `{"checked":`+checked+`,"fields":{`+access+`}}`)
		k.send(t, token, "GET", erasureForm, nil).want(t, http.StatusOK, `{"checked":`+checked+`,"fields":{`+erasure+`}}`)
	}
	k.send(t, token, "PATCH", accessForm, `{"email":"customer-1@example.com","last_name":"McCustomer"}`).want(t, http.StatusOK, "null")
	k.send(t, token, "PATCH", erasureForm, `{"email":false,"last_name":true}`).want(t, http.StatusOK, "null")
	read("true", `"email":"customer-1@example.com","last_name":"McCustomer"`, `"email":false,"last_name":true`)

	k.send(t, token, "PATCH", form, `{"fields":[{"pii_field":"id_no","dsr_package_label":"id_number"},{"pii_field":"email"},{"pii_field":"Last Name"}]}`).is(t, http.StatusOK)
	k.restart(t)
	read("false", `"id_number":null,"email":"customer-1@example.com","last_name":"McCustomer"`, `"id_number":null,"email":false,"last_name":true`)
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request. Fields unset for privacy_request_id 'pri_1' for connection config 'paper'"}`)

	k.send(t, token, "PATCH", form, `{"fields":[{"pii_field":"Last Name"}]}`).is(t, http.StatusOK)
	read("false", `"last_name":"McCustomer"`, `"last_name":true`)
}

// TestPeer14ResumeFromRequiresInputStatusMissingCachedData is
// test_resume_from_requires_input_status_missing_cached_data.
func TestPeer14ResumeFromRequiresInputStatusMissingCachedData(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "access", peerFields)
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request. No data cached for privacy_request_id 'pri_1' for connection config 'paper'"}`)
	require.Equal(t, dsr.StatusRequiresInput, k.advance(t, "pri_1").Status)
}

// TestPeer15ResumeFromRequiresInputStatusDataEmptyButConfirmed is
// test_resume_from_requires_input_status_data_empty_but_confirmed.
func TestPeer15ResumeFromRequiresInputStatusDataEmptyButConfirmed(t *testing.T) {
	t.Parallel()
	k, token, folder := waitingFor(t, "access", peerFields)
	k.send(t, token, "PATCH", accessForm, `{}`).want(t, http.StatusOK, "null")
	a := k.send(t, token, "POST", resumeForms, nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"status":"in_processing"`)
	req := k.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.NotContains(t, packageOf(t, folder, req), "paper")
}

// TestPeer16ExceptionPartialManualInput is
// test_pass_on_partial_manually_added_input: what there is goes into the package,
// and the request is complete. In Fides a label that was left blank is null in
// the package, and every row has a system_name beside. The guide to manual
// requests prints neither, and it is that which counts here: a package holds
// what somebody entered, and there are no systems.
func TestPeer16ExceptionPartialManualInput(t *testing.T) {
	t.Parallel()
	k, token, folder := waitingFor(t, "access", peerFields)
	k.send(t, token, "PATCH", accessForm, `{"last_name":"Old"}`).want(t, http.StatusOK, "null")
	k.send(t, token, "PATCH", accessForm, `{"email":"customer-1@example.com"}`).want(t, http.StatusOK, "null") // in the place of the first
	k.send(t, token, "POST", resumeForms, nil).is(t, http.StatusOK)
	req := k.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.JSONEq(t, `{"paper":[{"email":"customer-1@example.com"}],"postgres_example:customer":[{"email":"customer-3@example.com","id":1,"name":"Jane Customer"}]}`,
		packageOf(t, folder, req))
}

// TestPeer17ManualInputRequiredForErasureOnlyPolicies is
// test_manual_input_required_for_erasure_only_policies.
func TestPeer17ManualInputRequiredForErasureOnlyPolicies(t *testing.T) {
	t.Parallel()
	k, token, _ := waitingFor(t, "erase", peerFields)
	name := func() any { return k.config.Connections[0].Connector.(*memory.Connector).Rows("customer")[0]["name"] }
	req := k.advance(t, "pri_1")
	require.Equal(t, []any{dsr.StatusRequiresInput, dsr.StagePlan}, []any{req.Status, req.Stage}, "nothing was queried")
	require.Empty(t, req.Packages)
	require.Equal(t, "Jane Customer", name())
	k.send(t, token, "POST", resumeForms, nil).want(t, http.StatusBadRequest,
		`{"detail":"Cannot resume privacy request. No data cached for privacy_request_id 'pri_1' for connection config 'paper'"}`)
	k.send(t, token, "PATCH", "/privacy-request/pri_1/erasure_manual_request/paper", `{}`).want(t, http.StatusOK, "null")
	k.send(t, token, "POST", resumeForms, nil).is(t, http.StatusOK)
	req = k.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Empty(t, req.Packages)
	require.Nil(t, name())
}

// TestPeer19PostAccessManualWebhookDSRPackageLabelsSpaces is
// test_post_access_manual_webhook_dsr_package_labels_spaces.
func TestPeer19PostAccessManualWebhookDSRPackageLabelsSpaces(t *testing.T) {
	t.Parallel()
	k, _ := office(t, nil)
	k.connect(t, "paper", "manual_webhook")
	token := k.token(t)
	const fields = `{"fields":[{"pii_field":"first_name","dsr_package_label":"First Name","data_categories":["user.name"],"types":["string"]},` +
		`{"pii_field":"last_name","dsr_package_label":"last_name","data_categories":["user.name"],"types":["string"]}],"id":"paper","connection_config":{` +
		`"name":"Manual paper","key":"paper","description":null,"connection_type":"manual_webhook","access":"read",` +
		`"created_at":"2026-03-01T12:00:00.000000Z","updated_at":"2026-03-01T12:00:00.000000Z","disabled":false,` + untested + `}}`
	k.send(t, token, "POST", "/connection/paper/access_manual_webhook", `{"fields":[
		{"pii_field":"first_name","dsr_package_label":"First Name","data_categories":["user.name"],"types":["string"]},
		{"pii_field":"last_name","dsr_package_label":"  ","data_categories":["user.name"],"types":["string"]}
	]}`).want(t, http.StatusCreated, fields)
	k.restart(t)
	k.send(t, token, "GET", "/connection/paper/access_manual_webhook", nil).want(t, http.StatusOK, fields)
}
