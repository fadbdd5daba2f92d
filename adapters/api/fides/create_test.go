package fides_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// accessPolicy is how requests show the policy of a desk.
const accessPolicy = `{"name":"Access","key":"access","rules":[{"name":"Everything","key":"everything","action_type":"access","storage_destination_key":null,"masking_strategy":null}],"drp_action":null,"execution_timeframe":null,"conditions":null}`

func TestTheBodyOfTheGuideCreatesARequest(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	creds := k.client(t, "privacy-request:create")
	issued, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	token, client := issued.Value, creds.ID
	a := k.send(t, token, "POST", "/api/v1/privacy-request", `[{
		"external_id": "a-user-defined-id",
		"requested_at": "2021-10-31T16:00:00.000Z",
		"policy_key": "access",
		"identities": [{"email": "identity@example.com", "phone_number": "+1 (123) 456 7891"}]
	}]`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Equal(t, `{"succeeded":[{"id":"pri_1","created_at":"2026-03-01T12:00:00.000000Z","started_processing_at":null,"reviewed_at":null,"reviewed_by":null,`+
		`"submitted_by":"me","reviewer":null,"submitter":{"id":"me","username":"me"},"finished_processing_at":null,"identity_verified_at":null,"paused_at":null,`+
		`"status":"approved","external_id":"a-user-defined-id","identity":null,"custom_privacy_request_fields":null,"policy":`+accessPolicy+`,`+
		`"action_required_details":null,"resume_endpoint":null,"days_left":null,"custom_privacy_request_fields_approved_by":null,`+
		`"custom_privacy_request_fields_approved_at":null,"source":null,"location":null,"property_id":null,"deleted_at":null,"deleted_by":null,`+
		`"finalized_at":null,"finalized_by":null,"duplicate_request_group_id":null}],"failed":[]}`, strings.ReplaceAll(a.Body, client, "me"))
	ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"email": {"identity@example.com"}, "phone_number": {"+11234567891"}}, map[string][]string(ids))
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, "2021-10-31T16:00:00Z", req.RequestedAt.Format("2006-01-02T15:04:05Z07:00"))
}

func TestATimeWithoutAZoneIsUTC(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "POST", "/privacy-request", `[{"requested_at": "2021-01-01T00:00:00", "policy_key": "access", "identities": [{"email": "user@example.com"}]}]`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	req, err := k.engine.Requests().Get(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, "2021-01-01T00:00:00Z", req.RequestedAt.Format("2006-01-02T15:04:05Z07:00"))
}

func TestEntriesUnderIdentitiesAreAUnionPerKind(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "POST", "/privacy-request",
		`[{"policy_key":"access","identity":{"email":"one@example.com"},"identities":[{"email":"two@example.com"},{"email":"one@example.com","phone_number":null}]}]`)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	ids, err := k.engine.Requests().Identities(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, dsr.Identities{"email": {"one@example.com", "two@example.com"}}, ids)
}

func TestWhatCannotBeCreatedIsToldAsFailed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, message string }{
		"no identity":    {`{"policy_key":"access","identity":{}}`, "You must provide at least one identity to process"},
		"null identity":  {`{"policy_key":"access","identities":[{"email":null}]}`, "You must provide at least one identity to process"},
		"unknown policy": {`{"identity":{"email":"a@example.com"},"policy_key":"nix"}`, "Policy with key nix does not exist"},
		"year 1":         {`{"identity":{"email":"a@example.com"},"policy_key":"access","requested_at":"0001-01-01T00:00:00"}`, "requested_at is not within the years 1900 to 2200"},
		"year 1899":      {`{"identity":{"email":"a@example.com"},"policy_key":"access","requested_at":"1899-12-31T23:59:59"}`, "requested_at is not within the years 1900 to 2200"},
		"consent":        {`{"identity":{"email":"a@example.com"},"policy_key":"access","consent_preferences":[{}]}`, "Consent preferences are not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, nil)
			a := k.send(t, k.token(t), "POST", "/privacy-request", "["+c.body+"]")
			require.Equal(t, http.StatusOK, a.Status)
			require.JSONEq(t, `{"succeeded":[],"failed":[{"message":"`+c.message+`","data":`+c.body+`}]}`, a.Body)
		})
	}
}

