package fides

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagTasks = "Manual tasks"

// taskRoutes are what people are asked in the midst of a request. Who may
// respond sees what is assigned to them, and who may review sees all.
func (d *Door) taskRoutes() []route {
	const field = "/privacy-request/{privacy_request_id}/manual-field/{manual_field_id}"
	scopes := []string{oauth.ScopeRequestManualStepsRespond}
	takes := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "GET", path: "/plus/manual-fields", scopes: scopes, or: []string{oauth.ScopeRequestManualStepsReview}, id: "list_manual_fields", tag: tagTasks,
			summary: "The fields that people are to fill in: of open tasks, or of all tasks of a privacy request", errors: []int{http.StatusNotFound}, call: typed(d.listFields),
		},
		{
			method: "POST", path: field + "/complete", scopes: scopes, body: d.options.Limits.UploadBytes, timeout: time.Hour, accepts: []string{multipartForm},
			id: "complete_manual_field", summary: "Fill in a field", tag: tagTasks, errors: takes, form: completeForm{}, call: typed(d.completeField),
		},
		{
			method: "POST", path: field + "/skip", scopes: scopes, accepts: []string{multipartForm, encodedForm},
			id: "skip_manual_field", summary: "Skip a field, for a reason", tag: tagTasks, errors: takes, form: skipForm{}, call: typed(d.skipField),
		},
	}
}

// completeForm describes what a field is filled in with.
type completeForm struct {
	Value       *string  `json:"field_value" required:"false" doc:"A text, which cannot be blank; true or false for a checkbox."`
	CommentText *string  `json:"comment_text" required:"false"`
	CommentType *string  `json:"comment_type" required:"false" enum:"note"`
	Attachments []string `json:"attachments" required:"false" doc:"Files, for a field of type attachment. None can be empty."`
	Type        *string  `json:"attachment_type" required:"false" enum:"include_with_access_package"`
}

type skipForm struct {
	Reason string `json:"skip_reason" doc:"1 to 32000 bytes."`
}

type fieldPath struct {
	ID    string `json:"privacy_request_id" minLength:"1" maxLength:"200"`
	Field string `json:"manual_field_id" minLength:"1" maxLength:"4000"`
}

type fieldForm struct {
	Path    fieldPath
	Request *http.Request
}

// fieldState is where a field stands after a call.
type fieldState struct {
	ID     string `json:"manual_field_id"`
	Status string `json:"status" enum:"completed,skipped"`
}

type fieldList struct {
	Query struct {
		Status      *string `json:"status" required:"false" enum:"new,completed,skipped"`
		RequestType *string `json:"request_type" required:"false" enum:"access,erasure,consent"`
		System      *string `json:"system_name" required:"false" maxLength:"200"`
		Assignee    *string `json:"assigned_user_id" required:"false" maxLength:"1000"`
		Request     *string `json:"privacy_request_id" required:"false" maxLength:"200"`
	}
	Page paging
}

// fieldPage is a page of fields.
type fieldPage struct {
	Items   []fieldView  `json:"items" nullable:"false"`
	Total   int64        `json:"total"`
	Page    int          `json:"page"`
	Size    int          `json:"size"`
	Pages   int64        `json:"pages"`
	Options fieldOptions `json:"filter_options"`
}

// fieldOptions are what there is to filter by.
type fieldOptions struct {
	Users   []assigneeView `json:"assigned_users" nullable:"false"`
	Systems []systemView   `json:"systems" nullable:"false"`
}

type assigneeView struct {
	ID    string  `json:"id"`
	Email *string `json:"email_address"`
	First *string `json:"first_name"`
	Last  *string `json:"last_name"`
}

type systemView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// fieldView is a field that people fill in. What Fides has no key for is in
// task, and in skip_reason.
type fieldView struct {
	ID          string                 `json:"manual_field_id"`
	Name        string                 `json:"name"`
	Description *string                `json:"description"`
	InputType   string                 `json:"input_type" enum:"text,checkbox,attachment"`
	RequestType string                 `json:"request_type" enum:"access,erasure"`
	Status      string                 `json:"status" enum:"new,completed,skipped"`
	Assigned    []assigneeView         `json:"assigned_users" nullable:"false"`
	Request     fieldRequest           `json:"privacy_request"`
	System      systemView             `json:"system"`
	SkipReason  *string                `json:"skip_reason" doc:"Why it was skipped."`
	Submitted   nullable[assigneeView] `json:"submission_user"`
	CreatedAt   *stamp                 `json:"created_at"`
	UpdatedAt   *stamp                 `json:"updated_at"`
	Task        fieldTask              `json:"task"`
}

// fieldRequest is the privacy request of a field.
type fieldRequest struct {
	ID           string         `json:"id"`
	DaysLeft     *int           `json:"days_left"`
	RequestType  string         `json:"request_type"`
	Identities   map[string]any `json:"subject_identities" nullable:"false" doc:"By kind: a text, or a list of several."`
	CustomFields map[string]any `json:"custom_fields" nullable:"false"`
}

// fieldTask is the task of a field: what people need to know to fill it in.
type fieldTask struct {
	Title        string      `json:"title"`
	Instructions string      `json:"instructions"`
	DueAt        *stamp      `json:"due_at"`
	Inputs       []taskInput `json:"inputs" nullable:"false" doc:"The values that it is about."`
}

type taskInput struct {
	Field  string   `json:"field"`
	From   []string `json:"from" nullable:"false"`
	Values []any    `json:"values" nullable:"false"`
}

// inputType is Fides' name for a type of field.
func inputType(t dsr.TaskFieldType) string {
	if t == dsr.TaskFile {
		return "attachment"
	}
	return string(t)
}

