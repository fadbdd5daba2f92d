package dsr

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/godsr/dsr/graph"
)

// Hook is a system that is told of requests, or asked about them, before and
// after they are carried out, or in the place of a person's approval. Package
// adapters/webhook has one over HTTP.
type Hook interface {
	// Call tells or asks once. It may come again with the same ID, after a
	// crash or an error; what it does must count once. It has 45 seconds,
	// and no answer by then is [ErrUnavailable]. An answer of nil is one without
	// content.
	//
	// An error that wraps [ErrUnavailable], or is one of a network, is tried
	// again with growing pauses, up to Retry.GiveUp. Any other, and a panic,
	// stops the request of a two-way hook with [StatusError], until
	// [Requests.Retry]; a call that nothing waits for, or that approves,
	// stays in the outbox until [Messages.Retry], and operators are told, as
	// are the request's log and the audit trail. A pre-approval hook of the
	// [Catalogue] whose connection is disabled is not called, and is not given
	// up: it is called within Retry.Limit of the connection being enabled.
	// Errors must hold nothing personal.
	Call(ctx context.Context, c *HookCall) (*HookAnswer, error)
}

// HookPhase is when a hook is called.
type HookPhase string

// The phases.
const (
	// HookPreApproval asks whether a request is eligible.
	HookPreApproval HookPhase = "pre_approval"
	// HookBefore is before anything is collected.
	HookBefore HookPhase = "pre_execution"
	// HookAfter is when all is done.
	HookAfter HookPhase = "post_execution"
)

// Hooking names a hook in a [Flow].
type Hooking struct {
	// Hook is a key of Config.Hooks.
	Hook string
	// TwoWay waits for the answer and heeds it. One-way hooks are told by
	// way of the outbox, and nothing waits for them.
	TwoWay bool
}

// HookCall is what a hook is told. It prints without what is personal.
type HookCall struct {
	// ID is the same each time that the call is repeated.
	ID string
	// Hook is the key of the hook.
	Hook   string
	Phase  HookPhase
	TwoWay bool
	// Request is as lists show it, at the time of the call, with what is
	// sealed of it in Request.Opened.
	Request *Request
	Actions []graph.Action
	// Identities of the data subject.
	Identities Identities
	// Token lets the other side answer later: to [Requests.ResumeWith] while
	// a halted request waits, or to [Requests.PreApproveWith]. It is good
	// for 60 hours. Empty where no answer is awaited. Whoever has it can
	// answer.
	Token string
}

// Format implements [fmt.Formatter] for every verb without what is personal.
func (c HookCall) Format(f fmt.State, _ rune) {
	id := ""
	if c.Request != nil {
		id = c.Request.ID
	}
	fmt.Fprintf(f, "{%s of hook %s for request %s}", c.Phase, c.Hook, id)
}

// LogValue implements [slog.LogValuer] without what is personal.
func (c HookCall) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON implements [json.Marshaler] without what is personal.
func (c HookCall) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// HookAnswer is what a two-way hook, or one of pre-approval, answers. What has
// no place in an answer is an error, since it was meant to count; after
// execution, when all is done, it is left out and told in
// [HookOutcome.TooLate].
type HookAnswer struct {
	// Identities are added to those of the request before execution: they
	// are looked for as if they had been submitted, but notices, and the
	// links in them, never go to them. Their kinds have 1 to 64
	// letters, digits, dots, dashes and underscores, unless a dataset has
	// them.
	Identities Identities
	// Halt pauses the request before execution, until somebody resumes it.
	Halt bool
	// Eligible answers a pre-approval: nil for an answer that comes later,
	// by the call's token.
	Eligible *bool
}
