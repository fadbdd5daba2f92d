package fides

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/godsr/dsr"
)

// newStorage is a destination to be created or changed.
type newStorage struct {
	Name    string  `json:"name" maxLength:"1000"`
	Key     *string `json:"key" required:"false" maxLength:"1000" doc:"Defaults to the name in snake_case, also where it is blank."`
	Type    string  `json:"type" maxLength:"1000"`
	Details scalars `json:"details"`
	Format  *string `json:"format" required:"false" enum:"json,csv,html" doc:"Defaults to json."`
	Secrets scalars `json:"secrets" required:"false" doc:"All of them; they take the place of those it has. Needed with other details, if there are any."`

	details   map[string]any
	isDefault *bool // as it was answered
	told      echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told, without
// secrets.
func (n *newStorage) UnmarshalJSON(text []byte) (err error) {
	type plain newStorage
	if n.told, err = decodeKeeping(text, (*plain)(n)); err != nil {
		return err
	}
	delete(n.told, "secrets")
	n.Key = givenKey(n.Key)
	var object struct {
		Details map[string]any `json:"details"`
		Default *bool          `json:"is_default"`
	}
	err = unmarshalNumbers(text, &object)
	n.details, n.isDefault = object.Details, object.Default
	return err
}

// faults are those of a destination, at its place.
func (n *newStorage) faults(types map[string]dsr.DestinationType, loc ...any) []fault {
	at := func(name string) []any { return append(slices.Clone(loc), name) }
	if wrong := typeFault(types, n.Type, at("type")...); wrong != nil {
		return wrong
	}
	faults := append(fieldFaults(types[n.Type].Details, n.Details, at("details")...), maskFaults(types[n.Type].Details, n.Details, at("details")...)...)
	if len(n.Secrets) > 0 {
		_, wrong := (&secretChange{fields: types[n.Type].Fields, given: n.Secrets, loc: at("secrets")}).apply()
		faults = append(faults, wrong...)
	}
	if naming, ok := n.Details["naming"]; ok && naming != "request_id" && slices.Contains([]string{localType, "s3", "gcs"}, n.Type) {
		faults = append(faults, fault{"enum", append(at("details"), "naming"), "Input should be 'request_id'"}) // the only one of Fides
	}
	if n.Type == localType && text(n.Format) == "csv" {
		faults = append(faults, valueFault("Only JSON or HTML upload format are supported for local storage destinations.", loc...))
	}
	return faults
}

// namedOtherwise refuses a default destination that was answered with another
// name or key than it has, or will have, or as none.
func (n *newStorage) namedOtherwise(name, key string) (faults []fault) {
	if n.Name != "" && n.Name != name {
		faults = append(faults, valueFault("it is told only: the default destination of this type has the name '"+name+"'", "body", "name"))
	}
	if n.Key != nil && *n.Key != key {
		faults = append(faults, valueFault("it is told only: the default destination of this type has the key '"+key+"'", "body", "key"))
	}
	if n.isDefault != nil && !*n.isDefault {
		faults = append(faults, valueFault("it is told only: what is put here becomes the default destination", "body", "is_default"))
	}
	return faults
}

// into writes it into a definition.
func (n *newStorage) into(def *dsr.DestinationDefinition) error {
	if err := keepExtra(&def.Defined, map[string]any{"details": n.details}); err != nil {
		return err
	}
	def.Type, def.Format, def.Details = n.Type, cmp.Or(text(n.Format), "json"), n.Details
	if len(n.Secrets) > 0 {
		def.Secrets = dsr.Secrets(n.Secrets)
	}
	return nil
}

type patchStorageInput struct {
	Body []newStorage `maxItems:"50"`
}

func (in *patchStorageInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, keyFault(in.Body[i].Key, "body", i, "key")...)
	}
	return faults
}

func (d *Door) patchStorage(ctx context.Context, in *patchStorageInput) (*bulk[storageView], error) {
	types := d.engine.Catalogue().DestinationTypes()
	keys, faults := make([]string, len(in.Body)), []fault(nil)
	for i := range in.Body {
		keys[i] = keyOr(in.Body[i].Key, &in.Body[i].Name)
		faults = append(faults, in.Body[i].faults(types, "body", i)...)
	}
	if err := invalid(faults...); err != nil {
		return nil, err
	}
	failed, err := d.changeEach(ctx, len(in.Body), func(i int) string { return "destination " + keys[i] }, func(defs *dsr.Definitions, i int, again bool) string {
		return d.putStorage(defs, keys[i], &in.Body[i], again)
	})
	if err != nil {
		return nil, err
	}
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	return answerBulk(len(keys), failed, func(i int) echo { return in.Body[i].told }, func(i int) (*storageView, error) {
		def := defs.Destinations[keys[i]]
		if def == nil {
			return nil, nil
		}
		v := viewStorage(defs, def)
		return &v, nil
	})
}

// putStorage puts a destination into the catalogue, or says why not.
func (d *Door) putStorage(defs *dsr.Definitions, key string, n *newStorage, again bool) string {
	def := defs.Destinations[key]
	switch {
	case key == "" && n.Name == "":
		return "StorageConfig requires a name."
	case key == "":
		return noKey("StorageConfig")
	case def != nil && n.Key == nil:
		return keyTaken(key, "StorageConfig")
	case again:
		return keyTwice(key)
	case def != nil && def.Fixed:
		return notHere
	case def != nil && def.Type != n.Type:
		return fmt.Sprintf("The type of a destination cannot be changed: '%s' is of type '%s'. Delete it first.", key, def.Type)
	case n.isDefault != nil && *n.isDefault != (def != nil && key == defs.DefaultDestination):
		return "'is_default' is told only. Which destination is the default is said at PUT /storage/default."
	case def == nil:
		for _, other := range defs.Destinations {
			if other.Name == n.Name {
				return nameTaken(n.Name, "StorageConfig")
			}
		}
		def = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: key}}
	}
	if message := d.wouldSend(def, n); message != "" {
		return message
	}
	if err := n.into(def); err != nil {
		return err.Error()
	}
	def.Name, defs.Destinations[key] = n.Name, def
	return ""
}
