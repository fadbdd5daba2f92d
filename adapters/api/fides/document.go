package fides

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr/adapters/api/internal/page"
)

const schemaPrefix = "#/components/schemas/"

// newDocument is the OpenAPI document without operations.
func (d *Door) newDocument() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Privacy requests", Version: "1",
			Description: "The HTTP API of Fides, by an engine that answers data subject requests. " + exampleOrder,
		},
		Servers: []*huma.Server{{URL: cmp.Or(d.options.Server, "/")}},
		Components: &huma.Components{
			Schemas: d.schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "A token of POST /oauth/token, or of the host's identity provider."},
				"hook":   {Type: "http", Scheme: "bearer", Description: "The token in the header reply-to-token of a hook's call."},
			},
		},
	}
}

// inputs makes the schemas of what a route reads.
func (d *Door) inputs(rt *route) {
	rt.schemas = map[string]*huma.Schema{}
	for _, part := range []string{"Path", "Query", "Body"} {
		f, ok := rt.call.in.FieldByName(part)
		if !ok {
			continue
		}
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if part != "Body" { // parameters stand in the operation itself
			rt.schemas[part] = d.parameters(t)
			if part == "Query" {
				d.refuseBlank(rt.schemas[part])
			}
			continue
		}
		s := d.schemas.Schema(t, true, rt.id+part)
		if s.Type == huma.TypeArray {
			s.Nullable = false
			s.MaxItems = intOf(f.Tag.Get("maxItems"))
			s.MinItems = intOf(f.Tag.Get("minItems"))
		}
		rt.schemas[part] = s
		if rt.view != nil {
			d.takeBack(s, d.schemas.Schema(reflect.TypeOf(rt.view), true, rt.id+"View"))
		}
	}
	if f, ok := rt.call.in.FieldByName("Page"); ok { // of the query as well
		page := d.parameters(f.Type)
		if query := rt.schemas["Query"]; query != nil {
			maps.Copy(query.Properties, page.Properties)
		} else {
			rt.schemas["Query"] = page
		}
	}
}

// parameters are the fields of a struct that a path or a query can hold. What may
// be one value or a list is a list there.
func (d *Door) parameters(t reflect.Type) *huma.Schema {
	s := huma.SchemaFromType(d.schemas, t)
	for name, property := range s.Properties {
		p := d.deref(property)
		i := slices.IndexFunc(p.AnyOf, func(a *huma.Schema) bool { return a.Type == huma.TypeArray })
		switch {
		case i >= 0:
			list := *p.AnyOf[i]
			list.Description = property.Description
			s.Properties[name] = &list
		case p.Type == huma.TypeObject || len(p.AnyOf) > 0:
			delete(s.Properties, name)
		}
	}
	return s
}

// refuseBlank makes blank texts faults, wherever a query has a free text, by
// itself or in a list: one that is there and says nothing would filter nothing.
func (d *Door) refuseBlank(query *huma.Schema) {
	for _, property := range query.Properties {
		if property.Type == huma.TypeArray && property.Items.Ref == "" {
			property = property.Items
		}
		if freeText(property) {
			property.Pattern = notBlank
		}
	}
}

func intOf(tag string) *int {
	n, err := strconv.Atoi(tag)
	if err != nil {
		return nil
	}
	return &n
}

// describe adds a route to the document, at its nth place.
func (d *Door) describe(rt *route, p place, n int) *huma.Operation {
	d.inputs(rt)
	op := &huma.Operation{
		OperationID: rt.id, Method: p.method, Path: p.path, Summary: rt.summary, Tags: []string{rt.tag},
		Description: rt.description, Responses: map[string]*huma.Response{}, Security: []map[string][]string{},
		Extensions: map[string]any{},
	}
	if n > 0 {
		op.OperationID += "_" + strconv.Itoa(n)
		op.Description = "Another place of " + rt.method + " " + rt.path + "."
	}
	if rt.acts {
		op.Description = strings.TrimSpace(op.Description + "\n\nIt does something each time: `HEAD` is 405 here.")
	}
	switch {
	case rt.hook:
		op.Security = append(op.Security, map[string][]string{"hook": {}})
	case len(rt.scopes) > 0:
		op.Security = append(op.Security, map[string][]string{"bearer": rt.scopes})
		op.Extensions[page.ExtScopes] = rt.scopes
		for _, scope := range rt.or {
			op.Security = append(op.Security, map[string][]string{"bearer": {scope}})
			op.Extensions[page.ExtOrScopes] = rt.or
		}
	default:
		op.Extensions[page.ExtPublic] = rt.public
	}
	d.describeInput(rt, op)
	d.describeAnswers(rt, op)
	d.document.AddOperation(op)
	return op
}

