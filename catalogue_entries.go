package dsr

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/seal"
)

const (
	kindSecret     = "secret"
	kindTest       = "connection-test"
	kindUpdates    = "catalogue-updates"
	preApprovalKey = "pre_approval"
	redactionKey   = "patterns"
	defaultKey     = "destination"
)

// ownedKey is the key of the entries that are kept beside a definition: its
// secrets, and how it was tested.
func ownedKey(kind CatalogueKind, key string) string { return string(kind) + "/" + key }

// shelf is one version of the catalogue as it is stored.
type shelf struct {
	defs    *Definitions
	entries map[EntryPlace]*Entry
	newest  int64 // the version that was the newest before it was read
}

// entries goes through entries, whatever their number.
func (e *Engine) entries(ctx context.Context, q EntryQuery) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		q.Limit = 500
		for {
			page, err := e.config.Store.Entries(ctx, q)
			if err != nil {
				yield(Entry{}, fmt.Errorf("dsr: read the catalogue: %w", err))
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if len(page) < q.Limit {
				return
			}
			last := page[len(page)-1]
			q.After = &EntryPlace{Kind: last.Kind, Key: last.Key}
		}
	}
}

// shelf reads one version of the catalogue.
func (e *Engine) shelf(ctx context.Context, version int64) (*shelf, error) {
	s := &shelf{defs: newDefinitions(), entries: map[EntryPlace]*Entry{}}
	s.defs.fixed(&e.config)
	s.defs.Version = version
	if version == 0 {
		return s, nil
	}
	newest, err := e.config.Store.CatalogueVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	if version < 0 || version > newest {
		return nil, fmt.Errorf("%w: version %d of the catalogue; the newest is %d", ErrNotFound, version, newest)
	}
	kinds := []CatalogueKind{
		CatalogueConnection, CatalogueDataset, CatalogueDestination, CatalogueDefault, CataloguePolicy, CatalogueForm, CatalogueHook,
		CatalogueRedaction, CatalogueSetting,
	}
	for _, kind := range kinds {
		for entry, err := range e.entries(ctx, EntryQuery{Kind: string(kind), At: version}) {
			if err != nil {
				return nil, err
			}
			if entry.Plain {
				continue // another's, who took the same name
			}
			s.entries[EntryPlace{entry.Kind, entry.Key}] = &entry
			if err := s.defs.add(&entry, e.dataset); err != nil {
				return nil, fmt.Errorf("dsr: %s %q in version %d of the catalogue cannot be read: %w", kind, entry.Key, version, err)
			}
		}
	}
	s.newest = newest
	return s, nil
}

// beside returns the plain entries of now of some kinds.
func (e *Engine) beside(ctx context.Context, kinds ...string) (map[EntryPlace]*Entry, error) {
	all := map[EntryPlace]*Entry{}
	for _, kind := range kinds {
		for entry, err := range e.entries(ctx, EntryQuery{Kind: kind}) {
			if err != nil {
				return nil, err
			}
			if entry.Plain { // the rest is another's, who took the same name
				all[EntryPlace{entry.Kind, entry.Key}] = &entry
			}
		}
	}
	return all, nil
}

// standing is what no version keeps: the secrets of now, and which connections
// and destinations there are now, by the places of their secrets and when they
// were created.
type standing struct {
	secrets map[EntryPlace]*Entry
	born    map[EntryPlace]time.Time
}

// secretPlace is where the secrets of something are.
func secretPlace(kind CatalogueKind, key string) EntryPlace {
	return EntryPlace{kindSecret, ownedKey(kind, key)}
}

// ownsSecrets reports whether the secrets at a place are those of a connection or
// a destination. A host may keep entries of its own under the same kind.
func ownsSecrets(place EntryPlace) bool {
	return strings.HasPrefix(place.Key, ownedKey(CatalogueConnection, "")) || strings.HasPrefix(place.Key, ownedKey(CatalogueDestination, ""))
}

