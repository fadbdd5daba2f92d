package smtp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// Security says how the connection to the server is protected.
type Security string

// How connections are protected.
const (
	// StartTLS upgrades the connection before anything is said, and refuses
	// servers that do not offer that (RFC 3207). The default.
	StartTLS Security = "STARTTLS"
	// ImplicitTLS speaks TLS from the first byte on (RFC 8314).
	ImplicitTLS Security = "TLS"
	// Plaintext sends everything readable to all on the way, links to
	// packages included: for a relay on the same machine only. It never
	// sends a password.
	Plaintext Security = "none"
)

// Options says where mail is handed in and whom it is from.
type Options struct {
	// Host of the server, by name or address. Required.
	Host string
	// Port defaults to 587, for [ImplicitTLS] to 465 and for [Plaintext] to 25.
	Port int
	// Security defaults to [StartTLS].
	Security Security
	// TLSConfig defaults to Go's defaults, with Host as ServerName.
	TLSConfig *tls.Config
	// Username and Password authenticate by the strongest mechanism that the
	// server offers of SCRAM-SHA-256 and SCRAM-SHA-1, with channel binding
	// where it can, CRAM-MD5, PLAIN and LOGIN. Both empty: none.
	Username, Password string
	// Token returns an OAuth 2.0 access token for Username, for services that
	// take no password any more: it is sent by XOAUTH2. It is called for
	// each connection, so it should keep the token while that is good. Its
	// error is told, so it must hold nothing secret. It takes the place of
	// Password.
	Token func(ctx context.Context) (string, error)
	// Hello is the name that this side gives itself. Defaults to the name of
	// the machine where that has a domain, else to [127.0.0.1].
	Hello string
	// Timeout is the time that one Notify may take, in all. Defaults to 30
	// seconds.
	Timeout time.Duration

	// From is who sends the notices, and who gets what bounces. Required.
	From mail.Address
	// ReplyTo is where answers go. Defaults to From.
	ReplyTo mail.Address
	// Headers are added to each message. Those that this package writes are
	// refused, and so are values that hold control characters.
	Headers map[string]string
	// Sign is given each finished message, its lines ended by CRLF, and
	// returns what is sent: the message with a DKIM signature before it. It
	// may be called by many at once. While it fails, notices are
	// [dsr.ErrUnavailable]; its error is told, so it must hold nothing
	// personal. Defaults to none: servers for submission often sign.
	Sign func(message []byte) ([]byte, error)

	// Operators are the addresses for notices to operators. Without any,
	// such notices are [dsr.ErrRejected].
	Operators []string
	// Subjects returns the addresses of the data subject of a notice.
	// Defaults to all identities of kind "email". Its error is told, as
	// that of Sign.
	Subjects func(ctx context.Context, n dsr.Notice) ([]string, error)
	// Assignees returns the addresses of a person or a group by the name
	// that tasks give them. Defaults to that name, which must be an address
	// then. Its error is told, as that of Sign.
	Assignees func(ctx context.Context, assignee string) ([]string, error)
}

// Format implements [fmt.Formatter] for every verb without the password.
func (o Options) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s as %q}", o.Host, cmp.Or(o.Security, StartTLS), o.Username)
}

// LogValue implements [slog.LogValuer] without the password.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

const (
	defaultTimeout = 30 * time.Second
	// noDomain is how a machine without a name in the DNS calls itself; RFC
	// 5321, 4.1.3.
	noDomain = "[127.0.0.1]"
)

// settings are checked options with their defaults.
type settings struct {
	Options
	address string // host:port
	from    mailbox
	replyTo *mailbox
}

// check fills in defaults. The error tells every fault.
func (o *Options) check() (*settings, error) {
	if o == nil {
		o = &Options{}
	}
	s := &settings{Options: *o}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if s.Host == "" || strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }) {
		fault("Host: the name or the address of the server is needed")
	}
	if s.Security == "" {
		s.Security = StartTLS
	}
	ports := map[Security]int{StartTLS: 587, ImplicitTLS: 465, Plaintext: 25}
	if _, known := ports[s.Security]; !known {
		fault("Security: %q is none of StartTLS, ImplicitTLS and Plaintext", s.Security)
	}
	if s.Port == 0 {
		s.Port = ports[s.Security]
	}
	if s.Port < 0 || s.Port > 65535 {
		fault("Port: %d is no port", s.Port)
	}
	s.address = net.JoinHostPort(s.Host, fmt.Sprint(s.Port))
	if (s.Username != "") != (s.Password != "" || s.Token != nil) || s.Password != "" && s.Token != nil {
		fault("Username: give it with either Password or Token, or none of the three")
	}
	if s.Username != "" && s.Security == Plaintext {
		fault("Username: neither password nor token is sent without TLS; choose StartTLS or ImplicitTLS")
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.Timeout < 0 {
		fault("Timeout: %v is negative", s.Timeout)
	}
	if s.Hello == "" {
		s.Hello = ownName()
	}
	if strings.ContainsFunc(s.Hello, func(r rune) bool { return r <= ' ' || r > '~' }) {
		fault("Hello: a name in ASCII without blanks is needed")
	}
	if s.TLSConfig == nil {
		s.TLSConfig = &tls.Config{}
	}
	s.TLSConfig = s.TLSConfig.Clone()
	if s.TLSConfig.ServerName == "" {
		s.TLSConfig.ServerName = s.Host
	}
	s.checkPeople(fault)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("smtp: the options are wrong: %w", err)
	}
	return s, nil
}

// checkPeople checks who writes, and what is said of them.
func (s *settings) checkPeople(fault func(format string, args ...any)) {
	var err error
	if s.from, err = own(s.From); err != nil {
		fault("From: %w", err)
	}
	if s.ReplyTo != (mail.Address{}) {
		box, err := own(s.ReplyTo)
		if err != nil {
			fault("ReplyTo: %w", err)
		}
		s.replyTo = &box
	}
	s.Operators = slices.Clone(s.Operators)
	for i, operator := range s.Operators {
		if _, err := parse(operator); err != nil {
			fault("Operators: number %d: %w", i+1, err)
		}
	}
	s.Headers = maps.Clone(s.Headers)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		switch key := textproto.CanonicalMIMEHeaderKey(name); {
		case !headerName(name):
			fault("Headers: %q is no name of a header", name)
		case slices.Contains(ownHeaders, key) || strings.HasPrefix(key, "Content-"):
			fault("Headers: %q is written by this package", name)
		case strings.ContainsFunc(s.Headers[name], func(r rune) bool { return r < ' ' || r == 0x7f }):
			fault("Headers: the value of %q has control characters", name)
		}
	}
}

// ownHeaders cannot be added to a message, besides those of its content.
var ownHeaders = []string{
	"From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date", "Message-Id", "References", "In-Reply-To", "Mime-Version",
	"Auto-Submitted", "X-Auto-Response-Suppress", "Dkim-Signature", "Return-Path", "Received",
}

// headerName reports whether a text is the name of a header; RFC 5322, 3.6.8.
func headerName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' })
}

// own checks an address of this side, which every server must understand.
func own(a mail.Address) (mailbox, error) {
	box, err := parse(a.Address)
	switch {
	case err != nil:
		return box, err
	case box.international:
		return box, errors.New("what is before the @ must be ASCII")
	case strings.ContainsFunc(a.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return box, errors.New("the name has control characters")
	}
	box.name = a.Name
	return box, nil
}

// ownName is what this machine is called.
func ownName() string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
		return name
	}
	return noDomain
}
