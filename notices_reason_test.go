package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// explained is an error that offers a text for operators.
type explained struct {
	error
	reason func() string
}

func (e *explained) Reason() string { return e.reason() }
func (e *explained) Unwrap() error  { return e.error }

func offering(err error, reason string) error {
	return fmt.Errorf("wrapped: %w", &explained{err, func() string { return reason }})
}

// TestWhyMailFails: what a notifier offers is told, and nothing else that it
// says.
func TestWhyMailFails(t *testing.T) {
	t.Parallel()
	secret := errors.New("no mailbox ada@example.com")
	tests := map[string]struct {
		err  error
		want string
	}{
		"a plain error":      {secret, "tries 1 failed"},
		"for now":            {offering(errors.Join(secret, dsr.ErrUnavailable), "smtp: mail:587: AUTH: check\n Username"), "tries 1 smtp: mail:587: AUTH: check Username"},
		"for good":           {offering(errors.Join(secret, dsr.ErrRejected), "set Options.Personal"), "tries 1 refused for good: set Options.Personal, refused"},
		"nothing to say":     {offering(secret, " "), "tries 1 failed"},
		"endless":            {offering(secret, strings.Repeat("é", 1000)), "tries 1 " + strings.Repeat("é", 250)},
		"no text":            {offering(secret, "bad\xff"), "tries 1 bad"},
		"a panic when asked": {&explained{secret, func() string { panic("ada@example.com") }}, "tries 1 failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, nil)
			o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
				if n.Kind == dsr.NoticeReceived {
					return test.err
				}
				return nil
			}, nil)
			o.submitted(t, submission("access", "ada@example.com"))
			require.Contains(t, o.pending(t), "r1 notice received "+test.want)
			_, reason, _ := strings.Cut(strings.TrimSuffix(test.want, ", refused"), "tries 1 ")
			require.Contains(t, o.logs.String(), reason)
			require.NotContains(t, o.logs.String(), "ada@example.com")
		})
	}
}
