package fides

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/manual"
)

const tagConnections = "Connections"

// connectionRoutes are what is done with connections.
func (d *Door) connectionRoutes() []route {
	write, read := []string{oauth.ScopeConnectionCreateOrUpdate}, []string{oauth.ScopeConnectionRead}
	types := []string{oauth.ScopeConnectionTypeRead}
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "PATCH", path: "/connection", aliases: []place{{"POST", "/connection"}}, scopes: write, errors: []int{http.StatusConflict},
			id: "patch_connections", summary: "Create or change connections", tag: tagConnections, call: typed(d.patchConnections),
			view: connectionView{},
		},
		{
			method: "GET", path: "/connection", scopes: read,
			id: "get_connections", summary: "Connections, by name", tag: tagConnections, call: typed(d.listConnections),
		},
		{
			method: "GET", path: "/connection/{connection_key}", scopes: read, errors: missing,
			id: "get_connection", summary: "A connection", tag: tagConnections, call: typed(d.getConnection),
		},
		{
			method: "DELETE", path: "/connection/{connection_key}", scopes: []string{oauth.ScopeConnectionDelete}, errors: conflict, status: http.StatusNoContent,
			id: "delete_connection", summary: "Delete a connection with its datasets and its form", tag: tagConnections, call: typed(d.deleteConnection),
			description: "Of a connection with datasets it needs the scope `dataset:delete` as well, unless they follow from its manual task; of one with a form `webhook:delete`.",
		},
		{
			method: "PUT", path: "/connection/{connection_key}/secret", scopes: write, errors: conflict,
			id: "put_connection_secrets", summary: "Set the secrets of a connection", tag: tagConnections, call: typed(d.putSecrets),
		},
		{
			method: "PATCH", path: "/connection/{connection_key}/secret", scopes: write, errors: conflict,
			id: "patch_connection_secrets", summary: "Set some of the secrets of a connection", tag: tagConnections, call: typed(d.patchSecrets),
		},
		{
			method: "GET", path: "/connection/{connection_key}/test", scopes: read, errors: conflict, acts: true,
			id: "test_connection", summary: "Ask a connection whether it answers", tag: tagConnections, call: typed(d.testConnection),
		},
		{
			method: "GET", path: "/connection_type", scopes: types,
			id: "get_connection_types", summary: "Types of connections", tag: tagConnections, call: typed(d.listConnectionTypes),
		},
		{
			method: "GET", path: "/connection_type/{connection_type}/secret", scopes: types, errors: missing,
			id: "get_connection_type_secrets", summary: "The secrets that connections of a type take, as a JSON schema", tag: tagConnections,
			call: typed(d.connectionTypeSecrets),
		},
	}
}

// connectionPath is the path of what is about one connection.
type connectionPath struct {
	Key string `json:"connection_key" minLength:"1" maxLength:"1000"`
}

type oneConnection struct{ Path connectionPath }

