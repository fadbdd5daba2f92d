package dsr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr/storage"
)

func (b *builder) addDestinations(ctx context.Context) error {
	b.standard = b.shelf.defs.DestinationByDefault()
	b.config.Destinations = maps.Clone(b.config.Destinations)
	if b.config.Destinations == nil {
		b.config.Destinations = map[string]Destination{}
	}
	for _, key := range slices.Sorted(maps.Keys(b.shelf.defs.Destinations)) {
		d := b.shelf.defs.Destinations[key]
		if d.Fixed {
			continue
		}
		if _, taken := b.config.Destinations[key]; taken { // which serves in its place
			b.problem(CatalogueDestination, key, "the host's configuration has one of the same key")
			continue
		}
		dest, reason, err := b.openDestination(ctx, key, d)
		switch {
		case err != nil:
			return err
		case reason != nil:
			b.unusable(CatalogueDestination, key, "", reason)
			b.lacking[lackingDestination(key)] = reason
		default:
			b.config.Destinations[key] = *dest
		}
	}
	return nil
}

// lackingDestination is what generation.lacking calls a destination.
func lackingDestination(key string) string { return "destination " + key }

// openDestination opens a destination of the catalogue, or says why it cannot be
// used. The error is that of the store or the keyring.
func (b *builder) openDestination(ctx context.Context, key string, d *DestinationDefinition) (dest *Destination, reason, err error) {
	secrets, version, err := b.secrets(ctx, CatalogueDestination, key, &d.Defined, d.SecretNames)
	switch {
	case lasting(err):
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	}
	t, ok := b.engine.config.DestinationTypes[d.Type]
	format, known := formatOf(d.Format)
	if !ok || !known {
		return nil, fmt.Errorf("this process has no type %q, or no format %q", d.Type, d.Format), nil
	}
	if missing := checkFields("secret", t.Fields, secrets); len(missing) > 0 {
		return nil, errors.New(strings.Join(missing, "; ")), nil
	}
	o, err := b.open(ctx, b.id(CatalogueDestination, key, "destination", version), func() (any, error) {
		return t.Open(DestinationSettings{Key: key, Details: maps.Clone(d.Details), Secrets: secrets})
	})
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, b.cannot("it cannot be opened", err), nil
	}
	at, ok := o.value.(storage.Destination)
	if !ok {
		return nil, errors.New("its type made no destination"), nil
	}
	return &Destination{Storage: at, Format: format}, nil, nil
}

// provenance is the version of the catalogue that a destination is from; 0 for
// one of Config, which has no versions.
func (g *generation) provenance(key string) int64 {
	if _, ok := g.engine.config.Destinations[key]; ok {
		return 0
	}
	return g.version
}

// destinationOf returns the destination that a package was delivered to, as the
// catalogue had it then; nil where it was removed since. Another one that was made
// under its key is another place, where the package is not. It is
// [ErrUnavailable] that it is there, and cannot be used for now.
func (e *Engine) destinationOf(ctx context.Context, p *PackageOutcome) (storage.Destination, func(), error) {
	g, done, err := e.take(ctx, p.Catalogue)
	if err != nil {
		return nil, nil, err
	}
	if at := g.config.Destinations[p.Destination].Storage; at != nil {
		return at, done, nil
	}
	done()
	if reason := g.lacking[lackingDestination(p.Destination)]; reason != nil && !errors.Is(reason, errRemoved) {
		// In words only: what a type's error is besides says nothing of the request.
		return nil, nil, fmt.Errorf("%w: destination %q: %s", ErrUnavailable, p.Destination, reason.Error())
	}
	return nil, func() {}, nil
}
