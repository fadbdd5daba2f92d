package fides

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/godsr/dsr"
)

// FailureNotices is a [dsr.Notifier] that does what PUT
// /privacy-request/notification asks for: once as many requests failed as it
// says, those whom it names get one e-mail about them. All notices, those of
// failures too, go to another notifier as well, and to that one first: whatever
// is asked for there, and whatever becomes of the e-mail, it is told.
//
// A host makes one, gives it to the engine as Config.Notifier and to the door as
// [Options].Failures. Make it with [NewFailureNotices].
type FailureNotices struct {
	options FailureOptions
	turn    sync.Mutex                   // is held by the one who makes the e-mail
	more    atomic.Pointer[notification] // is set while somebody has to look whether one is due
}

var _ dsr.Notifier = (*FailureNotices)(nil)

// FailureOptions configure [FailureNotices]. All but Logger are required.
type FailureOptions struct {
	// Notifier takes every notice.
	Notifier dsr.Notifier
	// Store is that of the engine. What has failed since the last e-mail is
	// counted in it, over all processes, as entries of the kind
	// fides/failure; which failures were counted is kept for 30 days, as
	// entries of the kind fides/failure-counted.
	Store dsr.EntryStore
	// Send brings a notice of kind [dsr.NoticeFailed], rendered in English,
	// to addresses. It keeps the rules of [dsr.Notifier]. What may pass, it
	// is asked for again; what it refuses for good with [dsr.ErrRejected]
	// is logged, and counting begins anew. With adapters/smtp:
	//
	//	func(ctx context.Context, to []string, n dsr.Notice) error {
	//		mail := options // smtp.Options
	//		mail.Operators = to
	//		notifier, err := smtp.New(&mail)
	//		if err != nil {
	//			return err
	//		}
	//		return notifier.Notify(ctx, n)
	//	}
	Send func(ctx context.Context, to []string, n dsr.Notice) error
	// Logger is told of e-mails that were refused for good, without the
	// addresses. Defaults to none.
	Logger *slog.Logger
}

// NewFailureNotices returns a notifier. The error tells every option that is
// missing.
func NewFailureNotices(o FailureOptions) (*FailureNotices, error) {
	var faults *multierror.Error
	missing := func(name string, is bool) {
		if is {
			faults = multierror.Append(faults, errors.New("fides: FailureOptions."+name+" is missing"))
		}
	}
	missing("Notifier", o.Notifier == nil)
	missing("Store", o.Store == nil)
	missing("Send", o.Send == nil)
	if err := faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	defaultTo(&o.Logger, slog.New(slog.DiscardHandler))
	return &FailureNotices{options: o}, nil
}

const (
	// kindFailure is the kind of the entries that count failures: of those
	// that no e-mail has told of yet. Their keys are the IDs of notices.
	kindFailure = "fides/failure"
	// kindCounted is the kind of the entries that say which failures were
	// counted, so that one that comes again, also after the e-mail, is
	// counted once. They hold whether the other notifier took the notice.
	kindCounted = "fides/failure-counted"
)

// maxFailures is how many failures one e-mail tells of.
const maxFailures = 10_000

// rememberCounted is how long it is known that a failure was counted: longer
// than an engine tries by itself to bring a notice.
const rememberCounted = 30 * 24 * time.Hour

// Notify implements [dsr.Notifier]. It returns what the other notifier does,
// and tells of the e-mail only what may pass: then the notice comes again for its
// sake, and the other notifier is not told again of what it took. It waits for no
// e-mail that another failure sends: that one sees to this failure too.
func (f *FailureNotices) Notify(ctx context.Context, n dsr.Notice) error {
	if n.Kind != dsr.NoticeFailed || n.RequestID == "" {
		return f.options.Notifier.Notify(ctx, n)
	}
	var told error
	if !f.took(ctx, &n) {
		told = f.options.Notifier.Notify(ctx, n)
	}
	if told != nil && !errors.Is(told, dsr.ErrRejected) {
		return told
	}
	if err := f.count(ctx, &n, told == nil); err != nil {
		return err
	}
	return told
}