// stands reads what no version keeps. Secrets come first: those of what is made
// anew between the two reads would be taken for those of what it follows.
func (e *Engine) stands(ctx context.Context) (s standing, err error) {
	if s.secrets, err = e.beside(ctx, kindSecret); err != nil {
		return s, err
	}
	s.born = map[EntryPlace]time.Time{}
	for _, kind := range []CatalogueKind{CatalogueConnection, CatalogueDestination} {
		for entry, err := range e.entries(ctx, EntryQuery{Kind: string(kind)}) {
			if err != nil {
				return s, err
			}
			var d Defined
			if entry.Plain || json.Unmarshal(entry.Data, &d) != nil {
				continue
			}
			s.born[secretPlace(kind, entry.Key)] = d.CreatedAt
		}
	}
	return s, nil
}

// same reports whether nothing changed that a generation was opened with. What
// came since is in no generation before.
func (s standing) same(was standing) bool {
	for place, born := range was.born {
		if now, ok := s.born[place]; !ok || !now.Equal(born) {
			return false
		}
		a, b := s.secrets[place], was.secrets[place]
		if (a == nil) != (b == nil) || a != nil && a.Version != b.Version {
			return false
		}
	}
	return true
}

// add reads one entry.
func (d *Definitions) add(entry *Entry, parse func(key, source string) (*graph.Dataset, error)) error {
	switch CatalogueKind(entry.Kind) {
	case CatalogueConnection:
		return decodeDefinition(entry, d.Connections, func(c *ConnectionDefinition) { c.UpdatedAt = entry.UpdatedAt })
	case CatalogueDataset:
		if err := decodeDefinition(entry, d.Datasets, func(c *DatasetDefinition) { c.UpdatedAt = entry.UpdatedAt }); err != nil {
			return err
		}
		def := d.Datasets[entry.Key]
		dataset, err := parse(entry.Key, def.Source)
		def.Dataset = dataset // nil when a later version reads files more strictly
		_ = err               // told again where the dataset is put to use
		return nil
	case CatalogueDestination:
		return decodeDefinition(entry, d.Destinations, func(c *DestinationDefinition) { c.UpdatedAt = entry.UpdatedAt })
	case CatalogueDefault:
		return json.Unmarshal(entry.Data, &d.DefaultDestination)
	case CataloguePolicy:
		return decodeDefinition(entry, d.Policies, func(c *PolicyDefinition) { c.UpdatedAt = entry.UpdatedAt })
	case CatalogueForm:
		if err := decodeDefinition(entry, d.Forms, func(c *FormDefinition) { c.UpdatedAt = entry.UpdatedAt }); err != nil {
			return err
		}
		if d.Forms[entry.Key].Removed {
			delete(d.Forms, entry.Key)
		}
		return nil
	case CatalogueHook:
		return json.Unmarshal(entry.Data, &d.PreApproval)
	case CatalogueRedaction:
		d.Redaction = []string{}
		return json.Unmarshal(entry.Data, &d.Redaction)
	default:
		d.Settings[entry.Key] = slices.Clone(entry.Data)
		return nil
	}
}

func decodeDefinition[T any](entry *Entry, into map[string]*T, finish func(*T)) error {
	def := new(T)
	if err := json.Unmarshal(entry.Data, def); err != nil {
		return err
	}
	finish(def)
	into[entry.Key] = def
	return nil
}

// again is a shelf of the same entries, whose definitions can be changed.
func (s *shelf) again(e *Engine) (*shelf, error) {
	other := *s
	other.defs = newDefinitions()
	other.defs.fixed(&e.config)
	other.defs.Version = s.defs.Version
	for _, entry := range s.entries {
		if err := other.defs.add(entry, e.dataset); err != nil {
			return nil, err
		}
	}
	return &other, nil
}

// maxParsed bounds the datasets that are remembered.
const maxParsed = 10_000

