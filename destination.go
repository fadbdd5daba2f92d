package dsr

import (
	"errors"
	"fmt"
	"maps"
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

func (e *Engine) configureDestinations(faults *multierror.Error) *multierror.Error {
	add := func(format string, args ...any) { faults = multierror.Append(faults, fmt.Errorf(format, args...)) }
	for _, key := range slices.Sorted(maps.Keys(e.config.Destinations)) {
		d := e.config.Destinations[key]
		if d.Storage == nil {
			add("destination %q has no Storage", key)
		}
		if err := e.encrypt(&storage.PackageOptions{Format: d.Format}, &d, nil); err != nil {
			add("destination %q: PublicKeys: %w", key, err)
		}
	}
	return faults
}

// destination returns the key of the destination of an access rule.
func (e *Engine) destination(r graph.Rule) (string, error) {
	if r.Destination == "" {
		if len(e.config.Destinations) != 1 {
			return "", fmt.Errorf("it names no destination, and there are %d to choose from", len(e.config.Destinations))
		}
		for key := range e.config.Destinations {
			return key, nil
		}
	}
	if _, ok := e.config.Destinations[r.Destination]; !ok {
		return "", fmt.Errorf("it names destination %q, which is not among Destinations", r.Destination)
	}
	return r.Destination, nil
}

// encrypt adds to the options of a package how it is encrypted for the data
// subject and for the destination.
func (e *Engine) encrypt(o *storage.PackageOptions, dest *Destination, by *Encryption) error {
	if by != nil && by.Key != nil {
		if by.Passphrase != "" || len(by.PublicKeys)+len(dest.PublicKeys) > 0 {
			return errors.New("an encryption key excludes a passphrase and public keys")
		}
		o.Key = by.Key
		return o.Check()
	}
	to := &storage.Recipients{PublicKeys: dest.PublicKeys}
	if by != nil {
		to.Passphrase = by.Passphrase
		to.PublicKeys = append(to.PublicKeys[:len(to.PublicKeys):len(to.PublicKeys)], by.PublicKeys...)
	}
	switch {
	case to.Passphrase == "" && len(to.PublicKeys) == 0:
		return nil
	case to.Passphrase != "" && len(to.PublicKeys) > 0:
		return errors.New("a passphrase excludes public keys")
	case e.config.Encrypter == nil:
		return errors.New("a passphrase and public keys need Config.Encrypter, such as that of adapters/agecrypt")
	}
	o.Encrypter, o.To = e.config.Encrypter, to
	return o.Check()
}

// encryptable says why the packages of a submission cannot be encrypted as it
// wants.
func (e *Engine) encryptable(s *Submission) error {
	var faults graph.Diagnostics
	for _, rule := range e.policies[s.Policy].Rules {
		if rule.Action != graph.Access {
			continue
		}
		key, err := e.destination(rule)
		if err == nil {
			dest := e.config.Destinations[key]
			err = e.encrypt(&storage.PackageOptions{Format: dest.Format}, &dest, &s.Encryption)
		}
		if err != nil {
			faults = append(faults, graph.Diagnostic{Severity: graph.Error, Subject: "submission", Message: fmt.Sprintf("the package of rule %q cannot be encrypted: %s", rule.Key, strings.TrimPrefix(err.Error(), "storage: "))})
		}
	}
	return faults.Err()
}
