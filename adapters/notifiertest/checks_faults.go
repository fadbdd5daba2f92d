package notifiertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

func rejected(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	s.Reject(true)
	err = s.refused(ctx, plain("notice-1"), true)
	s.Reject(false)
	if err != nil {
		return err
	}
	if _, err := s.sent(ctx, plain("notice-2")); err != nil {
		return fmt.Errorf("after another notice was refused: %w", err)
	}
	return nil
}

func unavailable(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	s.Down(true)
	for range 3 {
		if err = s.refused(ctx, plain("notice-1"), false); err != nil {
			break
		}
	}
	s.Down(false)
	if err != nil {
		return err
	}
	return s.onceMore(ctx)
}

// onceMore hands over notice-1, which was refused before, and another. Both
// must arrive, and nothing else must have.
func (s *stage) onceMore(ctx context.Context) error {
	for _, id := range []string{"notice-1", "notice-2"} {
		if _, err := s.sent(ctx, plain(id)); err != nil {
			return fmt.Errorf("after the fault had ended: %w", err)
		}
	}
	got, err := s.Received()
	if err == nil && len(got) != 2 {
		err = fmt.Errorf("after the fault had ended, %d notices arrived; want the one that was refused and another", len(got))
	}
	return err
}

func lostAnswer(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	s.LoseAnswer(true)
	err = s.failed(ctx, plain("notice-1"), false)
	s.LoseAnswer(false)
	if err != nil {
		return err
	}
	taken, err := s.Received()
	if err != nil {
		return err
	}
	if len(taken) == 0 {
		return fmt.Errorf("OtherSide.LoseAnswer: nothing arrived")
	}
	again, err := s.sent(ctx, plain("notice-1"))
	if err != nil {
		return err
	}
	for _, first := range taken {
		if err := s.same(plain("notice-1"), first); err != nil {
			return err
		}
		if first.ID != again.ID {
			return fmt.Errorf("the notice was taken with the mark %q, and came again with %q", first.ID, again.ID)
		}
	}
	return nil
}

func canceled(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	s.Hang(true)
	for name, end := range ends {
		if err = s.interrupted(ctx, end); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			break
		}
	}
	s.Hang(false)
	if err != nil {
		return err
	}
	return s.onceMore(ctx)
}

// ends are the ways in which a context ends.
var ends = map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
	"under a context that is over": func(ctx context.Context) (context.Context, context.CancelFunc) {
		over, cancel := context.WithCancel(ctx)
		cancel()
		return over, cancel
	},
	"under a deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, shortly)
	},
	"under a context that is canceled": func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(shortly, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	},
}

// interrupted hands over a notice under a context that ends.
func (s *stage) interrupted(ctx context.Context, end func(context.Context) (context.Context, context.CancelFunc)) error {
	ctx, cancel := end(ctx)
	defer cancel()
	return s.refused(ctx, plain("notice-1"), false)
}

func noPersonalValues(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	none := func(bool) {}
	for _, fault := range []struct {
		name   string
		toggle func(bool)
		lacks  Feature
		alter  func(n *dsr.Notice)
		ctx    func(context.Context) (context.Context, context.CancelFunc)
	}{
		{"while the other side refuses for now", s.Down, Down, nil, context.WithCancel},
		{"while it refuses for good", s.Reject, Reject, nil, context.WithCancel},
		{"while it loses its answers", s.LoseAnswer, LostAnswer, nil, context.WithCancel},
		{"while it says nothing", s.Hang, Hang, nil, ends["under a deadline"]},
		{"under a context that is over", none, "", nil, ends["under a context that is over"]},
		{"of a wrong address", none, "", misaddress, context.WithCancel},
	} {
		if h.lacks(fault.lacks) {
			continue
		}
		for i, kind := range dsr.NoticeKinds() {
			n := sample(kind, fmt.Sprintf("notice-%d", i))
			if fault.alter != nil {
				fault.alter(&n)
			}
			fault.toggle(true)
			ctx, cancel := fault.ctx(ctx)
			err := s.notify(ctx, n)
			cancel()
			fault.toggle(false)
			text := fmt.Sprintf("%v %+v %q", err, err, err)
			if says := dsr.ReasonError(nil); errors.As(err, &says) {
				text += says.Reason()
			}
			if strings.Contains(strings.ToLower(text), canary) {
				return fmt.Errorf("the error for a notice of kind %q %s holds what is personal or secret", kind, fault.name)
			}
		}
	}
	return nil
}

// misaddress spoils the recipients of a notice.
func misaddress(n *dsr.Notice) {
	const wrong = "no address <" + canary
	switch n.Kind.Audience() {
	case dsr.ToSubject:
		n.To = dsr.Identities{"email": {wrong}}
	case dsr.ToAssignee:
		n.Assignee = wrong
	case dsr.ToVendor:
		n.Vendor = &dsr.NoticeVendor{Key: "mailer", Name: canary, Address: wrong}
	}
}

func crowd(ctx context.Context, h Harness) error {
	const callers = 50
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	notices := map[string]dsr.Notice{} // by ID
	results := make(chan error, callers)
	ready := make(chan struct{})
	for i := range callers {
		id := fmt.Sprintf("notice-%02d", i)
		n := sample(dsr.NoticeKinds()[i%2], id)
		n.Subject = id
		n.Text += strings.Repeat(id+"\n", 200)
		n.To["email"] = []string{address(id)}
		notices[id] = n
		go func() {
			<-ready
			results <- s.notify(ctx, n)
		}()
	}
	close(ready)
	for range callers {
		if failure := <-results; failure != nil && err == nil {
			err = fmt.Errorf("Notify, of %d at once: %w", callers, failure)
		}
	}
	if err != nil {
		return err
	}
	got, err := s.Received()
	if err != nil {
		return err
	}
	for _, r := range got {
		id := ""
		for candidate := range notices {
			if strings.Contains(r.ID, candidate) {
				id = candidate
			}
		}
		n, ok := notices[id]
		if !ok {
			return fmt.Errorf("a notice arrived twice, or as none that was sent: its mark is %q", r.ID)
		}
		delete(notices, id)
		if err := s.same(n, r); err != nil {
			return fmt.Errorf("notice %s of %d at once: %w", id, callers, err)
		}
		if !s.lacks(Recipients) && (len(r.To) != 1 || r.To[0] != n.To["email"][0]) {
			return fmt.Errorf("notice %s of %d at once arrived at %q; want %q", id, callers, r.To, n.To["email"])
		}
	}
	if len(notices) > 0 {
		return fmt.Errorf("of %d notices at once %d did not arrive", callers, len(notices))
	}
	return nil
}