func (d *Door) describeInput(rt *route, op *huma.Operation) {
	for _, part := range []string{"Path", "Query"} {
		s := rt.schemas[part]
		if s == nil {
			continue
		}
		names := make([]string, 0, len(s.Properties))
		for name := range s.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			schema := *s.Properties[name]
			schema.Nullable = false
			param := &huma.Param{Name: name, In: strings.ToLower(part), Schema: &schema, Description: schema.Description, Required: part == "Path" || slices.Contains(s.Required, name)}
			if key := d.exampleKey(op.Path, name); part == "Path" && key != "" {
				param.Example = key
			}
			if schema.Type == huma.TypeArray {
				explode := true
				param.Style, param.Explode = "form", &explode
			}
			op.Parameters = append(op.Parameters, param)
		}
	}
	if !rt.reads() {
		return
	}
	f, ok := rt.call.in.FieldByName("Body")
	schema := rt.schemas["Body"]
	if rt.form != nil {
		schema = d.schemas.Schema(reflect.TypeOf(rt.form), true, rt.id+"Form")
	}
	optional := rt.optional || ok && f.Type.Kind() == reflect.Pointer
	op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{}, Required: !optional}
	if ok && optional {
		op.RequestBody.Description = "It may be left out, or be `null`."
		schema = &huma.Schema{AnyOf: []*huma.Schema{schema, {Type: "null"}}}
	}
	for _, media := range rt.accepts {
		content := &huma.MediaType{Schema: schema}
		if example, ok := d.bodies[rt.id]; ok {
			content.Example = example
		}
		op.RequestBody.Content[media] = content
	}
}

// describeAnswers tells every status that a route may answer with.
func (d *Door) describeAnswers(rt *route, op *huma.Operation) {
	response := &huma.Response{Description: http.StatusText(rt.status), Content: map[string]*huma.MediaType{}}
	op.Responses[strconv.Itoa(rt.status)] = response
	for _, media := range rt.media {
		response.Content[media] = &huma.MediaType{Schema: &huma.Schema{}}
	}
	for _, status := range rt.also {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status)}
	}
	shown := rt.call.out
	if rt.answer != nil {
		shown = reflect.TypeOf(rt.answer)
	}
	if !shown.Implements(responderType) && !reflect.PointerTo(shown).Implements(responderType) && rt.status != http.StatusNoContent {
		s := d.schemas.Schema(shown, true, rt.id+"Answer")
		if shown == reflect.TypeFor[nothing]() {
			s = &huma.Schema{Type: "null"}
		}
		response.Content["application/json"] = &huma.MediaType{Schema: s}
	}
	statuses := append(slices.Clone(rt.errors), http.StatusUnprocessableEntity, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	if rt.hook || len(rt.scopes) > 0 {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if rt.reads() {
		statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	text, faults := reflect.TypeFor[errorText](), reflect.TypeFor[validationError]()
	if rt.credentials {
		text, faults = reflect.TypeFor[oauthErrorText](), reflect.TypeFor[oauthValidationError]()
	}
	for _, status := range statuses {
		schema := d.schemas.Schema(text, true, "")
		if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
			schema = &huma.Schema{AnyOf: []*huma.Schema{d.schemas.Schema(faults, true, ""), schema}}
		}
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: jsonContent(schema)}
	}
}