func TestWhatDoesNotValidateIs422WithAllFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, detail string }{
		"nothing at all":  {``, `[{"type":"missing","loc":["body"],"msg":"Field required"}]`},
		"no JSON":         {`[{"phone_number: 1}]`, `[{"type":"json_invalid","loc":["body",20],"msg":"JSON decode error"}]`},
		"two documents":   {`[] []`, `[{"type":"json_invalid","loc":["body",4],"msg":"JSON decode error"}]`},
		"no list":         {`{}`, `[{"type":"list_type","loc":["body"],"msg":"Input should be a valid list"}]`},
		"an empty object": {`[{}]`, `[{"type":"missing","loc":["body",0,"policy_key"],"msg":"Field required"}]`},
		"an extension": {
			`[{"policy_key":"access","identity":{"phone_number":"+1 123 456 7891 ext 5"}}]`,
			`[{"type":"value_error","loc":["body",0,"identity","phone_number"],"msg":"Value error, Phone number must have no extension: E.164 knows none"}]`,
		},
		"no identity": {`[{"policy_key":"a"}]`, `[{"type":"missing","loc":["body",0,"identity"],"msg":"Field required"}]`},
		"a key that is not known, and a number": {
			`[{"policy_key":1,"identity":{"email":"a@example.com"},"bad_field":2}]`,
			`[{"type":"string_type","loc":["body",0,"policy_key"],"msg":"Input should be a valid string"},{"type":"extra_forbidden","loc":["body",0,"bad_field"],"msg":"Extra inputs are not permitted"}]`,
		},
		"forms": {
			`[{"policy_key":"access","identity":{"email":"nobody","phone_number":"12"},"requested_at":"soon"}]`,
			`[{"type":"datetime_parsing","loc":["body",0,"requested_at"],"msg":"Input should be a valid datetime"}]`,
		},
		"a year of five digits": {
			`[{"policy_key":"access","identity":{"email":"a@example.com"},"requested_at":"9999-12-31T23:59:59-14:00"}]`,
			`[{"type":"datetime_parsing","loc":["body",0,"requested_at"],"msg":"Input should be a valid datetime"}]`,
		},
		"an e-mail and a phone that are none": {
			`[{"policy_key":"access","identities":[{"email":"nobody","phone_number":"12"}]}]`,
			`[{"type":"value_error","loc":["body",0,"identities",0,"email"],"msg":"value is not a valid email address"},{"type":"value_error","loc":["body",0,"identities",0,"phone_number"],"msg":"Value error, Phone number must be formatted in E.164 format"}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, nil)
			a := k.send(t, k.token(t), "POST", "/privacy-request", c.body)
			require.Equal(t, http.StatusUnprocessableEntity, a.Status)
			require.Equal(t, `{"detail":`+c.detail+`}`, a.Body)
			count, err := k.engine.Requests().Count(t.Context(), dsr.Filter{})
			require.NoError(t, err)
			require.Zero(t, count)
		})
	}
}

func TestAnEncryptionKeyIsHonouredOrRefused(t *testing.T) {
	t.Parallel()
	const body = `[{"policy_key":"access","identity":{"email":"nia.vale@example.com"},"encryption_key":"test--encryption"}]`
	k := newDesk(t, func(k *desk) { k.options.AccessResults = true })
	token := k.token(t)
	require.Contains(t, k.send(t, token, "POST", "/privacy-request", body).Body, `"failed":[]`)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	link := strings.Split(k.send(t, token, "GET", "/privacy-request/pri_1/access-results", nil).Body, `"`)[3]
	require.NotContains(t, k.send(t, "", "GET", link, nil).Body, "Nia Vale")

	k = newDesk(t, func(k *desk) {
		folder := k.config.Destinations["folder"]
		folder.Format = storage.HTML{}
		k.config.Destinations["folder"] = folder
	})
	a := k.send(t, k.token(t), "POST", "/privacy-request", body)
	require.Contains(t, a.Body, `the package of rule \"everything\" cannot be encrypted`)
}

func TestAFailedRequestDoesNotRepeatItsKey(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "POST", "/privacy-request", `[{"policy_key":"nix","identity":{"email":"nia.vale@example.com"},"encryption_key":"0123456789abcdef"}]`)
	require.Equal(t, `{"succeeded":[],"failed":[{"message":"Policy with key nix does not exist","data":{"identity":{"email":"nia.vale@example.com"},"policy_key":"nix"}}]}`, a.Body)
}