// took reports whether the other notifier is known to have taken a notice. While
// the store cannot tell, it gets it again, with the same ID.
func (f *FailureNotices) took(ctx context.Context, n *dsr.Notice) bool {
	list, err := f.options.Store.Entries(ctx, dsr.EntryQuery{Kind: kindCounted, Key: countedKey(n), Limit: 1})
	return err == nil && len(list) > 0 && saysTaken(&list[0])
}

// saysTaken reports whether what is remembered of a failure says that the other
// notifier took its notice.
func saysTaken(counted *dsr.Entry) (took bool) {
	return json.Unmarshal(counted.Data, &took) == nil && took
}

// countedKey is the key of what is remembered of a failure; the oldest is first.
func countedKey(n *dsr.Notice) string {
	return n.At.UTC().Format("2006-01-02T15:04:05.000000Z") + " " + n.ID
}

// count counts a failure, and sends the e-mail once there are enough of them.
func (f *FailureNotices) count(ctx context.Context, n *dsr.Notice, took bool) error {
	settings, err := f.options.Store.Entries(ctx, dsr.EntryQuery{Kind: string(dsr.CatalogueSetting), Key: notificationKey, Limit: 1})
	if err != nil {
		return fmt.Errorf("fides: read who is told of failures: %w", err)
	}
	if len(settings) == 0 || settings[0].Plain {
		return nil
	}
	who, err := readNotification(settings[0].Data)
	if err != nil || who == nil || len(who.Addresses) == 0 {
		return err
	}
	if err := f.add(ctx, n, took); err != nil {
		return err
	}
	return f.see(ctx, who)
}

