package notifiertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/notifiertest"
)

// bare is a side of which nothing is known but the marks of what arrived.
func bare(fault string) notifiertest.Harness {
	return notifiertest.Harness{
		New: func(ctx context.Context) (*notifiertest.OtherSide, error) {
			side, err := newSide(fault)(ctx)
			return &notifiertest.OtherSide{Notifier: side.Notifier, Received: func() ([]notifiertest.Received, error) {
				received, err := side.Received()
				for i, r := range received {
					received[i] = notifiertest.Received{ID: r.ID}
				}
				return received, err
			}}, err
		},
		Lacks: map[notifiertest.Feature]string{
			notifiertest.Texts: "bare", notifiertest.Kinds: "bare", notifiertest.Recipients: "bare",
			notifiertest.Down: "bare", notifiertest.Hang: "bare", notifiertest.LostAnswer: "bare", notifiertest.Reject: "bare",
		},
	}
}

// A notifier is checked as far as its other side can tell.
func TestBare(t *testing.T) {
	t.Parallel()
	notifiertest.Run(t, bare(""))
	found := map[string]bool{}
	for _, fault := range []string{"drops what has no deadline", "sends twice", "marks by the text", "marks in lower case"} {
		for _, check := range notifiertest.Checks() {
			if len(check.Needs) == 0 && check.Run(t.Context(), bare(fault)) != nil {
				found[fault] = true
			}
		}
	}
	require.Len(t, found, 4)
}

// What a harness is short of is no silent gap: every check says it.
func TestHarnessMustBeWhole(t *testing.T) {
	t.Parallel()
	failure := errors.New("no server")
	for _, c := range []struct {
		name  string
		alter func(h *notifiertest.Harness, side *notifiertest.OtherSide)
		want  string
	}{
		{"empty", func(_ *notifiertest.Harness, side *notifiertest.OtherSide) { *side = notifiertest.OtherSide{} },
			`OtherSide.Notifier is missing
OtherSide.Received is missing
OtherSide.Operators must be there, or Harness.Lacks say why there is no "recipients"
OtherSide.Down must be there, or Harness.Lacks say why there is no "down"
OtherSide.Hang must be there, or Harness.Lacks say why there is no "hang"
OtherSide.LoseAnswer must be there, or Harness.Lacks say why there is no "lost answer"
OtherSide.Reject must be there, or Harness.Lacks say why there is no "reject"`},
		{"there and lacking", func(h *notifiertest.Harness, _ *notifiertest.OtherSide) {
			h.Lacks = map[notifiertest.Feature]string{notifiertest.Down: "it never is"}
		}, `OtherSide.Down is there, but Harness.Lacks says that there is no "down"`},
		{"without a reason", func(h *notifiertest.Harness, _ *notifiertest.OtherSide) {
			h.Lacks = map[notifiertest.Feature]string{notifiertest.Texts: " "}
		}, `Harness.Lacks: "texts" has no reason`},
		{"unknown", func(h *notifiertest.Harness, _ *notifiertest.OtherSide) {
			h.Lacks = map[notifiertest.Feature]string{"sound": "it is quiet"}
		}, `Harness.Lacks: there is no feature "sound"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, check := range notifiertest.Checks() {
				var h notifiertest.Harness
				side, err := newSide("")(t.Context())
				require.NoError(t, err)
				c.alter(&h, side)
				h.New = func(context.Context) (*notifiertest.OtherSide, error) { return side, nil }
				require.EqualError(t, check.Run(t.Context(), h), c.want)
			}
		})
	}
	for _, check := range notifiertest.Checks() {
		none := func(context.Context) (*notifiertest.OtherSide, error) { return nil, failure }
		require.ErrorIs(t, check.Run(t.Context(), notifiertest.Harness{New: none}), failure)
	}
}

// An other side that cannot be read is no notifier's fault, and is told.
func TestOtherSideThatCannotBeRead(t *testing.T) {
	t.Parallel()
	failure := errors.New("no mail can be parsed")
	for _, check := range notifiertest.Checks() {
		if check.Name == "no personal values" {
			continue // it looks at errors alone
		}
		err := check.Run(t.Context(), notifiertest.Harness{New: func(ctx context.Context) (*notifiertest.OtherSide, error) {
			side, err := newSide("")(ctx)
			side.Received = func() ([]notifiertest.Received, error) { return nil, failure }
			return side, err
		}})
		require.ErrorIs(t, err, failure, check.Name)
	}
}
