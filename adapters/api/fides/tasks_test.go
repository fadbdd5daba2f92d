package fides_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/graph"
)

const archiveYAML = officeYAML + `
  - fides_key: paper
    collections:
      - name: archive
        fields:
          - name: customer
            fides_meta: {references: [{dataset: postgres_example, field: customer.id, direction: from}]}
          - {name: note, data_categories: [user.content]}
          - {name: found, data_categories: [user.content]}
          - {name: scan, data_categories: [user.content]}
`

// archive is a desk with a paper archive that people answer for, and a request
// that waits for them.
func archive(t *testing.T) (k *desk, folder string) {
	t.Helper()
	k, folder = office(t, func(k *desk) {
		datasets, _, err := graph.LoadFS(fstest.MapFS{"archive.yml": {Data: []byte(archiveYAML)}}, []string{"*.yml"}, nil)
		require.NoError(t, err)
		people, err := manualtask.New(&manualtask.Options{Collections: map[string]manualtask.Collection{"archive": {
			Title: "Look into the archive", Instructions: "Files lie in the cellar.", Assignees: []string{"archivist"}, Due: 24 * time.Hour,
			Fields: []manualtask.Field{
				{TaskField: dsr.TaskField{Key: "note", Label: "What the file says", Help: "One line", Type: dsr.TaskText}},
				{TaskField: dsr.TaskField{Key: "found", Type: dsr.TaskCheckbox}},
				{TaskField: dsr.TaskField{Key: "scan", Type: dsr.TaskFile}},
			},
		}}})
		require.NoError(t, err)
		k.config.Datasets = datasets
		k.config.Connections = append(k.config.Connections, dsr.Connection{Key: "paper", Connector: people, Datasets: []string{"paper"}})
		k.config.Flow.Timeframe = 30 * 24 * time.Hour
	})
	require.Equal(t, dsr.StatusRequiresInput, k.process(t, "access").Status)
	return k, folder
}

// field is the place of a field of the archive.
func field(key, verb string) string {
	id := base64.RawURLEncoding.EncodeToString([]byte("access/paper:archive\n" + key))
	return "/api/v1/privacy-request/pri_1/manual-field/" + id + "/" + verb
}

// shownField is how a field of the archive is shown.
func shownField(key, name, help, kind, status, by string) string {
	id := base64.RawURLEncoding.EncodeToString([]byte("access/paper:archive\n" + key))
	person := func(id string) string {
		return `{"id":"` + id + `","email_address":null,"first_name":null,"last_name":null}`
	}
	if by != "null" {
		by = person(by)
	}
	reason := "null"
	if status == "skipped" {
		reason = `"nobody knows"`
	}
	return `{"manual_field_id":"` + id + `","name":"` + name + `","description":` + help + `,"input_type":"` + kind + `","request_type":"access","status":"` + status +
		`","assigned_users":[` + person("archivist") + `],"privacy_request":{"id":"pri_1","days_left":30,"request_type":"access","subject_identities":` +
		`{"email":"customer-3@example.com"},"custom_fields":{}},"system":{"id":"paper","name":"paper"},"skip_reason":` + reason + `,"submission_user":` + by +
		`,"created_at":"2026-03-01T12:00:00.000000Z","updated_at":"2026-03-01T12:00:00.000000Z","task":{"title":"Look into the archive",` +
		`"instructions":"Files lie in the cellar.","due_at":"2026-03-02T12:00:00.000000Z","inputs":[{"field":"customer","from":["postgres_example:customer:id"],"values":[1]}]}}`
}

func fieldsPage(total string, items string) string {
	return `{"items":[` + items + `],"total":` + total + `,"page":1,"size":50,"pages":1,"filter_options":{"assigned_users":` +
		`[{"id":"archivist","email_address":null,"first_name":null,"last_name":null}],"systems":[{"id":"paper","name":"paper"}]}}`
}