// newConnection is a connection to be created or changed.
type newConnection struct {
	Name        *string `json:"name" required:"false" maxLength:"1000" doc:"No other connection has it."`
	Key         *string `json:"key" required:"false" maxLength:"1000" doc:"Defaults to the name in snake_case, also where it is blank."`
	Type        string  `json:"connection_type" maxLength:"1000"`
	Access      string  `json:"access" enum:"read,write" doc:"With read, erasure rules that reach it are refused."`
	Disabled    *bool   `json:"disabled" required:"false"`
	Description *string `json:"description" required:"false" maxLength:"10000"`
	Secrets     scalars `json:"secrets" required:"false" doc:"All of them; they take the place of those it has. As they are shown they stay."`
	Saas        absent  `json:"saas_connector_type" required:"false" doc:"Not carried out here."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told, without
// secrets.
func (n *newConnection) UnmarshalJSON(text []byte) (err error) {
	type plain newConnection
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	delete(n.told, "secrets")
	return err
}

type patchConnectionsInput struct {
	Body []newConnection `maxItems:"50"`
}

func (in *patchConnectionsInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, keyFault(in.Body[i].Key, "body", i, "key")...)
	}
	return faults
}

func (d *Door) patchConnections(ctx context.Context, in *patchConnectionsInput) (*bulk[connectionView], error) {
	types := d.engine.Catalogue().ConnectionTypes()
	keys, secrets := make([]string, len(in.Body)), make([]dsr.Secrets, len(in.Body))
	for i := range in.Body {
		keys[i] = keyOr(in.Body[i].Key, in.Body[i].Name)
	}
	judge := func(defs *dsr.Definitions) error {
		var faults []fault
		for i := range in.Body {
			n := &in.Body[i]
			wrong := typeFault(types, n.Type, "body", i, "connection_type")
			if secrets[i] = nil; wrong == nil && len(n.Secrets) > 0 {
				next := dsr.ConnectionDefinition{Defined: dsr.Defined{Key: keys[i]}}
				if def := defs.Connections[keys[i]]; def != nil {
					next = *def
				}
				next.Type, next.ReadOnly = n.Type, n.Access == "read"
				var err error
				secrets[i], wrong, err = d.newSecrets(ctx, &next, &secretChange{given: n.Secrets, loc: []any{"body", i, "secrets"}})
				switch {
				case errors.Is(err, dsr.ErrNotFound): // it was there just now
					return fmt.Errorf("%w: %w", dsr.ErrConflict, err)
				case err != nil:
					return err
				}
			}
			faults = append(faults, wrong...)
		}
		return invalid(faults...)
	}
	fresh := d.freshProblems(ctx)
	failed, err := d.changeJudged(ctx, len(in.Body), func(i int) string { return "connection " + keys[i] }, judge, func(defs *dsr.Definitions, i int, again bool) string {
		return d.putConnection(defs, keys[i], &in.Body[i], secrets[i], again)
	})
	if err != nil {
		return nil, err
	}
	for i := range in.Body {
		if failed[i] == "" && in.Body[i].off() && d.isManual(in.Body[i].Type) { // what waits for its form alone goes on
			if err := withoutForm(d.engine.Forms().Disable(ctx, keys[i], true)); err != nil {
				return nil, err
			}
		}
	}
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	tests, err := d.engine.Catalogue().Tests(ctx, slices.Collect(maps.Values(defs.Connections))...)
	if err != nil {
		return nil, err
	}
	answer, err := answerBulk(len(keys), failed, func(i int) echo { return in.Body[i].told }, func(i int) (*connectionView, error) {
		if def := defs.Connections[keys[i]]; def != nil {
			return d.viewTested(ctx, def, tests)
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	answer.Warnings = fresh()
	return answer, nil
}

// off reports whether it is to be disabled.
func (n *newConnection) off() bool { return n.Disabled != nil && *n.Disabled }

// putConnection puts a connection into the catalogue, with other secrets if there
// are any, or says why not.
func (d *Door) putConnection(defs *dsr.Definitions, key string, n *newConnection, secrets dsr.Secrets, again bool) string {
	def := defs.Connections[key]
	switch {
	case key == "" && text(n.Name) == "":
		return "ConnectionConfig requires a name."
	case key == "":
		return noKey("ConnectionConfig")
	case def != nil && n.Key == nil:
		return keyTaken(key, "ConnectionConfig")
	case again:
		return keyTwice(key)
	case def != nil && def.Fixed:
		return notHere
	case def != nil && def.Type != n.Type && !(d.isManual(def.Type) && d.isManual(n.Type)):
		return fmt.Sprintf("The type of a connection cannot be changed: '%s' is of type '%s'. Delete it first.", key, def.Type)
	case def != nil && n.off() && !def.Disabled:
		if gates := gatesOf(defs, key); len(gates) > 0 {
			return fmt.Sprintf("Connection '%s' cannot be disabled, since requests wait for these webhooks: %s. Delete them first.", key, strings.Join(gates, ", "))
		}
	}
	if connectionNamed(defs, key, n.Name) {
		return nameTaken(*n.Name, "ConnectionConfig")
	}
	if def == nil {
		def = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key}}
		defs.Connections[key] = def
	}
	def.Type, def.ReadOnly = n.Type, n.Access == "read"
	if n.Name != nil {
		if form := defs.Forms[key]; form != nil && d.isManual(def.Type) && form.Name == strings.TrimSpace(def.Name) {
			form.Name = strings.TrimSpace(*n.Name)
		}
		def.Name = *n.Name
	}
	if err := d.renameTask(defs, def); err != nil {
		return err.Error()
	}
	if n.Description != nil {
		def.Description = *n.Description
	}
	if secrets != nil {
		def.Secrets = secrets
	}
	if n.Disabled != nil {
		def.Disabled = *n.Disabled
		if form := defs.Forms[key]; form != nil && d.isManual(def.Type) {
			form.Disabled = *n.Disabled
		}
	}
	return ""
}

// connectionNamed reports whether a name that a connection is given is another
// one's; those of the host's configuration have their key for a name. One that it
// has already it keeps.
func connectionNamed(defs *dsr.Definitions, key string, name *string) bool {
	if text(name) == "" {
		return false
	}
	if def := defs.Connections[key]; def != nil && def.Name == *name {
		return false
	}
	for _, other := range defs.Connections {
		if other.Key != key && (other.Name == *name || other.Fixed && other.Key == *name) {
			return true
		}
	}
	return false
}

// isManual reports whether connections of a type have a form.
func (d *Door) isManual(key string) bool { return slices.Contains(d.options.ManualTypes, key) }

// withoutForm lets pass that there is no form.
func withoutForm(err error) error {
	var none *manual.NoFormError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, withoutForm(e))
		}
		return errors.Join(rest...)
	}
	if errors.As(err, &none) {
		return nil
	}
	return err
}

// noConnection is that there is none; its routes each have their own words.
func noConnection(key string) error {
	return refuse(http.StatusNotFound, "No connection configuration found with key '%s'.", key)
}

func (d *Door) getConnection(ctx context.Context, in *oneConnection) (*connectionView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	def := defs.Connections[in.Path.Key]
	if def == nil {
		return nil, noConnection(in.Path.Key)
	}
	v, err := d.viewConnection(ctx, def)
	if err != nil {
		return nil, err
	}
	v.System = &absent{}
	return v, nil
}

func (d *Door) deleteConnection(ctx context.Context, in *oneConnection) (*nothing, error) {
	key, there, hasForm := in.Path.Key, false, false
	if err := d.checkUnasked(ctx, key); err != nil {
		return nil, err
	}
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		def := defs.Connections[key]
		there = def != nil
		switch {
		case !there: // what the call that deleted it could not let go on, goes on now
			hasForm = defs.Forms[key] == nil
			return nil
		case def.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		}
		if hooks := hooksOf(defs, key); len(hooks) > 0 {
			return refuse(http.StatusConflict, "Connection '%s' is used by these webhooks: %s. Delete them first.", key, strings.Join(hooks, ", "))
		}
		ofTask := d.madeOfTask(defs, key) != ""
		if err := d.mayDelete(ctx, defs, def, ofTask); err != nil {
			return err
		}
		before, err := misfits(key, datasetsWith(defs, key, nil))
		if err != nil {
			return err
		}
		delete(defs.Connections, key)
		for name, dataset := range defs.Datasets {
			if dataset.Connection == key && !dataset.Fixed {
				delete(defs.Datasets, name)
			}
		}
		if ofTask { // as where its fields are deleted one by one
			after, err := misfits(key, datasetsWith(defs, key, nil))
			if err != nil {
				return err
			}
			if err := refuseMisfits("Connection '%s' cannot be deleted", key, before, after); err != nil {
				return err
			}
		}
		if hasForm = d.isManual(def.Type); hasForm {
			delete(defs.Forms, key)
		}
		return nil
	})
	if err == nil && hasForm {
		err = withoutForm(d.engine.Forms().Delete(ctx, key))
	}
	if err == nil && !there {
		err = noConnection(key)
	}
	return nil, err
}

// mayDelete refuses to delete with a connection what the caller could not delete
// by itself. The dataset of a task is deleted with the fields of the task, by
// the scope for connections.
func (d *Door) mayDelete(ctx context.Context, defs *dsr.Definitions, def *dsr.ConnectionDefinition, ofTask bool) error {
	scopes := []string{oauth.ScopeConnectionDelete}
	if !ofTask && len(datasetsOf(defs, def.Key)) > 0 {
		scopes = append(scopes, oauth.ScopeDatasetDelete)
	}
	if d.isManual(def.Type) && defs.Forms[def.Key] != nil {
		scopes = append(scopes, oauth.ScopeWebhookDelete)
	}
	return principalOf(ctx).Require(scopes...)
}

// hooksOf names the hooks that a connection makes.
func hooksOf(defs *dsr.Definitions, connection string) []string {
	return hooksWith(defs, func(h *dsr.HookDefinition, _ bool) bool { return h.Connection == connection })
}

// gatesOf names those of them that can hold a request up: no request may pass
// them unasked.
func gatesOf(defs *dsr.Definitions, connection string) []string {
	return hooksWith(defs, func(h *dsr.HookDefinition, gate bool) bool { return h.Connection == connection && gate })
}

func hooksWith(defs *dsr.Definitions, is func(h *dsr.HookDefinition, gate bool) bool) (keys []string) {
	pick := func(list []dsr.HookDefinition, gate func(h *dsr.HookDefinition) bool) {
		for i := range list {
			if is(&list[i], gate(&list[i])) {
				keys = append(keys, list[i].Key)
			}
		}
	}
	pick(defs.PreApproval, func(*dsr.HookDefinition) bool { return true })
	for _, p := range defs.Policies {
		pick(p.Before, func(h *dsr.HookDefinition) bool { return h.TwoWay })
		pick(p.After, func(*dsr.HookDefinition) bool { return false })
	}
	slices.Sort(keys)
	return keys
}
