package smtp

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/godsr/dsr"
)

// Lengths of an address in bytes; RFC 5321, 4.5.3.1 and 4.1.2.
const (
	maxLocal   = 64
	maxAddress = 254
)

// mailbox is an address that mail can be sent to.
type mailbox struct {
	name    string // for people to read
	address string // local part and domain, the latter in ASCII
	domain  string
	// international says that the local part is not ASCII, so that every
	// server on the way has to know SMTPUTF8 (RFC 6531).
	international bool
}

var errNoAddress = errors.New("that is no e-mail address")

// parse reads an address that stands alone, without a name or a comment. The
// domain may be written in any script. The error does not quote it.
func parse(text string) (mailbox, error) {
	text = strings.TrimSpace(text)
	at := strings.LastIndexByte(text, '@')
	if at < 1 {
		return mailbox{}, errNoAddress
	}
	local, domain := text[:at], text[at+1:]
	if !ascii(domain) {
		var err error
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return mailbox{}, errNoAddress
		}
	}
	bare := local + "@" + domain
	parsed, err := mail.ParseAddress(bare)
	if err != nil || len(local) > maxLocal || len(bare) > maxAddress || angle(parsed.Address) != "<"+bare+">" {
		return mailbox{}, errNoAddress
	}
	return mailbox{address: parsed.Address, domain: domain, international: !ascii(local)}, nil
}

// angle writes an address as SMTP does, quoted where it must be.
func angle(address string) string { return (&mail.Address{Address: address}).String() }

// full is the address as a header shows it.
func (b mailbox) full() *mail.Address { return &mail.Address{Name: b.name, Address: b.address} }

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

// recipients finds whom a notice is for, each once, and how many addresses are
// none.
func (n *Notifier) recipients(ctx context.Context, notice dsr.Notice) (to []mailbox, wrong int, err error) {
	addresses, err := n.addresses(ctx, notice)
	if err != nil {
		return nil, 0, err
	}
	for _, address := range addresses {
		box, err := parse(address)
		if err != nil {
			wrong++
			continue
		}
		if !slices.Contains(to, box) {
			to = append(to, box)
		}
	}
	return to, wrong, nil
}

// addresses are those that a notice is for, as they were given.
func (n *Notifier) addresses(ctx context.Context, notice dsr.Notice) ([]string, error) {
	switch notice.Kind.Audience() {
	case dsr.ToSubject:
		if n.opts.Subjects != nil {
			return n.opts.Subjects(ctx, notice)
		}
		return notice.To["email"], nil
	case dsr.ToAssignee:
		if n.opts.Assignees != nil {
			return n.opts.Assignees(ctx, notice.Assignee)
		}
		return given(notice.Assignee), nil
	case dsr.ToVendor:
		if notice.Vendor == nil {
			return nil, nil
		}
		return given(notice.Vendor.Address), nil
	}
	return n.opts.Operators, nil
}

// given is a list of the address, if there is one.
func given(address string) []string {
	if address == "" {
		return nil
	}
	return []string{address}
}
