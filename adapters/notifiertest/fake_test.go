package notifiertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/notifiertest"
)

var operators = []string{"desk@example.com", "duty@example.com"}

// fake is a notifier and its other side in memory. It keeps every promise but
// one, which its fault names; none for an empty one.
type fake struct {
	fault string

	mu                          sync.Mutex
	down, lose, reject          bool
	hang                        chan struct{} // closed when the fault ends; nil without
	received                    []notifiertest.Received
	busy, failures, lost, wrong int
	kept                        []dsr.Notice // of which Notify said that they failed
	latest                      dsr.Notice
}

func newSide(fault string) func(context.Context) (*notifiertest.OtherSide, error) {
	return func(context.Context) (*notifiertest.OtherSide, error) {
		f := &fake{fault: fault}
		set := func(b *bool) func(bool) {
			return func(on bool) {
				f.mu.Lock()
				defer f.mu.Unlock()
				*b = on
			}
		}
		return &notifiertest.OtherSide{
			Notifier: f, Operators: operators, Received: f.arrived,
			Down: set(&f.down), LoseAnswer: set(&f.lose), Reject: set(&f.reject), Hang: f.setHang,
		}, nil
	}
}

func (f *fake) arrived() ([]notifiertest.Received, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.received), nil
}

func (f *fake) setHang(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.hang = make(chan struct{})
	} else {
		close(f.hang)
		f.hang = nil
		for _, n := range f.kept {
			f.received = append(f.received, f.render(n, n.To["email"]))
		}
		f.kept = nil
	}
}

// Notify implements [dsr.Notifier].
func (f *fake) Notify(ctx context.Context, n dsr.Notice) error {
	if err := ctx.Err(); err != nil && f.fault != "is deaf" {
		return f.ended("quotes what came too late", n, err)
	}
	to, err := f.recipients(n)
	if err != nil {
		return err
	}
	if err := f.listen(ctx, n); err != nil || f.fault == "takes a hanging side for well" && ctx.Err() != nil {
		return err
	}
	if strings.HasPrefix(f.fault, "crowded:") {
		if done, err := f.crowded(&n); done {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refuses(n); err != nil || f.down || f.reject {
		return err
	}
	f.take(n, to)
	if !f.lose {
		return nil
	}
	f.lost++
	switch f.fault {
	case "takes silence for consent":
		return nil
	case "gives up on a lost answer":
		return dsr.ErrRejected
	case "quotes what was lost":
		return fmt.Errorf("no answer to %s", n.Text)
	}
	return errors.New("fake: no answer")
}

// ended is the error of a context that is over.
func (f *fake) ended(fault string, n dsr.Notice, err error) error {
	switch f.fault {
	case fault:
		return fmt.Errorf("%q: %w", n.Subject, err)
	case "gives up after a time-out":
		return fmt.Errorf("%w: %w", dsr.ErrRejected, err)
	}
	return err
}

// listen waits while the other side says nothing.
func (f *fake) listen(ctx context.Context, n dsr.Notice) error {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang == nil {
		return nil
	}
	done := ctx.Done()
	switch _, timed := ctx.Deadline(); {
	case f.fault == "is deaf", f.fault == "knows deadlines only" && !timed:
		done = nil
	case f.fault == "goes on meanwhile":
		f.mu.Lock()
		f.kept = append(f.kept, n)
		f.mu.Unlock()
	}
	select {
	case <-done:
		if f.fault == "takes a hanging side for well" {
			return nil
		}
		return f.ended("quotes what timed out", n, ctx.Err())
	case <-hang:
		return errors.New("fake: no greeting")
	}
}

// crowded lets all calls come in, as one that is slow does, and tells whether
// the notice is done with.
func (f *fake) crowded(n *dsr.Notice) (bool, error) {
	f.mu.Lock()
	f.latest = *n
	f.busy++
	busy := f.busy
	f.mu.Unlock()
	<-time.After(time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
	switch f.fault {
	case "crowded: takes a few":
		if busy > 10 {
			return true, errors.New("fake: busy")
		}
	case "crowded: drops some":
		return busy > 10, nil
	case "crowded: mixes up texts":
		n.Text = f.latest.Text
	case "crowded: mixes up people":
		n.To["email"] = f.latest.To["email"]
	case "crowded: mixes up notices":
		*n = f.latest
	}
	return false, nil
}

// refuses is what a side answers that is down, or refuses for good.
func (f *fake) refuses(n dsr.Notice) error {
	switch {
	case f.reject:
		f.wrong++
		switch f.fault {
		case "hopes on":
			return errors.New("fake: refused")
		case "swallows a refusal":
			return nil
		case "quotes a refusal":
			return fmt.Errorf("%w: %q", dsr.ErrRejected, n.Reason)
		case "offers a quote":
			return fmt.Errorf("fake: %w", &offer{dsr.ErrRejected, n.Reason})
		}
		return dsr.ErrRejected
	case f.down:
		f.failures++
		switch f.fault {
		case "swallows failures":
			return nil
		case "gives up at once":
			return dsr.ErrRejected
		case "gives up the third time":
			if f.failures > 2 {
				return dsr.ErrRejected
			}
		case "sends later by itself":
			f.kept = append(f.kept, n)
		case "quotes a failure":
			return fmt.Errorf("cannot reach %v", map[string][]string(n.To))
		}
		return errors.New("fake: down")
	case f.fault == "stays down" && f.failures > 0:
		return errors.New("fake: down")
	case f.fault == "is offended" && f.wrong > 0:
		return dsr.ErrRejected
	}
	return nil
}

// take keeps a notice on the other side.
func (f *fake) take(n dsr.Notice, to []string) {
	for _, kept := range f.kept {
		f.received = append(f.received, f.render(kept, to))
	}
	f.kept = nil
	r := f.render(n, to)
	switch {
	case f.fault == "drops what has no deadline" && n.Deadline.IsZero(), f.fault == "drops everything":
	case f.fault == "takes later":
		time.AfterFunc(time.Second, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.received = append(f.received, r)
		})
	case f.fault == "sends twice":
		f.received = append(f.received, r, r)
	case f.fault == "sends to each":
		for _, one := range r.To {
			r.To = []string{one}
			f.received = append(f.received, r)
		}
	default:
		f.received = append(f.received, r)
	}
}

// offer is an error that says more when it is asked.
type offer struct {
	error
	reason string
}

func (o *offer) Reason() string { return o.reason }
func (o *offer) Unwrap() error  { return o.error }
