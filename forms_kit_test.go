package dsr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// textForm is a form that asks for texts of these labels.
func textForm(key string, labels ...string) manual.Form {
	form := manual.Form{Key: key}
	for _, label := range labels {
		form.Fields = append(form.Fields, manual.Field{PIIField: label, Label: label})
	}
	return form
}

// accessForm is a textForm that is filled in for access alone.
func accessForm(key string, labels ...string) manual.Form {
	form := textForm(key, labels...)
	form.Actions = []manual.Action{manual.Access}
	return form
}

// newDesk is an office without a flow whose people fill in forms.
func newDesk(t testing.TB, change func(*dsr.Config), forms ...manual.Form) *office {
	t.Helper()
	return newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Forms = forms
		if change != nil {
			change(c)
		}
	})
}

// waiting submits a request and advances it until it waits for people.
func (o *office) waiting(t testing.TB, policy, email string) string {
	t.Helper()
	id := o.submitted(t, submission(policy, email)).ID
	o.advanced(t, id, dsr.StatusRequiresInput)
	return id
}

// uploads fills in a form of a request for access, or else for erasure.
func (o *office) uploads(t testing.TB, id, form, body string) {
	t.Helper()
	action := graph.Access
	if strings.Contains(body, "true") || strings.Contains(body, "false") {
		action = graph.Erasure
	}
	req, err := o.engine.Forms().UploadJSON(t.Context(), id, form, action, []byte(body), clerk)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusRequiresInput, req.Status)
}

// resumed lets a request go on whose forms are filled in.
func (o *office) resumed(t testing.TB, id string) {
	t.Helper()
	req, err := o.engine.Forms().Resume(t.Context(), id, clerk)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusInProcessing, req.Status)
}

// viewed is what was uploaded, as JSON.
func (o *office) viewed(t testing.TB, id, form string, action graph.Action) string {
	t.Helper()
	view, err := o.engine.Forms().View(t.Context(), id, form, action)
	require.NoError(t, err)
	return asJSON(t, view)
}
