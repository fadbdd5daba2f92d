package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// What the bounds of a client refuse, for [errors.Is].
var (
	// ErrRefused: an address, a scheme or an answer is refused.
	ErrRefused = errors.New("it is refused")
	// ErrRedirect: the other side redirects, and that is not followed.
	ErrRedirect = errors.New("it redirects, which is not followed")
	// ErrTooLarge: the answer is larger than it may be; the rest of it was
	// not read.
	ErrTooLarge = errors.New("its answer is too large")
)

// refusal is one of them with the reason.
type refusal struct {
	kind   error
	reason string
}

func refuse(kind error, reason string) error { return &refusal{kind, reason} }

func (r *refusal) Error() string { return r.kind.Error() + ": " + r.reason }
func (r *refusal) Unwrap() error { return r.kind }

// Error says why a call came to nothing. Its text is made here, of known words
// only: those of the standard library quote URLs and answers.
type Error struct {
	Method string
	// Origin is the scheme and the host that was called.
	Origin string
	// Reason says what went wrong.
	Reason    string
	temporary bool
	cause     error
}

// Error names the method, the origin and the reason.
func (e *Error) Error() string { return e.Method + " " + e.Origin + ": " + e.Reason }

// Unwrap returns what a caller may ask for: an error of a context, or one of
// this package.
func (e *Error) Unwrap() error { return e.cause }

// Temporary reports whether a call may succeed when it is made again: networks,
// certificates and servers are mended; what was refused stays refused.
func Temporary(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.temporary
}

// fault makes the error of a call.
func fault(req *http.Request, err error) *Error {
	e := &Error{Method: req.Method, Origin: Origin(req.URL)}
	var own *refusal
	if errors.As(err, &own) {
		e.Reason, e.cause = own.Error(), own.kind
		return e
	}
	e.temporary = true
	if e.cause = req.Context().Err(); e.cause != nil {
		e.Reason = "the caller did not wait any longer"
		return e
	}
	e.Reason = reason(err)
	return e
}

// reason tells in words of our own what the network's error was.
func reason(err error) string {
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		record      tls.RecordHeaderError
		number      syscall.Errno
		timeout     net.Error
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "its name cannot be resolved: there is no such name"
	case errors.As(err, &name):
		return "its name cannot be resolved for now"
	case errors.As(err, &certificate):
		return "its certificate is not accepted: " + certificate.Err.Error()
	case errors.As(err, &alert):
		return "it refused the TLS handshake: " + alert.Error()
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	case errors.As(err, &number):
		return number.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it broke the connection off"
	}
	return "it does not answer as HTTP demands"
}