var responderType = reflect.TypeFor[responder]()

// nothing is the answer null.
type nothing struct{}

// errorText and validationError are what errors look like.
type errorText struct {
	Detail string `json:"detail"`
}

type validationError struct {
	Detail []fault `json:"detail" nullable:"false"`
}

// oauthErrorText and oauthValidationError are what they look like to clients of
// OAuth.
type oauthErrorText struct {
	Detail string    `json:"detail"`
	Error  oauthCode `json:"error"`
}

type oauthValidationError struct {
	Detail []fault   `json:"detail" nullable:"false"`
	Error  oauthCode `json:"error"`
}

// oauthCode is an error code of OAuth.
type oauthCode string

// TransformSchema implements [huma.SchemaTransformer].
func (oauthCode) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Description = "The error code of RFC 6749 (5.2): invalid_request, invalid_client, invalid_grant, unsupported_grant_type or invalid_scope; " +
		"of a bearer token that of RFC 6750 (3.1), or access_denied; slow_down after too many requests; " +
		"temporarily_unavailable and server_error where it is not the caller's fault."
	return s
}

func jsonContent(s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: s}}
}

// admitNull adds null to the choices of what may be null: to JSON Schema, the
// type alone does not admit it.
func admitNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Nullable && len(s.Enum) > 0 && !slices.Contains(s.Enum, nil) {
		s.Enum = append(slices.Clip(s.Enum), nil)
	}
	admitNull(s.Items)
	for _, property := range s.Properties {
		admitNull(property)
	}
}

// describeTable adds what only the whole table of routes tells: limits, what is
// another place of what, and the order of tags. Those that are about the
// document itself come last.
func (d *Door) describeTable() {
	ids := map[string]string{}
	for i := range d.routes {
		rt := &d.routes[i]
		ids[rt.method+" "+rt.path] = rt.id
		known := slices.ContainsFunc(d.document.Tags, func(t *huma.Tag) bool { return t.Name == rt.tag })
		if !known && rt.tag != tagDocument {
			d.document.Tags = append(d.document.Tags, &huma.Tag{Name: rt.tag})
		}
	}
	d.document.Tags = append(d.document.Tags, &huma.Tag{Name: tagDocument})
	for _, info := range d.Routes() {
		told := operationAt(d.document, info.Method, info.Path).Extensions
		told[page.ExtPerMinute], told[page.ExtLimitedBy] = info.PerMinute, info.LimitedBy
		told[page.ExtTimeout] = int64(info.Timeout.Seconds())
		if info.BodyBytes > 0 {
			told[page.ExtBodyBytes] = info.BodyBytes
		}
		if info.AliasOf != "" {
			told[page.ExtAliasOf] = ids[info.AliasOf]
		}
	}
}

func operationAt(doc *huma.OpenAPI, method, path string) *huma.Operation {
	item := doc.Paths[path]
	switch method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return item.Get
}

// documentFiles are the document in its forms. As YAML it is made when it is
// first asked for, since that takes longer than all of the rest.
type documentFiles struct {
	json, page *staticFile
	yaml       func() (*staticFile, error)
}

func (d *Door) renderDocument() (files documentFiles, err error) {
	d.describeTable()
	for _, s := range d.schemas.Map() {
		admitNull(s)
	}
	asJSON, err := json.Marshal(d.document)
	if err != nil {
		return files, fmt.Errorf("fides: encode the OpenAPI document: %w", err)
	}
	shown, err := page.Render(d.document)
	if err != nil {
		return files, fmt.Errorf("fides: %w", err)
	}
	return documentFiles{
		json: newFile("application/json", nothingLoaded, asJSON),
		yaml: sync.OnceValues(func() (*staticFile, error) {
			asYAML, err := d.document.YAML()
			if err != nil {
				return nil, fmt.Errorf("fides: encode the OpenAPI document: %w", err)
			}
			return newFile("application/yaml", nothingLoaded, asYAML), nil
		}),
		page: newFile("text/html; charset=utf-8", shown.Policy, shown.HTML),
	}, nil
}
