package fides

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/godsr/dsr"
)

// defaultOf is the default destination, if it is of a type; else nil. There is
// one for all types.
func defaultOf(defs *dsr.Definitions, of string) *dsr.DestinationDefinition {
	if def := defs.Destinations[defs.DefaultDestination]; def != nil && def.Type == of {
		return def
	}
	return nil
}

func (d *Door) listDefaultStorage(ctx context.Context, in *struct{ Query paging }) (*pageOfItems[storageView], error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	return pageFrom(storageOf(defs, func(def *dsr.DestinationDefinition) bool { return def.Key == defs.DefaultDestination }), in.Query, storageViews(defs))
}

// defaultStorage is the default destination of a type.
type defaultStorage struct {
	Type    string  `json:"type" maxLength:"1000"`
	Details scalars `json:"details"`
	Format  *string `json:"format" required:"false" enum:"json,csv,html" doc:"Defaults to json."`
	Secrets scalars `json:"secrets" required:"false" doc:"All of them; they take the place of those it has. Needed with other details, if there are any."`

	whole newStorage
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *defaultStorage) UnmarshalJSON(text []byte) error { return n.whole.UnmarshalJSON(text) }

type putDefaultInput struct{ Body defaultStorage }

func (d *Door) putDefaultStorage(ctx context.Context, in *putDefaultInput) (*storageView, error) {
	n := &in.Body.whole
	if err := invalid(n.faults(d.engine.Catalogue().DestinationTypes(), "body")...); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("Default Storage Config [%s]", n.Type)
	key := keyOr(nil, &name)
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		def, called := defs.Destinations[key], name
		if def != nil {
			called = cmp.Or(def.Name, key)
		}
		if err := invalid(n.namedOtherwise(called, key)...); err != nil {
			return err
		}
		switch {
		case def != nil && (def.Fixed || def.Type != n.Type):
			return refuse(http.StatusBadRequest, "%s", keyTaken(key, "StorageConfig"))
		case def == nil && len(storageOf(defs, func(other *dsr.DestinationDefinition) bool { return other.Name == name })) > 0:
			return refuse(http.StatusBadRequest, "%s", nameTaken(name, "StorageConfig"))
		case def == nil:
			def = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: key, Name: name}}
			defs.Destinations[key] = def
		default:
			if message := d.wouldSend(def, n); message != "" {
				return refuse(http.StatusUnprocessableEntity, "%s", message)
			}
		}
		defs.DefaultDestination = key
		return n.into(def)
	})
	if err != nil {
		return nil, err
	}
	return d.getStorage(ctx, &oneStorage{Path: storagePath{Key: key}})
}

// activeStorage tells where packages of rules go that name no destination: also
// while nobody chose one.
func (d *Door) activeStorage(ctx context.Context, _ *struct{}) (*storageView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	def := defs.Destinations[defs.DestinationByDefault()]
	if def == nil {
		return nil, refuse(http.StatusNotFound, "No active default storage config found.")
	}
	v := viewStorage(defs, def)
	return &v, nil
}

// storageReady says whether packages have somewhere to go.
type storageReady struct {
	Status string `json:"config_status" enum:"configured,not configured"`
	Detail string `json:"detail"`
}

// storageStatus tells of the destination that activeStorage tells; as in Fides, a
// local one is none for real requests.
func (d *Door) storageStatus(ctx context.Context, _ *struct{}) (*storageReady, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	not := func(detail string) (*storageReady, error) { return &storageReady{"not configured", detail}, nil }
	def := defs.Destinations[defs.DestinationByDefault()]
	switch {
	case def == nil:
		return not("No active default storage configuration found")
	case def.Fixed:
		return &storageReady{"configured", fmt.Sprintf("Active default storage configuration '%s' comes from the host's configuration", def.Key)}, nil
	case def.Type == localType:
		return not("Active default storage configuration is not one of the fully configured storage types")
	}
	problems, err := d.engine.Catalogue().Problems(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		if p.Kind != dsr.CatalogueDestination || p.Key != def.Key {
			continue
		}
		if len(def.SecretNames) == 0 {
			return not(fmt.Sprintf("No secrets found for %s storage configuration", def.Type))
		}
		return not(fmt.Sprintf("Invalid secrets found on %s storage configuration", def.Type))
	}
	return &storageReady{"configured", fmt.Sprintf("Active default storage configuration of type %s is fully configured", def.Type)}, nil
}

// storageTypePath is the path of what is about the default of a type.
type storageTypePath struct {
	Type string `json:"storage_type" minLength:"1" maxLength:"1000"`
}

func (d *Door) getDefaultStorage(ctx context.Context, in *struct{ Path storageTypePath }) (*storageView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	def := defaultOf(defs, in.Path.Type)
	if def == nil {
		return nil, refuse(http.StatusNotFound, "No default config for storage type %s.", in.Path.Type)
	}
	v := viewStorage(defs, def)
	return &v, nil
}

type defaultSecretsInput struct {
	Path  storageTypePath
	Query verifyQuery
	Body  scalars
}

func (d *Door) putDefaultStorageSecrets(ctx context.Context, in *defaultSecretsInput) (*testStatus, error) {
	of := in.Path.Type
	find := func(defs *dsr.Definitions) (*dsr.DestinationDefinition, error) {
		if def := defaultOf(defs, of); def != nil {
			return def, nil
		}
		return nil, refuse(http.StatusNotFound, "No default configuration found for storage type %s.", of)
	}
	return d.setStorageSecrets(ctx, find, in.Body, in.Query.Verify, fmt.Sprintf("Secrets updated for default config of storage type: %s.", of))
}
