package dsr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/storage"
)

// ConnectionType makes the connections of one type that the catalogue describes.
// A type with neither Connect nor Hook stands for systems that people search by
// hand, for which there are forms.
type ConnectionType struct {
	// Title is what people call the type, such as "PostgreSQL".
	Title string
	// Fields are the secrets that it takes. Others are refused.
	Fields []SecretField
	// CheckOptions tells what is wrong with options, all at once, each in a
	// line. Nil for a type that takes none: they are refused then.
	CheckOptions func(json.RawMessage) error
	// Connect makes the connector of a connection that has datasets. It must
	// not wait for the database, and must call no verb of the engine. A
	// connector that is an [io.Closer] is closed once no request needs it any
	// more. Its errors must hold no secret, and the Reason of one that is a
	// [ReasonError] is shown as it is; those that mean that it may work
	// later let requests wait, as with connectors. Nil for types that have no
	// datasets.
	Connect func(ConnectionSettings) (Connector, error)
	// Hook makes the hook of a connection that is called before or after
	// requests, likewise. Nil for types that cannot be called.
	Hook func(ConnectionSettings) (Hook, error)
}

// ConnectionSettings are what a connection is made of.
type ConnectionSettings struct {
	Key      string
	ReadOnly bool
	Secrets  Secrets
	// Options are those of the definition; nil for none.
	Options json.RawMessage
}

// optionFaults returns what is wrong with options.
func (t *ConnectionType) optionFaults(options json.RawMessage) (faults []string) {
	switch {
	case len(options) == 0:
		return nil
	case t.CheckOptions == nil:
		return []string{"its type takes no options"}
	case !json.Valid(options):
		return []string{"its options are no JSON"}
	}
	if err := t.CheckOptions(bytes.Clone(options)); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	return nil
}

// DestinationType makes the destinations of one type that the catalogue
// describes.
type DestinationType struct {
	// Title is what people call the type, such as "Local folder".
	Title string
	// Details are the names of the settings that it takes, Fields its
	// secrets. Others are refused.
	Details []SecretField
	Fields  []SecretField
	// Open makes a destination, as ConnectionType.Connect makes connectors.
	Open func(DestinationSettings) (storage.Destination, error)
}

// DestinationSettings are what a destination is made of.
type DestinationSettings struct {
	Key     string
	Details map[string]string
	Secrets Secrets
}

// SecretField is one secret or setting.
type SecretField struct {
	Name string
	// Title is what people call it; Name by default.
	Title string
	// Optional ones may be left out.
	Optional bool
	// Sensitive ones, such as passwords, are shown to nobody. Others, such
	// as the name of a host, are sealed as well, but may be shown to whoever
	// configures.
	Sensitive bool
	// Description says what else there is to know, such as which other one may
	// be given instead.
	Description string
}

// checkFields returns the faults of settings: unknown names, and missing ones
// once any is given.
func checkFields(what string, fields []SecretField, given map[string]string) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(fields, func(f SecretField) bool { return f.Name == name }) {
			var known []string
			for _, f := range fields {
				known = append(known, f.Name)
			}
			faults = append(faults, fmt.Sprintf("there is no %s %q; it takes: %s", what, name, strings.Join(known, ", ")))
		}
	}
	for _, f := range fields {
		if !f.Optional && given[f.Name] == "" {
			faults = append(faults, fmt.Sprintf("%s %q is missing", what, f.Name))
		}
	}
	return faults
}

// tryFor is how long a type may take to make something that is only tried.
const tryFor = 3 * time.Second

// TryConnection makes what a type makes of settings, and closes it again: whoever
// sets secrets learns from it what the type does not take, before anything is
// stored. Nil for a type that makes nothing. An [ErrUnavailable] says nothing of
// the settings; other errors do, and hold no secret. [ErrNotFound] where there is
// no such type.
func (c *Catalogue) TryConnection(ctx context.Context, of string, s ConnectionSettings) error {
	t, ok := c.engine.config.ConnectionTypes[of]
	if !ok {
		return fmt.Errorf("%w: connection type %q", ErrNotFound, of)
	}
	try := func(make func(ConnectionSettings) (any, error)) error {
		own := s
		own.Secrets, own.Options = maps.Clone(s.Secrets), bytes.Clone(s.Options)
		made, err := manufacture(ctx, tryFor, func() (any, error) { return make(own) })
		if closer, ok := made.(io.Closer); ok && err == nil {
			// Nothing was sent over it. It may take its time.
			_, _ = manufacture(ctx, tryFor, func() (any, error) { return struct{}{}, closeSafely(closer) })
		}
		if passing(err) && !errors.Is(err, ErrUnavailable) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	if t.Hook != nil {
		if err := try(func(s ConnectionSettings) (any, error) { return t.Hook(s) }); err != nil {
			return err
		}
	}
	if t.Connect == nil {
		return nil
	}
	return try(func(s ConnectionSettings) (any, error) { return t.Connect(s) })
}

// configureTypes checks the types that the catalogue can use.
func (e *Engine) configureTypes(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	fields := func(of, key string, lists ...[]SecretField) {
		if !definedKey(key) {
			add("%s: key %q must have 1 to 200 letters, digits and . _ < > -, and not be . or ..", of, key)
		}
		for _, list := range lists {
			names := map[string]bool{}
			for _, f := range list {
				if f.Name == "" || names[f.Name] {
					add("%s: type %q has a field without a name, or two of one name", of, key)
				}
				names[f.Name] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.config.ConnectionTypes)) {
		fields("ConnectionTypes", key, e.config.ConnectionTypes[key].Fields)
	}
	for _, key := range slices.Sorted(maps.Keys(e.config.DestinationTypes)) {
		t := e.config.DestinationTypes[key]
		fields("DestinationTypes", key, t.Details, t.Fields)
		if t.Open == nil {
			add("DestinationTypes: type %q has no Open", key)
		}
	}
	return faults
}

// definedKey reports whether something can be called so in the catalogue: no
// address leads to what is called . or .. there.
func definedKey(key string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.<>"
	return key != "" && len(key) <= 200 && strings.Trim(key, allowed) == "" && key != "." && key != ".."
}

// formatOf is a format that destinations of the catalogue can have.
func formatOf(name string) (storage.Format, bool) {
	switch name {
	case "json", "":
		return storage.JSON{}, true
	case "csv":
		return storage.CSV{}, true
	case "html":
		return storage.HTML{}, true
	}
	return nil, false
}
