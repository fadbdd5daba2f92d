package fides

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// connectionTypeView is a type of connections as Fides shows it.
type connectionTypeView struct {
	Identifier string   `json:"identifier"`
	Type       string   `json:"type" enum:"database,manual"`
	Title      string   `json:"human_readable"`
	Icon       *string  `json:"encoded_icon" doc:"Always null."`
	Authorize  bool     `json:"authorization_required" doc:"Always false."`
	Guide      *string  `json:"user_guide" doc:"Always null."`
	Actions    []string `json:"supported_actions" nullable:"false"`
	Category   *string  `json:"category" doc:"Always null."`
	Tags       []string `json:"tags" doc:"Always null."`
	Features   []string `json:"enabled_features" doc:"Always null."`
	Custom     bool     `json:"custom" doc:"Always false."`
	Default    bool     `json:"default_connector_available" doc:"Always false."`
}

type listConnectionTypesInput struct {
	Query struct {
		Page    int    `json:"page" required:"false" minimum:"1" maximum:"1000000" default:"1"`
		Size    int    `json:"size" required:"false" minimum:"1" maximum:"100" default:"100"`
		Search  string `json:"search" required:"false" maxLength:"1000"`
		System  string `json:"system_type" required:"false" enum:"data_catalog,database,email,manual,saas,service,system,website"`
		Consent *bool  `json:"consent" required:"false" doc:"Of several actions that are true, any will do."`
		Access  *bool  `json:"access" required:"false"`
		Erasure *bool  `json:"erasure" required:"false"`
	}
}

func (d *Door) listConnectionTypes(_ context.Context, in *listConnectionTypesInput) (*pageOfItems[connectionTypeView], error) {
	q := &in.Query
	any := q.Consent == nil && q.Access == nil && q.Erasure == nil || is(q.Access) || is(q.Erasure)
	types := d.engine.Catalogue().ConnectionTypes()
	var found []connectionTypeView
	for _, key := range slices.Sorted(maps.Keys(types)) {
		t := types[key]
		v := connectionTypeView{Identifier: key, Title: cmp.Or(t.Title, key), Actions: []string{"access", "erasure"}}
		v.Type = d.systemType(&dsr.ConnectionDefinition{Type: key})
		search := strings.ToLower(q.Search)
		if any && (q.System == "" || q.System == v.Type) && (strings.Contains(strings.ToLower(key), search) || strings.Contains(strings.ToLower(v.Title), search)) {
			found = append(found, v)
		}
	}
	return cutPage(found, paging{q.Page, q.Size}), nil
}

// secretsSchema is a JSON schema of secrets, in the form that Fides has it.
type secretsSchema struct {
	Title      string                  `json:"title"`
	Type       string                  `json:"type" enum:"object"`
	Properties map[string]secretSchema `json:"properties" nullable:"false"`
	Required   []string                `json:"required" nullable:"false"`
	Additional bool                    `json:"additionalProperties"`
}

type secretSchema struct {
	Title     string `json:"title"`
	Type      string `json:"type" enum:"string"`
	Sensitive bool   `json:"sensitive" doc:"It is never shown."`
	About     string `json:"description,omitempty" doc:"What else to know, such as which other one may be given instead."`
}

func secretsSchemaOf(title string, fields []dsr.SecretField) *secretsSchema {
	s := &secretsSchema{Title: title, Type: "object", Properties: map[string]secretSchema{}, Required: []string{}}
	for _, f := range fields {
		s.Properties[f.Name] = secretSchema{Title: cmp.Or(f.Title, f.Name), Type: "string", Sensitive: f.Sensitive, About: f.Description}
		if !f.Optional {
			s.Required = append(s.Required, f.Name)
		}
	}
	return s
}

type oneConnectionType struct {
	Path struct {
		Key string `json:"connection_type" minLength:"1" maxLength:"1000"`
	}
}

func (d *Door) connectionTypeSecrets(_ context.Context, in *oneConnectionType) (*secretsSchema, error) {
	t, ok := d.engine.Catalogue().ConnectionTypes()[in.Path.Key]
	if !ok {
		return nil, refuse(http.StatusNotFound, "No connection type found with name '%s'.", in.Path.Key)
	}
	return secretsSchemaOf(cmp.Or(t.Title, in.Path.Key), t.Fields), nil
}
