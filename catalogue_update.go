package dsr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
)

// updates is how often Update begins anew that lost against those of other
// processes.
const updates = 500

// Update changes the catalogue: edit gets what there is and changes it, and all
// its changes are stored in one commit, or none. Updates are made one after
// another, in all processes, so that what one was checked against still holds when
// it is stored. Edit may be called several times, when other processes change
// something meanwhile; it must not call Update. A [*graph.FaultError] names every
// fault: unknown types and secrets, files that cannot be read, references to
// what is not defined. What is incomplete is stored, and told by Problems.
//
// What comes from Config cannot be changed, but for forms.
//
// Pre-approval hooks that are removed do not count any more: requests of which all
// others have said yes go on, also where ctx ends once the update is stored. Those
// that could not be got to go on later, by Engine.Run, within an hour, or by
// Messages.Send.
func (c *Catalogue) Update(ctx context.Context, edit func(*Definitions) error) (version int64, err error) {
	defer recovered(&err)
	e := c.engine
	if err := e.fits(ctx); err != nil {
		return 0, err
	}
	made, err := e.update(ctx, edit)
	if err != nil || made.after == nil {
		return made.version, err
	}
	e.updated(ctx, &made)
	return made.version, nil
}

// updatedFor is how long what follows from an update may take.
const updatedFor = 5 * time.Minute

// updated does what follows from an update that was stored, whatever became of
// who asked for it.
func (e *Engine) updated(ctx context.Context, made *update) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), updatedFor)
	defer cancel()
	if _, done, err := e.take(ctx, newest); err != nil { // so that forms and problems are those of now
		e.config.Logger.WarnContext(ctx, "the catalogue was changed, but cannot be used yet", "version", made.version, "error", err)
	} else {
		done()
	}
	if !removesHooks(made.before.PreApproval, made.after.PreApproval) {
		return
	}
	if err := e.recount(ctx); err != nil {
		e.config.Logger.WarnContext(ctx, "not all requests that waited for removed pre-approval hooks could go on yet: they are looked for again",
			"version", made.version, "error", err)
	}
}

// update is a version of the catalogue, and what led to it; nothing if nothing
// changed.
type update struct {
	version       int64
	before, after *Definitions
}

// update stores what an edit leads to.
func (e *Engine) update(ctx context.Context, edit func(*Definitions) error) (made update, err error) {
	err = e.inTurn(ctx, func() error {
		made, err = e.updateOnce(ctx, edit)
		return err
	})
	return made, err
}

