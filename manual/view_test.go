package manual_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

func viewed(t *testing.T, form *manual.Form, a manual.Action, u *manual.Upload) string {
	t.Helper()
	out, err := json.Marshal(form.View(a, u))
	require.NoError(t, err)
	return string(out)
}

func TestViewAndMissing(t *testing.T) {
	t.Parallel()
	form := customer(t)
	require.Equal(t, `{"checked":false,"fields":{"first_name":null,"last_name":null,"phone_number":null,"height":null}}`, viewed(t, form, manual.Access, nil))
	require.False(t, form.Complete(manual.Access, nil))
	require.Equal(t, []string{"first_name", "last_name", "phone_number", "height"}, form.Unset(manual.Access, nil))
	require.EqualError(t, form.Missing(manual.Access, "pri_1", nil),
		"Cannot resume privacy request. No data cached for privacy_request_id 'pri_1' for connection config 'manual_request_key'")

	u, err := form.Decode(manual.Access, []byte(`{"first_name":"Jane","last_name":"Customer"}`))
	require.NoError(t, err)
	require.Equal(t, `{"checked":true,"fields":{"first_name":"Jane","last_name":"Customer","phone_number":null,"height":null}}`, viewed(t, form, manual.Access, u))
	require.Empty(t, form.Unset(manual.Access, u))
	require.Equal(t, manual.Entries{{Label: "first_name", Value: "Jane"}, {Label: "last_name", Value: "Customer"}}, u.Row(form))

	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		empty, err := form.Decode(manual.Access, []byte(`{}`))
		require.NoError(t, err)
		require.Equal(t, `{"checked":true,"fields":{"first_name":null,"last_name":null,"phone_number":null,"height":null}}`, viewed(t, form, manual.Access, empty))
		require.True(t, form.Complete(manual.Access, empty))
		require.Nil(t, empty.Row(form))
		require.Nil(t, (*manual.Upload)(nil).Row(form))
	})
	t.Run("a field more", func(t *testing.T) {
		t.Parallel()
		now := customer(t)
		now.Fields = append(now.Fields, manual.Field{PIIField: "Age", Label: "age"})
		require.Equal(t, `{"checked":false,"fields":{"first_name":"Jane","last_name":"Customer","phone_number":null,"height":null,"age":null}}`, viewed(t, now, manual.Access, u))
		require.Equal(t, []string{"age"}, now.Unset(manual.Access, u))
		require.False(t, now.Complete(manual.Access, u))
		err := now.Missing(manual.Access, "pri_1", u)
		require.EqualError(t, err, "Cannot resume privacy request. Fields unset for privacy_request_id 'pri_1' for connection config 'manual_request_key'")
		var missing *manual.MissingError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, []string{"age"}, missing.Unset)
	})
	t.Run("a field less", func(t *testing.T) {
		t.Parallel()
		now := customer(t)
		now.Fields = now.Fields[1:]
		require.Equal(t, `{"checked":false,"fields":{"last_name":"Customer","phone_number":null,"height":null}}`, viewed(t, now, manual.Access, u))
		require.NoError(t, now.Missing(manual.Access, "pri_1", u))
		require.Equal(t, manual.Entries{{Label: "last_name", Value: "Customer"}}, u.Row(now))
		require.Equal(t, manual.Entries{{Label: "first_name", Value: "Jane"}, {Label: "last_name", Value: "Customer"}}, u.Row(nil))
	})
	t.Run("another order", func(t *testing.T) {
		t.Parallel()
		now := customer(t)
		now.Fields[0], now.Fields[1] = now.Fields[1], now.Fields[0]
		require.Equal(t, `{"checked":true,"fields":{"last_name":"Customer","first_name":"Jane","phone_number":null,"height":null}}`, viewed(t, now, manual.Access, u))
		require.Equal(t, u.Row(form), u.Row(now))
	})
	t.Run("a file field more", func(t *testing.T) {
		t.Parallel()
		erased, err := form.Decode(manual.Erasure, []byte(`{"height":true}`))
		require.NoError(t, err)
		now := customer(t)
		now.Fields = append(now.Fields, manual.Field{PIIField: "Scan", Label: "scan", Types: []manual.FieldType{manual.File}})
		require.Equal(t, `{"checked":true,"fields":{"first_name":null,"last_name":null,"phone_number":null,"height":true}}`, viewed(t, now, manual.Erasure, erased))
		require.True(t, now.Complete(manual.Erasure, erased))
	})
}

func TestErasureOfFilesAlone(t *testing.T) {
	t.Parallel()
	form, err := manual.NewForm(manual.Form{Key: "k", Fields: []manual.Field{{PIIField: "Scan", Types: []manual.FieldType{manual.File}}}})
	require.NoError(t, err)
	require.False(t, form.Complete(manual.Erasure, nil))
	u, err := form.Decode(manual.Erasure, []byte(`{}`))
	require.NoError(t, err)
	require.NoError(t, form.Missing(manual.Erasure, "pri_1", u), "an empty upload confirms that the files are erased")
	require.Equal(t, `{"checked":true,"fields":{}}`, viewed(t, form, manual.Erasure, u))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"Invalid manual webhook access upload request: privacy request 'pri_1' status = in_processing.":        &manual.StatusError{Action: manual.Access, RequestID: "pri_1", Status: "in_processing"},
		"Invalid manual webhook erasure upload request: privacy request 'pri_1' status = complete.":            &manual.StatusError{Action: manual.Erasure, RequestID: "pri_1", Status: "complete"},
		"Cannot resume privacy request from 'requires_input': privacy request 'pri_1' status = in_processing.": &manual.ResumeStatusError{RequestID: "pri_1", Status: "in_processing"},
		"No access manual webhook exists for connection config with key 'crm'":                                 &manual.NoFormError{Key: "crm"},
		"An Access Manual Webhook already exists for ConnectionConfig 'crm'.":                                  &manual.ExistsError{Key: "crm"},
		"You can only create manual webhooks for ConnectionConfigs of type 'manual_webhook'.":                  &manual.ConnectionTypeError{},
		"Cannot resume privacy request. No data cached for privacy_request_id 'p' for connection config 'crm'": &manual.MissingError{RequestID: "p", Form: "crm"},
		"Cannot resume privacy request. Fields unset for privacy_request_id 'p' for connection config 'crm'":   &manual.MissingError{RequestID: "p", Form: "crm", Unset: []string{"a"}},
	} {
		require.EqualError(t, err, want)
	}
}
