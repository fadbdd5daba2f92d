package dsr

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/godsr/dsr/graph"
)

// Hook is a system that is told of requests, or asked about them, before and
// after they are carried out, or in the place of a person's approval. Package
// adapters/webhook has one over HTTP.
type Hook interface {
	// Call tells or asks once. It may come again with the same ID, after a
	// crash or an error. An answer of nil is one without content. An error
	// that wraps [ErrUnavailable] is tried again with growing pauses; any
	// other stops the request. Errors must hold nothing personal.
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
	// Request is as lists show it.
	Request *Request
	Actions []graph.Action
	// Identities of the data subject.
	Identities Identities
	// Token lets the other side answer later: to [Requests.ResumeWith] while
	// a halted request waits, or to [Requests.PreApproveWith]. Empty where
	// no answer is awaited.
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
func (c HookCall) MarshalJSON() ([]byte, error) { return []byte(fmt.Sprintf("%q", fmt.Sprint(c))), nil }

// HookAnswer is what a two-way hook, or one of pre-approval, answers.
type HookAnswer struct {
	// Identities are added to those of the request: before the plan is
	// made, and so to what is looked for. After execution they are refused.
	Identities Identities
	// Halt pauses the request until somebody resumes it; before execution
	// only.
	Halt bool
	// Eligible answers a pre-approval: nil for an answer that comes later,
	// by the call's token.
	Eligible *bool
}
