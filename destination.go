package dsr

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// Destination is where data packages go, and how they are written.
type Destination struct {
	// Storage takes them. Required.
	Storage storage.Destination
	// Format defaults to storage.JSON{}.
	Format storage.Format
	// PublicKeys are those for which every package is encrypted here,
	// besides those that a request brings, by Config.Encrypter. A request
	// with an encryption key or a passphrase is then refused. Defaults to
	// none.
	PublicKeys []string
}

func (g *generation) configureDestinations(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	for _, key := range slices.Sorted(maps.Keys(g.config.Destinations)) {
		d := g.config.Destinations[key]
		d.PublicKeys = slices.Clone(d.PublicKeys)
		g.config.Destinations[key] = d
		if isNil(d.Storage) {
			add("destination %q has no Storage", key)
		}
		if err := tryFormat(d.Format); err != nil {
			add("destination %q: Format: %w", key, err)
			continue
		}
		if err := g.encrypt(&storage.PackageOptions{Format: d.Format}, &d, Encryption{}); err != nil {
			add("destination %q: PublicKeys: %w", key, err)
		}
	}
	return faults
}

// tryFormat says why a format cannot write a package, before one has to be
// written.
func tryFormat(f storage.Format) (err error) {
	if f == nil {
		return nil
	}
	if isNil(f) {
		return fmt.Errorf("it is a nil %T", f)
	}
	defer recovered(&err)
	_, err = f.NewWriter(io.Discard, &storage.About{})
	return err
}

// isNil reports whether an interface holds nothing, or a pointer to nothing.
func isNil(v any) bool {
	at := reflect.ValueOf(v)
	return v == nil || at.Kind() == reflect.Pointer && at.IsNil()
}

// checkPackageNames adds the faults of rules whose packages and manifests would
// have one name. Case is not told apart: some file systems do not.
func checkPackageNames(p *graph.Policy, add func(format string, args ...any)) {
	seen := map[string]string{}
	for _, r := range p.Rules {
		if r.Action != graph.Access {
			continue
		}
		folded := strings.ToLower(r.Key)
		if strings.HasSuffix(folded, strings.TrimSuffix(storage.ManifestSuffix, ".json")) {
			add("policy %s: rule %q: its package could have the name of a manifest; give it a key that does not end in %s", p.Key, r.Key, strings.TrimSuffix(storage.ManifestSuffix, ".json"))
		}
		if other, ok := seen[folded]; ok && other != r.Key {
			add("policy %s: rules %q and %q differ in case only, and so would their packages", p.Key, other, r.Key)
		}
		seen[folded] = r.Key
	}
}

// destination returns the key of the destination of an access rule. Of one that
// cannot be opened the error says why, so that a request can wait for it.
func (g *generation) destination(r graph.Rule) (string, error) {
	if r.Destination == "" {
		if g.standard == "" {
			return "", fmt.Errorf("it names no destination, and there are %d to choose from", len(g.config.Destinations))
		}
		if _, ok := g.config.Destinations[g.standard]; !ok {
			if reason := g.lacking[lackingDestination(g.standard)]; reason != nil {
				return "", fmt.Errorf("it names no destination, and the default one, %q, cannot be used: %w", g.standard, reason)
			}
			return "", fmt.Errorf("it names no destination, and the default one, %q, cannot be used", g.standard)
		}
		return g.standard, nil
	}
	if _, ok := g.config.Destinations[r.Destination]; !ok {
		if reason := g.lacking[lackingDestination(r.Destination)]; reason != nil {
			return "", fmt.Errorf("it names destination %q, which cannot be used: %w", r.Destination, reason)
		}
		return "", fmt.Errorf("it names destination %q, which is not among Destinations", r.Destination)
	}
	return r.Destination, nil
}

// destination is that of the generation, but for rules that name none: theirs
// stays what it was when the request was planned.
func (r *run) destination(rule graph.Rule) (string, error) {
	if rule.Destination == "" {
		rule.Destination = r.results.Destination
	}
	return r.gen.destination(rule)
}

// encrypt adds to the options of a package how it is encrypted for the data
// subject and for the destination. The zero Encryption is that of nobody.
func (g *generation) encrypt(o *storage.PackageOptions, dest *Destination, by Encryption) error {
	to := &storage.Recipients{Passphrase: by.Passphrase, PublicKeys: slices.Concat(dest.PublicKeys, by.PublicKeys)}
	switch err := by.check(); {
	case err != nil:
		return err
	case len(dest.PublicKeys) > 0 && (by.Key != nil || by.Passphrase != ""):
		return errors.New("its destination encrypts for public keys of its own, which excludes an encryption key and a passphrase; ask for a public key, or for nothing")
	case by.Key != nil:
		o.Key = by.Key
	case to.Passphrase == "" && len(to.PublicKeys) == 0:
		return nil
	case g.config.Encrypter == nil:
		return errors.New("a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt")
	default:
		o.Encrypter, o.To = g.config.Encrypter, to
	}
	return o.Check()
}

// encryptable says why the packages of a submission cannot be encrypted as it
// wants.
func (g *generation) encryptable(s *Submission) error {
	var faults graph.Diagnostics
	fault := func(message string) {
		faults = append(faults, graph.Diagnostic{Severity: graph.Error, Subject: "submission", Message: message})
	}
	if err := s.Encryption.check(); err != nil {
		fault("its packages cannot be encrypted: " + err.Error())
		return faults.Err()
	}
	for _, rule := range g.policies[s.Policy].Rules {
		if rule.Action != graph.Access {
			continue
		}
		key, err := g.destination(rule)
		if err == nil {
			dest := g.config.Destinations[key]
			err = g.encrypt(&storage.PackageOptions{Format: dest.Format}, &dest, s.Encryption)
		}
		if err != nil {
			fault(fmt.Sprintf("the package of rule %q cannot be encrypted: %s", rule.Key, strings.TrimPrefix(err.Error(), "storage: ")))
		}
	}
	return faults.Err()
}
