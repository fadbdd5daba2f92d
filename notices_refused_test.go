package dsr_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// refusing is an office whose notifier answers err to notices to data subjects.
func refusing(t testing.TB, flow dsr.Flow, err error, change func(*dsr.Config)) *office {
	t.Helper()
	o := newOffice(t, flow, change)
	o.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		if n.Kind.Audience() == dsr.ToSubject {
			return err
		}
		return nil
	}, nil)
	return o
}

// TestRefusedNoticesAreTold to operators, and can be sent again together.
func TestRefusedNoticesAreTold(t *testing.T) {
	t.Parallel()
	o := refusing(t, dsr.Flow{}, dsr.ErrRejected, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	o.send(t)
	require.Equal(t, []string{
		`r1 input required notice "received" to the data subject was refused for good`,
		`r1 input required notice "complete" to the data subject was refused for good`,
	}, o.notices())
	require.ElementsMatch(t, []string{
		"r1 notice received tries 1 refused for good, refused", "r1 notice complete tries 1 refused for good, refused",
	}, o.pending(t))
	o.send(t)
	require.Len(t, o.notices(), 2, "they are told once")

	o.notifier.Fail(nil, nil)
	n, err := o.engine.Messages().RetryAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	o.send(t)
	require.Equal(t, []string{"r1 received", "r1 complete r1.json"}, o.notices()[2:])
	require.Empty(t, o.pending(t))
	n, err = o.engine.Messages().RetryAll(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// TestNoticesThatAreGivenUp are told; one to operators that fails tells nobody.
func TestNoticesThatAreGivenUp(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Retry.GiveUp = time.Hour })
	o.notifier.Fail(func(context.Context, dsr.Notice) error { return dsr.ErrUnavailable }, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	for range 10 {
		o.clock.add(2 * time.Hour)
		o.send(t)
	}
	require.Equal(t, []string{
		"r1 notice received tries 2 unavailable, refused", "r1 notice input required tries 2 unavailable, refused",
	}, o.pending(t))
	o.notifier.Fail(nil, nil)
	_, err := o.engine.Messages().RetryAll(t.Context())
	require.NoError(t, err)
	o.send(t)
	require.ElementsMatch(t, []string{
		"r1 received", `r1 input required notice "received" to the data subject was given up: unavailable`,
	}, o.notices())
}

// TestCodesThatExpireUnsent are replaced, however long mail is down, without
// counting, and without giving away more tries.
func TestCodesThatExpireUnsent(t *testing.T) {
	t.Parallel()
	o := refusing(t, dsr.Flow{VerifyIdentity: true, Codes: 1}, dsr.ErrUnavailable, nil)
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.EqualError(t, err, "dsr: request r1 is stored, but its verification code was not sent yet; it waits in the outbox")
	for range 2 {
		_, err = o.Verify(t.Context(), "r1", "none")
		require.ErrorIs(t, err, dsr.ErrWrongCode)
	}
	for range 5 {
		o.clock.add(11 * time.Minute)
		o.send(t)
	}
	o.notifier.Fail(nil, nil)
	o.clock.add(11 * time.Minute)
	o.send(t)
	require.ElementsMatch(t, []string{"r1 received", "r1 verify"}, o.notices())
	require.Empty(t, o.pending(t))
	code := o.code(t)
	_, err = o.Verify(t.Context(), "r1", wrongCode(code))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", code)
	require.ErrorIs(t, err, dsr.ErrTooManyAttempts, "the third wrong try was the last")
}

// TestCodesThatAreGivenUp wait for a person, and are then sent anew.
func TestCodesThatAreGivenUp(t *testing.T) {
	t.Parallel()
	o := refusing(t, dsr.Flow{VerifyIdentity: true, Codes: 1}, dsr.ErrUnavailable, func(c *dsr.Config) { c.Retry.GiveUp = time.Hour })
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.Error(t, err)
	o.clock.add(2 * time.Hour)
	o.send(t)
	o.send(t)
	require.Contains(t, o.notices(), `r1 input required notice "verify" to the data subject was given up: unavailable`)
	o.notifier.Fail(nil, nil)
	_, err = o.engine.Messages().RetryAll(t.Context())
	require.NoError(t, err)
	o.clock.add(time.Hour)
	o.send(t)
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
}

// TestVoidCodesThatExpireUnsent: where no further code may be sent, operators are
// told.
func TestVoidCodesThatExpireUnsent(t *testing.T) {
	t.Parallel()
	o := refusing(t, dsr.Flow{VerifyIdentity: true, Codes: 1, CodeAttempts: 1}, dsr.ErrUnavailable, nil)
	_, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
	require.Error(t, err)
	_, err = o.Verify(t.Context(), "r1", "none")
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	o.clock.add(time.Hour)
	o.send(t)
	require.Equal(t, []string{
		"r1 input required its verification code expired before it could be sent, and no more codes may be: resubmit or cancel the request",
	}, o.notices())
	require.Len(t, o.pending(t), 1, "the receipt alone")
}

// TestRefusedNoticesGo when their time has come, or the data subject is
// forgotten; those to others stay.
func TestRefusedNoticesGo(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]dsr.Retention{"messages": {Messages: time.Hour}, "identities": {Identities: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Retention = keep })
			o.notifier.Fail(func(context.Context, dsr.Notice) error { return dsr.ErrRejected }, nil)
			o.submitted(t, submission("access", "ada@example.com"))
			o.advanced(t, "r1", dsr.StatusComplete)
			o.send(t)
			require.Len(t, o.pending(t), 4)
			o.clock.add(time.Hour)
			o.advanced(t, "r1", dsr.StatusComplete)
			others := "r1 notice input required tries 1 refused for good, refused"
			require.Equal(t, []string{others, others}, o.pending(t))
			trail := o.trail(t, "r1")
			require.Equal(t, "expired "+name+"=gone", trail[len(trail)-1])
		})
	}
}
