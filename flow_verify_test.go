package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

var verifying = dsr.Flow{VerifyIdentity: true}

func TestVerification(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	req := o.submitted(t, submission("both", "ada@example.com"))
	require.Equal(t, dsr.StatusUnverified, req.Status)
	require.Zero(t, req.VerifiedAt)
	require.Zero(t, req.DueAt)
	notices := o.notifier.Notices()
	require.Len(t, notices, 2)
	require.Equal(t, dsr.NoticeReceived, notices[0].Kind)
	require.Equal(t, dsr.Notice{
		Kind: dsr.NoticeVerify, RequestID: "r1", Policy: "both", Code: o.code(t),
		To: dsr.Identities{"email": {"ada@example.com"}},
	}, stripped(notices[1]))
	require.Equal(t, o.clock.Now().Add(10*time.Minute), notices[1].CodeExpires)
	require.Contains(t, notices[1].Text, o.code(t))
	o.advanced(t, "r1", dsr.StatusUnverified)
	require.Empty(t, o.db().readCounts(), "nothing is read before")

	o.clock.add(time.Minute)
	req, err := o.Verify(t.Context(), "r1", " "+o.code(t)+"\n")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusApproved, req.Status)
	require.Equal(t, begin.Add(time.Minute), req.VerifiedAt)
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.EqualError(t, err, "dsr: cannot verify request r1: it is approved; verify takes a request that is identity_unverified")
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
}

// A code may begin with zeros.
func TestCodesHaveSixDigits(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, func(c *dsr.Config) { c.Random = zeros{} })
	o.submitted(t, submission("access", "ada@example.com"))
	require.Equal(t, "000000", o.code(t))
	_, err := o.Verify(t.Context(), "r1", "0")
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", "000000")
	require.NoError(t, err)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWrongCodesVoidTheCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ attempts, want int }{{0, 3}, {1, 1}, {5, 5}} {
		t.Run(fmt.Sprint(c.attempts), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{VerifyIdentity: true, CodeAttempts: c.attempts}, nil)
			o.submitted(t, submission("access", "ada@example.com"))
			code := o.code(t)
			for range c.want {
				_, err := o.Verify(t.Context(), "r1", wrongCode(code))
				require.EqualError(t, err, "dsr: the verification code is wrong: request r1")
				require.ErrorIs(t, err, dsr.ErrWrongCode)
			}
			commits := o.commits.Load()
			for _, try := range []string{code, wrongCode(code)} {
				_, err := o.Verify(t.Context(), "r1", try)
				require.EqualError(t, err, "dsr: cannot verify request r1: too many wrong codes were entered; send a new code")
				require.ErrorIs(t, err, dsr.ErrTooManyAttempts)
			}
			require.Equal(t, commits, o.commits.Load())
			o.requireStatus(t, "r1", dsr.StatusUnverified)

			o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
			_, err := o.Verify(t.Context(), "r1", o.code(t))
			require.NoError(t, err)
			want := []string{"received", "verification code sent"}
			for range c.want {
				want = append(want, "wrong verification code")
			}
			require.Equal(t, append(want, "verification code sent", "identity verified"), o.actions(t, "r1"))
		})
	}
}

func TestCodesExpire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ttl, after time.Duration
		good       bool
	}{
		{0, 10*time.Minute - time.Microsecond, true}, {0, 10 * time.Minute, false},
		{time.Hour, time.Hour - time.Microsecond, true}, {time.Hour, time.Hour, false},
	} {
		t.Run(fmt.Sprint(c.ttl, c.after), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{VerifyIdentity: true, CodeTTL: c.ttl}, nil)
			o.submitted(t, submission("access", "ada@example.com"))
			o.clock.add(c.after)
			_, err := o.Verify(t.Context(), "r1", o.code(t))
			if c.good {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "dsr: cannot verify request r1: the verification code has expired; send a new one")
			require.ErrorIs(t, err, dsr.ErrCodeExpired)
			o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
			_, err = o.Verify(t.Context(), "r1", o.code(t))
			require.NoError(t, err)
		})
	}
}

func TestNewCodeVoidsTheOld(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	old := o.code(t)
	_, err := o.Verify(t.Context(), "r1", wrongCode(old))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", wrongCode(old))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	for o.done(t, o.SendCode, "r1", dsr.StatusUnverified); o.code(t) == old; {
		o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
	}
	for range 2 { // attempts begin anew
		_, err = o.Verify(t.Context(), "r1", old)
		require.ErrorIs(t, err, dsr.ErrWrongCode)
	}
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.NoError(t, err)
	require.Contains(t, o.trail(t, "r1"), "verification code sent by clerk-7")
	remarks, err := o.Remarks(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.Remark{Time: begin, Action: "verification code sent", Actor: clerk.Actor, Reason: clerk.Reason}, remarks[0])
}

// A code is good for its own request only.
func TestCodeOfAnotherRequest(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	first := o.code(t)
	for o.submitted(t, submission("access", "bob@example.com")); o.code(t) == first; {
		o.done(t, o.SendCode, "r2", dsr.StatusUnverified)
	}
	_, err := o.Verify(t.Context(), "r2", first)
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", o.code(t))
	require.ErrorIs(t, err, dsr.ErrWrongCode)
	_, err = o.Verify(t.Context(), "r1", first)
	require.NoError(t, err)
}

func TestLimitOfCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ codes, want int }{{0, 5}, {1, 1}, {2, 2}} {
		t.Run(fmt.Sprint(c.codes), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{VerifyIdentity: true, Codes: c.codes}, nil)
			o.submitted(t, submission("access", "ada@example.com"))
			for range c.want - 1 {
				o.done(t, o.SendCode, "r1", dsr.StatusUnverified)
			}
			last := o.code(t)
			o.refused(t, o.SendCode, "r1", dsr.ErrTooManyAttempts, fmt.Sprintf(
				"dsr: cannot send code for request r1: %d verification codes were sent, which is the limit; resubmit the request", c.want))
			require.Equal(t, last, o.code(t), "none was sent")

			o.done(t, o.Resubmit, "r1", dsr.StatusUnverified)
			require.NotEqual(t, last, o.code(t), "a new code was sent")
			_, err := o.Verify(t.Context(), "r1", last)
			require.ErrorIs(t, err, dsr.ErrWrongCode)
			_, err = o.Verify(t.Context(), "r1", o.code(t))
			require.NoError(t, err)
		})
	}
}

// phrase is how an error names what was asked for.
func phrase(verb string) string {
	if strings.Contains(verb, " ") {
		return verb + " for"
	}
	return verb
}

// failingNotifier fails, or panics, as long as it is told to.
type failingNotifier struct {
	dsr.Notifier
	fail func() error
}

func (n *failingNotifier) Notify(ctx context.Context, notice dsr.Notice) error {
	if n.fail != nil {
		return n.fail()
	}
	return n.Notifier.Notify(ctx, notice)
}

func TestFailingNotifierLosesNoRequest(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"fails":  func() error { return errors.New("mail server is down") },
		"panics": func() error { panic("mail server is down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &failingNotifier{fail: fail}
			o := newOffice(t, verifying, func(c *dsr.Config) { n.Notifier, c.Notifier = c.Notifier, n })
			const text = "dsr: request r1 is stored, but its verification code was not sent yet; it waits in the outbox"
			req, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
			require.EqualError(t, err, text, "what the notifier said may quote the code")
			require.Equal(t, req, o.requireStatus(t, "r1", dsr.StatusUnverified))
			req, err = o.SendCode(t.Context(), "r1", clerk)
			require.EqualError(t, err, text, "what the notifier said may quote the code")
			require.Equal(t, req, o.get(t, "r1"))
			require.Empty(t, o.notices())

			n.fail = nil
			o.clock.add(time.Minute)
			_, err = o.engine.Messages().Send(t.Context())
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"r1 received", "r1 verify"}, o.notices(), "of two codes, the newer one")
			_, err = o.Verify(t.Context(), "r1", o.code(t))
			require.NoError(t, err)
		})
	}
}

func TestNoNotifierNoVerification(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	c := o.config
	c.Flow, c.Notifier = verifying, nil
	_, err := dsr.New(c)
	require.EqualError(t, err, "dsr: the configuration has 1 fault(s):\n\tFlow: VerifyIdentity needs a Notifier that sends the code to the data subject")
}

func TestVerifiedSubmissionsNeedNoCode(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	s := submission("access", "ada@example.com")
	s.Verified = true
	req := o.submitted(t, s)
	require.Equal(t, dsr.StatusApproved, req.Status)
	require.Equal(t, begin, req.VerifiedAt)
	require.Equal(t, []string{"r1 received"}, o.notices())
	o.refused(t, o.SendCode, "r1", dsr.ErrConflict, "dsr: cannot send code for request r1: it is approved; send code takes a request that is identity_unverified")
	// It stays verified when it begins anew.
	o.done(t, o.Resubmit, "r1", dsr.StatusApproved)
	require.Equal(t, begin, o.get(t, "r1").VerifiedAt)
}

func TestUnverifiedRequestsCanBeWithdrawnButNotDecided(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{VerifyIdentity: true, Approval: true, PreApproval: []string{"fraud"}}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	for name, verb := range map[string]dsr.Verb{"approve": o.Approve, "deny": o.Deny, "answer pre-approval": func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
		return o.PreApproval(ctx, id, "fraud", true, by)
	}} {
		takes := "duplicate, awaiting_pre_approval, pre_approval_not_eligible or pending"
		if name == "answer pre-approval" {
			takes = "awaiting_pre_approval"
		}
		o.refused(t, verb, "r1", dsr.ErrConflict, "dsr: cannot "+phrase(name)+" request r1: it is identity_unverified; "+name+" takes a request that is "+takes)
	}
	o.done(t, o.Cancel, "r1", dsr.StatusCanceled)
	_, err := o.Verify(t.Context(), "r1", o.code(t))
	require.ErrorIs(t, err, dsr.ErrConflict)
	_, err = o.Verify(t.Context(), "r9", "123456")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// Whoever enters the right code at the same time as others: one wins, and the
// others are told that it is done.
func TestManyEnterTheRightCode(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	code := o.code(t)
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = o.Verify(t.Context(), "r1", code) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.EqualError(t, err, "dsr: cannot verify request r1: it is approved; verify takes a request that is identity_unverified")
		require.ErrorIs(t, err, dsr.ErrConflict)
	}
	require.Equal(t, 1, won)
	require.Equal(t, []string{"received", "verification code sent", "identity verified"}, o.actions(t, "r1"))
}

// Guessing at once does not give more guesses.
func TestManyGuessAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	wrong := wrongCode(o.code(t))
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = o.Verify(t.Context(), "r1", wrong) })
	}
	wg.Wait()
	counts := map[error]int{}
	for _, err := range errs {
		for _, known := range []error{dsr.ErrWrongCode, dsr.ErrTooManyAttempts} {
			if errors.Is(err, known) {
				counts[known]++
			}
		}
	}
	require.Equal(t, map[error]int{dsr.ErrWrongCode: 3, dsr.ErrTooManyAttempts: 17}, counts)
	_, err := o.Verify(t.Context(), "r1", o.code(t))
	require.ErrorIs(t, err, dsr.ErrTooManyAttempts)
}
