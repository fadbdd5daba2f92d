package fides_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
)

// definedDesk is an office whose archive is defined over HTTP.
func definedDesk(t *testing.T) (c *caller, folder string) {
	t.Helper()
	k, folder := office(t, func(k *desk) { k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType() })
	c = k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"name":"Paper archive","key":"paper","connection_type":"manual_task","access":"write"}]`)
	return c, folder
}

const (
	definedTask  = "/plus/connection/paper/manual-task"
	definedField = "/plus/connection/paper/manual-field"
)

// definedNote and definedGone are bodies of fields, and how they are shown.
const (
	definedNote      = `{"label":"What the file says","help_text":"One line","field_type":"text","request_type":"access"}`
	definedNoteShown = `{"id":"what_the_file_says","key":"what_the_file_says","label":"What the file says","help_text":"One line","field_type":"text",` +
		`"request_type":"access","data_categories":["user"],"policies":["access"]}`
	definedFound      = `{"key":"found","label":"There is a file","field_type":"checkbox","request_type":"access"}`
	definedFoundShown = `{"id":"found","key":"found","label":"There is a file","help_text":"","field_type":"checkbox","request_type":"access","data_categories":["user"],"policies":["access"]}`
	definedGone       = `{"key":"gone","label":"The file was shredded","help_text":"","field_type":"checkbox","request_type":"erasure","data_categories":["user.name"]}`
	definedGoneShown  = `{"id":"gone","key":"gone","label":"The file was shredded","help_text":"","field_type":"checkbox","request_type":"erasure","data_categories":["user.name"],"policies":["erase"]}`
)

// definedAnswer completes a field of the archive.
func (c *caller) definedAnswer(t *testing.T, action, key, value string) {
	t.Helper()
	id := base64.RawURLEncoding.EncodeToString([]byte(action + "/paper:manual_data\n" + key))
	c.multipart(t, c.token, "/api/v1/privacy-request/pri_1/manual-field/"+id+"/complete", part{name: "field_value", content: value}).
		want(t, http.StatusOK, `{"manual_field_id":"`+id+`","status":"completed"}`)
}

func TestATaskIsDefinedAndAnsweredOverHTTP(t *testing.T) {
	t.Parallel()
	c, folder := definedDesk(t)
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: paper.","test_status":"failed","failure_reason":"No fields are defined for it."}`, "GET", "/connection/paper/test", nil)
	c.wants(t, 201, definedNoteShown, "POST", definedField, definedNote)
	c.wants(t, 201, definedFoundShown, "POST", definedField, definedFound)
	c.wants(t, 201, definedGoneShown, "POST", definedField, definedGone)
	c.wants(t, ok, "["+definedNoteShown+","+definedFoundShown+"]", "GET", "/plus/connection/paper/manual-fields?request_type=access", nil)
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: paper.","test_status":"succeeded","failure_reason":null}`, "GET", "/connection/paper/test", nil)
	c.restart(t)

	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "access").Status)
	a := c.does(t, "GET", "/plus/manual-fields", nil)
	require.Contains(t, a, `"name":"What the file says","description":"One line","input_type":"text","request_type":"access","status":"new"`)
	require.Contains(t, a, `"total":2`)
	require.Contains(t, a, `"task":{"title":"Paper archive","instructions":"","due_at":null,"inputs":[{"field":"identity","from":[],"values":["customer-3@example.com"]}]}`)
	c.definedAnswer(t, "access", "what_the_file_says", "a letter")
	c.restart(t)
	c.definedAnswer(t, "access", "found", "true")
	req := c.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.JSONEq(t, `{"postgres_example:customer":[{"id":1,"email":"customer-3@example.com","name":"Jane Customer"}],
		"paper:manual_data":[{"what_the_file_says":"a letter","found":true}]}`, packageOf(t, folder, req))
}
