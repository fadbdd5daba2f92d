package notifiertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

const (
	// patience is how long a check waits for what must come. Only a
	// notifier at fault lets it wait that long.
	patience = 30 * time.Second
	// shortly is long enough for a notice to be on its way.
	shortly = 50 * time.Millisecond
)

// stage is a notifier under check, and its other side.
type stage struct {
	*OtherSide
	Harness
}

// enter makes a notifier, and says everything that is wrong with the harness.
func enter(ctx context.Context, h Harness) (*stage, error) {
	side, err := h.New(ctx)
	if err != nil {
		return nil, err
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if side.Notifier == nil {
		fault("OtherSide.Notifier is missing")
	}
	if side.Received == nil {
		fault("OtherSide.Received is missing")
	}
	for _, f := range []struct {
		feature Feature
		name    string
		there   bool
	}{
		{Recipients, "Operators", len(side.Operators) > 0},
		{Down, "Down", side.Down != nil},
		{Hang, "Hang", side.Hang != nil},
		{LostAnswer, "LoseAnswer", side.LoseAnswer != nil},
		{Reject, "Reject", side.Reject != nil},
	} {
		switch lacks := h.lacks(f.feature); {
		case f.there && lacks:
			fault("OtherSide.%s is there, but Harness.Lacks says that there is no %q", f.name, f.feature)
		case !f.there && !lacks:
			fault("OtherSide.%s must be there, or Harness.Lacks say why there is no %q", f.name, f.feature)
		}
	}
	for feature, why := range h.Lacks {
		if !slices.Contains([]Feature{Texts, Kinds, Recipients, Down, Hang, LostAnswer, Reject}, feature) {
			fault("Harness.Lacks: there is no feature %q", feature)
		}
		if strings.TrimSpace(why) == "" {
			fault("Harness.Lacks: %q has no reason", feature)
		}
	}
	return &stage{side, h}, errors.Join(faults...)
}

// notify calls Notify, which must return in time.
func (s *stage) notify(ctx context.Context, n dsr.Notice) error {
	result := make(chan error, 1)
	go func() { result <- s.Notifier.Notify(ctx, n) }()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		return errLate
	}
}

// errLate is what notify returns for a call that does not return.
var errLate = fmt.Errorf("Notify did not return within %v", patience)

// sent hands over a notice, which must be taken, and returns what arrived: the
// first one where each recipient has one.
func (s *stage) sent(ctx context.Context, n dsr.Notice) (Received, error) {
	before, err := s.Received()
	if err != nil {
		return Received{}, err
	}
	if err := s.notify(ctx, n); err != nil {
		return Received{}, fmt.Errorf("Notify of a notice of kind %q: %w", n.Kind, err)
	}
	got, err := s.since(len(before))
	switch {
	case err != nil:
		return Received{}, err
	case len(got) == 0:
		return Received{}, fmt.Errorf("Notify of a notice of kind %q returned nil, but nothing had arrived", n.Kind)
	case len(got) > 1 && (s.lacks(Recipients) || repeated(got)):
		return Received{}, fmt.Errorf("a notice of kind %q arrived %d times", n.Kind, len(got))
	}
	for _, r := range got {
		if err := s.same(n, r); err != nil {
			return Received{}, err
		}
	}
	return got[0], nil
}

// repeated tells whether a recipient has something twice.
func repeated(got []Received) bool {
	seen := map[string]bool{}
	for _, r := range got {
		for _, address := range r.To {
			if seen[address] {
				return true
			}
			seen[address] = true
		}
	}
	return false
}

// refused hands over a notice that must be an error, and must not arrive.
func (s *stage) refused(ctx context.Context, n dsr.Notice, forGood bool) error {
	before, err := s.Received()
	if err != nil {
		return err
	}
	if err := s.failed(ctx, n, forGood); err != nil {
		return err
	}
	got, err := s.since(len(before))
	if err == nil && len(got) > 0 {
		err = errors.New("a notice arrived although it was refused")
	}
	return err
}

// failed hands over a notice that must be an error.
func (s *stage) failed(ctx context.Context, n dsr.Notice, forGood bool) error {
	err := s.notify(ctx, n)
	switch {
	case err == nil:
		return errors.New("Notify returned nil for a notice that was not handed over")
	case errors.Is(err, errLate):
		return err
	case forGood && !errors.Is(err, dsr.ErrRejected):
		return fmt.Errorf("Notify returned %w; want ErrRejected", err)
	case !forGood && errors.Is(err, dsr.ErrRejected):
		return fmt.Errorf("Notify returned %w, which is ErrRejected, for what may pass", err)
	}
	return nil
}

// since returns what arrived after the first n.
func (s *stage) since(n int) ([]Received, error) {
	got, err := s.Received()
	if err != nil {
		return nil, err
	}
	if len(got) < n {
		return nil, fmt.Errorf("OtherSide.Received returned %d notices, fewer than the %d before", len(got), n)
	}
	return got[n:], nil
}

// same compares what arrived with the notice, as far as the other side is told.
func (s *stage) same(n dsr.Notice, got Received) error {
	if !strings.Contains(got.ID, n.ID) {
		return fmt.Errorf("the notice arrived with the mark %q, which does not hold its ID %q", got.ID, n.ID)
	}
	if !s.lacks(Kinds) && got.Kind != n.Kind {
		return fmt.Errorf("a notice of kind %q arrived as one of kind %q", n.Kind, got.Kind)
	}
	if s.lacks(Texts) {
		return nil
	}
	broken := strings.ContainsAny(n.Subject, "\r\n")
	for _, part := range []struct{ name, got, want string }{
		{"subject", oneLine(got.Subject, broken), oneLine(n.Subject, broken)},
		{"text", lines(got.Text), lines(n.Text)},
		{"HTML", lines(got.HTML), lines(n.HTML)},
	} {
		if part.got != part.want {
			at := 0
			for at < min(len(part.got), len(part.want)) && part.got[at] == part.want[at] {
				at++
			}
			return fmt.Errorf("the %s differs from byte %d on: %.100q; want %.100q", part.name, at, part.got[at:], part.want[at:])
		}
	}
	return nil
}

// lines makes all ends of lines alike, and drops those at the end.
func lines(text string) string {
	return strings.TrimRight(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}

// oneLine drops blanks around a subject. Where one has line ends, these and
// blanks are alike, however many.
func oneLine(subject string, broken bool) string {
	if broken {
		return strings.Join(strings.Fields(subject), " ")
	}
	return strings.Trim(subject, " ")
}
