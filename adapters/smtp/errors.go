package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strings"

	"github.com/godsr/dsr"
)

// Error says why a notice was not handed over. Its text names the server, what
// was being done, why it failed, what can be done, and the codes that the
// server gave; never an address, nor what else the server said, which quotes
// them.
//
// [errors.Is] finds either [dsr.ErrRejected] or [dsr.ErrUnavailable] in it, and
// the error of the context if that ended.
type Error struct {
	// Server is host and port.
	Server string
	// Step is what was being done, such as "RCPT".
	Step string
	// Code is the reply code of the server, such as 550; 0 for none.
	Code int
	// Status is the enhanced status code, such as "5.1.1"; empty for none.
	Status string

	reason string
	kind   error // ErrRejected or ErrUnavailable
	cause  error
	broken bool // the connection cannot be used any more
	taken  int  // recipients that have the notice nevertheless
	of     int
}

// Error names server, step, reason and codes.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("smtp: ")
	if e.Server != "" {
		b.WriteString(e.Server + ": ")
	}
	b.WriteString(e.Step + ": " + e.reason)
	if e.Code != 0 {
		b.WriteString(strings.TrimRight(fmt.Sprintf(" (%d %s", e.Code, e.Status), " ") + ")")
	}
	if e.taken > 0 {
		fmt.Fprintf(&b, "; %d of %d recipients have the notice", e.taken, e.of)
	}
	return b.String()
}

// Reason implements [dsr.ReasonError]: the whole text can be shown.
func (e *Error) Reason() string { return e.Error() }

// Unwrap returns what a host can branch on.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// What is done, in the order of a session. Steps after stepMail are about one
// recipient, those before about the server and the account.
const (
	stepFind      = "find the recipients"
	stepRender    = "write the message"
	stepSign      = "sign the message"
	stepConnect   = "connect"
	stepTLS       = "TLS"
	stepGreeting  = "greeting"
	stepHello     = "EHLO"
	stepStartTLS  = "STARTTLS"
	stepAuth      = "AUTH"
	stepMail      = "MAIL"
	stepRecipient = "RCPT"
	stepData      = "DATA"
	stepMessage   = "message"
)

// reject is an error for good, unavailable one that may pass.
func reject(step, reason string) *Error {
	return &Error{Step: step, reason: reason, kind: dsr.ErrRejected}
}
func unavailable(step, reason string) *Error {
	return &Error{Step: step, reason: reason, kind: dsr.ErrUnavailable}
}

// host is an error of a function that the host gave, whose text can be told.
func host(step string, err error) *Error {
	e := unavailable(step, err.Error())
	if errors.Is(err, dsr.ErrRejected) {
		e.kind = dsr.ErrRejected
	}
	return e
}

// fail tells an error of a session. ended is why the context is over, if it is:
// everything else follows from that.
func (n *Notifier) fail(ended error, step string, err error) *Error {
	e := unavailable(step, "")
	var own *Error
	var reply *textproto.Error
	switch {
	case errors.As(err, &own):
		e = own
	case ended != nil:
		e.reason, e.cause, e.broken = "the server did not answer in time", ended, true
		if errors.Is(ended, context.Canceled) {
			e.reason = "the caller gave up"
		}
	case errors.As(err, &reply):
		e.Code, e.Status = reply.Code, status(reply)
		e.explain()
	default:
		e.reason, e.broken = lost(err), true
	}
	e.Server = n.opts.address
	return e
}

// enhanced is the status code at the start of a reply; RFC 2034, 4.
var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}(?:\s|$)`)

func status(reply *textproto.Error) string {
	return strings.TrimSpace(enhanced.FindString(reply.Msg))
}

// explain says what a reply means at its step. Until the sender is accepted, a
// refusal is about this side's configuration, which somebody will mend: no
// notice may be lost for it.
func (e *Error) explain() {
	aboutNotice := e.Step == stepRecipient || e.Step == stepData || e.Step == stepMessage
	e.broken = !aboutNotice && e.Step != stepMail || e.Code == 421 // RFC 5321, 3.8: the server closes
	switch {
	case e.Code == 530 || e.Code == 534 || e.Code == 535 || e.Code == 538:
		// RFC 4954, 6
		e.reason = "the server wants another authentication; check Username, Password or Token, and Security"
	case e.Code < 500:
		e.reason = "the server refused for now"
	case e.Step == stepAuth:
		e.reason = "the server refused the authentication; check Username, and Password or Token"
	case e.Step == stepMail:
		e.reason = "the server refused the sender; check From and what the account may send as"
	case e.Step == stepRecipient && strings.HasPrefix(e.Status, "5.7."):
		// RFC 3463, 3.8: this sender may not. Servers say so of all mail
		// that they would have to pass on, until they are told to trust.
		e.reason = "the server does not pass mail on for this account; check Username, From and what the server lets through"
	case aboutNotice:
		e.kind = dsr.ErrRejected
		e.reason = "the server refused the message for good"
		if e.Step == stepRecipient {
			e.reason = "the server refused the recipient for good"
		}
	default:
		e.reason = "the server does not serve this machine; check Host, Port and Security, and what it lets in"
	}
}

// errTalkative ends the connection to a server that says too much.
var errTalkative = errors.New("the server said more than any server has to say")

// lost says why a connection failed. Only texts that Go or the system made are
// told; others may quote the server.
func lost(err error) string {
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errTalkative):
		return errTalkative.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the server did not answer in time"
	case errors.As(err, &certificate):
		return "the server's certificate is not trusted; check Host and TLSConfig: " + certificate.Err.Error()
	case errors.As(err, &authority):
		return "the server's certificate is not trusted; check Host and TLSConfig: " + authority.Error()
	case errors.As(err, &record):
		return "the server does not speak TLS here; check Port and Security"
	case errors.As(err, &alert):
		return "the server refused TLS: " + alert.Error()
	case errors.As(err, &name):
		return "the name of the server cannot be looked up: " + name.Err
	case errors.As(err, &network):
		return "the server cannot be reached, or ended the connection: " + network.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the server ended the connection"
	}
	return "the server did not keep to the protocol"
}