// inTurn makes one change of the catalogue after another, and begins anew as often
// as another process was faster: once returns errOvertaken then.
func (e *Engine) inTurn(ctx context.Context, once func() error) error {
	select {
	case e.updating <- struct{}{}:
		defer func() { <-e.updating }()
	case <-ctx.Done():
		return fmt.Errorf("dsr: wait for another update of the catalogue: %w", ctx.Err())
	}
	for range updates {
		if err := once(); !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return fmt.Errorf("%w: others changed the catalogue %d times in a row", ErrConflict, updates)
}

// errOvertaken says that another process stored an update since this one read the
// catalogue.
var errOvertaken = errors.New("dsr: the catalogue was changed meanwhile")

func (e *Engine) updateOnce(ctx context.Context, edit func(*Definitions) error) (update, error) {
	count, err := e.countUpdate(ctx) // before anything is read
	if err != nil {
		return update{}, err
	}
	v, err := e.config.Store.CatalogueVersion(ctx)
	if err != nil {
		return update{}, fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	before, err := e.shelf(ctx, v)
	if err != nil {
		return update{}, err
	}
	after, err := before.again(e)
	if err != nil {
		return update{}, err
	}
	if err := edit(after.defs); err != nil {
		return update{}, err
	}
	if err := e.checkDefinitions(before.defs, after.defs); err != nil {
		return update{}, err
	}
	changes, err := e.changes(ctx, before, after.defs)
	if err != nil || len(changes) == 0 {
		return update{version: v}, err
	}
	if v, err = e.config.Store.SaveEntries(ctx, append(changes, count)); errors.Is(err, ErrConflict) {
		return update{}, errOvertaken
	}
	if err != nil {
		return update{}, fmt.Errorf("dsr: store the catalogue: %w", err)
	}
	return update{version: v, before: before.defs, after: after.defs}, nil
}

// countUpdate is the change that counts the updates that were stored. Each update
// makes it, so that of two that did not see each other one fails, also where they
// change different entries: each may rest on what the other one changes.
func (e *Engine) countUpdate(ctx context.Context) (EntryChange, error) {
	next := Entry{Kind: kindUpdates, Key: "count", Version: 1, Plain: true, UpdatedAt: e.now()}
	there, err := e.config.Store.Entries(ctx, EntryQuery{Kind: next.Kind, Key: next.Key, Limit: 1})
	if err != nil {
		return EntryChange{}, fmt.Errorf("dsr: read the catalogue: %w", err)
	}
	if len(there) > 0 {
		next.Version = there[0].Version + 1
	}
	return EntryChange{ExpectVersion: next.Version - 1, Entry: next}, nil
}

// Check tells what Update would refuse of definitions that were made of others,
// which are those of a version as At returns them. It reads and stores nothing.
// It is for those who change several things at once and want to leave out what
// does not hold: they read what there was before once for all of them.
func (c *Catalogue) Check(before, after *Definitions) error {
	return c.engine.checkDefinitions(before, after)
}

// Rewrap seals all secrets anew, with the newest key of the keyring, so that
// older ones can be destroyed. The error tells all that could not be sealed: the
// older keys are needed for them still, or they have to be set anew. Updates that
// are made meanwhile hold: each secret is sealed as it is then.
func (c *Catalogue) Rewrap(ctx context.Context) error {
	e := c.engine
	beside, err := e.beside(ctx, kindSecret)
	if err != nil {
		return err
	}
	var faults *multierror.Error
	for _, place := range slices.SortedFunc(maps.Keys(beside), func(a, b EntryPlace) int { return strings.Compare(a.Key, b.Key) }) {
		if ownsSecrets(place) {
			faults = multierror.Append(faults, e.inTurn(ctx, func() error { return e.rewrapOnce(ctx, place) }))
		}
	}
	return faults.ErrorOrNil()
}

// rewrapOnce seals the secrets at a place anew. It counts as an update: what was
// removed and made anew meanwhile has the versions of what it follows.
func (e *Engine) rewrapOnce(ctx context.Context, place EntryPlace) error {
	count, err := e.countUpdate(ctx) // before anything is read
	if err != nil {
		return err
	}
	there, err := e.config.Store.Entries(ctx, EntryQuery{Kind: place.Kind, Key: place.Key, Limit: 1})
	if err != nil {
		return fmt.Errorf("dsr: read the secrets of %s: %w", place.Key, err)
	}
	if len(there) == 0 {
		return nil // removed meanwhile
	}
	secrets, err := e.unsealSecrets(ctx, &there[0])
	if err != nil {
		return err
	}
	change, err := e.sealSecrets(ctx, place.Key, there[0].Version, secrets)
	if err != nil {
		return err
	}
	if _, err := e.config.Store.SaveEntries(ctx, []EntryChange{*change, count}); errors.Is(err, ErrConflict) {
		return errOvertaken
	} else if err != nil {
		return fmt.Errorf("dsr: store the secrets of %s: %w", place.Key, err)
	}
	return nil
}

// changes are what leads from what is stored to the definitions of an edit.
func (e *Engine) changes(ctx context.Context, was *shelf, defs *Definitions) ([]EntryChange, error) {
	now := e.now()
	wanted, err := was.wanted(&e.config, defs, now)
	if err != nil {
		return nil, err
	}
	beside, err := e.beside(ctx, kindSecret, kindTest)
	if err != nil {
		return nil, err
	}
	sealed, err := e.reseal(ctx, beside, defs)
	if err != nil {
		return nil, err
	}
	changes := diff(was.entries, wanted, now)
	return slices.Concat(changes, withdrawn(changes, beside), sealed), nil
}

// reseal returns the changes that store the secrets which are given.
func (e *Engine) reseal(ctx context.Context, beside map[EntryPlace]*Entry, defs *Definitions) (changes []EntryChange, _ error) {
	one := func(kind CatalogueKind, key string, secrets Secrets) error {
		if secrets == nil {
			return nil
		}
		place := secretPlace(kind, key)
		change, err := e.sealSecrets(ctx, place.Key, kept(beside[place]).Version, secrets)
		if err == nil {
			changes = append(changes, *change)
		}
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(defs.Connections)) { // those of Config have none
		if err := one(CatalogueConnection, key, defs.Connections[key].Secrets); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(defs.Destinations)) {
		if err := one(CatalogueDestination, key, defs.Destinations[key].Secrets); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// withdrawn are the changes that remove what is kept beside definitions that are
// removed.
func withdrawn(changes []EntryChange, beside map[EntryPlace]*Entry) (gone []EntryChange) {
	for _, change := range changes {
		if !change.Remove {
			continue
		}
		of := ownedKey(CatalogueKind(change.Entry.Kind), change.Entry.Key)
		for _, kind := range []string{kindSecret, kindTest} {
			if there := beside[EntryPlace{kind, of}]; there != nil {
				gone = append(gone, removal(there))
			}
		}
	}
	return gone
}

// removal is the change that removes an entry.
func removal(e *Entry) EntryChange {
	return EntryChange{
		ExpectVersion: e.Version, Remove: true,
		Entry: Entry{Kind: e.Kind, Key: e.Key, Version: e.Version + 1, Plain: e.Plain},
	}
}
