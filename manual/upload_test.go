package manual_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

// documents is a form with fields of every sort.
func documents(t *testing.T) *manual.Form {
	t.Helper()
	form, err := manual.NewForm(manual.Form{Key: "archive", Fields: []manual.Field{
		{PIIField: "Note"},
		{PIIField: "Scans", Types: []manual.FieldType{manual.File}},
		{PIIField: "Letter", Types: []manual.FieldType{manual.String, manual.File}},
	}})
	require.NoError(t, err)
	return form
}

func TestAccept(t *testing.T) {
	t.Parallel()
	form := documents(t)
	require.Equal(t, []string{"note", "scans", "letter"}, form.Labels(manual.Access))
	require.Equal(t, []string{"note", "letter"}, form.Labels(manual.Erasure))
	for name, test := range map[string]struct {
		action manual.Action
		body   string
		values map[string]any
		row    string
	}{
		"nothing":             {manual.Access, ` {} `, map[string]any{}, `{}`},
		"nulls":               {manual.Access, `{"note":null,"scans":null,"letter":null}`, map[string]any{}, `{}`},
		"texts":               {manual.Access, `{"letter":"<b>","note":""}`, map[string]any{"note": "", "letter": "<b>"}, `{"note":"","letter":"\u003cb\u003e"}`},
		"files":               {manual.Access, `{"scans":["f2","f1"],"letter":["f3"]}`, map[string]any{"scans": []any{"f2", "f1"}, "letter": []any{"f3"}}, `{"scans":["f2","f1"],"letter":["f3"]}`},
		"no files":            {manual.Access, `{"scans":[]}`, map[string]any{}, `{}`},
		"nothing to erase":    {manual.Erasure, `{}`, map[string]any{}, `{}`},
		"erased":              {manual.Erasure, `{"note":true,"letter":false}`, map[string]any{"note": true, "letter": false}, `{"note":true,"letter":false}`},
		"erased, one unknown": {manual.Erasure, `{"note":null,"letter":true}`, map[string]any{"letter": true}, `{"letter":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := form.Decode(test.action, []byte(test.body))
			require.NoError(t, err)
			require.Equal(t, &manual.Upload{Labels: form.Labels(test.action), Values: test.values, Empty: strings.TrimSpace(test.body) == "{}"}, u)
			require.True(t, form.Complete(test.action, u))
			require.NoError(t, form.Missing(test.action, "pri_1", u))

			stored, err := json.Marshal(u)
			require.NoError(t, err)
			var back manual.Upload
			require.NoError(t, json.Unmarshal(stored, &back))
			require.Equal(t, *u, back)

			row, err := json.Marshal(back.Row(form))
			require.NoError(t, err)
			require.Equal(t, test.row, string(row))
		})
	}
}

func TestAcceptCopies(t *testing.T) {
	t.Parallel()
	ids, values := []string{"f1"}, []any{"f2"}
	u, err := documents(t).Accept(manual.Access, map[string]any{"scans": ids, "letter": values})
	require.NoError(t, err)
	ids[0], values[0] = "x", "x"
	require.Equal(t, map[string]any{"scans": []any{"f1"}, "letter": []any{"f2"}}, u.Values)
}

func TestUploadFaults(t *testing.T) {
	t.Parallel()
	form := documents(t)
	for name, test := range map[string]struct {
		action manual.Action
		body   string
		want   []manual.Fault
	}{
		"unknown field": {
			manual.Access, `{"bad_field":"value"}`,
			[]manual.Fault{{Type: "extra_forbidden", Loc: []any{"bad_field"}, Message: "Extra inputs are not permitted"}},
		},
		"everything at once": {
			manual.Access, `{"note":1,"other":null,"scans":"f1","letter":true}`,
			[]manual.Fault{
				{Type: "string_type", Loc: []any{"letter"}, Message: "Input should be a valid string, or a list of file IDs"},
				{Type: "string_type", Loc: []any{"note"}, Message: "Input should be a valid string"},
				{Type: "extra_forbidden", Loc: []any{"other"}, Message: "Extra inputs are not permitted"},
				{Type: "list_type", Loc: []any{"scans"}, Message: "Input should be a valid list"},
			},
		},
		"not the ID of a file": {
			manual.Access, `{"scans":["f1",2,null,""]}`,
			[]manual.Fault{
				{Type: "string_type", Loc: []any{"scans", 1}, Message: "Input should be a valid string"},
				{Type: "string_type", Loc: []any{"scans", 2}, Message: "Input should be a valid string"},
				{Type: "string_type", Loc: []any{"scans", 3}, Message: "Input should be a valid string"},
			},
		},
		"a list for a text": {
			manual.Access, `{"note":["a"]}`,
			[]manual.Fault{{Type: "string_type", Loc: []any{"note"}, Message: "Input should be a valid string"}},
		},
		"an object for a text": {
			manual.Access, `{"note":{"a":1}}`,
			[]manual.Fault{{Type: "string_type", Loc: []any{"note"}, Message: "Input should be a valid string"}},
		},
		"confirmed by anything but a bool": {
			manual.Erasure, `{"note":"yes","letter":1}`,
			[]manual.Fault{
				{Type: "bool_type", Loc: []any{"letter"}, Message: "Input should be a valid boolean"},
				{Type: "bool_type", Loc: []any{"note"}, Message: "Input should be a valid boolean"},
			},
		},
		"files are not erased": {
			manual.Erasure, `{"scans":true}`,
			[]manual.Fault{{Type: "extra_forbidden", Loc: []any{"scans"}, Message: "Extra inputs are not permitted"}},
		},
		"letter case counts": {
			manual.Access, `{"Note":"a"}`,
			[]manual.Fault{{Type: "extra_forbidden", Loc: []any{"Note"}, Message: "Extra inputs are not permitted"}},
		},
		"twice": {
			manual.Access, `{"note":"a","note":"b"}`,
			[]manual.Fault{{Type: "duplicate_key", Loc: []any{}, Message: "A key may be given once only"}},
		},
		"half a surrogate pair": {
			manual.Access, `{"note":"a\ud800"}`,
			[]manual.Fault{{Type: "string_unicode", Loc: []any{}, Message: "A text cannot hold half of a surrogate pair"}},
		},
		"twice further in": {
			manual.Access, `{"note":[{"a":[],"b":{"a":1}},{"a":{},"a":null}]}`,
			[]manual.Fault{{Type: "duplicate_key", Loc: []any{}, Message: "A key may be given once only"}},
		},
		"nothing at all":  {manual.Access, " \n", []manual.Fault{{Type: "missing", Loc: []any{}, Message: "Field required"}}},
		"null":            {manual.Access, `null`, []manual.Fault{{Type: "dict_type", Loc: []any{}, Message: "Input should be a valid dictionary"}}},
		"a list":          {manual.Access, `[{}]`, []manual.Fault{{Type: "dict_type", Loc: []any{}, Message: "Input should be a valid dictionary"}}},
		"a text":          {manual.Access, `"{}"`, []manual.Fault{{Type: "dict_type", Loc: []any{}, Message: "Input should be a valid dictionary"}}},
		"text after it":   {manual.Access, `{} {}`, []manual.Fault{{Type: "json_invalid", Loc: []any{}, Message: "JSON decode error"}}},
		"cut off":         {manual.Access, `{"note":`, []manual.Fault{{Type: "json_invalid", Loc: []any{}, Message: "JSON decode error"}}},
		"not UTF-8":       {manual.Access, "{\"note\":\"\xff\"}", []manual.Fault{{Type: "json_invalid", Loc: []any{}, Message: "JSON decode error"}}},
		"nested too deep": {manual.Access, `{"note":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, []manual.Fault{{Type: "json_invalid", Loc: []any{}, Message: "JSON decode error"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := form.Decode(test.action, []byte(test.body))
			require.Nil(t, u)
			require.Equal(t, test.want, faultsOf(t, err))
		})
	}
}

func TestUploadForAnotherAction(t *testing.T) {
	t.Parallel()
	form := customer(t)
	form.Actions = []manual.Action{manual.Access}
	_, err := form.Accept(manual.Erasure, nil)
	require.EqualError(t, err, `manual: the form "manual_request_key" is not filled in for "erasure": add the action to its enabled_actions, or upload for another`)
	var wrong *manual.ActionError
	require.ErrorAs(t, err, &wrong)
	_, err = customer(t).Accept("consent", nil)
	require.ErrorAs(t, err, &wrong)
	form.Disabled = true
	_, err = form.Accept(manual.Access, nil)
	require.NoError(t, err)
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	t.Parallel()
	form := customer(t)
	u, err := form.Accept(manual.Access, map[string]any{"first_name": "Jane"})
	require.NoError(t, err)
	for _, v := range []any{u, *u, u.Row(form), form.View(manual.Access, u), u.LogValue(), u.Row(form).LogValue()} {
		for _, verb := range []string{"%v", "%+v", "%s", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "Jane")
		}
	}
	_, err = form.Accept(manual.Access, map[string]any{"Jane": "x", "height": 12345})
	require.EqualError(t, err, "manual: 2 faults:\n\tExtra inputs are not permitted\n\theight: Input should be a valid string")
}
