package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// repliedLines are the lines of a request's log about hooks that failed, with
// their status, and the entries of its audit trail.
func repliedLines(t *testing.T, o *office) (log, trail []string) {
	t.Helper()
	for _, status := range []string{"retrying", "error"} {
		for _, line := range lines(t, o.engine, "r1", status) {
			log = append(log, status+" "+line)
		}
	}
	for _, entry := range o.trail(t, "r1") {
		if strings.HasPrefix(entry, "hook failed") {
			trail = append(trail, entry)
		}
	}
	return log, trail
}

// Whoever looks at a request sees why a hook that it waits for was not called.
func TestHookThatIsRefusedIsInTheLog(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
	hooks.fails("fraud", errors.New("POST https://crm.shop.example: its address is not allowed"))
	o.submitted(t, submission("access", "ada@example.com"))
	o.send(t)
	log, trail := repliedLines(t, o)
	require.Equal(t, []string{"error hook failed  pre_approval hook fraud: POST https://crm.shop.example: its address is not allowed"}, log)
	require.Equal(t, []string{"hook failed hook=fraud phase=pre_approval reason=POST https://crm.shop.example: its address is not allowed"}, trail)
	require.Equal(t, []string{"r1 hook fraud tries 1 POST https://crm.shop.example: its address is not allowed, refused"}, o.pending(t))
	o.send(t)
	log, _ = repliedLines(t, o)
	require.Len(t, log, 1)

	hooks.answer("fraud", dsr.HookAnswer{Eligible: yes()})
	list, err := o.engine.Messages().Pending(t.Context(), "r1", 0)
	require.NoError(t, err)
	require.NoError(t, o.engine.Messages().Retry(t.Context(), list[0].ID))
	o.send(t)
	o.requireStatus(t, "r1", dsr.StatusApproved)
	o.sound(t)
}

// What a hook says is told whatever its letters are.
func TestHookThatFailsInAnotherEncoding(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 499)
	for said, want := range map[string]string{
		"refus\xe9 \xff":     "refus\uFFFD \uFFFD",
		long + "é, and more": long,
	} {
		o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
		hooks.fails("fraud", errors.New(said))
		o.submitted(t, submission("access", "ada@example.com"))
		o.send(t)
		log, trail := repliedLines(t, o)
		require.Equal(t, []string{"error hook failed  pre_approval hook fraud: " + want}, log)
		require.Equal(t, []string{"hook failed hook=fraud phase=pre_approval reason=" + want}, trail)
		o.sound(t)
	}
}

// A hook that is down is told once, and once more when it is given up.
func TestHookThatIsDownIsInTheLog(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{PreApproval: []string{"fraud"}}, nil)
	hooks.fails("fraud", fmt.Errorf("%w: it answers 503", dsr.ErrUnavailable))
	o.submitted(t, submission("access", "ada@example.com"))
	const down = "pre_approval hook fraud: dsr: unavailable for now: it answers 503"
	for range 3 {
		o.send(t)
		log, trail := repliedLines(t, o)
		require.Equal(t, []string{"retrying hook failed  " + down + "; it is tried again"}, log)
		require.Empty(t, trail)
		o.clock.add(time.Hour)
	}
	o.clock.add(1000 * time.Hour)
	o.send(t)
	log, trail := repliedLines(t, o)
	require.Equal(t, []string{"retrying hook failed  " + down + "; it is tried again", "error hook failed  " + down}, log)
	require.Len(t, trail, 1)
	require.Contains(t, o.notices(), "r1 input required pre_approval hook fraud was called in vain: dsr: unavailable for now: it answers 503")
}

// What fails while the request is worked on is told once that ends, and the
// hook is not called again for it.
func TestHookThatFailsWhileTheRequestIsAtWork(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "desk"}, {Hook: "crm", TwoWay: true}}}, nil)
	hooks.fails("desk", errors.New("it answers 410"))
	hooks.does("crm", func(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) {
		o.send(t)
		log, _ := repliedLines(t, o)
		require.Empty(t, log)
		return nil, nil
	})
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Len(t, hooks.ids("desk"), 1)
	o.clock.add(time.Hour)
	o.send(t)
	o.send(t)
	log, trail := repliedLines(t, o)
	require.Equal(t, []string{"error hook failed  pre_execution hook desk: it answers 410"}, log)
	require.Len(t, trail, 1)
	require.Len(t, hooks.ids("desk"), 1)
	require.Equal(t, []string{"r1 hook desk tries 1 it answers 410, refused"}, o.pending(t))
	told := 0
	for _, notice := range o.notices() {
		if strings.Contains(notice, "in vain") {
			told++
		}
	}
	require.Equal(t, 1, told)
	o.sound(t)
}
