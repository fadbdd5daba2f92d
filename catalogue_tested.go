package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ConnectionTest is how it ended that somebody asked a connection whether it
// answers.
type ConnectionTest struct {
	At time.Time `json:"at"`
	OK bool      `json:"ok"`
}

// storedTest is a test as it is stored. A connection that was made anew under the
// same key is another one.
type storedTest struct {
	Of time.Time `json:"of"` // when the connection was created
	ConnectionTest
}

// NoteTest keeps how a test of a connection of the catalogue ended, in the place
// of the one before, until the connection is removed. It makes no version. Of
// several tests at the same time one is kept. [ErrNotFound] where there is no such
// connection any more.
func (c *Catalogue) NoteTest(ctx context.Context, d *ConnectionDefinition, t ConnectionTest) error {
	data, err := json.Marshal(storedTest{d.CreatedAt, t})
	if err != nil {
		return fmt.Errorf("dsr: encode the test of connection %q: %w", d.Key, err)
	}
	store := c.engine.config.Store
	place := testPlace(d.Key)
	there, err := store.Entries(ctx, EntryQuery{Kind: place.Kind, Key: place.Key, Limit: 1})
	if err != nil {
		return fmt.Errorf("dsr: read the test of connection %q: %w", d.Key, err)
	}
	note := Entry{Kind: place.Kind, Key: place.Key, Version: 1, Plain: true, UpdatedAt: c.engine.now(), Data: data}
	if len(there) > 0 {
		note.Version = there[0].Version + 1
	}
	save := func(change EntryChange) error {
		if _, err := store.SaveEntries(ctx, []EntryChange{change}); err != nil && !errors.Is(err, ErrConflict) { // another test was as quick
			return fmt.Errorf("dsr: store the test of connection %q: %w", d.Key, err)
		}
		return nil
	}
	if err := save(EntryChange{ExpectVersion: note.Version - 1, Entry: note}); err != nil {
		return err
	}
	// Whoever removed the connection meanwhile knew of no test.
	defs, err := c.engine.config.Store.Entries(ctx, EntryQuery{Kind: string(CatalogueConnection), Key: d.Key, Limit: 1})
	if err != nil {
		return fmt.Errorf("dsr: read connection %q: %w", d.Key, err)
	}
	var now Defined
	if len(defs) > 0 && json.Unmarshal(defs[0].Data, &now) == nil && now.CreatedAt.Equal(d.CreatedAt) {
		return nil
	}
	if err := save(removal(&note)); err != nil {
		return err
	}
	return fmt.Errorf("%w: connection %q of the catalogue", ErrNotFound, d.Key)
}

// Tests returns how tests of connections ended last, by key. Those that were not
// tested are not in it, and neither are those whose notes cannot be read.
func (c *Catalogue) Tests(ctx context.Context, of ...*ConnectionDefinition) (map[string]ConnectionTest, error) {
	tests := map[string]ConnectionTest{}
	q := EntryQuery{Kind: kindTest}
	switch len(of) {
	case 0:
		return tests, nil
	case 1:
		q.Key = testPlace(of[0].Key).Key
	}
	noted := map[string]storedTest{}
	for entry, err := range c.engine.entries(ctx, q) {
		if err != nil {
			return nil, err
		}
		if !entry.Plain || !strings.HasPrefix(entry.Key, ownedKey(CatalogueConnection, "")) {
			continue // another's, who took the same name
		}
		var t storedTest
		if err := json.Unmarshal(entry.Data, &t); err != nil {
			c.engine.config.Logger.WarnContext(ctx, "how a test ended cannot be read: the connection counts as not tested", "of", entry.Key, "error", err)
			continue
		}
		noted[entry.Key] = t
	}
	for _, d := range of {
		if t, ok := noted[testPlace(d.Key).Key]; ok && t.Of.Equal(d.CreatedAt) {
			tests[d.Key] = t.ConnectionTest
		}
	}
	return tests, nil
}

// testPlace is where the test of a connection is.
func testPlace(connection string) EntryPlace {
	return EntryPlace{kindTest, ownedKey(CatalogueConnection, connection)}
}
