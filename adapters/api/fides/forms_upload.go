package fides

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// uploadRoutes are what people do with forms, for one request.
func (d *Door) uploadRoutes() []route {
	var routes []route
	for _, action := range []graph.Action{graph.Access, graph.Erasure} {
		name := string(action)
		path := "/privacy-request/{privacy_request_id}/" + name + "_manual_webhook/{connection_key}"
		seed := strings.Replace(path, "_manual_webhook", "_manual_request", 1)
		what := map[graph.Action]string{graph.Access: "Upload what was found", graph.Erasure: "Confirm what was erased"}[action]
		routes = append(
			routes,
			route{
				method: "PATCH", path: path, aliases: []place{{"PATCH", seed}}, scopes: []string{oauth.ScopeRequestUploadData},
				id: "upload_" + name + "_manual_webhook", summary: what, tag: tagForms,
				errors: []int{http.StatusBadRequest, http.StatusNotFound}, form: formValues{},
				call: typed(func(ctx context.Context, in *uploadInput) (*nothing, error) { return d.upload(ctx, in, action) }),
			},
			route{
				method: "GET", path: path, aliases: []place{{"GET", seed}}, scopes: []string{oauth.ScopeRequestViewData},
				id: "view_" + name + "_manual_webhook", summary: "What was uploaded", tag: tagForms,
				errors: []int{http.StatusBadRequest, http.StatusNotFound},
				call:   typed(func(ctx context.Context, in *uploadView) (*formState, error) { return d.viewUpload(ctx, in, action) }),
			},
		)
	}
	return append(routes, route{
		method: "POST", path: "/privacy-request/{privacy_request_id}/resume_from_requires_input", scopes: []string{oauth.ScopeRequestResume},
		id: "resume_from_requires_input", summary: "Let a request go on whose forms are filled in", tag: tagForms,
		errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.resumeForms),
	})
}

type uploadPath struct {
	ID  string `json:"privacy_request_id" minLength:"1" maxLength:"200"`
	Key string `json:"connection_key" minLength:"1" maxLength:"200"`
}

type uploadInput struct {
	Path    uploadPath
	Request *http.Request
}

type uploadView struct{ Path uploadPath }

// formValues are values by the labels of a form, in its order.
type formValues struct{ manual.Entries }

// Schema implements [huma.SchemaProvider].
func (formValues) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Values by the labels of the form."}
}

// formState is what was uploaded, and whether it answers the form as it is now.
type formState struct {
	Checked bool       `json:"checked"`
	Fields  formValues `json:"fields"`
}

// openForm checks, in Fides' order, that there is all that the path names.
func (d *Door) openForm(ctx context.Context, path uploadPath) error {
	defs, err := d.definitions(ctx)
	if err != nil {
		return err
	}
	if err := d.formConnection(defs, path.Key); err != nil {
		return err
	}
	if _, err := d.request(ctx, path.ID); err != nil {
		return err
	}
	if defs.Forms[path.Key] == nil {
		return noForm(path.Key)
	}
	return nil
}

// upload leaves the body to the form: what is in it is looked at last, as in
// Fides.
func (d *Door) upload(ctx context.Context, in *uploadInput, action graph.Action) (*nothing, error) {
	if err := d.openForm(ctx, in.Path); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(in.Request.Body)
	if err != nil {
		return nil, err
	}
	_, err = d.engine.Forms().UploadJSON(ctx, in.Path.ID, in.Path.Key, action, body, by(ctx, ""))
	return nil, uploadFailure(in.Path.ID, err)
}

func (d *Door) viewUpload(ctx context.Context, in *uploadView, action graph.Action) (*formState, error) {
	if err := d.openForm(ctx, in.Path); err != nil {
		return nil, err
	}
	view, err := d.engine.Forms().View(ctx, in.Path.ID, in.Path.Key, action)
	if err != nil {
		return nil, uploadFailure(in.Path.ID, err)
	}
	return &formState{Checked: view.Checked, Fields: formValues{view.Fields}}, nil
}

// uploadFailure tells in Fides' words what is wrong with an upload, or with its
// moment.
func uploadFailure(id string, err error) error {
	var status *manual.StatusError
	var action *manual.ActionError
	var none *manual.NoFormError
	var found *manual.FaultError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		return refuse(http.StatusBadRequest, "%s", status.Error())
	case errors.As(err, &action):
		return refuse(http.StatusBadRequest, "The manual webhook of connection config '%s' is not for %s requests.", action.Form, action.Action)
	case errors.As(err, &none):
		return noForm(none.Key)
	case errors.As(err, &found):
		return invalid(manualFaults(found)...) // without the body, as in Fides
	case errors.Is(err, dsr.ErrNotFound): // the request was there just now
		return invalid(valueFault("there is no attachment of that ID; attach the file first", "body"))
	case errors.Is(err, dsr.ErrLimit):
		return refuse(http.StatusRequestEntityTooLarge, "%s", withoutPackage(err))
	}
	return requestFailure(id, err)
}

// withoutPackage is the text of an error of the engine for callers. It may be
// told of errors only that hold nothing personal.
func withoutPackage(err error) string { return strings.TrimPrefix(err.Error(), "dsr: ") }

func (d *Door) resumeForms(ctx context.Context, in *oneRequest) (*requestView, error) {
	if _, err := d.request(ctx, in.Path.ID); err != nil {
		return nil, err
	}
	req, err := d.engine.Forms().Resume(ctx, in.Path.ID, by(ctx, ""))
	var missing *manual.MissingError
	var status *manual.ResumeStatusError
	var refused *dsr.RefusedError
	switch {
	case errors.As(err, &missing): // the first of them, as in Fides
		return nil, refuse(http.StatusBadRequest, "%s", missing.Error())
	case errors.As(err, &status):
		return nil, refuse(http.StatusBadRequest, "%s", status.Error())
	case errors.As(err, &refused):
		return nil, refuse(http.StatusBadRequest, "Cannot resume privacy request: it waits for manual tasks, which are completed or skipped one by one.")
	case req == nil:
		return nil, requestFailure(in.Path.ID, err)
	case err != nil: // stored; the executor finds it by itself
		callOf(ctx).note(err)
	}
	return d.shown(ctx, req), nil
}