// fieldID names a field of a task within its request.
func fieldID(task, field string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(task + "\n" + field))
}

// mayAnswer reports whether a task is the caller's to answer.
func mayAnswer(ctx context.Context, t *dsr.Task) bool {
	p := principalOf(ctx)
	return p.Require(oauth.ScopeRequestManualStepsReview) == nil || slices.Contains(t.Assignees, p.Subject)
}

// listedField is a field of a task, before it is known whether it is shown.
type listedField struct {
	task  *dsr.Task
	field *dsr.TaskField
}

// listFields shows a page. Who is assigned and what was answered is sealed with
// each request, so that all that wait are opened to find what is on it.
func (d *Door) listFields(ctx context.Context, in *fieldList) (*fieldPage, error) {
	q := &in.Query
	var all []listedField
	users, systems := []string{}, []string{}
	for t, err := range d.listedTasks(ctx, q.Request) {
		if err != nil {
			return nil, err
		}
		if !mayAnswer(ctx, t) {
			continue
		}
		users = append(users, t.Assignees...)
		systems = append(systems, t.Collection.Dataset)
		if q.RequestType != nil && *q.RequestType != string(t.Action) || q.System != nil && *q.System != t.Collection.Dataset ||
			q.Assignee != nil && !slices.Contains(t.Assignees, *q.Assignee) {
			continue
		}
		for i := range t.Fields {
			if q.Status == nil || *q.Status == fieldStatus(t, &t.Fields[i]) {
				all = append(all, listedField{t, &t.Fields[i]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b listedField) int {
		return cmp.Or(a.task.AskedAt.Compare(b.task.AskedAt), strings.Compare(a.task.RequestID, b.task.RequestID))
	})
	cut, err := pageFrom(all, in.Page, func(f listedField) (fieldView, error) { return d.viewField(f.task, f.field), nil })
	if err != nil {
		return nil, err
	}
	page := &fieldPage{
		Items: cut.Items, Total: cut.Total, Page: cut.Page, Size: cut.Size, Pages: cut.Pages,
		Options: fieldOptions{Users: []assigneeView{}, Systems: []systemView{}},
	}
	slices.Sort(users)
	for _, u := range slices.Compact(users) {
		page.Options.Users = append(page.Options.Users, assigneeView{ID: u})
	}
	slices.Sort(systems)
	for _, s := range slices.Compact(systems) {
		page.Options.Systems = append(page.Options.Systems, systemView{s, s})
	}
	return page, nil
}

// listedTasks are all tasks of a request, or those of all requests that are open.
func (d *Door) listedTasks(ctx context.Context, request *string) iter.Seq2[*dsr.Task, error] {
	if request == nil {
		return d.engine.Tasks().Open(ctx, dsr.TaskFilter{})
	}
	return func(yield func(*dsr.Task, error) bool) {
		_, err := d.request(ctx, *request)
		if err != nil {
			yield(nil, err)
			return
		}
		tasks, err := d.engine.Tasks().List(ctx, *request)
		if err != nil && !errors.Is(err, dsr.ErrShredded) {
			yield(nil, requestFailure(*request, err))
			return
		}
		for _, t := range tasks {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// fieldStatus says how far a field is.
func fieldStatus(t *dsr.Task, f *dsr.TaskField) string {
	switch a, ok := t.Answers[f.Key]; {
	case !ok:
		return "new"
	case a.Skipped:
		return "skipped"
	}
	return "completed"
}

func (d *Door) viewField(t *dsr.Task, f *dsr.TaskField) fieldView {
	v := fieldView{
		ID: fieldID(t.ID, f.Key), Name: cmp.Or(f.Label, f.Key), Description: textOf(f.Help), InputType: inputType(f.Type), RequestType: string(t.Action),
		Status: fieldStatus(t, f), Assigned: []assigneeView{}, System: systemView{t.Collection.Dataset, t.Collection.Dataset},
		Request: fieldRequest{
			ID: t.RequestID, RequestType: string(t.Action), Identities: map[string]any{}, CustomFields: map[string]any{}, DaysLeft: d.daysLeft(t.DeadlineAt, time.Time{}),
		},
		CreatedAt: stampOf(t.AskedAt), UpdatedAt: stampOf(t.AskedAt),
		Task: fieldTask{Title: t.Title, Instructions: t.Instructions, DueAt: stampOf(t.DueAt), Inputs: []taskInput{}},
	}
	for _, a := range t.Assignees {
		v.Assigned = append(v.Assigned, assigneeView{ID: a})
	}
	for kind, values := range t.Identities {
		v.Request.Identities[kind] = values
		if len(values) == 1 {
			v.Request.Identities[kind] = values[0]
		}
	}
	for _, in := range t.Inputs {
		v.Task.Inputs = append(v.Task.Inputs, taskInput{Field: in.Field, From: listOf(in.From), Values: listOf(in.Values)})
	}
	if a, ok := t.Answers[f.Key]; ok {
		v.UpdatedAt = stampOf(a.At)
		if a.Skipped {
			v.SkipReason = textOf(a.Reason)
		}
		if a.Actor != "" {
			v.Submitted = present(assigneeView{ID: a.Actor})
		}
	}
	return v
}

// daysLeft is how many whole days there are to answer a request; nil where it has
// no deadline, or is finished.
func (d *Door) daysLeft(deadline, finished time.Time) *int {
	if deadline.IsZero() || !finished.IsZero() {
		return nil
	}
	const day = 24 * time.Hour // in UTC, as in Fides
	days := int(deadline.Truncate(day).Sub(d.options.Clock().Truncate(day)) / day)
	return &days
}
