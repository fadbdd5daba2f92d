package manual_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

// faultsOf returns the faults that an error tells.
func faultsOf(t *testing.T, err error) []manual.Fault {
	t.Helper()
	var fault *manual.FaultError
	require.ErrorAs(t, err, &fault)
	return fault.Faults
}

// customer is the form of the handbook's example.
func customer(t *testing.T) *manual.Form {
	t.Helper()
	var f manual.Form
	require.NoError(t, json.Unmarshal([]byte(`{
		"key": "manual_request_key",
		"name": "Manual privacy request ConnectionConfig",
		"system_name": "Old CRM",
		"fields": [
			{"pii_field": "First Name", "dsr_package_label": "first_name"},
			{"pii_field": "Last Name", "dsr_package_label": "last_name"},
			{"pii_field": "Phone Number", "dsr_package_label": null},
			{"pii_field": "Height", "dsr_package_label": "height"}
		]
	}`), &f))
	form, err := manual.NewForm(f)
	require.NoError(t, err)
	return form
}

func TestForm(t *testing.T) {
	t.Parallel()
	form := customer(t)
	out, err := json.Marshal(form)
	require.NoError(t, err)
	require.Equal(t, `{"key":"manual_request_key","name":"Manual privacy request ConnectionConfig","system_name":"Old CRM","fields":[`+
		`{"pii_field":"First Name","dsr_package_label":"first_name","types":["string"]},`+
		`{"pii_field":"Last Name","dsr_package_label":"last_name","types":["string"]},`+
		`{"pii_field":"Phone Number","dsr_package_label":"phone_number","types":["string"]},`+
		`{"pii_field":"Height","dsr_package_label":"height","types":["string"]}]}`, string(out))
	require.True(t, form.Asks(manual.Access))
	require.True(t, form.Asks(manual.Erasure))
	require.False(t, form.Asks("consent"))
	form.Disabled = true
	require.False(t, form.Asks(manual.Access))
}

func TestFormIsCopiedAndTrimmed(t *testing.T) {
	t.Parallel()
	given := manual.Form{
		Name: "  Old CRM - Berlin ", System: " crm ", Actions: []manual.Action{manual.Erasure, manual.Access, manual.Erasure},
		Fields: []manual.Field{{
			PIIField: " Letters ", Label: "   ", DataCategories: []string{"user.contact"},
			Types: []manual.FieldType{manual.File, manual.String, manual.File},
		}},
	}
	form, err := manual.NewForm(given)
	require.NoError(t, err)
	require.Equal(t, &manual.Form{
		Key: "old_crm_berlin", Name: "Old CRM - Berlin", System: "crm", Actions: []manual.Action{manual.Access, manual.Erasure},
		Fields: []manual.Field{{
			PIIField: "Letters", Label: "letters", DataCategories: []string{"user.contact"},
			Types: []manual.FieldType{manual.String, manual.File},
		}},
	}, form)
	form.Fields[0].DataCategories[0] = "user"
	form.Actions[0] = "consent"
	require.Equal(t, " Letters ", given.Fields[0].PIIField)
	require.Equal(t, []manual.FieldType{manual.File, manual.String, manual.File}, given.Fields[0].Types)
	require.Equal(t, []string{"user.contact"}, given.Fields[0].DataCategories)
	require.Equal(t, []manual.Action{manual.Erasure, manual.Access, manual.Erasure}, given.Actions)

	again, err := manual.NewForm(*customer(t))
	require.NoError(t, err)
	require.Equal(t, customer(t), again, "a form that was completed stays as it is")
}

func TestLabelsAreDerived(t *testing.T) {
	t.Parallel()
	for name, label := range map[string]string{
		"Phone Number":        "phone_number",
		"foo bar":             "foo_bar",
		"foo\nbar":            "foo_bar",
		"foo\tbar":            "foo_bar",
		"foo-bar":             "foo_bar",
		"foo*bar":             "foobar",
		"foo - * - bar":       "foo_bar",
		"Phone (home)":        "phone_home",
		"e-mail, 2nd":         "e_mail_2nd",
		"already_snake__case": "already_snake__case",
		"-foo-":               "_foo_",
		"Größe":               "größe",
		"電話番号":                "電話番号",
	} {
		form, err := manual.NewForm(manual.Form{Key: "k", Fields: []manual.Field{{PIIField: name}}})
		require.NoError(t, err, name)
		require.Equal(t, label, form.Fields[0].Label, name)
	}
}

func TestFormFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 201)
	field := func(name, label string) manual.Field { return manual.Field{PIIField: name, Label: label} }
	for name, test := range map[string]struct {
		form manual.Form
		want []manual.Fault
	}{
		"no key, no fields": {
			manual.Form{},
			[]manual.Fault{
				{Type: "missing", Loc: []any{"key"}, Message: "Field required: give a key, or a name to make it from"},
				{Type: "too_short", Loc: []any{"fields"}, Message: "List should have at least 1 item after validation, not 0"},
			},
		},
		"colon in the key": {
			manual.Form{Key: "postgres:customer", Fields: []manual.Field{field("a", "a")}},
			[]manual.Fault{{Type: "value_error", Loc: []any{"key"}, Message: "Keys consist of the letters a to z and A to Z, digits and . _ < > -"}},
		},
		"key from a foreign name": {
			manual.Form{Name: "Größe", Fields: []manual.Field{field("a", "a")}},
			[]manual.Fault{{Type: "value_error", Loc: []any{"key"}, Message: "Keys consist of the letters a to z and A to Z, digits and . _ < > -"}},
		},
		"same names": {
			manual.Form{Key: "k", Fields: []manual.Field{field("Last Name", "a"), field(" Last Name", "b")}},
			[]manual.Fault{{Type: "value_error", Loc: []any{"fields"}, Message: "pii_fields must be unique", Kind: manual.NotUnique}},
		},
		"same labels": {
			manual.Form{Key: "k", Fields: []manual.Field{field("a", "x"), field("b", " x ")}},
			[]manual.Fault{{Type: "value_error", Loc: []any{"fields"}, Message: "dsr_package_labels must be unique", Kind: manual.NotUnique}},
		},
		"a derived label that another has": {
			manual.Form{Key: "k", Fields: []manual.Field{field("Last Name", ""), field("Surname", "last_name")}},
			[]manual.Fault{{Type: "value_error", Loc: []any{"fields"}, Message: "dsr_package_labels must be unique", Kind: manual.NotUnique}},
		},
		"everything at once": {
			manual.Form{
				Key: "a b", Actions: []manual.Action{"access", "consent"},
				Fields: []manual.Field{
					field(" ", ""), field(long, ""), field("ok", long), field("***", ""), field("ok", "\xff"),
					{PIIField: "f", Types: []manual.FieldType{"file", "image"}, DataCategories: []string{"user", "user contact"}},
					field("g", "f"),
				},
			},
			[]manual.Fault{
				{Type: "value_error", Loc: []any{"key"}, Message: "Keys consist of the letters a to z and A to Z, digits and . _ < > -"},
				{Type: "enum", Loc: []any{"enabled_actions", 1}, Message: "Input should be 'access' or 'erasure'"},
				{Type: "string_too_short", Loc: []any{"fields", 0, "pii_field"}, Message: "String should have at least 1 character"},
				{Type: "string_too_long", Loc: []any{"fields", 1, "pii_field"}, Message: "String should have at most 200 characters"},
				{Type: "string_too_long", Loc: []any{"fields", 2, "dsr_package_label"}, Message: "String should have at most 200 characters"},
				{Type: "string_too_short", Loc: []any{"fields", 3, "dsr_package_label"}, Message: "String should have at least 1 character"},
				{Type: "string_unicode", Loc: []any{"fields", 4, "dsr_package_label"}, Message: "Input should be a valid string, in UTF-8"},
				{Type: "value_error", Loc: []any{"fields", 5, "data_categories", 1}, Message: "Data categories consist of the letters a to z and A to Z, digits and . _ < > -"},
				{Type: "literal_error", Loc: []any{"fields", 5, "types", 1}, Message: "Input should be 'string' or 'file'"},
				{Type: "value_error", Loc: []any{"fields"}, Message: "pii_fields must be unique", Kind: manual.NotUnique},
				{Type: "value_error", Loc: []any{"fields"}, Message: "dsr_package_labels must be unique", Kind: manual.NotUnique},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, err := manual.NewForm(test.form)
			require.Nil(t, form)
			require.Equal(t, test.want, faultsOf(t, err))
		})
	}
}

func TestFaultTexts(t *testing.T) {
	t.Parallel()
	_, err := manual.NewForm(manual.Form{Key: "k", Fields: []manual.Field{{}}})
	require.EqualError(t, err, "manual: fields.0.pii_field: String should have at least 1 character")
	_, err = manual.NewForm(manual.Form{})
	require.EqualError(t, err, "manual: 2 faults:\n"+
		"\tkey: Field required: give a key, or a name to make it from\n"+
		"\tfields: List should have at least 1 item after validation, not 0")
	out, err := json.Marshal(faultsOf(t, err)[1])
	require.NoError(t, err)
	require.Equal(t, `{"type":"too_short","loc":["fields"],"msg":"List should have at least 1 item after validation, not 0"}`, string(out))
}