// see looks whether an e-mail is due, and whether another is for what was counted
// meanwhile. While one is on its way nobody waits for it: who sends it looks
// again, and if it fails comes again for the sake of all.
func (f *FailureNotices) see(ctx context.Context, who *notification) error {
	f.more.Store(who)
	for f.more.Load() != nil && f.turn.TryLock() {
		if err := f.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look looks once, for whom those name who came last, and gives up the turn.
func (f *FailureNotices) look(ctx context.Context) error {
	defer f.turn.Unlock()
	who := f.more.Swap(nil)
	if who == nil {
		return nil
	}
	return f.mail(ctx, who)
}

// add counts a failure that was not counted yet, and remembers of another if the
// other notifier took it by now.
func (f *FailureNotices) add(ctx context.Context, n *dsr.Notice, took bool) error {
	request, err := json.Marshal(n.RequestID)
	if err != nil {
		return fmt.Errorf("fides: encode the ID of a request: %w", err)
	}
	counted, err := json.Marshal(took)
	if err != nil {
		return fmt.Errorf("fides: encode whether a notice was taken: %w", err)
	}
	at := n.At.UTC()
	_, err = f.options.Store.SaveEntries(ctx, []dsr.EntryChange{
		{Entry: dsr.Entry{Kind: kindFailure, Key: n.ID, Version: 1, Plain: true, UpdatedAt: at, Data: request}},
		{Entry: dsr.Entry{Kind: kindCounted, Key: countedKey(n), Version: 1, Plain: true, UpdatedAt: at, Data: counted}},
	})
	switch {
	case errors.Is(err, dsr.ErrConflict) && took:
		return f.remember(ctx, n)
	case errors.Is(err, dsr.ErrConflict): // it was counted
		return nil
	case err != nil:
		return fmt.Errorf("fides: count a failure: %w", err)
	}
	// One more is remembered, so at most two are forgotten.
	oldest, err := f.options.Store.Entries(ctx, dsr.EntryQuery{Kind: kindCounted, Limit: 2})
	if err != nil {
		return fmt.Errorf("fides: read which failures were counted: %w", err)
	}
	oldest = slices.DeleteFunc(oldest, func(e dsr.Entry) bool { return !e.UpdatedAt.Before(at.Add(-rememberCounted)) })
	return f.remove(ctx, "forget which failures were counted", oldest)
}

// remember remembers that the other notifier took a notice that it refused when
// the failure was counted.
func (f *FailureNotices) remember(ctx context.Context, n *dsr.Notice) error {
	list, err := f.options.Store.Entries(ctx, dsr.EntryQuery{Kind: kindCounted, Key: countedKey(n), Limit: 1})
	if err != nil {
		return fmt.Errorf("fides: read whether a notice was taken: %w", err)
	}
	if len(list) == 0 || saysTaken(&list[0]) {
		return nil
	}
	e := list[0]
	e.Version++
	e.Data = []byte("true")
	_, err = f.options.Store.SaveEntries(ctx, []dsr.EntryChange{{ExpectVersion: e.Version - 1, Entry: e}})
	if err != nil && !errors.Is(err, dsr.ErrConflict) { // another process did, or forgot it
		return fmt.Errorf("fides: remember that a notice was taken: %w", err)
	}
	return nil
}

// mail sends the e-mail if there are enough failures, and begins anew.
func (f *FailureNotices) mail(ctx context.Context, who *notification) error {
	failed, err := f.options.Store.Entries(ctx, dsr.EntryQuery{Kind: kindFailure, Limit: maxFailures})
	if err != nil {
		return fmt.Errorf("fides: count failures: %w", err)
	}
	if len(failed) < who.After {
		return nil
	}
	err = f.options.Send(ctx, who.Addresses, failureNotice(failed))
	switch {
	case errors.Is(err, dsr.ErrRejected): // as would be the next, with these in it
		f.options.Logger.ErrorContext(ctx, "fides: an e-mail about requests that failed was refused for good and is not sent again: "+
			"see whom PUT /privacy-request/notification names", "requests", len(failed), "reason", reasonOf(err))
	case err != nil:
		return err
	}
	return f.remove(ctx, "begin to count failures anew", failed)
}

// reasonOf is what an error offers for people to read.
func reasonOf(err error) string {
	var says dsr.ReasonError
	if !errors.As(err, &says) {
		return ""
	}
	return cut(says.Reason(), maxName)
}

// remove removes entries. Another process may have done so just now.
func (f *FailureNotices) remove(ctx context.Context, what string, entries []dsr.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	changes := make([]dsr.EntryChange, len(entries))
	for i, e := range entries {
		changes[i] = dsr.EntryChange{
			ExpectVersion: e.Version, Remove: true, Entry: dsr.Entry{Kind: e.Kind, Key: e.Key, Version: e.Version + 1, Plain: true},
		}
	}
	if _, err := f.options.Store.SaveEntries(ctx, changes); err != nil && !errors.Is(err, dsr.ErrConflict) {
		return fmt.Errorf("fides: %s: %w", what, err)
	}
	return nil
}

// failureNotice tells of failures. It names requests by their IDs and holds
// nothing personal. It has the ID of another only if it tells of the same: one
// that was sent but not confirmed may tell of more when it comes again, and one
// failure may send several.
func failureNotice(failed []dsr.Entry) dsr.Notice {
	const shown = 100
	what := "1 privacy request"
	if len(failed) > 1 {
		what = fmt.Sprintf("%d privacy requests", len(failed))
	}
	what += " stopped with an error"
	lines := []string{what + ":", ""}
	for i, e := range failed {
		if i == shown {
			lines = append(lines, fmt.Sprintf("  and %d more", len(failed)-shown))
			break
		}
		var id string
		if json.Unmarshal(e.Data, &id) == nil {
			lines = append(lines, "  "+id)
		}
	}
	lines = append(lines, "", "Mend the cause, and retry them.")
	last := slices.MaxFunc(failed, func(a, b dsr.Entry) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.Key, b.Key))
	})
	return dsr.Notice{
		ID: fmt.Sprintf("failures-%s-%d", last.Key, len(failed)), Kind: dsr.NoticeFailed, At: last.UpdatedAt, Message: what,
		Subject: what, Text: strings.Join(lines, "\n") + "\n",
	}
}
