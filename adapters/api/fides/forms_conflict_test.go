package fides_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// contended is a store in which others are always faster to change the catalogue.
type contended struct {
	*memory.Store
	on atomic.Bool
}

// SaveEntries implements [dsr.EntryStore].
func (s *contended) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	if s.on.Load() {
		return 0, dsr.ErrConflict
	}
	return s.Store.SaveEntries(ctx, changes)
}

// Who loses against others every time is told to try again.
func TestSettingsThatOthersChangeAllTheTimeAreAConflict(t *testing.T) {
	t.Parallel()
	s := &contended{}
	k, _ := office(t, func(k *desk) {
		s.Store = k.store
		k.config.Store = s
	})
	k.connect(t, "paper", "manual_webhook")
	k.connect(t, "bare", "manual_webhook")
	c := k.caller(t)
	c.does(t, "POST", "/connection/paper/access_manual_webhook", guideForm)
	s.on.Store(true)
	for _, call := range [][3]string{
		{"POST", "/connection/bare/access_manual_webhook", guideForm},
		{"PATCH", "/connection/paper/access_manual_request", `{"fields":[{"pii_field":"Scan"}]}`},
		{"DELETE", "/connection/paper/access_manual_webhook", ""},
		{"PUT", "/privacy-request/redaction-patterns", `{"patterns":["name"]}`},
	} {
		c.wants(t, http.StatusConflict, detail("Others changed the same meanwhile. Try again."), call[0], call[1], call[2])
	}
}

func TestWhoIsToldOfFailuresIsAConflictWhereOthersChangeIt(t *testing.T) {
	t.Parallel()
	s := &contended{}
	k, _ := failingWith(t, func(k *desk) {
		s.Store = k.store
		k.config.Store = s
	})
	s.on.Store(true)
	k.caller(t).wants(t, http.StatusConflict, detail("Others changed the same meanwhile. Try again."), "PUT", "/privacy-request/notification",
		`{"email_addresses":["desk@example.com"],"notify_after_failures":2}`)
}
