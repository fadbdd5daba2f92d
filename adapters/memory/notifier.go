package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

// Notifier is a [dsr.Notifier] that keeps what it is told, for tests to look
// at. It has no addresses: it takes notices to nobody as well.
type Notifier struct {
	mu            sync.Mutex
	notices       []dsr.Notice
	before, after func(context.Context, dsr.Notice) error
}

// NewNotifier returns a notifier that was told nothing yet.
func NewNotifier() *Notifier { return &Notifier{} }

var _ dsr.Notifier = (*Notifier)(nil)

// Fail lets Notify fail from now on. An error of before is returned for a
// notice that is not kept, as one of a server that is down; it may wait for the
// end of its context, as one that hangs. An error of after is returned although
// the notice was kept, as when an answer is lost. Either may be nil for none.
// They may be called by many at once.
func (n *Notifier) Fail(before, after func(context.Context, dsr.Notice) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before, n.after = before, after
}

// Notify implements [dsr.Notifier].
func (n *Notifier) Notify(ctx context.Context, notice dsr.Notice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	before, after := n.before, n.after
	n.mu.Unlock()
	if before != nil {
		if err := before(ctx, notice); err != nil {
			return err
		}
	}
	n.keep(notice)
	if after != nil {
		return after(ctx, notice)
	}
	return nil
}

func (n *Notifier) keep(notice dsr.Notice) {
	notice.Packages = slices.Clone(notice.Packages)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notices = append(n.notices, notice)
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
