package manual_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/manual"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"note":"a","scans":["f1"]}`, `{"letter":["f1"]}`, `{"letter":[]}`, `{"note":true}`, `{"note":1e400}`, `{"note":"a","note":null}`, `[]`, `{} x`} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	form, err := manual.NewForm(manual.Form{Key: "k", Fields: []manual.Field{
		{PIIField: "Note"},
		{PIIField: "Scans", Types: []manual.FieldType{manual.File}},
		{PIIField: "Letter", Types: []manual.FieldType{manual.String, manual.File}},
	}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte, access bool) {
		action := manual.Erasure
		if access {
			action = manual.Access
		}
		u, err := form.Decode(action, body)
		if err != nil {
			require.NotEmpty(t, faultsOf(t, err))
			return
		}
		// What was stored comes back, and is accepted again as it is.
		stored, err := json.Marshal(u)
		require.NoError(t, err)
		var back manual.Upload
		require.NoError(t, json.Unmarshal(stored, &back))
		require.Equal(t, *u, back)
		values, err := json.Marshal(u.Values)
		require.NoError(t, err)
		again, err := form.Decode(action, values)
		require.NoError(t, err)
		if len(u.Values) == 0 { // what was left blank was uploaded all the same
			again.Empty = u.Empty
		}
		require.Equal(t, u, again)
		require.True(t, form.View(action, u).Checked)
	})
}