func TestPeopleFillInTheFieldsOfATask(t *testing.T) {
	t.Parallel()
	k, folder := archive(t)
	token := k.token(t)
	note := shownField("note", "What the file says", `"One line"`, "text", "new", "null")
	found, scan := shownField("found", "found", "null", "checkbox", "new", "null"), shownField("scan", "scan", "null", "attachment", "new", "null")
	k.send(t, token, "GET", "/api/v1/plus/manual-fields", nil).want(t, http.StatusOK, fieldsPage("3", note+","+found+","+scan))

	shown := k.send(t, token, "GET", "/privacy-request/pri_1", nil).Body
	require.Contains(t, shown, `"status":"requires_input"`)
	require.Contains(t, shown, `"resume_endpoint":null`, "that call is refused while it waits for a task")
	k.send(t, token, "POST", "/privacy-request/pri_1/resume_from_requires_input", nil).is(t, http.StatusBadRequest)

	ended := func(key, status string) string {
		id := base64.RawURLEncoding.EncodeToString([]byte("access/paper:archive\n" + key))
		return `{"manual_field_id":"` + id + `","status":"` + status + `"}`
	}
	k.multipart(t, token, field("note", "complete"), part{name: "field_value", content: "a letter"}, part{name: "comment_text", content: "hard to read"}, part{name: "comment_type", content: "note"}).
		want(t, http.StatusOK, ended("note", "completed"))
	k.multipart(t, token, field("note", "complete"), part{name: "field_value", content: "another"}).want(t, http.StatusConflict, `{"detail":"The manual field was completed or skipped already."}`)
	k.multipart(t, token, field("note", "skip"), part{name: "skip_reason", content: "no"}).want(t, http.StatusConflict, `{"detail":"The manual field was completed or skipped already."}`)
	k.restart(t)
	k.multipart(t, token, field("found", "skip"), part{name: "skip_reason", content: "nobody knows"}).want(t, http.StatusOK, ended("found", "skipped"))
	comments, err := k.engine.Attachments().Comments(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, []string{"access/paper:archive", "hard to read"}, []string{comments[0].Task, comments[0].Text})
	by := comments[0].Actor
	k.send(t, token, "GET", "/plus/manual-fields?privacy_request_id=pri_1", nil).want(t, http.StatusOK, fieldsPage("3",
		shownField("note", "What the file says", `"One line"`, "text", "completed", by)+","+shownField("found", "found", "null", "checkbox", "skipped", by)+","+scan))
	k.send(t, token, "GET", "/plus/manual-fields?status=new&request_type=access&system_name=paper&assigned_user_id=archivist", nil).want(t, http.StatusOK, fieldsPage("1", scan))

	// The page of Fides sends what the files are for after them.
	k.multipart(t, token, field("scan", "complete"), part{name: "attachments", file: "a.png", content: "A"}, part{name: "attachments", file: "b.pdf", content: "B"},
		part{name: "attachment_type", content: "include_with_access_package"}).want(t, http.StatusOK, ended("scan", "completed"))
	k.multipart(t, token, field("scan", "skip"), part{name: "skip_reason", content: "late"}).want(t, http.StatusBadRequest,
		detail("Manual fields cannot be completed or skipped now: privacy request 'pri_1' status = in_processing."))
	req := k.advance(t, "pri_1")
	require.Equal(t, dsr.StatusComplete, req.Status)
	text := packageOf(t, folder, req)
	for _, part := range []string{"a letter", "a.png", "b.pdf"} {
		require.Contains(t, text, part)
	}
	k.multipart(t, token, field("scan", "skip"), part{name: "skip_reason", content: "late"}).is(t, http.StatusNotFound)
	k.send(t, token, "GET", "/plus/manual-fields", nil).
		want(t, http.StatusOK, `{"items":[],"total":0,"page":1,"size":50,"pages":0,"filter_options":{"assigned_users":[],"systems":[]}}`)
	for _, secret := range []string{"a letter", "hard to read", "nobody knows", "customer-3", "a.png"} {
		require.NotContains(t, k.logs.String(), secret)
	}
}

func TestAnAnswerThatDoesNotFitIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	token := k.token(t)
	value := func(v string) part { return part{name: "field_value", content: v} }
	file := part{name: "attachments", file: "a.txt", content: "a"}
	for name, c := range map[string]struct {
		at     string
		parts  []part
		detail string
	}{
		"nothing":                {field("note", "complete"), nil, `{"type":"missing","loc":["body","field_value"],"msg":"Field required"}`},
		"a blank text":           {field("note", "complete"), []part{value(" \n")}, `{"type":"value_error","loc":["body","field_value"],"msg":"Value error, a text cannot be blank. Where there is nothing to tell, skip the field with a reason."}`},
		"an empty checkbox":      {field("found", "complete"), []part{value("")}, `{"type":"bool_parsing","loc":["body","field_value"],"msg":"Input should be a valid boolean, unable to interpret input"}`},
		"an empty file":          {field("scan", "complete"), []part{file, {name: "attachments", file: "b.txt"}}, `{"type":"value_error","loc":["body","attachments"],"msg":"Value error, a file is empty. Where there is nothing to tell, skip the field with a reason."}`},
		"no checkbox":            {field("found", "complete"), []part{value("maybe")}, `{"type":"bool_parsing","loc":["body","field_value"],"msg":"Input should be a valid boolean, unable to interpret input"}`},
		"no file":                {field("scan", "complete"), nil, `{"type":"missing","loc":["body","attachments"],"msg":"Field required"}`},
		"a text for a file":      {field("scan", "complete"), []part{value("x"), file}, `{"type":"value_error","loc":["body","field_value"],"msg":"Value error, the field takes files"}`},
		"a file for a text":      {field("note", "complete"), []part{file}, `{"type":"value_error","loc":["body","attachments"],"msg":"Value error, the field takes no files"}`},
		"a blank comment":        {field("note", "complete"), []part{value("x"), {name: "comment_text", content: " "}}, `{"type":"string_too_short","loc":["body","comment_text"],"msg":"String should have at least 1 character"}`},
		"a file for the desk":    {field("scan", "complete"), []part{file, {name: "attachment_type", content: "internal_use_only"}}, `{"type":"enum","loc":["body","attachment_type"],"msg":"Input should be 'include_with_access_package'"}`},
		"unknown":                {field("note", "complete"), []part{value("x"), {name: "x"}}, `{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}`},
		"no reason":              {field("note", "skip"), nil, `{"type":"missing","loc":["body","skip_reason"],"msg":"Field required"}`},
		"a blank reason":         {field("note", "skip"), []part{{name: "skip_reason", content: " "}}, `{"type":"string_too_short","loc":["body","skip_reason"],"msg":"String should have at least 1 character"}`},
		"a value of a skip":      {field("note", "skip"), []part{value("x")}, `{"type":"extra_forbidden","loc":["body","field_value"],"msg":"Extra inputs are not permitted"}`},
		"an invalid UTF-8 value": {field("note", "complete"), []part{value("\xff")}, `{"type":"value_error","loc":["body","field_value"],"msg":"Value error, a text must be UTF-8"}`},
	} {
		a := k.multipart(t, token, c.at, c.parts...)
		require.Equal(t, `{"detail":[`+c.detail+`]}`, a.Body, name)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status, name)
	}
	files, err := k.engine.Attachments().List(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Empty(t, files)
	comments, err := k.engine.Attachments().Comments(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Empty(t, comments)
	k.multipart(t, token, "/privacy-request/pri_1/manual-field/nix/complete", value("x")).want(t, http.StatusNotFound, `{"detail":"No manual field found with id 'nix'."}`)
	k.multipart(t, token, "/privacy-request/nix/manual-field/nix/skip", value("x")).want(t, http.StatusNotFound, `{"detail":"No privacy request found with id 'nix'."}`)
	k.multipart(t, token, field("other", "complete"), value("x")).is(t, http.StatusNotFound)
	k.send(t, token, "GET", "/plus/manual-fields?privacy_request_id=nix", nil).is(t, http.StatusNotFound)
	k.send(t, token, "GET", "/plus/manual-fields?status=open", nil).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"enum","loc":["query","status"],"msg":"Input should be 'new', 'completed' or 'skipped'"}]}`)
	k.send(t, token, "GET", "/plus/manual-fields?nix=1", nil).is(t, http.StatusUnprocessableEntity)
}

// A reason has no file with it, and may come in either form.
func TestAFieldIsSkippedByAPlainForm(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	token := k.token(t)
	send := func(at, media, body string) *answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", "Bearer "+token)
		return k.do(t, r)
	}
	const plain = "application/x-www-form-urlencoded"
	for body, detail := range map[string]string{
		"":                            `{"type":"missing","loc":["body","skip_reason"],"msg":"Field required"}`,
		"skip_reason=+":               `{"type":"string_too_short","loc":["body","skip_reason"],"msg":"String should have at least 1 character"}`,
		"skip_reason=a&skip_reason=b": `{"type":"value_error","loc":["body","skip_reason"],"msg":"Value error, it may be given once"}`,
		"skip_reason=a&field_value=b": `{"type":"extra_forbidden","loc":["body","field_value"],"msg":"Extra inputs are not permitted"}`,
		"skip_reason=%ff":             `{"type":"value_error","loc":["body","skip_reason"],"msg":"Value error, a text must be UTF-8"}`,
		"skip_reason=%zz":             `{"type":"value_error","loc":["body"],"msg":"Value error, the form is malformed or ends too early"}`,
		"skip_reason=" + strings.Repeat("a", 32_001): `{"type":"string_too_long","loc":["body","skip_reason"],"msg":"String should have at most 32000 bytes"}`,
	} {
		send(field("note", "skip"), plain, body).want(t, http.StatusUnprocessableEntity, `{"detail":[`+detail+`]}`)
	}
	send(field("note", "complete"), plain, "field_value=a").want(t, http.StatusUnsupportedMediaType, detail("Content-Type must be multipart/form-data"))
	send(field("note", "skip"), "application/json", `{}`).want(t, http.StatusUnsupportedMediaType, detail("Content-Type must be multipart/form-data, application/x-www-form-urlencoded"))
	send(field("note", "skip"), plain+"; charset=UTF-8", "skip_reason=Nothing+in+the+cellar").is(t, http.StatusOK)
}

func TestWhoMayOnlyRespondSeesAndAnswersWhatIsTheirs(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	respond := "privacy-request:manual-steps:respond"
	token := k.token(t, respond)
	none := `{"items":[],"total":0,"page":1,"size":50,"pages":0,"filter_options":{"assigned_users":[],"systems":[]}}`
	for _, at := range []string{"/plus/manual-fields", "/plus/manual-fields?privacy_request_id=pri_1"} {
		k.send(t, token, "GET", at, nil).want(t, http.StatusOK, none)
	}
	for _, verb := range []string{"complete", "skip"} {
		k.multipart(t, token, field("note", verb), part{name: "field_value", content: "x"}).is(t, http.StatusNotFound)
	}
	creds := k.client(t, respond)
	theirs, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	task, err := k.engine.Tasks().Get(t.Context(), "pri_1", "access/paper:archive")
	require.NoError(t, err)
	_, err = k.engine.Tasks().Assign(t.Context(), "pri_1", task.ID, task.Revision, []string{creds.ID}, dsr.By{})
	require.NoError(t, err)
	a := k.send(t, theirs.Value, "GET", "/plus/manual-fields", nil)
	a.is(t, http.StatusOK)
	require.Contains(t, a.Body, `"total":3`)
	k.multipart(t, theirs.Value, field("note", "complete"), part{name: "field_value", content: "x"}).is(t, http.StatusOK)
}

// Who may review sees every field; filling in is for those who may respond.
func TestReviewersSeeWhatOthersAreAsked(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	_, creds, err := k.oauth.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Roles: []string{oauth.RoleApprover}})
	require.NoError(t, err)
	token, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	a := k.send(t, token.Value, "GET", "/api/v1/plus/manual-fields", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, a.Body, `"total":3`)
	a = k.send(t, token.Value, "POST", field("note", "skip"), nil)
	a.want(t, http.StatusForbidden, `{"detail":"Not Authorized for this action. Required scope(s): [privacy-request:manual-steps:respond]"}`)
	a = k.send(t, k.token(t, oauth.ScopeRequestManualStepsRespond), "GET", "/api/v1/plus/manual-fields", nil)
	require.Contains(t, a.Body, `"total":0`, "nothing is assigned to them")
	a = k.send(t, k.token(t, oauth.ScopeRequestRead), "GET", "/api/v1/plus/manual-fields", nil)
	require.Equal(t, http.StatusForbidden, a.Status)
	doc := k.send(t, "", "GET", "/openapi.json", nil).Body
	require.Contains(t, doc, `"security":[{"bearer":["privacy-request:manual-steps:respond"]},{"bearer":["privacy-request:manual-steps:review"]}]`)
	require.Contains(t, k.send(t, "", "GET", "/docs", nil).Body, "<code>privacy-request:manual-steps:respond</code> or <code>privacy-request:manual-steps:review</code>")
}

// What is sent again, since the store broke off in between, is said once.
func TestACommentThatComesAgainIsSaidOnce(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	f := &frail{Store: k.store}
	f.fail = func(ctx context.Context) error { return blinks(ctx, f) }
	k.config.Store = f
	f.left.Store(1 << 40)
	k.restart(t)
	token := k.token(t)
	send := func() *answer {
		return k.multipart(t, token, field("note", "complete"), part{name: "field_value", content: "a letter"},
			part{name: "comment_text", content: "hard to read"}, part{name: "comment_type", content: "note"})
	}
	f.left.Store(1) // the comment is kept, the answer is not
	send().is(t, http.StatusServiceUnavailable)
	f.left.Store(1 << 40)
	send().is(t, http.StatusOK)
	said, err := k.engine.Attachments().Comments(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Len(t, said, 1)
}

// listedStore counts how often a request is read.
type listedStore struct {
	dsr.Store
	reads atomic.Int64
}

// Request implements [dsr.RequestReader].
func (s *listedStore) Request(ctx context.Context, id string) (*dsr.Record, error) {
	s.reads.Add(1)
	return s.Store.Request(ctx, id)
}

// A request whose tasks are listed is read once, for all that is shown of it.
func TestAListOfFieldsReadsEachRequestOnce(t *testing.T) {
	t.Parallel()
	k, _ := archive(t)
	store := &listedStore{Store: k.store}
	k.config.Store = store
	k.restart(t)
	token := k.token(t)
	for target, want := range map[string]int64{
		"/plus/manual-fields": 1, "/plus/manual-fields?size=1&page=2": 1,
		"/plus/manual-fields?privacy_request_id=pri_1": 2, // whether there is such a one, and then its tasks
	} {
		k.send(t, token, "GET", target, nil).is(t, http.StatusOK)
		store.reads.Store(0)
		a := k.send(t, token, "GET", target, nil)
		require.Contains(t, a.Body, `"days_left":30`)
		require.Equal(t, want, store.reads.Load(), target)
	}
}
