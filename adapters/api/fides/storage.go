package fides

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

const tagStorage = "Storage"

// storageRoutes are what is done with the destinations of packages.
func (d *Door) storageRoutes() []route {
	write, read := []string{oauth.ScopeStorageCreateOrUpdate}, []string{oauth.ScopeStorageRead}
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "PATCH", path: "/storage/config", scopes: write, errors: []int{http.StatusConflict},
			id: "patch_storage", summary: "Create or change destinations", tag: tagStorage, call: typed(d.patchStorage),
			view: storageView{},
		},
		{
			method: "GET", path: "/storage/config", scopes: read,
			id: "get_storage_list", summary: "Destinations, the newest first", description: byKey, tag: tagStorage, call: typed(d.listStorage),
		},
		{
			method: "GET", path: "/storage/config/{config_key}", scopes: read, errors: missing,
			id: "get_storage", summary: "A destination", tag: tagStorage, call: typed(d.getStorage),
		},
		{
			method: "DELETE", path: "/storage/config/{config_key}", scopes: []string{oauth.ScopeStorageDelete}, status: http.StatusNoContent,
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
			id:     "delete_storage", summary: "Delete a destination that no policy uses", tag: tagStorage, call: typed(d.deleteStorage),
		},
		{
			method: "PUT", path: "/storage/config/{config_key}/secret", scopes: write, errors: conflict,
			id: "put_storage_secrets", summary: "Set the secrets of a destination", tag: tagStorage, call: typed(d.putStorageSecrets),
		},
		{
			method: "GET", path: "/storage/default", scopes: read,
			id: "get_default_storage_list", summary: "Default destinations, the newest first", description: byKey, tag: tagStorage, call: typed(d.listDefaultStorage),
		},
		{
			method: "PUT", path: "/storage/default", scopes: write, errors: []int{http.StatusBadRequest, http.StatusConflict},
			id: "put_default_storage", summary: "Create or change the default destination of a type", tag: tagStorage, call: typed(d.putDefaultStorage),
			view: storageView{},
		},
		{
			method: "GET", path: "/storage/default/active", scopes: read, errors: missing,
			id: "get_active_storage", summary: "The default destination that counts", tag: tagStorage, call: typed(d.activeStorage),
		},
		{
			method: "GET", path: "/storage/default/status", scopes: read,
			id: "get_storage_status", summary: "Whether there is a default destination for real requests; one of the type local is none", tag: tagStorage, call: typed(d.storageStatus),
			description: "As in Fides, a default destination of the type `local` is `not configured` even where packages can be written to it: it is for tests. One of the host's configuration is `configured`, whatever it is.",
		},
		{
			method: "GET", path: "/storage/default/{storage_type}", scopes: read, errors: missing,
			id: "get_default_storage", summary: "The default destination of a type", tag: tagStorage, call: typed(d.getDefaultStorage),
		},
		{
			method: "PUT", path: "/storage/default/{storage_type}/secret", scopes: write, errors: conflict,
			id: "put_default_storage_secrets", summary: "Set the secrets of the default destination of a type", tag: tagStorage, call: typed(d.putDefaultStorageSecrets),
		},
	}
}

// storageView is a destination as Fides shows it.
type storageView struct {
	Name    string         `json:"name"`
	Type    *string        `json:"type" doc:"Null for destinations of the host's configuration."`
	Details map[string]any `json:"details" nullable:"false"`
	Key     string         `json:"key"`
	Format  *string        `json:"format" doc:"json, csv or html; null for destinations of the host's configuration."`
	Default bool           `json:"is_default" doc:"It was chosen as the destination of rules that name none."`
}

// storageViews shows destinations of definitions.
func storageViews(defs *dsr.Definitions) func(*dsr.DestinationDefinition) (storageView, error) {
	return func(def *dsr.DestinationDefinition) (storageView, error) { return viewStorage(defs, def), nil }
}

func viewStorage(defs *dsr.Definitions, def *dsr.DestinationDefinition) storageView {
	var extra struct {
		Details map[string]any `json:"details"` // as they were sent
	}
	if def.Extra != nil {
		_ = unmarshalNumbers(def.Extra, &extra) // another front door may keep something else there
	}
	v := storageView{
		Name: cmp.Or(def.Name, def.Key), Type: textOf(def.Type), Details: extra.Details, Key: def.Key, Format: textOf(def.Format),
		Default: def.Key == defs.DefaultDestination,
	}
	if v.Details == nil {
		v.Details = map[string]any{}
		for name, value := range def.Details {
			v.Details[name] = value
		}
	}
	return v
}

// storageOf are the destinations that a filter lets through, the newest first.
func storageOf(defs *dsr.Definitions, keep func(*dsr.DestinationDefinition) bool) []*dsr.DestinationDefinition {
	list := slices.DeleteFunc(slices.Collect(maps.Values(defs.Destinations)), func(def *dsr.DestinationDefinition) bool { return !keep(def) })
	return newestFirst(list, func(def *dsr.DestinationDefinition) *dsr.Defined { return &def.Defined })
}

func (d *Door) listStorage(ctx context.Context, in *struct{ Query paging }) (*pageOfItems[storageView], error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	return pageFrom(storageOf(defs, func(*dsr.DestinationDefinition) bool { return true }), in.Query, storageViews(defs))
}

// storagePath is the path of what is about one destination.
type storagePath struct {
	Key string `json:"config_key" minLength:"1" maxLength:"1000"`
}

type oneStorage struct{ Path storagePath }

func (d *Door) getStorage(ctx context.Context, in *oneStorage) (*storageView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	def := defs.Destinations[in.Path.Key]
	if def == nil {
		return nil, noStorage(in.Path.Key)
	}
	v := viewStorage(defs, def)
	return &v, nil
}

func noStorage(key string) error {
	return refuse(http.StatusNotFound, "No configuration with key %s.", key)
}

func (d *Door) deleteStorage(ctx context.Context, in *oneStorage) (*nothing, error) {
	key := in.Path.Key
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		def := defs.Destinations[key]
		switch {
		case def == nil:
			return noStorage(key)
		case def.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		case key == defs.DefaultDestination:
			return refuse(http.StatusBadRequest, "Default storage configurations cannot be deleted.")
		}
		if users := rulesWith(defs, key); len(users) > 0 {
			return refuse(http.StatusConflict, "Storage destination '%s' is used by: %s. Change these first.", key, strings.Join(users, ", "))
		}
		delete(defs.Destinations, key)
		return nil
	})
}

// rulesWith names the rules that deliver to a destination, also without naming
// it.
func rulesWith(defs *dsr.Definitions, destination string) (names []string) {
	for _, key := range slices.Sorted(maps.Keys(defs.Policies)) {
		for _, rule := range defs.Policies[key].Rules {
			if rule.Action == graph.Access && cmp.Or(rule.Destination, defs.DestinationByDefault()) == destination {
				names = append(names, fmt.Sprintf("rule '%s' of policy '%s'", rule.Key, key))
			}
		}
	}
	return names
}