// parsed remembers datasets by what they were read from, which takes most of
// the time that a change of the catalogue takes.
type parsed struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]*graph.Dataset
}

// dataset is parseDataset that remembers. What it returns is shared.
func (e *Engine) dataset(key, source string) (*graph.Dataset, error) {
	id := sha256.Sum256([]byte(key + "\x00" + source))
	p := &e.parsed
	p.mu.Lock()
	d := p.by[id]
	p.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := parseDataset(key, source)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil || len(p.by) >= maxParsed {
		p.by = map[[sha256.Size]byte]*graph.Dataset{}
	}
	p.by[id] = d
	return d, nil
}

// parseDataset reads the one dataset of a file. Its warnings are nobody's here:
// whoever wants them loads the file with package graph.
func parseDataset(key, source string) (*graph.Dataset, error) {
	list, found := graph.Load(key, []byte(source), nil)
	if err := found.Err(); err != nil {
		return nil, err
	}
	if len(list) != 1 || list[0].Key != key {
		return nil, fmt.Errorf("its file must hold one dataset with the key %q", key)
	}
	return list[0], nil
}

// sealedSecrets is how secrets are stored: sealed with a key of their own, which
// the keyring has wrapped.
type sealedSecrets struct {
	Key  []byte `json:"key"`
	Data []byte `json:"data"`
}

// sealSecrets returns the change that stores secrets in the place of a version.
func (e *Engine) sealSecrets(ctx context.Context, of string, version int64, secrets Secrets) (*EntryChange, error) {
	plain, err := json.Marshal(map[string]string(secrets))
	if err != nil {
		return nil, fmt.Errorf("dsr: encode the secrets of %s: %w", of, err)
	}
	key := make([]byte, seal.KeySize)
	if _, err := io.ReadFull(e.config.Random, key); err != nil {
		return nil, fmt.Errorf("dsr: make a key for the secrets of %s: %w", of, err)
	}
	var s sealedSecrets
	if s.Key, err = e.config.Keyring.Wrap(ctx, key, bound("catalogue", of)); err != nil {
		return nil, fmt.Errorf("dsr: wrap the key for the secrets of %s: %w", of, err)
	}
	if s.Data, err = seal.Seal(e.config.Random, key, plain, bound("catalogue", of)); err != nil {
		return nil, fmt.Errorf("dsr: seal the secrets of %s: %w", of, err)
	}
	sealed, err := json.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("dsr: encode the secrets of %s: %w", of, err)
	}
	return &EntryChange{ExpectVersion: version, Entry: Entry{
		Kind: kindSecret, Key: of, Version: version + 1, Plain: true, UpdatedAt: e.now(), Sealed: sealed,
	}}, nil
}

// errSpoilt says that stored secrets are of no use any more; they have to be set
// anew.
var errSpoilt = errors.New("dsr: stored secrets are damaged")

func (e *Engine) unsealSecrets(ctx context.Context, entry *Entry) (Secrets, error) {
	var s sealedSecrets
	if err := json.Unmarshal(entry.Sealed, &s); err != nil {
		return nil, fmt.Errorf("%w: the stored secrets of %s cannot be read: %w", errSpoilt, entry.Key, err)
	}
	key, err := e.config.Keyring.Unwrap(ctx, s.Key, bound("catalogue", entry.Key))
	if err != nil {
		return nil, fmt.Errorf("dsr: unwrap the key for the secrets of %s: %w", entry.Key, err)
	}
	plain, err := seal.Open(key, s.Data, bound("catalogue", entry.Key))
	if err != nil {
		return nil, fmt.Errorf("%w: unseal the secrets of %s: %w", errSpoilt, entry.Key, err)
	}
	secrets := Secrets{}
	if err := json.Unmarshal(plain, (*map[string]string)(&secrets)); err != nil {
		return nil, fmt.Errorf("%w: the secrets of %s cannot be decoded", errSpoilt, entry.Key)
	}
	return secrets, nil
}
