package fides

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

const tagForms = "Manual requests"

// formRoutes are the forms that people fill in before anything is queried. The
// form of a connection has its key.
func (d *Door) formRoutes() []route {
	const path, seed = "/connection/{connection_key}/access_manual_webhook", "/connection/{connection_key}/access_manual_request"
	at := func(method string) []place { return []place{{method, seed}} }
	return []route{
		{
			method: "GET", path: path, aliases: at("GET"), scopes: []string{oauth.ScopeWebhookRead},
			id: "get_access_manual_webhook", summary: "The form of a connection", tag: tagForms, errors: []int{http.StatusNotFound}, call: typed(d.getForm),
		},
		{
			method: "POST", path: path, aliases: at("POST"), scopes: []string{oauth.ScopeWebhookCreateOrUpdate}, status: http.StatusCreated,
			id: "create_access_manual_webhook", summary: "Give a connection a form", tag: tagForms,
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, call: typed(d.createForm),
			view: formView{}, self: [2]string{"id", "connection_key"},
		},
		{
			method: "PATCH", path: path, aliases: at("PATCH"), scopes: []string{oauth.ScopeWebhookCreateOrUpdate},
			id: "patch_access_manual_webhook", summary: "Replace the fields of a form; the first time it is made", tag: tagForms,
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, call: typed(d.patchForm),
			view: formView{}, self: [2]string{"id", "connection_key"},
		},
		{
			method: "DELETE", path: path, aliases: at("DELETE"), scopes: []string{oauth.ScopeWebhookDelete}, status: http.StatusNoContent,
			id: "delete_access_manual_webhook", summary: "Delete the form of a connection", tag: tagForms,
			errors: []int{http.StatusNotFound, http.StatusConflict}, call: typed(d.deleteForm),
		},
		{
			method: "GET", path: "/access_manual_webhook", aliases: []place{{"GET", "/access_manual_request"}}, scopes: []string{oauth.ScopeWebhookRead},
			id: "get_access_manual_webhooks", summary: "All forms that are asked for", tag: tagForms, call: typed(d.listForms),
		},
	}
}

