package smtp

import (
	"context"
	"errors"

	"github.com/godsr/dsr"
)

// Notifier is a [dsr.Notifier] that sends mail. It may be used by many at once.
type Notifier struct {
	opts *settings
	sent partial
}

var _ dsr.Notifier = (*Notifier)(nil)

// New returns a notifier. It does not connect. The error tells every fault of
// the options.
func New(opts *Options) (*Notifier, error) {
	s, err := opts.check()
	if err != nil {
		return nil, err
	}
	return &Notifier{opts: s}, nil
}

// Notify implements [dsr.Notifier]: it returns nil once the server has taken a
// message for each recipient. Where only some could be sent, it tries the
// others all the same, and returns [dsr.ErrUnavailable] if one of them may
// succeed later, else [dsr.ErrRejected]. When the notice comes again, those who
// have it are left out; after a crash they are not, and get it a second time
// under the same Message-ID. Errors are an [*Error].
func (n *Notifier) Notify(ctx context.Context, notice dsr.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, n.opts.Timeout)
	defer cancel()
	if err := n.notify(ctx, notice); err != nil {
		return err
	}
	return nil
}

func (n *Notifier) notify(ctx context.Context, notice dsr.Notice) *Error {
	if err := ctx.Err(); err != nil {
		return n.fail(err, stepFind, err)
	}
	if !identifier.MatchString(notice.ID) {
		return reject(stepRender, "the notice has no ID of letters, digits, dots, dashes and underscores")
	}
	to, wrong, err := n.recipients(ctx, notice)
	switch {
	case ctx.Err() != nil:
		return n.fail(ctx.Err(), stepFind, err)
	case err != nil:
		return host(stepFind, err)
	}
	var worst *Error
	if wrong > 0 {
		worst = reject(stepFind, "an address is none; correct it")
	}
	if len(to) == 0 {
		if worst == nil {
			worst = reject(stepFind, "there is nobody to send a notice of kind \""+string(notice.Kind)+"\" to")
		}
		return worst
	}
	if e := n.deliver(ctx, notice, to); e != nil && (worst == nil || errors.Is(e, dsr.ErrUnavailable)) {
		worst = e
	}
	if worst == nil {
		n.sent.forget(notice.ID)
		return nil
	}
	worst.taken, worst.of = n.sent.count(notice.ID), len(to)+wrong
	if errors.Is(worst, dsr.ErrRejected) {
		n.sent.forget(notice.ID)
	}
	return worst
}

// deliver sends a message to each recipient who has none yet, over one
// connection, and returns the error that matters most.
func (n *Notifier) deliver(ctx context.Context, notice dsr.Notice, to []mailbox) (worst *Error) {
	s, err := n.open(ctx)
	if err != nil {
		s.close(false)
		return n.fail(ctx.Err(), s.step, err)
	}
	defer func() { s.close(worst == nil || !worst.broken) }()
	for _, box := range to {
		if n.sent.has(notice.ID, box.address) {
			continue
		}
		e := n.deliverTo(ctx, s, notice, box)
		if e == nil {
			n.sent.add(notice.ID, box.address)
			continue
		}
		if worst == nil || errors.Is(e, dsr.ErrUnavailable) {
			worst = e
		}
		if e.broken {
			return worst
		}
		_ = s.client.Reset() // if that fails, so does what follows
	}
	return worst
}

// deliverTo sends one message.
func (n *Notifier) deliverTo(ctx context.Context, s *session, notice dsr.Notice, to mailbox) *Error {
	message, err := n.render(notice, to)
	if err != nil {
		return unavailable(stepRender, "it cannot be written")
	}
	if n.opts.Sign != nil {
		if message, err = n.opts.Sign(message); err != nil {
			return host(stepSign, err)
		}
	}
	if err := s.send(n.opts.from, to, message); err != nil {
		return n.fail(ctx.Err(), s.step, err)
	}
	return nil
}
