package fides_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

const filesOf = "/plus/privacy-request/pri_1/attachment"

type attachment struct {
	ID  string `json:"id"`
	URL string `json:"retrieved_attachment_url"`
}

// attached attaches a file that holds its own name.
func (k *desk) attached(t *testing.T, token, name, use string) attachment {
	t.Helper()
	a := k.multipart(t, token, filesOf, part{name: "attachment_type", content: use}, part{name: "attachment_file", file: name, content: "of " + name})
	require.Equal(t, http.StatusCreated, a.Status, a.Body)
	var made attachment
	require.NoError(t, json.Unmarshal([]byte(a.Body), &made))
	return made
}

func TestAFileIsAttachedListedAndReadAgain(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "access")
	made := k.attached(t, token, "Brief äöü.PDF", "include_with_access_package")
	list, err := k.engine.Attachments().List(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{"Brief äöü.PDF", "application/pdf", true}, []any{list[0].Name, list[0].Type, list[0].Include})
	actor := list[0].Actor
	shown := func(url string) string {
		return `{"id":"` + made.ID + `","user_id":"` + actor + `","username":"` + actor + `","user_first_name":null,"user_last_name":null,"file_name":"Brief äöü.PDF",` +
			`"attachment_type":"include_with_access_package","retrieved_attachment_size":19,"retrieved_attachment_url":` + url + `,"created_at":"2026-03-01T12:00:00.000000Z"}`
	}
	k.restart(t)
	k.send(t, token, "GET", filesOf, nil).want(t, http.StatusOK, `{"items":[`+shown("null")+`],"total":1,"page":1,"size":50,"pages":1}`)
	k.send(t, token, "GET", filesOf+"?page=2&size=1", nil).want(t, http.StatusOK, `{"items":[],"total":1,"page":2,"size":1,"pages":1}`)
	content := "/api/v1" + filesOf + "/" + made.ID + "/content"
	k.send(t, token, "GET", filesOf+"/"+made.ID, nil).want(t, http.StatusOK, shown(`"`+content+`"`))
	a := k.send(t, token, "GET", content, nil)
	a.want(t, http.StatusOK, "of Brief äöü.PDF")
	require.Equal(t, []string{"application/octet-stream", "19", "attachment; filename*=utf-8''Brief%20%C3%A4%C3%B6%C3%BC.PDF"},
		[]string{a.Header.Get("Content-Type"), a.Header.Get("Content-Length"), a.Header.Get("Content-Disposition")})
	for _, path := range []string{"/nix", "/nix/content"} {
		k.send(t, token, "GET", filesOf+path, nil).want(t, http.StatusNotFound, `{"detail":"No attachment found with id 'nix'."}`)
	}
	require.NotContains(t, k.logs.String(), "Brief")
}

func TestAFileThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "access")
	use := part{name: "attachment_type", content: "internal_use_only"}
	file := part{name: "attachment_file", file: "a.txt", content: "a"}
	for name, c := range map[string]struct {
		parts  []part
		detail string
	}{
		"nothing":          {nil, `{"type":"missing","loc":["body","attachment_file"],"msg":"Field required"}`},
		"no file":          {[]part{use}, `{"type":"missing","loc":["body","attachment_file"],"msg":"Field required"}`},
		"no use":           {[]part{file}, `{"type":"value_error","loc":["body","attachment_type"],"msg":"Value error, it must be given, before the file"}`},
		"use too late":     {[]part{file, use}, `{"type":"value_error","loc":["body","attachment_type"],"msg":"Value error, it must be given, before the file"}`},
		"another use":      {[]part{{name: "attachment_type", content: "x"}, file}, `{"type":"enum","loc":["body","attachment_type"],"msg":"Input should be 'internal_use_only' or 'include_with_access_package'"}`},
		"two files":        {[]part{use, file, file}, `{"type":"value_error","loc":["body","attachment_file"],"msg":"Value error, one file may be given"}`},
		"two uses":         {[]part{use, file, use}, `{"type":"value_error","loc":["body","attachment_type"],"msg":"Value error, it may be given once"}`},
		"an unknown field": {[]part{use, file, {name: "x", content: "y"}}, `{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}`},
		"another type": {
			[]part{use, {name: "attachment_file", file: "a.html", content: "a"}},
			`{"type":"value_error","loc":["body","attachment_file"],"msg":"Value error, Files of this type are not taken; those that are end with csv, doc, docx, jpeg, jpg, pdf, png, txt, xls, xlsx and zip"}`,
		},
		"a text instead": {[]part{use, {name: "attachment_file", content: "a"}}, `{"type":"value_error","loc":["body","attachment_file"],"msg":"Value error, a file needs a name of at most 1000 bytes"}`},
		"a long text":    {[]part{{name: "attachment_type", content: strings.Repeat("x", 32_001)}}, `{"type":"string_too_long","loc":["body","attachment_type"],"msg":"String should have at most 32000 bytes"}`},
	} {
		a := k.multipart(t, token, filesOf, c.parts...)
		require.Equal(t, `{"detail":[`+c.detail+`]}`, a.Body, name)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, name)
	}
	list, err := k.engine.Attachments().List(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestAFormThatEndsTooEarlyIs422AndLeavesNothing(t *testing.T) {
	t.Parallel()
	k, token, _ := waiting(t, "access")
	for _, body := range []string{
		"", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=attachment_type\r\n\r\ninternal_use_only\r\n" +
			"--b\r\nContent-Disposition: form-data; name=attachment_file; filename=a.txt\r\n\r\nhalf a fi",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", filesOf, strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		r.Header.Set("Authorization", "Bearer "+token)
		a := k.do(t, r)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, a.Body)
	}
	list, err := k.engine.Attachments().List(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestLimitsOfFiles(t *testing.T) {
	t.Parallel()
	k, _ := office(t, func(k *desk) {
		k.config.Limits = dsr.Limits{FileBytes: 10, Files: 1}
		k.options.Limits.UploadBytes = 1000
	})
	k.connect(t, "paper", "manual_webhook")
	token := k.token(t)
	require.Equal(t, http.StatusCreated, k.send(t, token, "POST", "/connection/paper/access_manual_webhook", guideForm).Status)
	k.process(t, "access")
	send := func(size int) *answer {
		return k.multipart(t, token, filesOf, part{name: "attachment_type", content: "internal_use_only"}, part{name: "attachment_file", file: "a.txt", content: strings.Repeat("x", size)})
	}
	send(2000).want(t, http.StatusRequestEntityTooLarge, `{"detail":"The body has more than 1000 bytes"}`)
	send(11).want(t, http.StatusRequestEntityTooLarge, `{"detail":"request pri_1: a file has more than 10 bytes, which is Limits.FileBytes"}`)
	require.Equal(t, http.StatusCreated, send(10).Status)
	send(1).want(t, http.StatusRequestEntityTooLarge, `{"detail":"request pri_1 has 1 files, which is Limits.Files; remove some, or put them into one"}`)

	r := httptest.NewRequestWithContext(t.Context(), "POST", filesOf, strings.NewReader(strings.Repeat("x", 1001)))
	r.ContentLength = -1 // as it is when it comes in chunks
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Authorization", "Bearer "+token)
	k.do(t, r).want(t, http.StatusRequestEntityTooLarge, `{"detail":"The body has more than 1000 bytes"}`)
	k.send(t, token, "POST", filesOf, `{}`).want(t, http.StatusUnsupportedMediaType, `{"detail":"Content-Type must be multipart/form-data"}`)
	r = httptest.NewRequestWithContext(t.Context(), "POST", filesOf, strings.NewReader("x"))
	r.Header.Set("Content-Type", "multipart/form-data")
	r.Header.Set("Authorization", "Bearer "+token)
	require.Equal(t, http.StatusUnsupportedMediaType, k.do(t, r).Status)
}

func TestFilesAreRefusedWhereTheyHaveNoPlaceOrNoTime(t *testing.T) {
	t.Parallel()
	k, _ := office(t, func(k *desk) { k.config.Files = nil })
	token := k.token(t)
	require.Equal(t, dsr.StatusComplete, k.process(t, "access").Status)
	file := []part{{name: "attachment_type", content: "internal_use_only"}, {name: "attachment_file", file: "a.txt"}}
	k.multipart(t, token, filesOf, file...).want(t, http.StatusBadRequest, `{"detail":"This server takes no files."}`)
	for _, path := range []string{"/plus/privacy-request/nix/attachment", "/plus/privacy-request/nix/comment"} {
		k.send(t, token, "GET", path, nil).want(t, http.StatusNotFound, `{"detail":"No privacy request found with id 'nix'."}`)
		k.multipart(t, token, path, file...).want(t, http.StatusNotFound, `{"detail":"No privacy request found with id 'nix'."}`)
	}
	k.multipart(t, token, "/plus/privacy-request/pri_1/comment", part{name: "comment_text", content: "late"}, part{name: "comment_type", content: "note"}).
		want(t, http.StatusBadRequest, `{"detail":"cannot change request pri_1: it is complete; files and comments can be added while it waits for somebody"}`)
}

func TestCommentsAreNotesOfTheDesk(t *testing.T) {
	t.Parallel()
	const at = "/plus/privacy-request/pri_1/comment"
	k, token, folder := waiting(t, "access")
	a := k.multipart(t, token, at, part{name: "comment_text", content: "seen her <b>passport</b>"}, part{name: "comment_type", content: "note"})
	require.Equal(t, http.StatusCreated, a.Status)
	list, err := k.engine.Attachments().Comments(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Len(t, list, 1)
	shown := `{"id":"com_1","privacy_request_id":"pri_1","user_id":"` + list[0].Actor + `","username":"` + list[0].Actor + `","user_first_name":null,"user_last_name":null,` +
		`"created_at":"2026-03-01T12:00:00.000000Z","attachments":[],"comment_text":"seen her \u003cb\u003epassport\u003c/b\u003e","comment_type":"note"}`
	require.Equal(t, shown, a.Body)
	k.restart(t)
	k.send(t, token, "GET", at, nil).want(t, http.StatusOK, `{"items":[`+shown+`],"total":1,"page":1,"size":50,"pages":1}`)
	k.send(t, token, "GET", at+"/com_1", nil).want(t, http.StatusOK, shown)
	k.send(t, token, "GET", at+"/com_2", nil).want(t, http.StatusNotFound, `{"detail":"No comment found with id 'com_2'."}`)
	k.multipart(t, token, at).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"missing","loc":["body","comment_text"],"msg":"Field required"},{"type":"missing","loc":["body","comment_type"],"msg":"Field required"}]}`)
	k.multipart(t, token, at, part{name: "comment_text", content: " "}, part{name: "comment_type", content: "reply"}).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"string_too_short","loc":["body","comment_text"],"msg":"String should have at least 1 character"},{"type":"enum","loc":["body","comment_type"],"msg":"Input should be 'note'"}]}`)

	k.send(t, token, "PATCH", accessForm, `{}`).want(t, http.StatusOK, "null")
	require.Equal(t, http.StatusOK, k.send(t, token, "POST", resumeForms, nil).Status)
	require.NotContains(t, packageOf(t, folder, k.advance(t, "pri_1")), "passport")
	require.NotContains(t, k.logs.String(), "passport")
}
