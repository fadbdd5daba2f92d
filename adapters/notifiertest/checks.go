package notifiertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

func handedOver(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	for i, kind := range dsr.NoticeKinds() {
		full := sample(kind, fmt.Sprintf("notice-%d", i))
		bare := dsr.Notice{ID: full.ID, Kind: kind, At: full.At, Subject: "bare", Text: "bare", To: full.To, Assignee: full.Assignee, Vendor: full.Vendor}
		if _, err := s.sent(ctx, bare); err != nil {
			return err
		}
	}
	return nil
}

func content(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	for i, kind := range dsr.NoticeKinds() {
		n := sample(kind, fmt.Sprintf("notice-%d", i))
		if i%2 == 1 {
			n.HTML = ""
		}
		if _, err := s.sent(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func hostileTexts(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	var faults []error
	for i, sample := range hostileSamples() {
		n := plain(fmt.Sprintf("notice-%d", i))
		n.Subject, n.Text, n.HTML = sample.subject, sample.text, sample.html
		got, err := s.sent(ctx, n)
		if err == nil && !s.lacks(Recipients) && !slices.Equal(got.To, n.To["email"]) {
			err = errors.New("the text added a recipient, or removed one")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", sample.name, err))
		}
	}
	// Control characters may be refused, but not be lost.
	for _, c := range []string{"\x00", "\x07", "\x1b[2J", "\x7f"} {
		n := plain("control")
		n.Subject, n.Text, n.HTML = "a subject"+c+"with it", "a text"+c+"with it", "<p>"+c+"</p>"
		before, err := s.Received()
		if err != nil {
			return err
		}
		err = s.notify(ctx, n)
		got, failure := s.since(len(before))
		switch {
		case failure != nil:
			return failure
		case err == nil && len(got) == 1:
			err = s.same(n, got[0])
		case errors.Is(err, dsr.ErrRejected) && len(got) == 0:
			err = nil
		default:
			err = fmt.Errorf("Notify returned %v, and the notice arrived %d times; want ErrRejected, or the notice as it is", err, len(got))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("control character %q: %w", c, err))
		}
	}
	return errors.Join(faults...)
}

func recipients(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	for i, kind := range dsr.NoticeKinds() {
		n := sample(kind, fmt.Sprintf("notice-%d", i))
		var want []string
		switch kind.Audience() {
		case dsr.ToSubject:
			n.To["email"] = append(n.To["email"], address("ada.second"))
			want = n.To["email"]
		case dsr.ToOperators:
			want = s.Operators
		case dsr.ToAssignee:
			want = []string{n.Assignee}
		case dsr.ToVendor:
			want = []string{n.Vendor.Address}
		}
		before, err := s.Received()
		if err != nil {
			return err
		}
		if err := s.notify(ctx, n); err != nil {
			return fmt.Errorf("Notify of a notice of kind %q: %w", kind, err)
		}
		arrived, err := s.since(len(before))
		if err != nil {
			return err
		}
		var got []string
		for _, r := range arrived {
			got = append(got, r.To...)
			if err := s.same(n, r); err != nil {
				return err
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			return fmt.Errorf("a notice of kind %q arrived at %q; want %q", kind, got, want)
		}
	}
	return nil
}

func nobody(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	for i, change := range []func(n *dsr.Notice){
		func(n *dsr.Notice) { n.Kind, n.To = dsr.NoticeReceived, nil },
		func(n *dsr.Notice) { n.Kind, n.To = dsr.NoticeVerify, dsr.Identities{"phone_number": {"+49 30 1"}} },
		func(n *dsr.Notice) { n.Kind, n.To = dsr.NoticeDenied, dsr.Identities{"email": {}} },
		func(n *dsr.Notice) { n.Kind, n.To = dsr.NoticeComplete, dsr.Identities{"email": {"no address"}} },
		func(n *dsr.Notice) { n.Kind, n.Assignee = dsr.NoticeTask, "" },
		func(n *dsr.Notice) { n.Kind, n.Vendor = dsr.NoticeErase, nil },
		func(n *dsr.Notice) { n.Kind, n.Vendor = dsr.NoticeErase, &dsr.NoticeVendor{Key: "mailer"} },
	} {
		n := plain(fmt.Sprintf("notice-%d", i))
		change(&n)
		if err := s.refused(ctx, n, true); err != nil {
			return fmt.Errorf("a notice of kind %q that nobody can get (case %d): %w", n.Kind, i, err)
		}
	}
	if _, err := s.sent(ctx, plain("another")); err != nil {
		return fmt.Errorf("after notices that nobody can get: %w", err)
	}
	return nil
}

func sameID(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	n := plain("notice-1")
	first, err := s.sent(ctx, n)
	if err != nil {
		return err
	}
	if _, err := s.sent(ctx, plain("notice-2")); err != nil {
		return err
	}
	// Texts may be rendered anew.
	n.Subject, n.Text, n.HTML = "other", "texts", "<p>meanwhile</p>"
	again, err := s.sent(ctx, n)
	if err == nil && again.ID != first.ID {
		err = fmt.Errorf("the notice came with the mark %q, and again with %q", first.ID, again.ID)
	}
	return err
}

func ownID(ctx context.Context, h Harness) error {
	s, err := enter(ctx, h)
	if err != nil {
		return err
	}
	long := strings.Repeat("0123456789", 6)
	marks := map[string]string{}
	for _, id := range []string{"a-b0", "a-b", "A-b", "a.b", "a_b", "ab", "01", "1", "1.0", long + "1", long + "2"} {
		n := plain("")
		n.ID = id
		got, err := s.sent(ctx, n)
		if err != nil {
			return err
		}
		if other, taken := marks[got.ID]; taken {
			return fmt.Errorf("the notices %q and %q came with the same mark %q", other, id, got.ID)
		}
		marks[got.ID] = id
	}
	return nil
}

// plain is a notice to the data subject, whose texts say the ID.
func plain(id string) dsr.Notice { return sample(dsr.NoticeReceived, id) }
