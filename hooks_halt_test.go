package dsr_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Operators hear that a hook halts a request when it does, and not only when its
// token has expired.
func TestOperatorsHearOfAHalt(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{Silent: true, Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, nil)
	hooks.answer("crm", dsr.HookAnswer{Halt: true})
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusPaused)
	halted := "input required message=pre_execution hook crm halted the request: it goes on once the hook resumes it by its token, or a person does"
	require.Equal(t, []string{halted}, o.told())
	o.clock.add(61 * time.Hour)
	o.send(t)
	require.Equal(t, []string{
		halted, "input required message=pre_execution hook crm has not answered, and its token has expired",
	}, o.told())
}
