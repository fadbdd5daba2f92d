package fides

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/godsr/dsr"
)

// secretChange is what comes in as the secrets of a connection or a destination,
// beside those that it has.
type secretChange struct {
	fields  []dsr.SecretField
	stored  dsr.Secrets // where opened
	opened  bool
	given   scalars
	partial bool  // those that are not given stay as they are
	loc     []any // where they came in
}

// apply returns the secrets that there are to be, or every reason why not. It
// returns nil where all stay: what came in is what is shown, of which the
// sensitive ones are masked. Else what is masked is refused: nobody means it.
func (c *secretChange) apply() (dsr.Secrets, []fault) {
	masks := c.masks()
	if c.opened && c.asShown() {
		return nil, nil
	}
	secrets, faults := dsr.Secrets{}, []fault(nil)
	if c.partial {
		secrets, faults = maps.Clone(c.stored), c.taken()
	}
	if secrets == nil {
		secrets = dsr.Secrets{}
	}
	maps.Copy(secrets, c.given)
	faults = append(faults, fieldFaults(c.fields, secrets, c.loc...)...)
	if faults = append(faults, masks...); len(faults) > 0 {
		return nil, faults
	}
	return secrets, nil
}

// compares reports whether the stored secrets have a say in it. Those that cannot
// be opened any more can be set anew else.
func (c *secretChange) compares() bool { return c.partial || len(c.masks()) > 0 }

// masks refuses what stands for secrets in answers.
func (c *secretChange) masks() []fault { return maskFaults(c.fields, c.given, c.loc...) }

// maskFaults refuses settings that are what stands for secrets in answers, also
// those that are none: it was copied from an answer, and nothing works with it.
func maskFaults(fields []dsr.SecretField, given map[string]string, loc ...any) (faults []fault) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(fields, func(f dsr.SecretField) bool { return f.Name == name })
		if given[name] != masked || i < 0 {
			continue
		}
		why := "It stands for a secret, which this is not: give the value itself."
		if fields[i].Sensitive {
			why = "It is masked: give the secret itself, or all as they are shown."
		}
		faults = append(faults, valueFault(why, append(slices.Clone(loc), name)...))
	}
	return faults
}

func (c *secretChange) at(name string) []any { return append(slices.Clone(c.loc), name) }

// asShown reports whether what came in is what is shown of the secrets or, of a
// partial change, a part of it.
func (c *secretChange) asShown() bool {
	shown := showSecrets(c.fields, c.stored.Names(), c.stored)
	for name, value := range c.given {
		if was, ok := shown[name]; !ok || was != value {
			return false
		}
	}
	return c.partial || len(c.given) == len(shown)
}

// taken refuses to change some secrets while others are kept that the caller need
// not know: the next call would send the password that is kept to the host that
// is given. Those that are given stand for a change, unless everybody who
// configures may see that they stay as they are.
func (c *secretChange) taken() (faults []fault) {
	hidden := sensitive(c.fields, c.stored.Names())
	changes := false
	for name, value := range c.given {
		changes = changes || slices.Contains(hidden, name) || c.stored[name] != value
	}
	for _, name := range hidden {
		if _, ok := c.given[name]; changes && !ok && c.stored[name] != "" {
			faults = append(faults, valueFault("It is not kept when others change: give it anew.", c.at(name)...))
		}
	}
	return faults
}

// sensitive are those of the names that are shown to nobody, and those that the
// type does not know any more.
func sensitive(fields []dsr.SecretField, names []string) (hidden []string) {
	for _, name := range names {
		if !slices.ContainsFunc(fields, func(f dsr.SecretField) bool { return f.Name == name && !f.Sensitive }) {
			hidden = append(hidden, name)
		}
	}
	return hidden
}

// showSecrets shows secrets of these names, the sensitive ones masked. What the
// type does not know is not shown.
func showSecrets(fields []dsr.SecretField, names []string, secrets dsr.Secrets) map[string]string {
	shown := map[string]string{}
	for _, f := range fields {
		value, there := secrets[f.Name]
		switch {
		case !slices.Contains(names, f.Name):
		case f.Sensitive:
			shown[f.Name] = masked
		case there:
			shown[f.Name] = value
		}
	}
	return shown
}

// newSecrets applies a change to the secrets of a connection as it is to be, and
// asks its type whether it takes them: with those that it does not, every later
// call would fail. It belongs into the edit of the catalogue that stores them, so
// that it is judged by what it changes. Nil for secrets that stay.
func (d *Door) newSecrets(ctx context.Context, def *dsr.ConnectionDefinition, c *secretChange) (dsr.Secrets, []fault, error) {
	c.fields = d.engine.Catalogue().ConnectionTypes()[def.Type].Fields
	if def.SecretVersion > 0 && (c.compares() || len(sensitive(c.fields, slices.Collect(maps.Keys(c.given)))) == 0) {
		stored, err := d.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, def.Key)
		if err != nil && c.compares() {
			return nil, nil, err
		}
		c.stored, c.opened = stored, err == nil
	}
	secrets, faults := c.apply()
	if secrets == nil {
		return nil, faults, nil
	}
	settings := dsr.ConnectionSettings{Key: def.Key, ReadOnly: def.ReadOnly, Secrets: secrets, Options: def.Options}
	err := d.engine.Catalogue().TryConnection(ctx, def.Type, settings)
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err == nil, errors.Is(err, dsr.ErrUnavailable): // it may well work later
		return secrets, nil, nil
	}
	var says dsr.ReasonError
	reason, hidden := err.Error(), secrets
	if errors.As(err, &says) { // it promises to quote nothing: only what no word holds by chance is looked for
		reason, hidden = says.Reason(), longSecrets(secrets)
	}
	reason = maskIn(reason, c.fields, hidden)
	if reason == withheld {
		reason = withheldRefusal
	}
	return nil, []fault{valueFault(reason, c.loc...)}, nil
}
