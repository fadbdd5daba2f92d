package dsr

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/lifecycle"
)

// LinkOptions say how a link works.
type LinkOptions struct {
	// Expires is how long it works, a year at most. Defaults to five days.
	// It works no longer than [Retention] keeps the package.
	Expires time.Duration
	// Once makes it work once only.
	Once bool
	// By says who makes it.
	By By
}

// linkFor is how long links work, as in Fides.
const linkFor = 5 * 24 * time.Hour

const maxLinkFor = 366 * 24 * time.Hour

// Link makes a link to the package of an access rule of a request, which must be
// [StatusComplete], or wait for others after a [NoticePackage]; the rule may be "" where there is one package only. It
// returns the token, which belongs into a URL and nowhere else: whoever has it
// has the package. The audit trail and the request's log are told of the link,
// not of the token.
//
// It is [ErrNotFound] that there is no such request or package, [ErrPackageGone]
// that retention removed it, or its destination was removed, [ErrUnavailable] that
// its destination cannot be used for now; a [*RefusedError] over [ErrConflict] or
// [ErrDeleted] tells that the request is not that far, or deleted.
func (l *Downloads) Link(ctx context.Context, requestID, rule string, opts *LinkOptions) (token string, expires time.Time, err error) {
	defer recovered(&err)
	o := LinkOptions{Expires: linkFor}
	if opts != nil {
		if o = *opts; o.Expires == 0 {
			o.Expires = linkFor
		}
	}
	if err := o.By.check(); err != nil {
		return "", time.Time{}, fmt.Errorf("dsr: link to a package of request %s: %w", requestID, err)
	}
	if o.Expires < 0 || o.Expires > maxLinkFor {
		return "", time.Time{}, fmt.Errorf("dsr: link to a package of request %s: LinkOptions.Expires is %s; it must be positive, and a year at most", requestID, o.Expires)
	}
	t := linkToken{requestID: requestID, once: o.Once}
	if _, err := io.ReadFull(l.engine.config.Random, t.id[:]); err != nil {
		return "", time.Time{}, fmt.Errorf("dsr: make a link: %w", err)
	}
	_, err = l.engine.requests.try(ctx, requestID, func(d *draft) error {
		res, err := l.complete(d)
		if err != nil {
			return err
		}
		at, err := packageOf(d.Record.ID, &res, rule)
		if err != nil {
			return err
		}
		p := &res.Packages[at]
		dest, done, err := l.engine.destinationOf(ctx, p)
		if err != nil {
			return fmt.Errorf("dsr: link to a package of request %s: %w", requestID, err)
		}
		defer done()
		if dest == nil {
			return lostPackage(requestID, p)
		}
		if !opens(dest) && !links(dest) {
			return fmt.Errorf("dsr: link to a package of request %s: destination %q is neither a storage.Opener nor a storage.Linker", requestID, p.Destination)
		}
		t.rule, t.expires = p.Rule, d.now.Add(o.Expires)
		if until := packagesUntil(&d.state); !until.IsZero() && until.Before(t.expires) {
			t.expires = until
		}
		t.digest = digestOf(p)
		if token, err = l.seal(ctx, &t); err != nil {
			return err
		}
		const action = "download link made"
		if o.By != (By{}) {
			if err := d.remark(ctx, action, o.By); err != nil {
				return err
			}
		}
		return d.note(ctx, action, o.By.Actor, map[string]string{
			"rule": p.Rule, "link": t.name(), "expires": t.expires.Format(time.RFC3339Nano), "once": strconv.FormatBool(o.Once),
		})
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, t.expires, nil
}

// complete returns the outcomes of a request whose packages can be handed over.
func (l *Downloads) complete(d *draft) (results, error) {
	rec := &d.Record
	refuse := func(cause error, reason string) error {
		return &RefusedError{RequestID: rec.ID, Status: rec.Status, Verb: "download", reason: reason, cause: cause}
	}
	res, err := rec.results()
	if err != nil {
		return results{}, fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	// Of a request that is being worked on nothing is stored from outside.
	early := res.PackagesTold && rec.Status != StatusInProcessing && !d.state.Status.Ended()
	switch {
	case !rec.DeletedAt.IsZero():
		return results{}, refuse(ErrDeleted, "it was deleted on "+rec.DeletedAt.UTC().Format(time.DateOnly))
	case rec.Status != StatusComplete && !early:
		return results{}, refuse(ErrConflict, fmt.Sprintf("it is %s; packages are handed over of a request that is %s", rec.Status, StatusComplete))
	case slices.Contains(d.state.Gone, lifecycle.Packages), slices.Contains(d.state.Expired(d.now), lifecycle.Packages):
		return results{}, fmt.Errorf("%w: the packages of request %s were kept for their time", ErrPackageGone, rec.ID)
	}
	return res, nil
}

// packageOf finds the package of a rule.
func packageOf(requestID string, res *results, rule string) (int, error) {
	if rule == "" && len(res.Packages) == 1 {
		return 0, nil
	}
	at := slices.IndexFunc(res.Packages, func(p PackageOutcome) bool { return p.Rule == rule })
	if at >= 0 {
		return at, nil
	}
	if len(res.Packages) == 0 {
		return 0, fmt.Errorf("%w: request %s has no data package, since its policy hands nothing over", ErrNotFound, requestID)
	}
	var rules []string
	for _, p := range res.Packages {
		rules = append(rules, p.Rule)
	}
	return 0, fmt.Errorf("%w: request %s has no package of rule %q; it has those of: %s", ErrNotFound, requestID, rule, strings.Join(rules, ", "))
}

// packagesUntil is when retention takes the packages of a request that is
// complete; zero for never.
func packagesUntil(s *lifecycle.State) (until time.Time) {
	if s.EndedAt.IsZero() { // they are kept from the end on
		return until
	}
	for _, keep := range []time.Duration{s.Flow.Keep.Packages, s.Flow.Keep.Request} {
		if at := s.EndedAt.Add(keep); keep > 0 && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	return until
}
