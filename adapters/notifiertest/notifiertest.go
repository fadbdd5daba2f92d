// Package notifiertest checks that a [dsr.Notifier] keeps what the port
// promises. A notifier's own test calls [Run] with the notifier and the other
// side that it talks to, such as a server that the test starts:
//
//	func TestNotifier(t *testing.T) {
//		notifiertest.Run(t, notifiertest.Harness{
//			New: func(context.Context) (*notifiertest.OtherSide, error) {
//				server := startServer(t)
//				return &notifiertest.OtherSide{
//					Notifier: mynotifier.New(server.URL, ...),
//					Received: server.received,
//					Down:     server.refuse, ...
//				}, nil
//			},
//			Lacks: map[notifiertest.Feature]string{notifiertest.Hang: "there is no network"},
//		})
//	}
package notifiertest

import (
	"context"
	"slices"
	"testing"

	"github.com/godsr/dsr"
)

// Check is one promise of the port.
type Check struct {
	// Name is the name that the comment of [dsr.Notifier] uses.
	Name string
	// Explanation says what must hold, and is shown when it does not.
	Explanation string
	// Needs lists the features without which the check means nothing.
	Needs []Feature
	// Run returns an error that says what the notifier did wrong. It makes
	// as many notifiers as it needs.
	Run func(ctx context.Context, h Harness) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"handed over", "once Notify has returned nil, the other side has the notice, once; of every kind", nil, handedOver},
		{"content", "subject, text and HTML arrive as they were rendered", []Feature{Texts}, content},
		{"hostile texts", "no letter and no line of a text is changed, or means anything on the way", []Feature{Texts}, hostileTexts},
		{"recipients", "all those whom a notice is for have it once, and nobody else", []Feature{Recipients}, recipients},
		{"nobody", "a notice without a recipient that can be reached is ErrRejected", []Feature{Recipients}, nobody},
		{"same id", "a notice that comes again has the same mark, which holds its ID, whatever else has changed", nil, sameID},
		{"own id", "notices that differ in nothing but their IDs have marks that differ", nil, ownID},
		{"rejected", "a notice that the other side refuses for good is ErrRejected, and harms no other", []Feature{Reject}, rejected},
		{"unavailable", "a notice that cannot be handed over for now is an error but not ErrRejected, and is taken later, once", []Feature{Down}, unavailable},
		{"lost answer", "a notice that was taken, but not confirmed, is an error but not ErrRejected, and comes again as the same", []Feature{LostAnswer}, lostAnswer},
		{"canceled", "Notify returns an error soon after ctx is done, even if the other side says nothing; the notice is taken later, once", []Feature{Hang}, canceled},
		{"no personal values", "no error holds anything personal or secret, whatever fails", nil, noPersonalValues},
		{"crowd", "of many notices at once each arrives whole, once, unmixed", nil, crowd},
	}
}

// Run runs every check as a parallel subtest, except for those whose features
// the harness lacks: these it logs, with the reason.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, check := range Checks() {
		if i := slices.IndexFunc(check.Needs, h.lacks); i >= 0 {
			t.Logf("left out: %q, for want of %s: %s", check.Name, check.Needs[i], h.Lacks[check.Needs[i]])
			continue
		}
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			if err := check.Run(t.Context(), h); err != nil {
				t.Errorf("%v\nmust hold: %s", err, check.Explanation)
			}
		})
	}
}

// Harness is what a notifier brings to the suite.
type Harness struct {
	// New starts another side that has received nothing, and returns it
	// with a notifier that talks to it. It may be called by many at once.
	New func(ctx context.Context) (*OtherSide, error)
	// Lacks declares the features that there are not, each with the reason,
	// which is printed beside the checks that are left out. Defaults to
	// none: everything is checked.
	Lacks map[Feature]string
}

// OtherSide is whom a notifier under check talks to: a server, or whatever
// takes its notices. Its methods may be called by many at once.
type OtherSide struct {
	// Notifier is checked. Required.
	Notifier dsr.Notifier
	// Operators are the addresses to which the notifier was told to send
	// what is for operators. Required with [Recipients]. Data subjects are
	// to be reached at their identities of kind "email", assignees and
	// vendors at the addresses in the notice.
	Operators []string
	// Received returns all that the other side has taken, in the order of
	// arrival, read from what really arrived. Required.
	Received func() ([]Received, error)

	// What follows switches a fault on or off. Each is required unless
	// Harness.Lacks has its feature. Whatever a fault answers should quote
	// what it was sent, as servers do.

	// Down refuses everything, for the moment.
	Down func(on bool)
	// Hang lets the other side listen and say nothing. It takes nothing
	// meanwhile, nor afterwards what came meanwhile.
	Hang func(on bool)
	// LoseAnswer lets the other side take notices, but not say so.
	LoseAnswer func(on bool)
	// Reject refuses everything, for good.
	Reject func(on bool)
}

// Received is one notice as the other side knows it. A notice for several
// recipients may arrive as one or as one for each.
type Received struct {
	// ID is the mark by which the other side tells notices apart. It holds
	// Notice.ID; those of one notice to several recipients may differ.
	ID string
	// Kind needs the feature [Kinds].
	Kind dsr.NoticeKind
	// To are the addresses of the recipients: those that it was sent to,
	// not those that it names. Needs the feature [Recipients].
	To []string
	// Subject, Text and HTML need the feature [Texts].
	Subject, Text, HTML string
}

// Feature is something that not every notifier or other side has.
type Feature string

// The features that a harness may lack.
const (
	// Texts: the other side gets the rendered texts.
	Texts Feature = "texts"
	// Kinds: it is told the kind of a notice.
	Kinds Feature = "kinds"
	// Recipients: notices go to addresses.
	Recipients Feature = "recipients"
	// Down is the fault OtherSide.Down, and so on.
	Down       Feature = "down"
	Hang       Feature = "hang"
	LostAnswer Feature = "lost answer"
	Reject     Feature = "reject"
)

func (h Harness) lacks(f Feature) bool {
	_, lacks := h.Lacks[f]
	return lacks
}
