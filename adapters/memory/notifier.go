package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

// Notifier is a [dsr.Notifier] that keeps what it is told, for tests to look
// at.
type Notifier struct {
	mu      sync.Mutex
	notices []dsr.Notice
}

// NewNotifier returns a notifier that was told nothing yet.
func NewNotifier() *Notifier { return &Notifier{} }

var _ dsr.Notifier = (*Notifier)(nil)

// Notify implements [dsr.Notifier].
func (n *Notifier) Notify(ctx context.Context, notice dsr.Notice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	notice.Packages = slices.Clone(notice.Packages)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notices = append(n.notices, notice)
	return nil
}

// Notices returns everything that the notifier was told, oldest first.
func (n *Notifier) Notices() []dsr.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	notices := slices.Clone(n.notices)
	for i := range notices {
		notices[i].Packages = slices.Clone(notices[i].Packages)
	}
	return notices
}