// formBody are the fields of a form.
type formBody struct {
	Fields []formField `json:"fields" nullable:"false" doc:"At least one."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (b *formBody) UnmarshalJSON(text []byte) error {
	type plain formBody
	b.told = echoOf(text)
	return json.Unmarshal(text, (*plain)(b))
}

// formField is one thing that people are asked for.
type formField struct {
	PIIField   string   `json:"pii_field" doc:"What people are asked for, 1 to 200 characters."`
	Label      *string  `json:"dsr_package_label" required:"false" doc:"The key in uploads and packages, up to 200 characters. Defaults to pii_field in snake_case."`
	Categories []string `json:"data_categories" required:"false"`
	Types      []string `json:"types" required:"false" nullable:"false" doc:"string, file or both. Defaults to string."`
}

// formView is a form as it is shown.
type formView struct {
	Fields     []formField    `json:"fields" nullable:"false"`
	ID         string         `json:"id" doc:"The key of the connection, which has one form."`
	Connection connectionView `json:"connection_config"`
}

type oneForm struct{ Path connectionPath }

type formInput struct {
	Path connectionPath
	Body formBody
}

func (in *formInput) check() (faults []fault) {
	if in.Body.told.differs("connection_config", in.Path.Key) {
		faults = append(faults, valueFault("it is told only: connections are changed at PATCH /connection", "body", "connection_config"))
	}
	return faults
}

func (d *Door) getForm(ctx context.Context, in *oneForm) (*formView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.formConnection(defs, in.Path.Key); err != nil {
		return nil, err
	}
	if defs.Forms[in.Path.Key] == nil {
		return nil, noForm(in.Path.Key)
	}
	tests, err := d.formTests(ctx, defs, in.Path.Key)
	if err != nil {
		return nil, err
	}
	return d.viewForm(ctx, defs, tests, in.Path.Key)
}

// formConnection refuses a connection that there is not. A form of the host's
// configuration needs none.
func (d *Door) formConnection(defs *dsr.Definitions, key string) error {
	if defs.Connections[key] == nil && defs.Forms[key] == nil {
		return refuse(http.StatusNotFound, "No connection config with key '%s'", key)
	}
	return nil
}

func noForm(key string) error {
	return refuse(http.StatusNotFound, "%s", (&manual.NoFormError{Key: key}).Error())
}

func (d *Door) createForm(ctx context.Context, in *formInput) (*formView, error) {
	return d.defineForm(ctx, in, true)
}

func (d *Door) patchForm(ctx context.Context, in *formInput) (*formView, error) {
	return d.defineForm(ctx, in, false)
}

// defineForm makes a form, or gives it other fields.
func (d *Door) defineForm(ctx context.Context, in *formInput, anew bool) (*formView, error) {
	key := in.Path.Key
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		if err := d.formConnection(defs, key); err != nil {
			return err
		}
		conn, def := defs.Connections[key], defs.Forms[key]
		switch {
		case conn != nil && !slices.Contains(d.options.ManualTypes, conn.Type):
			return refuse(http.StatusBadRequest, "%s", (&manual.ConnectionTypeError{}).Error())
		case def != nil && anew:
			return refuse(http.StatusBadRequest, "%s", (&manual.ExistsError{Key: key}).Error())
		case def == nil:
			def = &dsr.FormDefinition{Form: manual.Form{Key: key, Name: conn.Name, Disabled: conn.Disabled, Actions: enabledActions(conn)}}
		}
		form := def.Form
		form.Fields = in.Body.fields()
		made, err := manual.NewForm(form)
		if err != nil {
			return formFailure(err)
		}
		def.Form = *made
		defs.Forms[key] = def
		return nil
	})
	var faults *graph.FaultError
	if errors.As(err, &faults) { // such as a key that packages need for themselves
		return nil, refuse(http.StatusBadRequest, "%s", faults.Error())
	}
	if err != nil {
		return nil, err
	}
	return d.getForm(ctx, &oneForm{Path: in.Path})
}

// enabledActions are those that the connection is for; all where it does not
// say.
func enabledActions(conn *dsr.ConnectionDefinition) (actions []manual.Action) {
	var extra struct {
		Actions []string `json:"enabled_actions"`
	}
	if len(conn.Extra) == 0 || json.Unmarshal(conn.Extra, &extra) != nil { // then it says nothing of them
		return nil
	}
	for _, a := range extra.Actions {
		if action := manual.Action(a); action == manual.Access || action == manual.Erasure {
			actions = append(actions, action)
		}
	}
	return actions
}

func (b *formBody) fields() []manual.Field {
	fields := make([]manual.Field, len(b.Fields))
	for i, f := range b.Fields {
		fields[i] = manual.Field{PIIField: f.PIIField, Label: text(f.Label), DataCategories: f.Categories}
		for _, t := range f.Types {
			fields[i].Types = append(fields[i].Types, manual.FieldType(t))
		}
	}
	return fields
}

// formFailure tells what is wrong with a form as Fides does.
func formFailure(err error) error {
	var found *manual.FaultError
	if !errors.As(err, &found) {
		return err
	}
	return invalid(manualFaults(found, "body")...)
}

// manualFaults tells faults of what is at loc as Fides does. What has no place
// is the body.
func manualFaults(found *manual.FaultError, loc ...any) []fault {
	faults := make([]fault, len(found.Faults))
	for i, f := range found.Faults {
		at := slices.Clone(loc)
		if f.Kind != manual.NotUnique {
			at = append(at, f.Loc...)
		}
		if len(at) == 0 {
			at = []any{"body"}
		}
		if f.Type == "value_error" {
			faults[i] = valueFault(f.Message, at...)
			continue
		}
		faults[i] = fault{Type: f.Type, Loc: at, Msg: f.Message}
	}
	return faults
}

func (d *Door) deleteForm(ctx context.Context, in *oneForm) (*nothing, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.formConnection(defs, in.Path.Key); err != nil {
		return nil, err
	}
	err = d.engine.Forms().Delete(ctx, in.Path.Key)
	var none *manual.NoFormError
	if errors.As(err, &none) {
		return nil, noForm(in.Path.Key)
	}
	return nil, catalogueFailure(err)
}

func (d *Door) listForms(ctx context.Context, _ *struct{}) (*formList, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(defs.Forms)), func(key string) bool { return defs.Forms[key].Disabled })
	tests, err := d.formTests(ctx, defs, keys...)
	if err != nil {
		return nil, err
	}
	list := formList{}
	for _, key := range keys {
		v, err := d.viewForm(ctx, defs, tests, key)
		if err != nil {
			return nil, err
		}
		list = append(list, *v)
	}
	return &list, nil
}

type formList []formView

// formTests returns how the connections of forms that are shown were tested last,
// by key.
func (d *Door) formTests(ctx context.Context, defs *dsr.Definitions, shown ...string) (map[string]dsr.ConnectionTest, error) {
	var of []*dsr.ConnectionDefinition
	for _, key := range shown {
		if conn := defs.Connections[key]; conn != nil {
			of = append(of, conn)
		}
	}
	return d.engine.Catalogue().Tests(ctx, of...)
}

// viewForm shows a form that there is. One of the host's configuration may have
// no connection; it stands for its own then.
func (d *Door) viewForm(ctx context.Context, defs *dsr.Definitions, tests map[string]dsr.ConnectionTest, key string) (*formView, error) {
	def, conn := defs.Forms[key], defs.Connections[key]
	if conn == nil {
		conn = &dsr.ConnectionDefinition{
			Defined: dsr.Defined{Key: key, Name: cmp.Or(def.Name, key), CreatedAt: def.CreatedAt, UpdatedAt: def.UpdatedAt},
			Type:    "manual_webhook", Disabled: def.Disabled,
		}
	}
	shown, err := d.viewTested(ctx, conn, tests)
	if err != nil {
		return nil, err
	}
	v := &formView{ID: key, Fields: make([]formField, len(def.Fields)), Connection: *shown}
	for i, f := range def.Fields {
		v.Fields[i] = formField{PIIField: f.PIIField, Label: &f.Label, Categories: f.DataCategories, Types: []string{}}
		for _, t := range f.Types {
			v.Fields[i].Types = append(v.Fields[i].Types, string(t))
		}
	}
	return v, nil
}
