package dsr

import "context"

// Notifier tells people and systems how a request is going. A notice carries
// no personal value; whoever needs the person reads the request.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
}

// NoticeKind says what a notice is about.
type NoticeKind string

const (
	// NoticeReceived is sent when a request was accepted.
	NoticeReceived NoticeKind = "received"
	// NoticeComplete is sent when a request came to its good end.
	NoticeComplete NoticeKind = "complete"
	// NoticeFailed is sent when a request stopped with an error.
	NoticeFailed NoticeKind = "failed"
)

// Notice is one message about one request.
type Notice struct {
	Kind      NoticeKind
	RequestID string
	// ExternalID is the host's own name for the request.
	ExternalID string
	Policy     string
	// Packages are the names of the packages that were delivered.
	Packages []string
	// Message says why a request failed.
	Message string
}
