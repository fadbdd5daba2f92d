package dsr

import (
	"context"
	"fmt"
	"log/slog"
)

// Notifier tells people and systems how a request is going.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
}

// NoticeKind says what a notice is about.
type NoticeKind string

const (
	// NoticeReceived is sent when a request was accepted.
	NoticeReceived NoticeKind = "received"
	// NoticeVerify carries the code that the data subject is to enter.
	NoticeVerify NoticeKind = "verify"
	// NoticeApproved is sent when somebody approved the request.
	NoticeApproved NoticeKind = "approved"
	// NoticeDenied is sent when somebody denied it, with the reason.
	NoticeDenied NoticeKind = "denied"
	// NoticeCanceled is sent when it was canceled, or never verified.
	NoticeCanceled NoticeKind = "canceled"
	// NoticeInput is sent when a person has to act.
	NoticeInput NoticeKind = "input required"
	// NoticeFinalize is sent when a person has to finalize.
	NoticeFinalize NoticeKind = "finalization required"
	// NoticeComplete is sent when a request came to its good end.
	NoticeComplete NoticeKind = "complete"
	// NoticeFailed is sent when a request stopped with an error.
	NoticeFailed NoticeKind = "failed"
)

// Notice is one message about one request. Only Code, Reason and To are
// personal; it prints without them under every verb.
type Notice struct {
	Kind      NoticeKind
	RequestID string
	// ExternalID is the host's own name for the request.
	ExternalID string
	Policy     string
	// Packages are the names of the packages that were delivered.
	Packages []string
	// Message says why a request failed, or what input it needs.
	Message string

	// Code is the verification code, and To whom it is for.
	Code string
	To   Identities
	// Reason is that of a denial.
	Reason string
}

// Format implements [fmt.Formatter] for every verb without what is personal.
func (n Notice) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s of request %s}", n.Kind, n.RequestID)
}

// LogValue implements [slog.LogValuer] without what is personal.
func (n Notice) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }
