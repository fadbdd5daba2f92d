package dsr

import (
	"bytes"
	"context"
	"fmt"
)

// fits makes sure, once in the life of an engine, that the keyring is that of
// the store: another one would open nothing, find nobody, and sign the audit
// trail so that it looks forged. It asks entries of the trail, of which one has
// to bear the keyring's mark.
func (e *Engine) fits(ctx context.Context) error {
	if e.fitted.Load() {
		return nil
	}
	const some = 100
	entries, err := e.config.Store.AuditEntries(ctx, "", AuditPlace{}, some)
	if err != nil {
		return fmt.Errorf("dsr: read the audit trail: %w", err)
	}
	for _, entry := range entries {
		mac, err := e.auditMAC(ctx)(entry.Hash)
		if err != nil {
			return fmt.Errorf("dsr: ask the keyring: %w", err)
		}
		if bytes.Equal(mac, entry.MAC) {
			e.fitted.Store(true)
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: its look-up key is not the one that the audit trail was made with; nothing was changed", ErrKeyring)
	}
	return nil // nothing was written yet; the next one looks again
}
