package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godsr/dsr/graph"
)

// Notifier brings notices to people and systems: by e-mail, over a webhook, or
// however a host likes. The engine keeps each notice in its outbox until
// Notify has returned nil for it, so that none is lost; one whose process died
// in between comes again, under the same ID.
//
// Package adapters/notifiertest checks every "must" below; the name of the
// check stands in brackets.
type Notifier interface {
	// Notify hands over one notice. It must return nil only once the other
	// side has taken the notice [handed over], and then all of it as it was
	// rendered [content], to those it is for and nobody else [recipients].
	// It must mark what it sends with the notice's ID, so that the other
	// side can tell that a notice comes again [same id] and that two are
	// not the same [own id].
	//
	// Texts are UTF-8, and whatever they hold must arrive unchanged and
	// mean nothing on the way, long lines, lone dots, trailing blanks and
	// what looks like a header included [hostile texts]. CR LF, CR and LF
	// are one line end; line ends at the end of a text do not count, nor do
	// blanks around a subject. Line ends within a subject may become
	// blanks. A notice with other control characters than these and tabs
	// may be ErrRejected.
	//
	// A notice that will never be taken must be [ErrRejected]: one that the
	// other side refuses for good [rejected], and one without a recipient
	// that can be reached [nobody]. Whatever may pass must be another error
	// [unavailable], as must one that was taken when the answer was lost;
	// it then comes again under its ID [lost answer]. An error must hold
	// nothing personal [no personal values]. Notify must return soon after
	// ctx is done [canceled], and may be called by many at once [crowd].
	//
	// An error that is a [ReasonError], or wraps one, says why for people to
	// read; of any other only its kind is told.
	Notify(ctx context.Context, n Notice) error
}

// ReasonError is an optional ability of the errors of a [Notifier]: it says what
// went wrong in words that may be logged, kept and shown to operators, such as
// the name of a server and what it was asked for. Reason must hold nothing
// personal, neither an address nor a code, nor what the other side answered,
// which may quote them. At most 500 bytes of it are kept.
type ReasonError interface {
	error
	Reason() string
}

// ErrRejected: the notice was refused for good; sending it again does not help.
var ErrRejected = errors.New("dsr: the notice will not be taken")

// NoticeKind says what a notice is about.
type NoticeKind string

// Notices to the data subject.
const (
	// NoticeReceived is sent when a request was accepted.
	NoticeReceived NoticeKind = "received"
	// NoticeVerify carries the code that the data subject is to enter.
	NoticeVerify NoticeKind = "verify"
	// NoticeApproved is sent when somebody approved the request.
	NoticeApproved NoticeKind = "approved"
	// NoticeDenied is sent when somebody denied it, with the reason.
	NoticeDenied NoticeKind = "denied"
	// NoticeExtended is sent when its deadline was moved, with the reason.
	NoticeExtended NoticeKind = "extended"
	// NoticeCanceled is sent when it was canceled, or never verified.
	NoticeCanceled NoticeKind = "canceled"
	// NoticePackage is sent when the packages were delivered and the request
	// has still to wait for others: for people and vendors who erase. It has
	// links where [Config.DownloadURL] is set. Where the flow asks for
	// finalization there is none, since a person looks at all of it first.
	NoticePackage NoticeKind = "package"
	// NoticeComplete is sent when a request came to its good end, with
	// links to its packages where [Config.DownloadURL] is set, unless there
	// was a NoticePackage.
	NoticeComplete NoticeKind = "complete"
)

// Notices to others.
const (
	// NoticeInput is sent to operators when a person has to act: forms are
	// to be filled in, a hook halted a request, or a vendor was asked and
	// somebody has to say that it has answered.
	NoticeInput NoticeKind = "input required"
	// NoticeTask is sent to those whom a task is assigned to.
	NoticeTask NoticeKind = "task"
	// NoticeReminder is sent to them while the task is open.
	NoticeReminder NoticeKind = "reminder"
	// NoticeDigest lists all open tasks of an assignee.
	NoticeDigest NoticeKind = "digest"
	// NoticeFinalize is sent to operators when a person has to finalize.
	NoticeFinalize NoticeKind = "finalization required"
	// NoticeFailed is sent to operators when a request stopped with an
	// error.
	NoticeFailed NoticeKind = "failed"
	// NoticeErase asks a vendor to erase what they hold about people.
	NoticeErase NoticeKind = "erase"
)

// Audience says whom a notice is for.
type Audience string

// The audiences.
const (
	// ToSubject is the data subject, known by Notice.To.
	ToSubject Audience = "data subject"
	// ToOperators are those who run the privacy desk; the notifier knows
	// them.
	ToOperators Audience = "operators"
	// ToAssignee is the person or group of Notice.Assignee.
	ToAssignee Audience = "assignee"
	// ToVendor is the address of Notice.Vendor.
	ToVendor Audience = "vendor"
)

// Audience returns whom notices of the kind are for.
func (k NoticeKind) Audience() Audience {
	switch k {
	case NoticeReceived, NoticeVerify, NoticeApproved, NoticeDenied, NoticeExtended, NoticeCanceled, NoticePackage, NoticeComplete:
		return ToSubject
	case NoticeTask, NoticeReminder, NoticeDigest:
		return ToAssignee
	case NoticeErase:
		return ToVendor
	}
	return ToOperators
}

// NoticeKinds returns all kinds.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{
		NoticeReceived, NoticeVerify, NoticeApproved, NoticeDenied, NoticeExtended, NoticeCanceled, NoticePackage, NoticeComplete,
		NoticeInput, NoticeTask, NoticeReminder, NoticeDigest, NoticeFinalize, NoticeFailed, NoticeErase,
	}
}

// Notice is one message. It prints without what is personal under every verb,
// also as JSON.
type Notice struct {
	// ID is the same each time that the notice is sent, and that of no
	// other. It holds letters, digits, dots, dashes and underscores only.
	ID   string
	Kind NoticeKind
	// RequestID is the request that it is about; empty for a digest and for
	// a vendor, which are about several.
	RequestID string
	// ExternalID is the host's own name for the request.
	ExternalID string
	Policy     string
	Actions    []graph.Action
	// At is when it happened, in UTC.
	At time.Time
	// Deadline is when the request has to be answered; zero for never.
	Deadline time.Time
	// Locale is the language of the text, as the submission gave it; empty
	// for English.
	Locale string
	// Packages are the names of the packages that were delivered.
	Packages []string
	// Message says why a request failed, or what input it needs.
	Message string
	// Tasks are those that it is about.
	Tasks []TaskRef
	// Unconfirmed names the collections and forms of which people did not
	// say that they erased everything, and Asked the vendors that were asked
	// to erase, whatever they answered; of NoticeComplete, the former of
	// NoticeFinalize too. The built-in texts tell the data subject only how
	// many of the former there are, since packages may hide such names.
	Unconfirmed, Asked []string

	// Subject, Text and HTML are the rendered texts; see [Texts]. HTML is
	// empty where the host's texts have none.
	Subject, Text, HTML string

	// What follows is personal, or secret.

	// To is the data subject, by the identities of the submission; never by
	// those that hooks added.
	To Identities
	// Code is the verification code, good until CodeExpires.
	Code        string
	CodeExpires time.Time
	// Reason is that of a denial or an extension.
	Reason string
	// Links lead to the packages.
	Links []NoticeLink
	// Assignee is the person or group who has the tasks, as tasks name them.
	Assignee string
	// Vendor is who is asked to erase, and People whom.
	Vendor *NoticeVendor
	People []Identities
}

// TaskRef names a task.
type TaskRef struct {
	RequestID string    `json:"request_id"`
	Task      string    `json:"task"`
	Title     string    `json:"title"`
	Due       time.Time `json:"due,omitzero"`
}

// NoticeLink leads to a package. Whoever has the URL has the package.
type NoticeLink struct {
	Rule    string    `json:"rule"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// NoticeVendor is where a vendor is asked.
type NoticeVendor struct {
	Key     string `json:"key"`
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Format implements [fmt.Formatter] for every verb without what is personal.
func (n Notice) Format(f fmt.State, _ rune) {
	if n.RequestID == "" {
		fmt.Fprintf(f, "{%s}", n.Kind)
		return
	}
	fmt.Fprintf(f, "{%s of request %s}", n.Kind, n.RequestID)
}

// LogValue implements [slog.LogValuer] without what is personal.
func (n Notice) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }

// MarshalJSON implements [json.Marshaler] without what is personal, as
// [Notice.Format] does: a log that writes JSON must not tell the code.
func (n Notice) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID                            string
		Kind                          NoticeKind
		RequestID, ExternalID, Policy string
		Actions                       []graph.Action
		At, Deadline                  time.Time
		Locale                        string
		Packages                      []string
		Message                       string
		Tasks                         []TaskRef
		Unconfirmed, Asked            []string `json:",omitempty"`
	}{n.ID, n.Kind, n.RequestID, n.ExternalID, n.Policy, n.Actions, n.At, n.Deadline, n.Locale, n.Packages, n.Message, n.Tasks, n.Unconfirmed, n.Asked})
}
